"""Asking a remote source: politely, patiently up to a point, and never twice for what the cache holds.

A request passes, in this order: the cache; the gate (a person's consent and the log); the bucket, which all processes
share; the network. A busy or failing server is asked up to `TRIES` times; what it will not do is not asked again.
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
"""Requests for one answer, the first included. This and the numbers below are our choice."""
BACK_OFF_S = (1.0, 2.0, 4.0, 8.0)
"""Wait after each failed try, where the server names none; up to a quarter more is added by chance."""
PATIENCE_S = 30.0
"""Longest wait that a server may ask for; if it wants more, the request is given up, and nobody asks before that."""
DOWN_S = 30.0
"""For how long a server that could not be reached, or failed in all tries, is taken to be down, and not asked."""
LONGEST_HOLD_S = 86_400.0
"""Longest time for which a server is left alone, whatever it says."""
TIMEOUT_S = httpx.Timeout(30.0, connect=10.0)
DEADLINE_S = 120.0
"""Time for one whole answer; a server that sends a byte now and then does not keep us."""
MAX_BODY_BYTES = 64 << 20
"""Unpacked size of an answer; 200 records of PubMed have about 4 MB."""
USER_AGENT = "attend-agent/0.1"

_AGAIN = {429, 500, 502, 503, 504}
_LOG = logging.getLogger(__name__)
T = TypeVar("T")


class RemoteError(AttendError):
    """A remote source gave no answer, or none that can be used.

    Attributes:
        partial: what could be read of a broken answer, or None.
        asked_amiss: whether the fault lies in this request, so that others may well be answered.
    """

    def __init__(self, problem: str, *, remedy: str = "", partial: Any = None, asked_amiss: bool = False) -> None:
        super().__init__(problem, remedy=remedy)
        self.partial, self.asked_amiss = partial, asked_amiss


class TryAgain(Exception):
    """One try failed, and another may succeed. Readers of answers raise it, too, when an answer is broken.

    Args:
        reason: what went wrong.
        partial: what could be read of a broken answer.
        wait_s: how long the server wants us to wait, if it says so.
        busy: whether it has had enough of all of us, not of this request only.
        down: whether it may be out of order, for whatever request.
    """

    def __init__(
        self, reason: str, partial: Any = None, *, wait_s: float | None = None, busy: bool = False, down: bool = False
    ) -> None:
        super().__init__(reason)
        self.partial, self.wait_s, self.busy, self.down = partial, wait_s, busy, down


@dataclass
class Client:
    """A client of one remote source. Threads may share it.

    Attributes:
        name: of the source, as in the settings; part of the cache's keys.
        url: base address; `http` or `https`, without a name and password in it.
        cache: answers held on disk.
        max_age_s: how old an answer from the cache may be.
        offline: answer from the cache alone.
        bucket: the allowance of the server.
        gate: consent and log.
        sender: parameters that tell the server who asks, such as key and address; in no log, error or cache.
        method: `POST` keeps all parameters out of addresses, and so out of the logs of whatever stands between.
        contact: e-mail address for the `User-Agent` header.
        timing: the clock, and how to wait.

    Raises:
        ConfigError: if the address is none.
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
        self._connections: httpx.Client | None = None  # made when first needed: it loads certificates
        self._lock = threading.Lock()
        self._down_until_s, self._down_reason = 0.0, ""

    def close(self) -> None:
        """Close the connections; another request opens new ones."""
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
            call: the last part of the address.
            params: what is asked, without `sender`.
            read: makes the result of an answer's body; raises `TryAgain` if it is broken. It is asked before the
                answer is kept, so that the cache holds no broken ones.
            said: what is asked in words, as shown to a person and logged.
            short: what a person is shown in its place, where it is long and tells nothing more.
            keep: whether the answer is looked for and kept in the cache as a whole.

        Raises:
            RemoteError: if there is no answer: the cache misses offline, the server fails for too long, refuses, or
                answers what cannot be read.
            GateError: if nothing may be sent.
            StoreError: if cache, log or bucket cannot be used.
        """
        request = {"source": self.name, "call": call, **params}
        if keep and (body := self.held([request])[0]) is not None:
            try:
                return read(body)
            except TryAgain:
                _LOG.warning("%s: an answer in the cache cannot be read, and is asked for anew", self.name)
        if self.offline:
            raise RemoteError(
                f"offline, and the cache holds no answer to {short or said!r:.200}.",
                remedy="Ask it once with `literature.offline` off, or use the cache of a run that asked it.",
                asked_amiss=True,
            )
        self.gate.permit(said, short)
        body, value = self._persist(call, params, read)
        if keep:
            self.keep([(request, body)])
        return value

    def held(self, requests: Sequence[Mapping[str, str]], max_age_s: float = math.inf) -> list[bytes | None]:
        """What the cache holds of requests, no older than that and than the client's `max_age_s`. Raises StoreError."""
        return self.cache.get(requests, min(max_age_s, self.max_age_s))

    def keep(self, answers: Sequence[tuple[Mapping[str, str], bytes]]) -> None:
        """Put answers to requests into the cache. Raises StoreError."""
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
                self.bucket.hold(min(wait_s, LONGEST_HOLD_S))
            _LOG.info("%s: try %d of %d failed: %s", self.name, attempt, TRIES, reason)
            if wait_s > PATIENCE_S:
                reason += f"; it wants to be left alone for {wait_s:.0f} s."
                raise RemoteError(reason, remedy="Try again then.", partial=failed.partial) from failed
            if not for_all and attempt < TRIES:
                self.timing.sleep(wait_s)
        reason += f"; it was asked {TRIES} times."
        if failed.down:
            self._down_until_s, self._down_reason = self.timing.now() + DOWN_S, reason
        raise RemoteError(reason, remedy="Try again later.", partial=failed.partial) from failed

    def _once(self, call: str, params: Mapping[str, str]) -> bytes:
        """The body of an answer to one request. Raises TryAgain, or RemoteError if another try is of no use."""
        told = {**params, **self.sender}
        parts: dict[str, Any] = {"data": told} if self.method == "POST" else {"params": told}
        try:
            with self._http().stream(self.method, f"{self.url.rstrip('/')}/{call}", **parts) as response:
                body = self._body(response)
        except httpx.RequestError as error:
            told_of = f"{type(error).__name__} {error}".strip()
            raise TryAgain(f"the server cannot be reached, or broke off: {told_of}", down=True) from error
        status = response.status_code
        if status == 200:
            key = self.sender.get("api_key", "").encode()
            return body.replace(key, b"[api_key]") if key else body
        reason = f"the server answered with status {status}{_why(self._clean(body[:2000].decode(errors='replace')))}"
        if status in _AGAIN:
            wait_s = _retry_after_s(response.headers, self.timing.now())
            raise TryAgain(reason, wait_s=wait_s, busy=status in (429, 503), down=status >= 500)
        if 300 <= status < 400:
            raise RemoteError(f"{reason}: it sends us elsewhere.", remedy=f"Set `literature.{self.name}_url` aright.")
        amiss = status in (400, 404)
        raise RemoteError(f"{reason}.", remedy="Change what is asked, or the settings.", asked_amiss=amiss)

    def _http(self) -> httpx.Client:
        with self._lock:
            if self._connections is None:
                agent = f"{USER_AGENT} (mailto:{self.contact})" if self.contact else USER_AGENT
                # Redirects are not followed: a query goes to the server that the settings name, and to no other.
                self._connections = httpx.Client(
                    headers={"User-Agent": agent}, timeout=TIMEOUT_S, follow_redirects=False, verify=_certificates()
                )
            return self._connections

    def _body(self, response: httpx.Response) -> bytes:
        """The unpacked body. Raises TryAgain if it takes too long, RemoteError if it is too large."""
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
        """A text without key and address of the sender, which servers repeat in their complaints."""
        for name, value in self.sender.items():
            if name != "tool" and value:
                text = text.replace(value, f"[{name}]")
        return text


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust; loaded once, since that takes a tenth of a second."""
    return httpx.create_ssl_context()


def check_url(name: str, url: str) -> str:
    """The server of a base address. Raises ConfigError if it is none."""
    try:
        parts = httpx.URL(url)
        good = parts.scheme in ("http", "https") and bool(parts.host) and not parts.userinfo
        good = good and not parts.query and not parts.fragment
    except httpx.InvalidURL:
        good = False
    if not good:
        raise ConfigError(
            f"`literature.{name}_url` is no base address of a server.",
            expected="such as 'https://example.org/path', without a name, password or query in it",
            remedy="Mend it, or leave it out for the public server.",
        )
    return parts.netloc.decode().lower()


def _why(text: str) -> str:
    """The start of what a server says of its refusal, unless it is a page for people."""
    text = "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
    return "" if not text or text.startswith("<") else f", and said {text[:200]!r}"


def _retry_after_s(headers: httpx.Headers, now_s: float) -> float | None:
    """Seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3: a number or a date); None without a usable one.

    A date is taken against the server's own clock, where it tells that: ours may differ.
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
