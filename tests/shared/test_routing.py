"""An address leads to the route that FastAPI would find, only sooner."""

from typing import Any

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Match

from shared.http.routing import RoutesByAddress

router = APIRouter(prefix="/things")


@router.get("/{thing}")
@router.get("/latest")
@router.post("/{thing}/parts/{part}")
@router.get("/tables/of/{thing}.csv")
@router.get("/files/{path:path}")
async def answer() -> None:
    """Not asked here."""


ROUTES = [route for route in router.routes if isinstance(route, APIRoute)]
BY_ADDRESS = RoutesByAddress(ROUTES)


def found(method: str, path: str, kind: str = "http") -> tuple[str, dict[str, Any]] | None:
    match, found = BY_ADDRESS.matches({"type": kind, "method": method, "path": path})
    return None if match is Match.NONE else (found["route"].path, found["path_params"])


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/things/1", ("/things/{thing}", {"thing": "1"})),
        ("GET", "/things/港", ("/things/{thing}", {"thing": "港"})),
        ("GET", "/things/{}", ("/things/{thing}", {"thing": "{}"})),
        ("GET", "/things/latest", ("/things/latest", {})),
        (
            "POST",
            "/things/1/parts/2",
            ("/things/{thing}/parts/{part}", {"thing": "1", "part": "2"}),
        ),
    ],
)
def test_words_and_parameters_lead_to_a_route(
    method: str, path: str, expected: tuple[str, dict[str, str]]
) -> None:
    assert found(method, path) == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/"),
        ("GET", "/things"),
        ("GET", "/things/"),
        ("GET", "//things/1"),
        ("GET", "/things/1/"),
        ("POST", "/things/1/parts/"),
        ("POST", "/things//parts/2"),
        ("GET", "/things/files/a/b"),
        ("GET", "/things/tables/of/1.csv"),
        ("POST", "/things/1"),
        ("HEAD", "/things/1"),
    ],
)
def test_all_else_is_left_to_the_routes_behind_it(method: str, path: str) -> None:
    assert found(method, path) is None


def test_what_is_no_request_is_left_to_the_routes_behind_it() -> None:
    assert found("GET", "/things/1", kind="websocket") is None
