"""Webhooks: delivers alerts over HTTP in a background thread."""

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
    """Check the URL of a webhook and return it.

    Raises:
        ConfigError: if it is not an http(s) URL.
    """
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 80) > 0
        (parts.hostname or "").encode("idna")  # fails for empty labels, or labels of more than 63 characters
    except ValueError:
        fits = False
    if not fits:
        raise ConfigError(
            f"invalid webhook {mask_credentials(url)!r}.",
            expected="http://HOST/... or https://HOST/...",
        )
    return url


def shown_address(url: str) -> str:
    """Return a URL for display, without credentials and without the path, which is often a secret."""
    parts = urlsplit(mask_credentials(url))
    rest = "/..." if parts.path.strip("/") or parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{rest}"


def leaves_machine(url: str) -> bool:
    """Return whether requests to a URL leave this machine."""
    return not is_local(url)


class Webhooks:
    """Posts alerts as JSON, without following redirects; retries failures with backoff, then counts them.

    Args:
        options: timeouts, retries and the length of the queue.
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
        """Queue a JSON object for posting; never blocks.

        Args:
            key: groups the counts.
            url: see `check_webhook`.
            body: the JSON object.
        """
        with self._changed:
            if len(self._waiting) >= self._options.webhook_queue:
                self._failed(key, f"the queue for {shown_address(url)} is full ({self._options.webhook_queue} alerts)")
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="attend-webhooks", daemon=True)
                self._thread.start()
            self._waiting.append((key, url, body))
            self._changed.notify_all()

    def give_up(self, key: str, problem: str) -> None:
        """Count an alert as undelivered, with the reason."""
        with self._changed:
            self._failed(key, problem)

    def counts(self, key: str) -> tuple[int, int, str]:
        """Return the numbers of delivered and undelivered alerts of a key, and the last problem."""
        with self._changed:
            return self._delivered[key], self._undelivered[key], self._problems.get(key, "")

    def drain(self, timeout_s: float) -> bool:
        """Wait until the queue is empty; return False on timeout."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._busy, timeout_s)

    def close(self) -> None:
        """Allow the time of one attempt for queued alerts, then stop; the rest count as undelivered."""
        self.drain(self._options.webhook_timeout_s)
        with self._changed:
            self._closed = True
            for key, url, _ in self._waiting:
                self._failed(key, f"not sent to {shown_address(url)} before shutdown")
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
            except Exception as error:  # noqa: BLE001 - a thread has no caller, and later alerts must still be sent
                # The error text may contain the URL, as below.
                problem = f"cannot send to {shown_address(url)} ({type(error).__name__})"
                log.error("webhook failed: %s", problem)
            with self._changed:
                if problem:
                    self._failed(key, problem)
                else:
                    self._delivered[key] += 1

    def _failed(self, key: str, problem: str) -> None:
        self._undelivered[key] += 1
        self._problems[key] = problem

    def _deliver(self, url: str, body: dict[str, Any]) -> str:
        """Send with retries; return the last problem, or "" on success."""
        problem = ""
        for number in range(self._options.webhook_tries):
            if number and self._stop.wait(self._options.webhook_backoff_s * 2 ** (number - 1)):
                break
            problem, again = self._post(url, body)
            if not problem or not again:
                break
        return problem

    def _post(self, url: str, body: dict[str, Any]) -> tuple[str, bool]:
        """Send once; return the problem ("" on success), and whether a retry may help."""
        import requests

        place = shown_address(url)
        try:
            with requests.Session() as session:
                # Do not send requests for this machine through a web proxy.
                session.trust_env = leaves_machine(url)
                reply = session.post(
                    url, json=body, timeout=self._options.webhook_timeout_s, allow_redirects=False, stream=True
                )
        except requests.RequestException as error:
            # The error text contains the URL, which may be a secret.
            return f"cannot reach {place} ({type(error).__name__})", True
        if reply.is_redirect or 300 <= reply.status_code < 400:
            return f"{place} redirects, and redirects are not followed", False
        if reply.status_code >= 400:
            again = reply.status_code in _TRY_AGAIN or reply.status_code >= 500
            return f"{place} answered {reply.status_code}", again
        return "", False
