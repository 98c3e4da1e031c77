"""Access control: allows browsers on this machine, or those that have the token.

A page on the internet can make a browser send requests to any address, and can resolve its own name to
127.0.0.1 (DNS rebinding). The requested host name must therefore be one of ours, the request must come from
our own page, and only reading is possible.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data: blob:; font-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
"""Headers of every answer. If a name from the network became markup, nothing in it would run or load."""

LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Guard:
    """Passes requests on to ``app``, or rejects them.

    Args:
        app: the guarded application.
        host: address the server is bound to.
        port: its port.
        token: required once from each browser, in the address; None for no token.
    """

    def __init__(self, app: ASGIApp, *, host: str, port: int, token: str | None) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._token = token
        # The cookie is a separate secret, so that a token found in a browser history is useless.
        self._session = secrets.token_urlsafe(32)
        self._cookie = f"farscope_{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let ``app`` answer, with ``HEADERS`` added."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope) or self._unknown(scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("only reading is possible here", 405, {"allow": "GET, HEAD"})
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self._is_ours(host):
            return PlainTextResponse("this is not the name of this server", 421)
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{host}":
            return PlainTextResponse("another page may not ask", 403)
        # Browsers report the origin of a request; a link from elsewhere to the page itself is harmless.
        site = headers.get("sec-fetch-site", "none")
        if site not in ("same-origin", "none") and scope["path"] != "/":
            return PlainTextResponse("another page may not ask", 403)
        return None

    def _is_ours(self, host: str) -> bool:
        name, port = host, 80
        if not host.endswith("]") and ":" in host:
            name, _, digits = host.rpartition(":")
            if not (digits.isascii() and digits.isdigit()):
                return False
            port = int(digits[:6])
        if port != self._port:
            return False
        name = name.lower()
        if name in LOOPBACK_NAMES:
            return True
        if self._token is None:
            return False
        # A rebound name is never an address, and the cookie is not sent with it.
        return name in (self._host.lower(), socket.gethostname().lower()) or _is_address(name)

    def _unknown(self, scope: Scope) -> Response | None:
        """Return the response for a client without the cookie; None if it has one or needs none."""
        if self._token is None:
            return None
        shown = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and shown:
            if not _same(shown, self._token):
                return PlainTextResponse("this is not the token", 403)
            answer = RedirectResponse("/", 303)
            answer.set_cookie(self._cookie, self._session, httponly=True, samesite="strict", path="/")
            return answer
        if _same(_cookie_in(Headers(scope=scope).get("cookie", ""), self._cookie), self._session):
            return None
        return PlainTextResponse("open the address with the token that the command has printed", 401)


def new_token() -> str:
    """Return an unguessable token."""
    return secrets.token_urlsafe(24)


def _same(shown: str, secret: str) -> bool:
    return secrets.compare_digest(shown.encode(), secret.encode())


def _cookie_in(header: str, name: str) -> str:
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(header)
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
