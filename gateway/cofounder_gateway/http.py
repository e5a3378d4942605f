"""What the port answers besides sockets: health, development tokens and the page, under strict headers."""

import asyncio
import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit

from google.rpc import code_pb2
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cofounder_gateway import settings, upstream, websocket

_CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'"
)
_HEADERS = {
    "content-security-policy": _CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_QUERY_CREDENTIALS = frozenset({"token", "access_token"})
_LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:[0-9]+)?")
_BODY_BYTES = 4 * 1024
_STATUS_OF = {
    code_pb2.INVALID_ARGUMENT: 400,
    code_pb2.PERMISSION_DENIED: 403,
    code_pb2.UNIMPLEMENTED: 404,
    code_pb2.RESOURCE_EXHAUSTED: 429,
}


class Health(Protocol):
    """Tells whether this gateway should be sent users, and what each thing it needs says."""

    async def __call__(self) -> tuple[bool, Mapping[str, str]]: ...


def application(
    *,
    config: settings.Settings,
    server: upstream.Upstream,
    endpoint: websocket.Endpoint,
    origins: Collection[str],
    health: Health,
) -> Starlette:
    """Builds the ASGI application."""

    async def get_health(_: Request) -> Response:
        ready, says = await health()
        body = {"live": True, "ready": ready, "dependencies": dict(says)}
        return JSONResponse(body, 200 if ready else 503, headers={"cache-control": "no-store"})

    routes: list[BaseRoute] = [
        Route("/api/health", get_health),
        WebSocketRoute("/api/socket", endpoint.serve),
    ]
    if config.development:
        tokens = DevelopmentTokens(server, origins, body_deadline=config.hello_deadline_seconds)
        routes.append(Route("/api/development/token", tokens.issue, methods=["POST"]))
    routes.append(Mount("/", _Page(directory=config.static_folder, html=True, check_dir=False)))
    return Starlette(routes=routes, middleware=[Middleware(Guard)])


class Guard:
    """Refuses what holds a credential in its address, and puts the headers on every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-cache")
            await send(message)

        if _credential_in(scope):
            error = "A token never stands in an address: it would be logged. Send it in the first frame."
            await _refuse(scope, error)(scope, receive, send_guarded)
        else:
            await self._app(scope, receive, send_guarded)


class DevelopmentTokens:
    """Signs a developer in on this machine: no page of another site, and no other machine, may ask for it."""

    def __init__(self, server: upstream.Upstream, origins: Collection[str], *, body_deadline: float) -> None:
        self._server = server
        self._origins = origins
        self._hosts = _LOCAL_HOSTS | {urlsplit(origin).hostname for origin in origins}
        self._body_deadline = body_deadline

    async def issue(self, request: Request) -> Response:
        """Answers `{"token", "expireTime"}`; the body may name a `userId`."""
        if (error := self._foreign(request)) is not None:
            return _error(403, error)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _error(415, "The body is application/json.")
        try:
            user_id = _user_id(await self._body(request))
        except TimeoutError:
            return _error(408, "The body did not come in time.")
        except ValueError:
            return _error(400, 'The body is a JSON object such as {"userId": "me"}.')
        try:
            issued = await self._server.issue_development_token(user_id)
        except upstream.Refused as refused:
            return _error(_STATUS_OF.get(refused.status.code, 503), refused.status.message)
        body = {"token": issued.token, "expireTime": issued.expire_time.ToJsonString()}
        return JSONResponse(body, headers={"cache-control": "no-store"})

    def _foreign(self, request: Request) -> str | None:
        # The Host too: a foreign name that was made to point here brings a foreign page along.
        host = _HOST.fullmatch(request.headers.get("host", ""))
        if host is None or host["name"].strip("[]").lower() not in self._hosts:
            return "This host name is not one of this gateway."
        origin = request.headers.get("origin")
        if origin is not None and origin not in self._origins:
            return "This origin may not ask for a token; see COFOUNDER_ALLOWED_ORIGINS."
        return None

    async def _body(self, request: Request) -> bytes:
        body = b""
        async with asyncio.timeout(self._body_deadline):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _BODY_BYTES:
                    raise ValueError("too large")
        return body


class _Page(StaticFiles):
    """Files that a browser asks about each time and, where they have not changed, does not load again."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


def _credential_in(scope: Scope) -> bool:
    query = scope.get("query_string", b"").decode("latin-1")
    return any(name.lower() in _QUERY_CREDENTIALS for name, _ in parse_qsl(query, keep_blank_values=True))


def _refuse(scope: Scope, error: str) -> Response:
    # A browser shows no body of a refused handshake; 403 is what it is told of every other refusal too.
    return _error(403 if scope["type"] == "websocket" else 400, error)


def _user_id(body: bytes) -> str:
    asked = json.loads(body or b"{}")
    user_id = asked.get("userId", "") if isinstance(asked, dict) else None
    if not isinstance(user_id, str):
        raise ValueError("not a user id")
    return user_id


def _error(status: int, error: str) -> Response:
    return JSONResponse({"error": error}, status, headers={"cache-control": "no-store"})
