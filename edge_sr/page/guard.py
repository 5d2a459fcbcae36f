"""Who may ask the page for anything: Host, Origin and token are checked before all else."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "edge_sr_token"
OPEN = ("/healthz",)  # for load balancers; reports only whether frames come
REFUSED = "wrong or missing token: open the address that edge-sr printed when it started\n"
REFUSED_CODE = 1008  # of WebSocket: against the policy
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Middleware. Names that are not ours are refused, so that no other site can reach in."""

    def __init__(self, app: ASGIApp, *, token: str | None) -> None:
        """Wrap an application.

        Args:
            token: what every request must show; None where only this machine can ask.
        """
        self._app, self._token = app, token
        self._names = {"localhost", socket.gethostname().lower()}
        self._names |= {f"{name}.local" for name in self._names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal, or pass the request on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        answer = self._check(scope)
        if answer is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": REFUSED_CODE})  # an HTTP 403
        else:
            await answer(scope, receive, _with_headers(send))

    def _check(self, scope: Scope) -> Response | None:
        from starlette.datastructures import Headers
        from starlette.responses import PlainTextResponse

        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_ours(host):
            return PlainTextResponse("this host name is not served here\n", 421)
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return PlainTextResponse("requests from other sites are refused\n", 403)
        site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode")
        if site in ("cross-site", "same-site") and mode != "navigate":
            return PlainTextResponse("requests from other sites are refused\n", 403)
        if self._token is None or scope["path"] in OPEN:
            return None
        return self._check_token(scope, headers)

    def _check_token(self, scope: Scope, headers: Headers) -> Response | None:
        from starlette.responses import PlainTextResponse, RedirectResponse

        query = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        if query and scope["path"] == "/" and self._matches(query):
            answer = RedirectResponse("/", 303)  # the token leaves the address bar
            answer.set_cookie(COOKIE, query, httponly=True, samesite="strict")
            return answer
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if any(self._matches(found) for found in (query, bearer, _cookie(headers))):
            return None
        return PlainTextResponse(REFUSED, 403)

    def _matches(self, found: str) -> bool:
        return hmac.compare_digest(found.encode(), (self._token or "").encode())

    def _is_ours(self, host: str) -> bool:
        """An address as digits, or this machine's own name: a rebound DNS name is neither."""
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        name = name.removeprefix("[").removesuffix("]").lower()
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _with_headers(send: Send) -> Send:
    """Send with the security headers added to each answer."""

    async def sending(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            present = list(message.get("headers", []))  # type: ignore[call-overload]
            for name, value in HEADERS.items():
                present.append((name.lower().encode(), value.encode()))
            message = {**message, "headers": present}
        await send(message)

    return sending  # type: ignore[return-value]
