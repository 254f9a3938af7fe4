"""Access control: `Guard`, ASGI middleware around the whole application, for HTTP and WebSocket.

- Host: only names of this machine are accepted, against DNS rebinding.
- Origin: each change and each WebSocket must come from this server's own page; a change must also carry a CSRF token
  that only that page can read. There is no CORS.
- Token: if others can reach the server, a browser exchanges a token for a session cookie first.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import secrets
import socket
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agent.server.options import ServerOptions
from agent.server.schemas import INTERNAL_ERROR, Problem

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024
"""Maximum size of a request body; the longest question has 4,000 characters."""

CSRF_HEADER = "x-attend-csrf"
OPEN_PATHS = frozenset({"/", "/page/signin.js", "/page/style.css", "/page/icon.svg"})
"""Paths open without a cookie: the sign-in form and its assets. `/` returns the form to such a browser."""

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_HEADERS = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",  # forgotten pictures must not survive in the browser cache
}


def is_loopback(host: str) -> bool:
    """Return whether a listening address is reachable from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Access:
    """The secrets of one run of the server.

    Attributes:
        token: the token that a browser must know; "" if none is required.
        csrf: the token that each change must carry.
        cookie: name of the cookie; it includes the port, because browsers share cookies between ports.
    """

    def __init__(self, options: ServerOptions, port: int) -> None:
        given = options.token.get_secret_value() if options.token else ""
        self._any_address = not is_loopback(options.host)
        # Additional host names are for a proxy through which others reach even a loopback address.
        reachable = self._any_address or bool(options.allowed_hosts)
        self.token = given or (secrets.token_urlsafe(32) if reachable else "")
        self.csrf = secrets.token_urlsafe(32)
        self.cookie = f"attend_{port}"
        self._session = secrets.token_urlsafe(32)
        self._port = port
        self._names = {"localhost", "127.0.0.1", "[::1]", options.host.lower(), *map(str.lower, options.allowed_hosts)}
        if self._any_address:
            self._names.add(socket.gethostname().lower())

    def fits_token(self, token: str) -> bool:
        """Compare in constant time."""
        return bool(self.token) and hmac.compare_digest(token.encode(), self.token.encode())

    def set_cookie(self) -> str:
        """Return a `Set-Cookie` value that grants access until the server stops or the browser closes."""
        return f"{self.cookie}={self._session}; Path=/; HttpOnly; SameSite=Strict"

    def knows(self, headers: Headers) -> bool:
        """Return whether a request carries the session cookie, or none is required."""
        if not self.token:
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self._session.encode())

    def is_host(self, host: str) -> bool:
        """Return whether a `Host` header names this server."""
        name, _, port = host.lower().rpartition(":") if not host.endswith("]") else (host.lower(), "", "")
        name, port = (name, port) if name else (host.lower(), "")
        if port and port != str(self._port):
            return False
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return self._any_address  # DNS rebinding needs a name, not an address; the cookie protects the rest

    def is_origin(self, headers: Headers) -> bool:
        """Return whether the `Origin` header names the requested host."""
        host = headers.get("host", "").lower()
        return headers.get("origin", "").lower() in (f"http://{host}", f"https://{host}")

    def has_csrf(self, headers: Headers) -> bool:
        """Return whether a change carries the page's CSRF token."""
        return hmac.compare_digest(headers.get(CSRF_HEADER, "").encode(), self.csrf.encode())


class Guard:
    """Middleware that rejects forbidden requests and adds security headers to every response."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if scope["type"] == "websocket":
            if refusal:
                await receive()
                await send({"type": "websocket.close", "code": 4403, "reason": refusal[1]})
            else:
                await self._app(scope, receive, send)
            return

        begun = False

        async def send_guarded(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(raw=message["headers"])
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)  # the story in its frame sets its own policy
                message["headers"] = headers.raw
            await send(message)

        if refusal:
            await _refuse(refusal[0], Problem(problem=refusal[1]), send_guarded)
            return
        try:
            await self._app(scope, _limited(receive), send_guarded)
        except Exception:
            if begun:  # too late for an error response
                raise
            # A boundary: a route may raise anything, and the framework's own response would lack the headers and the
            # JSON that the page expects.
            log.exception("unhandled error in a request")
            await _refuse(500, INTERNAL_ERROR, send_guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Return the status and reason for rejecting a request, or None."""
        access, headers, path = self._access, Headers(scope=scope), scope["path"]
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if not access.is_host(headers.get("host", "")):
            return 400, "unknown host name for this server. Open the address that it printed."
        if not (changes or path == "/") and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return 403, "request from another site."
        if changes and not access.is_origin(headers):
            return 403, "request not from this server's own page."
        signs_in = changes and path == "/session"
        if not (access.knows(headers) or signs_in or path in OPEN_PATHS):
            return 401, "this server requires a token. Open the address that it printed."
        if scope["type"] == "http" and changes and not signs_in and not access.has_csrf(headers):
            return 403, "this page is out of date. Reload it."
        if _int_or_zero(headers.get("content-length", "")) > MAX_BODY_BYTES:
            return 413, f"request too large: at most {MAX_BODY_BYTES} bytes."
        return None


def _int_or_zero(text: str) -> int:
    """Parse a number of bytes; return 0 for anything else."""
    return int(text) if text.isdecimal() else 0


def printed_url(host: str, port: int, token: str) -> str:
    """Return a URL that can be opened, with the token in the fragment, which browsers never send."""
    shown = _own_address() if host in ("0.0.0.0", "::") else host
    name = f"[{shown}]" if ":" in shown else shown
    return f"http://{name}:{port}/" + (f"#token={quote(token, safe='')}" if token else "")


def _own_address() -> str:
    """Return the address under which others reach this machine, if known, without sending anything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET (RFC 5737): only looks up the route
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


async def _refuse(status: int, problem: Problem, send: Send) -> None:
    body = problem.model_dump_json().encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _limited(receive: Receive) -> Receive:
    """Truncate a body of undeclared length at the limit; the application then sees a disconnect."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if taken > MAX_BODY_BYTES else message

    return limited
