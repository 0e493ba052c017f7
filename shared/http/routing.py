"""Finds the route of a request by its address.

FastAPI asks one route after another, and those of an included router twice: among the many routes
of a service that takes a tenth of the time of a read, and more for those that stand behind.
"""

from collections.abc import Iterable
from typing import Final

from fastapi.routing import APIRoute
from starlette.convertors import StringConvertor
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

PARAMETER: Final = "/"
"""Stands for a part of an address that is a parameter; no part can be called so."""


class Place:
    """Where the addresses of some routes have led so far."""

    def __init__(self) -> None:
        self.following: dict[str, Place] = {}
        self.routes: dict[str, APIRoute] = {}
        """Those that end here, by their method."""


class RoutesByAddress(BaseRoute):
    """Stands before routes and answers at once what it finds among them.

    It knows addresses of which each part is a word or a parameter; a word goes before a parameter,
    in whatever order the routes stand. All else, such as a wrong method, it leaves to the routes
    behind it; so a route of another form, such as `/{name}.csv`, must share its addresses with no
    route that this knows.
    """

    def __init__(self, routes: Iterable[APIRoute]) -> None:
        self._start = Place()
        for route in routes:
            if not _is_plain(route):
                continue
            place = self._start
            for part in route.path.split("/"):
                name = PARAMETER if part.startswith("{") else part
                place = place.following.setdefault(name, Place())
            for method in route.methods or ():
                place.routes.setdefault(method, route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        place = self._start
        values = []
        for part in scope["path"].split("/"):
            found = place.following.get(part)
            if found is None and part:
                found = place.following.get(PARAMETER)
                values.append(part)
            if found is None:
                return Match.NONE, {}
            place = found
        route = place.routes.get(scope["method"])
        if route is None:
            return Match.NONE, {}
        parameters = dict(zip(route.param_convertors, values, strict=True))
        return Match.FULL, {"route": route, "endpoint": route.endpoint, "path_params": parameters}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        route: APIRoute = scope["route"]
        await route.handle(scope, receive, send)


def _is_plain(route: APIRoute) -> bool:
    """Tell whether each part of its address is a word or a parameter."""
    parameters = [part for part in route.path.split("/") if "{" in part]
    return parameters == [f"{{{name}}}" for name in route.param_convertors] and all(
        isinstance(convertor, StringConvertor) for convertor in route.param_convertors.values()
    )
