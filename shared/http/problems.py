"""Every answer that is not a success is a problem. Source: RFC 9457."""

from collections import defaultdict
from typing import Any, Final

import structlog
from asyncpg.exceptions import (
    DataError,
    ExclusionViolationError,
    ForeignKeyViolationError,
    InterfaceError,
    PostgresError,
    UniqueViolationError,
)
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from starlette.exceptions import HTTPException

from shared.actor import InsufficientUserAuthentication
from shared.database import cause_of, is_outage
from shared.refusals import (
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    MediaTypeUnsupported,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    Refusal,
    TooLarge,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
)
from shared.telemetry import ODD_INPUT, REFUSALS

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"

STATUS: Final[dict[type[Refusal], int]] = {
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    PreconditionFailed: 412,
    TooLarge: 413,
    MediaTypeUnsupported: 415,
    Invalid: 422,
    PreconditionRequired: 428,
    TooManyRequests: 429,
    Unavailable: 503,
}

STRANGER: Final = "The access token is missing or not valid"

RETRY_AFTER_SECONDS: Final = 2

MEANWHILE: Final = (UniqueViolationError, ForeignKeyViolationError, ExclusionViolationError)
"""What our rules had ruled out became true between the look and the change."""


class InvalidField(BaseModel):
    """One thing that is wrong with the request."""

    location: str
    """Such as `body/due_on` or `query/limit`."""
    detail: str


class Problem(BaseModel):
    """Body of an answer that is not a success. A kind of problem may have further members."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[InvalidField] = []


def refusals(*kinds: type[Refusal]) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route, so that OpenAPI lists each refusal by name."""
    titles: dict[int | str, list[str]] = defaultdict(list)
    if any(status_of(kind) == 401 for kind in kinds):
        titles[401].append(STRANGER)  # which can happen at every route
    for kind in kinds:
        titles[status_of(kind)].append(f"{kind.title} (`{kind.code}`)")
    return {
        status: {
            "model": Problem,
            "description": "; ".join(titles[status]),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in titles
    }


def status_of(kind: type[Refusal]) -> int:
    return next(status for base, status in STATUS.items() if issubclass(kind, base))


def refusal_answer(request: Request, refusal: Refusal) -> Response:
    """Say no as a problem of the refusal's own kind."""
    REFUSALS.labels(code=refusal.code).inc()
    status = status_of(type(refusal))
    problem = Problem(
        type=f"/problems/{refusal.code}",
        title=refusal.title,
        status=status,
        detail=refusal.detail,
        instance=request.url.path,
        **refusal.members,
    )
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = challenge(request, refusal)
    if status == 503 or "retry_after" in refusal.members:
        headers["Retry-After"] = str(refusal.members.get("retry_after", RETRY_AFTER_SECONDS))
    return answer(problem, headers)


def challenge(request: Request, refusal: Refusal) -> str:
    """Say what must be brought to be let in.

    Source: RFC 6750, section 3; RFC 9470, section 3.
    """
    said: dict[str, Any] = {"realm": "renkei"}
    if isinstance(refusal, InsufficientUserAuthentication):
        said["error"] = "insufficient_user_authentication"
        # What a machine reads comes first: who cuts a long header off loses words for people.
        said |= refusal.members
        said["error_description"] = refusal.detail
    elif request.headers.get("authorization"):
        said["error"] = "invalid_token"
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in said.items())


def problem_among_others(refusal: Refusal) -> dict[str, Any]:
    """A refusal as one of many that are answered together: without the state as it is now."""
    return {
        "type": f"/problems/{refusal.code}",
        "title": refusal.title,
        "status": status_of(type(refusal)),
        "detail": refusal.detail,
        **{name: member for name, member in refusal.members.items() if name != "current"},
    }


def answer(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    body = problem.model_dump(mode="json", exclude_defaults=True)
    return JSONResponse(body, problem.status, headers, MEDIA_TYPE)


def plain_problem(
    path: str, status: int, code: str, title: str, detail: str, **headers: str
) -> Response:
    """A problem that no refusal stands behind, such as an outage."""
    return answer(
        Problem(type=f"/problems/{code}", title=title, status=status, detail=detail, instance=path),
        {name.replace("_", "-"): value for name, value in headers.items()},
    )


def add_problem_handlers(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def answer_refusal(request: Request, refusal: Refusal) -> Response:
        return refusal_answer(request, refusal)

    @app.exception_handler(RequestValidationError)
    async def answer_invalid(request: Request, error: RequestValidationError) -> Response:
        return invalid_answer(request, error)

    @app.exception_handler(HTTPException)
    async def answer_framework(request: Request, error: HTTPException) -> Response:
        titles = {
            400: ("malformed-request", "The request cannot be read"),
            404: ("not-found", "There is nothing at this address"),
            405: ("method-not-allowed", "The address does not know this method"),
            413: ("too-large", "The request is too large"),
        }
        code, title = titles.get(error.status_code, ("refused", "The request is refused"))
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(allowed_methods(request))
        detail = error.detail if error.status_code == 413 else f"{title}."
        return plain_problem(request.url.path, error.status_code, code, title, detail, **headers)

    @app.exception_handler(Exception)
    async def answer_fault(request: Request, error: Exception) -> Response:
        return fault_answer(request, error)

    for fault in (
        DBAPIError,
        PoolTimeout,
        PostgresError,
        InterfaceError,
        StaleDataError,
        OSError,
        TimeoutError,
    ):
        app.add_exception_handler(fault, answer_fault)


def allowed_methods(request: Request) -> list[str]:
    """What the address knows; the framework names the methods of the first of its routes only."""
    routes = getattr(request.app.state, "api_routes", request.app.routes)
    return sorted(
        {
            method
            for route in routes
            if isinstance(route, APIRoute) and route.path_regex.match(request.scope["path"])
            for method in route.methods or ()
        }
    )


def invalid_answer(request: Request, error: RequestValidationError) -> Response:
    REFUSALS.labels(code="invalid-request").inc()
    errors = [
        InvalidField(
            location="/".join(_printable(part) for part in found["loc"])[:300],
            detail=_printable(found["msg"])[:500],
        )
        for found in error.errors()[:100]
    ]
    return answer(
        Problem(
            type="/problems/invalid-request",
            title="The request is invalid",
            status=422,
            detail="Nothing was changed. `errors` names what cannot be accepted.",
            instance=request.url.path,
            errors=errors,
        )
    )


def _printable(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()


def fault_answer(request: Request, error: Exception) -> Response:
    """Answer what we did not foresee: 422, 503 or 500, and nothing about our inside."""
    path = request.url.path
    cause = cause_of(error)
    if isinstance(error, StaleDataError) or isinstance(cause, MEANWHILE):
        return plain_problem(
            path,
            409,
            "changed-meanwhile",
            "Somebody changed it in the same moment",
            "Nothing was changed by this request. Read it again.",
        )
    if isinstance(cause, DataError):
        ODD_INPUT.inc()
        log.error("input.unforeseen", exc_info=error)
        return plain_problem(
            path,
            422,
            "invalid-request",
            "The request is invalid",
            "A value in it cannot be stored. Nothing was changed.",
        )
    if is_outage(error):
        log.warning("database.away", error=repr(error)[:300])
        return plain_problem(
            path,
            503,
            "unavailable",
            "A part of the platform is away for the moment",
            "Try again in a few seconds; with an Idempotency-Key nothing happens twice.",
            Retry_After=str(RETRY_AFTER_SECONDS),
        )
    log.error("request.failed", exc_info=error)
    return plain_problem(
        path, 500, "internal", "Something went wrong on our side", "It has been recorded."
    )
