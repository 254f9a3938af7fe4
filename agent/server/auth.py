"""Who may speak to the server: `Guard`, a layer around the whole application, for HTTP and WebSocket alike.

- Host: only names of this machine, so that a foreign name that resolves to it (DNS rebinding) leads nowhere.
- Origin: each change and each WebSocket must come from this server's own page; a change also carries a token that only
  that page can read. There is no CORS.
- Token: where others can reach the server, a browser first proves that it knows a token, and gets a cookie for it.
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
from agent.server.schemas import BROKEN, Problem

log = logging.getLogger(__name__)

BODY_BYTES = 64 * 1024
"""The longest body of a request; our choice: the longest question is 4,000 characters."""

CSRF_HEADER = "x-attend-csrf"
OPEN_PATHS = frozenset({"/", "/page/signin.js", "/page/style.css", "/page/icon.svg"})
"""What a browser without the cookie may load: the form that asks for the token. `/` shows that form to it."""

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
    "cache-control": "no-store",  # what was forgotten must not live on in a browser's cache
}


def is_loopback(host: str) -> bool:
    """Say whether an address to listen on can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Access:
    """The secrets of one run of the server.

    Attributes:
        token: what a browser must know, or "" where nothing is asked.
        csrf: what each change must carry.
        cookie: the cookie's name; cookies know no ports, so that the port is part of it.
    """

    def __init__(self, options: ServerOptions, port: int) -> None:
        given = options.token.get_secret_value() if options.token else ""
        self._any_address = not is_loopback(options.host)
        # A further name is for others, who come in by a proxy in front of a loopback address.
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
        """The value of a `Set-Cookie` header that lets a browser in until the server stops or the browser closes."""
        return f"{self.cookie}={self._session}; Path=/; HttpOnly; SameSite=Strict"

    def knows(self, headers: Headers) -> bool:
        """Say whether a request comes from a browser that was let in, or none needs to be."""
        if not self.token:
            return True
        try:
            held = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return False
        return held is not None and hmac.compare_digest(held.value.encode(), self._session.encode())

    def is_host(self, host: str) -> bool:
        """Say whether a `Host` header names this server."""
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
        return self._any_address  # an address cannot be rebound; the cookie guards the rest

    def is_origin(self, headers: Headers) -> bool:
        """Say whether the `Origin` header is there and names the host that was called."""
        host = headers.get("host", "").lower()
        return headers.get("origin", "").lower() in (f"http://{host}", f"https://{host}")

    def has_csrf(self, headers: Headers) -> bool:
        """Say whether a change carries the page's token."""
        return hmac.compare_digest(headers.get(CSRF_HEADER, "").encode(), self.csrf.encode())


class Guard:
    """Wraps an application: refuses what may not be, and adds the security headers to everything."""

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
                    headers.setdefault(name, value)  # a story, which stands in a frame, has a policy of its own
                message["headers"] = headers.raw
            await send(message)

        if refusal:
            await _refuse(refusal[0], Problem(problem=refusal[1]), send_guarded)
            return
        try:
            await self._app(scope, _limited(receive), send_guarded)
        except Exception:
            if begun:  # the server can but cut it off
                raise
            # A request ends here, whatever its route runs into: the framework's own reply would come without the
            # headers, and in no form that the page reads.
            log.exception("a request broke down")
            await _refuse(500, BROKEN, send_guarded)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """The status and reason to refuse a request with, or None."""
        access, headers, path = self._access, Headers(scope=scope), scope["path"]
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        if not access.is_host(headers.get("host", "")):
            return 400, "this server is not called that. Open it under the address that it printed."
        if not (changes or path == "/") and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return 403, "another site asked for this."
        if changes and not access.is_origin(headers):
            return 403, "this did not come from the server's own page."
        signs_in = changes and path == "/session"
        if not (access.knows(headers) or signs_in or path in OPEN_PATHS):
            return 401, "this server asks for a token. Open the address that it printed."
        if scope["type"] == "http" and changes and not signs_in and not access.has_csrf(headers):
            return 403, "this page is out of date. Reload it."
        if _int_or_zero(headers.get("content-length", "")) > BODY_BYTES:
            return 413, f"a request may hold {BODY_BYTES} bytes."
        return None


def _int_or_zero(text: str) -> int:
    """Read a number of bytes; anything else counts as unknown."""
    return int(text) if text.isdecimal() else 0


def printed_url(host: str, port: int, token: str) -> str:
    """The address to print: one that can be opened, the token in the part that browsers never send."""
    shown = _own_address() if host in ("0.0.0.0", "::") else host
    name = f"[{shown}]" if ":" in shown else shown
    return f"http://{name}:{port}/" + (f"#token={quote(token, safe='')}" if token else "")


def _own_address() -> str:
    """The address that others reach this machine by, where that can be told; nothing is sent to find out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address that is nobody's (RFC 5737): only the route is looked up
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()


async def _refuse(status: int, problem: Problem, send: Send) -> None:
    body = problem.model_dump_json().encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _limited(receive: Receive) -> Receive:
    """Cut a body off that says nothing of its length and exceeds the limit; the application then sees a broken one."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if taken > BODY_BYTES else message

    return limited
