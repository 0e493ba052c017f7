"""Rules that hold for every route of every service."""

from collections.abc import Iterator
from importlib import import_module
from inspect import iscoroutinefunction
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from httpx2 import ASGITransport, AsyncClient
from starlette.routing import Match

from deploy.embedded.edge import ROUTES
from deploy.operations.services import SERVICES
from shared.fields import Input
from shared.http.idempotency import idempotent, idempotent_secret
from shared.http.identity import current_actor
from shared.http.preconditions import expectation, expected_version
from shared.http.routing import RoutesByAddress
from shared.http.transaction import Route
from tests.web import ISSUER, environment


def application(service: str) -> FastAPI:
    settings = getattr(
        import_module(f"services.{service}.settings"), f"{service.capitalize()}Settings"
    )
    app: FastAPI = import_module(f"services.{service}.http.app").create_app(
        settings(**environment())
    )
    return app


APPS = {service: application(service) for service in SERVICES}


PUBLIC = {
    "/api/v1/events/jwks",
    "/api/v1/event-types",
    "/api/v1/event-types/{event_type}",
    "/api/v1/webhook-endpoints/{endpoint_id}/jwks",
}
"""What whoever comes may read: what describes the platform, and the keys to check what it signs."""


def routes() -> Iterator[Any]:
    for service, app in APPS.items():
        for route in flat(app.routes):
            if route.include_in_schema and route.path.startswith("/api/"):
                for method in sorted(route.methods or ()):
                    yield pytest.param(app, route, method, id=f"{service}: {method} {route.path}")


def flat(found: Any) -> Iterator[APIRoute]:
    for route in found:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from flat(route.original_router.routes)


ROUTES_OF_THE_API = list(routes())


def calls(route: APIRoute) -> set[Any]:
    found, waiting = set(), [route.dependant]
    while waiting:
        dependant = waiting.pop()
        found.add(dependant.call)
        waiting += dependant.dependencies
    return found


@pytest.mark.parametrize(("app", "route", "method"), ROUTES_OF_THE_API)
def test_no_request_waits_for_a_thread(app: FastAPI, route: APIRoute, method: str) -> None:
    del app, method

    # What is no function, such as a security scheme, has a coroutine as its `__call__`.
    in_threads = {
        call
        for call in calls(route)
        if not iscoroutinefunction(call) and not iscoroutinefunction(type(call).__call__)
    }

    assert in_threads == set()


def test_there_are_routes() -> None:
    assert len(ROUTES_OF_THE_API) > 30


@pytest.mark.parametrize(("app", "route", "method"), ROUTES_OF_THE_API)
def test_an_address_leads_to_its_route_at_once(app: FastAPI, route: APIRoute, method: str) -> None:
    scope = {"type": "http", "method": method, "path": route.path}
    [at_once] = [each for each in app.routes if isinstance(each, RoutesByAddress)]
    in_turn = next(each for each in flat(app.routes) if each.matches(scope)[0] is Match.FULL)

    match, found = at_once.matches(scope)

    assert match is Match.FULL
    assert found["route"] is in_turn
    assert found["path_params"] == {name: f"{{{name}}}" for name in route.param_convertors}


def test_what_is_public_is_only_read() -> None:
    public = [each for each in ROUTES_OF_THE_API if each.values[1].path in PUBLIC]

    assert {each.values[1].path for each in public} == PUBLIC
    assert {each.values[2] for each in public} == {"GET"}


@pytest.mark.parametrize(
    ("app", "route", "method"),
    [each for each in ROUTES_OF_THE_API if each.values[1].path not in PUBLIC],
)
async def test_a_stranger_is_turned_away(app: FastAPI, route: APIRoute, method: str) -> None:
    app.state.sessions = app.state.reading_sessions = NoSessions()
    app.state.engine = None
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url=ISSUER) as client:
        response = await client.request(method, route.path)

    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"


class NoSessions:
    """Sessions that cannot reach any database: a stranger costs us nothing."""

    def __call__(self) -> "NoSessions":
        return self

    begin = __call__

    async def __aenter__(self) -> "NoSessions":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


@pytest.mark.parametrize(("app", "route", "method"), ROUTES_OF_THE_API)
def test_a_route_keeps_the_agreements(app: FastAPI, route: APIRoute, method: str) -> None:
    del app
    needed = calls(route)

    assert isinstance(route, Route)
    assert current_actor in needed or route.path in PUBLIC
    if method == "POST":
        assert needed & {idempotent, idempotent_secret}
    # What people end of their own is there or gone: nobody changes it meanwhile.
    if method in {"PATCH", "PUT", "DELETE"} and not route.path.startswith("/api/v1/me/"):
        assert needed & {expected_version, expectation}
    if route.body_field is not None:
        body = route.body_field.field_info.annotation
        assert isinstance(body, type)
        assert issubclass(body, Input)


@pytest.mark.parametrize(("app", "route", "method"), ROUTES_OF_THE_API)
def test_the_edge_knows_the_way(app: FastAPI, route: APIRoute, method: str) -> None:
    del method
    [service] = [name for name, found in APPS.items() if found is app]

    prefixes = [
        pattern.rstrip("*")
        for name, patterns in ROUTES.items()
        if name == service
        for pattern in patterns
    ]

    assert any(route.path.startswith(prefix) for prefix in prefixes)
