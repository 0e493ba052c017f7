"""Every route of the members service, also those that were added a moment ago."""

import json
from functools import cache
from typing import Any

from fastapi.routing import APIRoute

from services.members.http.app import create_app
from services.members.settings import MembersSettings
from tests.architecture.test_routes import flat
from tests.web import environment

APP = create_app(MembersSettings(**environment()))

ROUTES: list[tuple[str, APIRoute]] = [
    (method, route) for route in flat(APP.routes) for method in sorted(route.methods or ())
]
NAMES = [f"{method} {route.path}" for method, route in ROUTES]


def body_of(route: APIRoute) -> type[Any] | None:
    """The class of what a route reads as JSON."""
    if route.body_field is None:
        return None
    kind: type[Any] = route.body_field.field_info.annotation  # type: ignore[assignment]
    return kind


@cache
def document() -> dict[str, Any]:
    """The description of the API."""
    described: dict[str, Any] = json.loads(json.dumps(APP.openapi()))
    return described
