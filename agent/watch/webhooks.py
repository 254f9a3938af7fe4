"""Sends alerts to web addresses, in a thread of its own that nothing waits for."""

from __future__ import annotations

import logging
import threading
from collections import Counter, deque
from typing import Any
from urllib.parse import urlsplit

from agent.watch.options import WatchOptions
from tools.errors import ConfigError
from tools.loopback import is_local
from tools.media.types import mask_credentials

log = logging.getLogger(__name__)

_TRY_AGAIN = frozenset({408, 425, 429})


def check_webhook(url: str) -> str:
    """Return an address that alerts may be sent to.

    Raises:
        ConfigError: if it is not an http(s) one.
    """
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 80) > 0
        (parts.hostname or "").encode("idna")  # names with empty parts, or parts of more than 63 letters
    except ValueError:
        fits = False
    if not fits:
        raise ConfigError(
            f"the webhook {mask_credentials(url)!r} is not a web address.",
            expected="http://HOST/... or https://HOST/...",
        )
    return url


def shown_address(url: str) -> str:
    """An address for people: credentials are masked, and the path is left out, since it often is one."""
    parts = urlsplit(mask_credentials(url))
    rest = "/..." if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{rest}"


def leaves_machine(url: str) -> bool:
    """Whether what is sent to an address leaves this machine."""
    return not is_local(url)


class Webhooks:
    """Posts alerts as JSON; redirects are not followed, failures are tried again with growing pauses, then counted.

    Args:
        options: timeouts, tries and the length of the queue.
    """

    def __init__(self, options: WatchOptions) -> None:
        self._options = options
        self._changed = threading.Condition()
        self._waiting: deque[tuple[str, str, dict[str, Any]]] = deque()
        self._busy = self._closed = False
        self._stop = threading.Event()
        self._delivered: Counter[str] = Counter()
        self._undelivered: Counter[str] = Counter()
        self._problems: dict[str, str] = {}
        self._thread: threading.Thread | None = None

    def send(self, key: str, url: str, body: dict[str, Any]) -> None:
        """Have a JSON object posted when there is time; never waits.

        Args:
            key: what the counts are kept by.
            url: where it goes, see `check_webhook`.
            body: what is sent.
        """
        with self._changed:
            if len(self._waiting) >= self._options.webhook_queue:
                self._failed(key, f"{self._options.webhook_queue} alerts are waiting for {shown_address(url)} already")
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="attend-webhooks", daemon=True)
                self._thread.start()
            self._waiting.append((key, url, body))
            self._changed.notify_all()

    def give_up(self, key: str, problem: str) -> None:
        """Count an alert as undelivered, and why."""
        with self._changed:
            self._failed(key, problem)

    def counts(self, key: str) -> tuple[int, int, str]:
        """How many alerts of a key were delivered and given up, and why the last of these was."""
        with self._changed:
            return self._delivered[key], self._undelivered[key], self._problems.get(key, "")

    def drain(self, timeout_s: float) -> bool:
        """Wait until all is sent or given up; False if that takes longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def close(self) -> None:
        """Give what is waiting the time of one try, then stop; the rest counts as undelivered."""
        self.drain(self._options.webhook_timeout_s)
        with self._changed:
            self._closed = True
            for key, url, _ in self._waiting:
                self._failed(key, f"it was too late to send to {shown_address(url)}")
            self._waiting.clear()
            self._changed.notify_all()
        self._stop.set()
        if self._thread is not None:
            self._thread.join(self._options.webhook_timeout_s + 1.0)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                key, url, body = self._waiting.popleft()
                self._busy = True
            try:
                problem = self._deliver(url, body)
            except Exception as error:  # noqa: BLE001 - a thread has no caller, and later alerts must leave all the same
                # The error's text may quote the address, as below.
                problem = f"{shown_address(url)} cannot be sent to ({type(error).__name__})"
                log.error("a webhook failed: %s", problem)
            with self._changed:
                if problem:
                    self._failed(key, problem)
                else:
                    self._delivered[key] += 1

    def _failed(self, key: str, problem: str) -> None:
        self._undelivered[key] += 1
        self._problems[key] = problem

    def _deliver(self, url: str, body: dict[str, Any]) -> str:
        """Send with retries; return what went wrong at last, or ""."""
        problem = ""
        for number in range(self._options.webhook_tries):
            if number and self._stop.wait(self._options.webhook_backoff_s * 2 ** (number - 1)):
                break
            problem, again = self._post(url, body)
            if not problem or not again:
                break
        return problem

    def _post(self, url: str, body: dict[str, Any]) -> tuple[str, bool]:
        """Send once; return what went wrong, and whether another try may help."""
        import requests

        place = shown_address(url)
        try:
            with requests.Session() as session:
                # A proxy set for the web must not catch what is meant for this machine.
                session.trust_env = leaves_machine(url)
                reply = session.post(
                    url, json=body, timeout=self._options.webhook_timeout_s, allow_redirects=False, stream=True
                )
        except requests.RequestException as error:
            # The error's text quotes the address, which may hold a secret.
            return f"{place} cannot be reached ({type(error).__name__})", True
        if reply.is_redirect or 300 <= reply.status_code < 400:
            return f"{place} redirects elsewhere, which is not followed", False
        if reply.status_code >= 400:
            again = reply.status_code in _TRY_AGAIN or reply.status_code >= 500
            return f"{place} answered {reply.status_code}", again
        return "", False
