"""The web process that all services have in common."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, NoReturn

import structlog
from fastapi import APIRouter, FastAPI, Request
from httpx2 import AsyncClient
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from sqlalchemy.orm import DeclarativeBase
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.database import connect, reading_sessions_of, sessions_of
from shared.health import Health, health_router
from shared.http.identity import AccessTokens, FetchKeys, JsonWebKeys
from shared.http.kept_keys import KeptKeys
from shared.http.problems import (
    MEDIA_TYPE,
    STRANGER,
    Problem,
    add_problem_handlers,
    fault_answer,
    plain_problem,
)
from shared.http.routing import RoutesByAddress
from shared.http.streaming import STATE, Patience, Room, Turn
from shared.http.transaction import Route
from shared.identifiers import new_id
from shared.messaging.broker import connected
from shared.messaging.outbox import after_each_announcement
from shared.messaging.waking import WAKES, after_each_commit_with, tell_others
from shared.serving import spare_what_is_loaded
from shared.settings import Settings
from shared.telemetry import HTTP_IN_FLIGHT, HTTP_SECONDS, HTTP_SHED, span, without_secrets

log = structlog.get_logger(__name__)

QUIET: Final = frozenset({"/livez", "/readyz", "/metrics"})
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

INCLUDED: Final[dict[int, list[BaseRoute]]] = {}
"""Routes of routers by their identity; each holds its router, so that no other gets its number."""

NOTHING_RUNS: Final = "default-src 'none'; frame-ancestors 'none'"
"""What a browser may do with an answer, unless it is a page that says otherwise."""


def audience_of(settings: Settings) -> str:
    """`aud` of the platform's access tokens: the address of its API. Source: RFC 8707."""
    return f"{settings.issuer}/api/v1"


