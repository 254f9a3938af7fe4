"""HTTP client of a remote source, with retries, rate limit, cache and egress control.

A request passes, in this order: the cache; the gate (a person's consent and the log); the bucket, which all processes
share; the network. A busy or failing server is asked up to `TRIES` times; refusals are not repeated.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeVar

import httpx

from tools.errors import AttendError, ConfigError
from tools.literature.remote.cache import Cache
from tools.literature.remote.clock import Timing
from tools.literature.remote.rate_limit import Bucket, Held
from tools.privacy.egress import Gate

TRIES = 4
"""Maximum number of requests for one answer, including the first."""
BACK_OFF_S = (1.0, 2.0, 4.0, 8.0)
"""Wait after each failed try, if the server names none; up to a quarter more is added at random."""
PATIENCE_S = 30.0
"""Maximum wait that a server may ask for; if it wants more, the request fails, and no request is sent before that."""
DOWN_S = 30.0
"""Time for which a server counts as down, and is not asked, after it was unreachable or failed in all tries."""
MAX_PAUSE_S = 86_400.0
"""Maximum time for which a server is not asked, whatever it requests."""
TIMEOUT_S = httpx.Timeout(30.0, connect=10.0)
DEADLINE_S = 120.0
"""Time limit of a whole answer, against servers that send a byte now and then."""
MAX_BODY_BYTES = 64 << 20
"""Maximum uncompressed size of an answer; 200 records of PubMed have about 4 MB."""
USER_AGENT = "attend-agent/0.1"

_AGAIN = {429, 500, 502, 503, 504}
_LOG = logging.getLogger(__name__)
T = TypeVar("T")


class RemoteError(AttendError):
    """A remote source gave no usable answer.

    Attributes:
        partial: what could be read of a broken answer, or None.
        bad_request: whether the request itself was wrong, so that others may still succeed.
    """

    def __init__(self, problem: str, *, remedy: str = "", partial: Any = None, bad_request: bool = False) -> None:
        super().__init__(problem, remedy=remedy)
        self.partial, self.bad_request = partial, bad_request


class TryAgain(Exception):
    """A try failed, and another may succeed. Readers of answers also raise it for a broken answer.

    Args:
        reason: what went wrong.
        partial: what could be read of a broken answer.
        wait_s: wait that the server requested, if any.
        busy: whether the server limits all requests, not only this one.
        down: whether the server may be out of order for all requests.
    """

    def __init__(
        self, reason: str, partial: Any = None, *, wait_s: float | None = None, busy: bool = False, down: bool = False
    ) -> None:
        super().__init__(reason)
        self.partial, self.wait_s, self.busy, self.down = partial, wait_s, busy, down


@dataclass
class Client:
    """A client of one remote source. Thread-safe.

    Attributes:
        name: name of the source, as in the settings; part of the cache's keys.
        url: base URL; `http` or `https`, without a name and password.
        cache: stored answers.
        max_age_s: maximum age of an answer from the cache.
        offline: answer only from the cache.
        bucket: the server's rate limit.
        gate: consent and log.
        sender: parameters that identify the sender, such as key and address; never in logs, errors or the cache.
        method: `POST` keeps all parameters out of URLs, and so out of proxies' logs.
        contact: e-mail address for the `User-Agent` header.
        timing: the clock, and how to wait.

    Raises:
        ConfigError: if the URL is invalid.
    """

    name: str
    url: str
    cache: Cache
    max_age_s: float
    offline: bool
    bucket: Bucket
    gate: Gate
    sender: Mapping[str, str] = field(default_factory=dict, repr=False)
    method: Literal["GET", "POST"] = "POST"
    contact: str = field(default="", repr=False)
    timing: Timing = field(default_factory=Timing)

    def __post_init__(self) -> None:
        check_url(self.name, self.url)
        self._connections: httpx.Client | None = None  # created on first use: it loads certificates
        self._lock = threading.Lock()
        self._down_until_s, self._down_reason = 0.0, ""

    def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        with self._lock:
            if self._connections is not None:
                self._connections.close()
            self._connections = None

    def ask(
        self,
        call: str,
        params: Mapping[str, str],
        read: Callable[[bytes], T],
        *,
        said: str,
        short: str = "",
        keep: bool = True,
    ) -> T:
        """Get an answer from the cache or the server.

        Args:
            call: the last part of the URL.
            params: parameters of the request, without `sender`.
            read: converts the body of an answer; raises `TryAgain` if it is broken. Called before the answer is stored,
                so that the cache never has broken ones.
            said: the request in words, as shown to a person and logged.
            short: shown to a person in its place, if it is long without further information.
            keep: whether the whole answer is looked up and stored in the cache.

        Raises:
            RemoteError: if there is no answer: it is not cached offline, or the server fails for too long, refuses, or
                answers unreadably.
            GateError: if nothing may be sent.
            StoreError: if cache, log or bucket are not usable.
        """
        request = {"source": self.name, "call": call, **params}
        if keep and (body := self.held([request])[0]) is not None:
            try:
                return read(body)
            except TryAgain:
                _LOG.warning("%s: cannot read an answer in the cache; asking again", self.name)
        if self.offline:
            raise RemoteError(
                f"cannot answer offline: the cache has no answer to {short or said!r:.200}.",
                remedy="Ask it once with `literature.offline` off, or use the cache of a run that asked it.",
                bad_request=True,
            )
        self.gate.permit(said, short)
        body, value = self._persist(call, params, read)
        if keep:
            self.keep([(request, body)])
        return value

    def held(self, requests: Sequence[Mapping[str, str]], max_age_s: float = math.inf) -> list[bytes | None]:
        """Return cached answers to requests, no older than this and the client's `max_age_s`. Raises StoreError."""
        return self.cache.get(requests, min(max_age_s, self.max_age_s))

    def keep(self, answers: Sequence[tuple[Mapping[str, str], bytes]]) -> None:
        """Store answers to requests in the cache. Raises StoreError."""
        self.cache.put(answers)

    def _persist(self, call: str, params: Mapping[str, str], read: Callable[[bytes], T]) -> tuple[bytes, T]:
        """Send a request until it is answered or the tries are used up."""
        if 0 < (left_s := self._down_until_s - self.timing.now()) <= DOWN_S:
            raise RemoteError(self._down_reason, remedy=f"It is asked again in {math.ceil(left_s)} s at the earliest.")
        for attempt in range(1, TRIES + 1):
            try:
                self.bucket.take(PATIENCE_S)
                body = self._once(call, params)
                return body, read(body)
            except Held as error:
                raise RemoteError(error.problem, remedy=error.remedy) from error
            except TryAgain as error:
                failed, reason = error, self._clean(str(error))
            for_all = failed.busy or failed.wait_s is not None
            wait_s = failed.wait_s
            if wait_s is None:
                wait_s = BACK_OFF_S[attempt - 1] * (1 + self.timing.chance() / 4)
            if for_all:
                self.bucket.hold(min(wait_s, MAX_PAUSE_S))
            _LOG.info("%s: try %d of %d failed: %s", self.name, attempt, TRIES, reason)
            if wait_s > PATIENCE_S:
                reason += f"; it asked for a pause of {wait_s:.0f} s."
                raise RemoteError(reason, remedy="Try again then.", partial=failed.partial) from failed
            if not for_all and attempt < TRIES:
                self.timing.sleep(wait_s)
        reason += f"; it was asked {TRIES} times."
        if failed.down:
            self._down_until_s, self._down_reason = self.timing.now() + DOWN_S, reason
        raise RemoteError(reason, remedy="Try again later.", partial=failed.partial) from failed

    def _once(self, call: str, params: Mapping[str, str]) -> bytes:
        """Return the body of an answer to one request. Raises TryAgain, or RemoteError if another try is useless."""
        sent = {**params, **self.sender}
        parts: dict[str, Any] = {"data": sent} if self.method == "POST" else {"params": sent}
        try:
            with self._http().stream(self.method, f"{self.url.rstrip('/')}/{call}", **parts) as response:
                body = self._body(response)
        except httpx.RequestError as error:
            why = f"{type(error).__name__} {error}".strip()
            raise TryAgain(f"cannot reach the server, or the connection broke: {why}", down=True) from error
        status = response.status_code
        if status == 200:
            key = self.sender.get("api_key", "").encode()
            return body.replace(key, b"[api_key]") if key else body
        reason = f"the server answered with status {status}{_why(self._clean(body[:2000].decode(errors='replace')))}"
        if status in _AGAIN:
            wait_s = _retry_after_s(response.headers, self.timing.now())
            raise TryAgain(reason, wait_s=wait_s, busy=status in (429, 503), down=status >= 500)
        if 300 <= status < 400:
            raise RemoteError(f"{reason}: it redirects elsewhere.", remedy=f"Correct `literature.{self.name}_url`.")
        raise RemoteError(f"{reason}.", remedy="Change the query, or the settings.", bad_request=status in (400, 404))

    def _http(self) -> httpx.Client:
        with self._lock:
            if self._connections is None:
                agent = f"{USER_AGENT} (mailto:{self.contact})" if self.contact else USER_AGENT
                # Redirects are not followed: a query goes only to the server in the settings.
                self._connections = httpx.Client(
                    headers={"User-Agent": agent}, timeout=TIMEOUT_S, follow_redirects=False, verify=_certificates()
                )
            return self._connections

    def _body(self, response: httpx.Response) -> bytes:
        """Return the uncompressed body. Raises TryAgain if it takes too long, RemoteError if it is too large."""
        pieces, size, end_s = [], 0, time.monotonic() + DEADLINE_S
        for piece in response.iter_bytes():
            size += len(piece)
            if size > MAX_BODY_BYTES:
                raise RemoteError(f"the server answered with more than {MAX_BODY_BYTES >> 20} MB.")
            if time.monotonic() > end_s:
                raise TryAgain(f"the server took more than {DEADLINE_S:.0f} s for one answer", down=True)
            pieces.append(piece)
        return b"".join(pieces)

    def _clean(self, text: str) -> str:
        """Remove the sender's key and address, which servers repeat in their errors, from a text."""
        for name, value in self.sender.items():
            if name != "tool" and value:
                text = text.replace(value, f"[{name}]")
        return text


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Return the trusted certificates; loaded once, since that takes a tenth of a second."""
    return httpx.create_ssl_context()


def check_url(name: str, url: str) -> str:
    """Return the server of a base URL. Raises ConfigError if it is invalid."""
    try:
        parts = httpx.URL(url)
        good = parts.scheme in ("http", "https") and bool(parts.host) and not parts.userinfo
        good = good and not parts.query and not parts.fragment
    except httpx.InvalidURL:
        good = False
    if not good:
        raise ConfigError(
            f"invalid `literature.{name}_url`.",
            expected="such as 'https://example.org/path', without a name, password or query in it",
            remedy="Correct it, or leave it out for the public server.",
        )
    return parts.netloc.decode().lower()


def _why(text: str) -> str:
    """Return the start of a server's reason for its refusal, unless it is an HTML page."""
    text = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return "" if not text or text.startswith("<") else f", and said {text[:200]!r}"


def _retry_after_s(headers: httpx.Headers, now_s: float) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3: a number or a date), or None.

    A date is relative to the server's own clock, if it sends that: ours may differ.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        until_s = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    with contextlib.suppress(ValueError, OverflowError):
        now_s = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    return until_s - now_s if until_s > now_s else None