def web_application(
    service: str,
    title: str,
    settings: Settings,
    routers: Sequence[APIRouter],
    *,
    own_keys: FetchKeys | None = None,
    known_keys: type[DeclarativeBase] | None = None,
    woken: Callable[[], None] | None = None,
) -> FastAPI:
    """Put a service's resources on the mechanisms that all services share.

    Args:
        service: its name.
        title: of its part of the API description.
        settings: from its environment.
        routers: of its resources.
        own_keys: how the authorization server itself reads its public keys; asking itself over HTTP
            would need a turn that the requests who wait for the keys may all have.
        known_keys: where the others keep the keys that they have read; see `KeptKeys`.
        woken: called when any process of the service has committed what others may look for.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = connect(settings, application=f"{service}-web")
        async with AsyncClient(timeout=3, trust_env=False) as http:

            async def fetch_keys() -> Any:
                return (await http.get(settings.jwks_url)).raise_for_status().json()

            app.state.engine = engine
            app.state.sessions = sessions = sessions_of(engine)
            app.state.reading_sessions = reading_sessions_of(engine)
            keys = JsonWebKeys(
                own_keys or fetch_keys,
                lifetime_seconds=settings.jwks_lifetime_seconds,
                kept=None
                if known_keys is None
                else KeptKeys(sessions, known_keys, settings.jwks_url),
                believed_seconds=settings.jwks_believed_seconds,
            )
            app.state.access_tokens = AccessTokens(
                keys,
                issuer=settings.issuer,
                audience=audience_of(settings),
                leeway_seconds=settings.token_leeway_seconds,
            )
            app.state.health.needs_database(engine)
            running = [
                asyncio.create_task(wake_relay(service, settings, app.state.health, woken=woken)),
                asyncio.create_task(keys.keep_fresh()),
            ]
            spare_what_is_loaded()
            try:
                yield
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)
                await engine.dispose()

    app = FastAPI(
        title=title,
        version="1",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        middleware=[Middleware(Observing, settings=settings)],
    )
    app.state.settings = settings
    app.state.health = Health(f"{service}-web")
    app.state.api_routes = [route for router in routers for route in router.routes]
    add_problem_handlers(app)
    app.router.routes.append(RoutesByAddress(app.state.api_routes))
    app.include_router(health_router(app.state.health))
    for router in routers:
        ensure_transactional(router)
        include(app, router)
    return app


def include(app: FastAPI, router: APIRouter) -> None:
    """Let an application answer what a router does, with what every route has.

    Once in a process: FastAPI takes longer to read the routes of a service than many a test to run.
    """
    if id(router) not in INCLUDED:
        common = APIRouter(
            generate_unique_id_function=lambda route: route.name,
            responses={
                401: {"description": STRANGER, "model": Problem},
                422: {
                    "description": "The request is invalid",
                    "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                },
            },
        )
        common.include_router(router)
        INCLUDED[id(router)] = common.routes
    app.router.routes.extend(INCLUDED[id(router)])


def ensure_transactional(router: APIRouter) -> None:
    """Refuse to start with a route that would run outside a transaction.

    A router gives its class of routes to those that are added later, so it cannot be set here.
    """
    for route in router.routes:
        if not isinstance(route, Route):
            raise TypeError(f"Make the router of {route!r} with `APIRouter(route_class=Route)`.")


def wake_relay(
    service: str,
    settings: Settings,
    health: Health,
    *,
    woken: Callable[[], None] | None = None,
) -> Coroutine[Any, Any, NoReturn]:
    """Tell the relay, and whoever else looks for what is new, that something was committed.

    Args:
        service: whose processes hear of it.
        settings: where NATS is.
        health: notes whether it is there.
        woken: called when one of them says so, be it this one.
    """
    nats: Client | None = None
    health.notes("nats", lambda: nats is not None and nats.is_connected)

    async def hear(_: Msg) -> None:
        if woken is not None:
            woken()

    async def tell() -> NoReturn:
        nonlocal nats
        hints = asyncio.Event()
        ends = [after_each_announcement(hints.set), after_each_commit_with(WAKES, hints.set)]
        try:
            while True:
                try:
                    async with connected(settings, name=f"{service}-web") as nats:
                        if woken is not None:
                            await nats.subscribe(f"wake.{service}", cb=hear)
                        await tell_others(nats, service, hints)
                except (NatsError, OSError) as error:
                    log.warning("nats.away", error=repr(error))
                    await asyncio.sleep(settings.retry_seconds)
        finally:
            for end in ends:
                end()

    return tell()


class Observing:
    """The outermost layer: request id, trace, metrics, one log line, limits of size and number."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.room = Room(settings.in_flight_limit)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in QUIET:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "")
        if not (request_id.isascii() and request_id.isprintable() and 0 < len(request_id) <= 100):
            request_id = str(new_id())
        structlog.contextvars.bind_contextvars(request_id=request_id)
        self.room.present += 1
        HTTP_IN_FLIGHT.inc()
        try:
            with span(
                f"{scope['method']} {without_secrets(scope['path'])}",
                kind="server",
                parent=headers.get("traceparent"),
            ) as recorded:
                await self._observe(scope, receive, send, request_id, recorded)
        finally:
            self.room.present -= 1
            HTTP_IN_FLIGHT.dec()
            structlog.contextvars.unbind_contextvars("request_id", "member", "actor")

    async def _observe(
        self, scope: Scope, receive: Receive, send: Send, request_id: str, recorded: Any
    ) -> None:
        """Answer, and say what was answered."""
        began = time.perf_counter()
        status = 0

        async def send_observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(scope=message)
                answer["X-Request-Id"] = request_id
                answer["X-Content-Type-Options"] = "nosniff"
                answer.setdefault("Content-Security-Policy", NOTHING_RUNS)
                answer.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._in_turn(scope, receive, send_observed)
        except Exception as error:
            if status:
                raise  # the answer has begun; it can only be cut off
            await failed(scope, error)(scope, receive, send_observed)
        finally:
            seconds = time.perf_counter() - began
            method, route = scope["method"], route_of(scope)
            # A client may invent methods, and each would stay in memory for good.
            known_method = method if method in METHODS else "other"
            HTTP_SECONDS.labels(method=known_method, route=route, code=status).observe(seconds)
            log.info(
                "request",
                method=method,
                path=scope["path"],
                status=status,
                milliseconds=round(seconds * 1000, 1),
            )
            if recorded is not None:
                recorded.update_name(f"{method} {route}")
                recorded.set_attribute("http.request.method", method)
                recorded.set_attribute("http.route", route)
                recorded.set_attribute("http.response.status_code", status)

    async def _in_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if self.room.present > self.settings.in_flight_limit + self.settings.waiting_limit:
            HTTP_SHED.inc()
            await plain_problem(
                path,
                503,
                "overloaded",
                "The platform has more to do than it can",
                "Try again in a few seconds.",
                Retry_After="2",
            )(scope, receive, send)
            return
        limit = self.settings.body_limit_bytes
        if not is_at_most(Headers(scope=scope).get("content-length", "0"), limit):
            await too_large(path, limit)(scope, receive, send)
            return
        turn = Turn(self.room)
        async with asyncio.timeout(self.settings.request_seconds) as timeout, turn:
            patience = Patience(
                timeout,
                pause_seconds=self.settings.request_seconds,
                whole_seconds=self.settings.streaming_seconds,
                turn=turn,
            )
            # A state of its own: a server may give all requests the same one.
            scope["state"] = {**scope.get("state", {}), STATE: patience}
            try:
                await self.app(scope, limited(receive, limit), send)
            finally:
                patience.wakes()


def failed(scope: Scope, error: Exception) -> ASGIApp:
    """Answer what no handler has answered: the request took too long, or we are wrong."""
    if not isinstance(error, TimeoutError):
        return fault_answer(Request(scope), error)
    log.warning("request.took_too_long", path=scope["path"])
    return plain_problem(
        scope["path"],
        503,
        "took-too-long",
        "The platform took too long",
        "Try again in a few seconds; with an Idempotency-Key nothing happens twice.",
        Retry_After="2",
    )


def is_at_most(length: str, limit: int) -> bool:
    return length.isdecimal() and len(length) <= len(str(limit)) and int(length) <= limit


class BodyTooLarge(HTTPException):
    """More arrived than may. The framework passes on only this kind of error."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"At most {limit} bytes are read.")


def limited(receive: Receive, limit: int) -> Receive:
    """Stop reading a body that was announced with a smaller length, or with none."""
    total = 0

    async def receive_limited() -> Message:
        nonlocal total
        message = await receive()
        if message["type"] == "http.request":
            total += len(message.get("body", b""))
            if total > limit:
                raise BodyTooLarge(limit)
        return message

    return receive_limited


def too_large(path: str, limit: int) -> ASGIApp:
    return plain_problem(
        path, 413, "too-large", "The request is too large", f"At most {limit} bytes are read."
    )


def route_of(scope: Scope) -> str:
    """The pattern that matched, such as `/api/v1/members/{slug}`; bounded, as metrics must be."""
    route = scope.get("route")
    return str(getattr(route, "path", "unmatched"))


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The service's part of the API description, as plain JSON."""
    document: dict[str, Any] = json.loads(json.dumps(app.openapi()))
    return document
