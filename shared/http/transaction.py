"""One request, one transaction, committed before the answer leaves.

`Route` opens it, so that what belongs to every route stands once: the transaction, the remembered
answer of a request with an Idempotency-Key, its cause, strict reading of JSON and of the query.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic_core import from_json
from sqlalchemy.ext.asyncio import AsyncSession

from shared.causation import HEADER, Cause, because_of, read_cause
from shared.clock import utc_now
from shared.http.idempotency import Remembering, Replay, is_remembered, remember
from shared.http.problems import refusal_answer
from shared.reading import Reading
from shared.refusals import Refusal

READING = frozenset({"GET", "HEAD"})


class StrictRequest(Request):
    """A request whose JSON is read by the book: no NaN, no lone surrogates, no endless depth."""

    async def json(self) -> Any:
        body = await self.body()
        try:
            return from_json(body, allow_inf_nan=False)
        except (ValueError, RecursionError) as error:
            raise json.JSONDecodeError(str(error)[:200], "", 0) from error


class Route(APIRoute):
    """A route of the API."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()
        known = known_query(self.dependant)

        async def handle_in_transaction(request: Request) -> Response:
            request = StrictRequest(request.scope, request.receive)
            ensure_known_query(request, known)
            with because_of(cause_of_request(request)):
                return await handle_because(request)

        async def handle_because(request: Request) -> Response:
            if request.method in READING:
                async with AsyncExitStack() as request.state.until_answered:
                    return await handle(request)
            async with request.app.state.sessions.begin() as session:
                request.state.session = session
                request.state.remembering = None
                try:
                    response = await handle(request)
                except Replay as replay:
                    return replay.response
                except Refusal as refusal:
                    remembering: Remembering | None = request.state.remembering
                    if remembering is None or not is_remembered(refusal):
                        raise
                    # The refusal is the answer to this key from now on; its traces are undone.
                    await remembering.before_effects.rollback()
                    response = refusal_answer(request, refusal)
                await remember(session, request.state.remembering, response)
            return response

        return handle_in_transaction


def cause_of_request(request: Request) -> Cause | None:
    """Read which webhook made the client ask, if one did."""
    written = request.headers.getlist(HEADER)
    if not written:
        return None
    try:
        # Given more than once it is one list, as any header is, and no cause.
        return read_cause(", ".join(written))
    except ValueError as error:
        found = {"loc": ("header", HEADER), "msg": str(error), "type": "cause"}
        raise RequestValidationError([found]) from error


def known_query(dependant: Dependant) -> set[str]:
    """Names of the query parameters of a route, with those of its dependencies."""
    known = {parameter.alias for parameter in dependant.query_params}
    return known.union(*(known_query(needed) for needed in dependant.dependencies))


def ensure_known_query(request: Request, known: set[str]) -> None:
    """Refuse parameters that the route does not know, and those given twice."""
    given = [name for name, _ in request.query_params.multi_items()]
    errors = [
        {"loc": ("query", name), "msg": "is not a parameter of this address", "type": "unknown"}
        for name in given
        if name not in known
    ] + [
        {"loc": ("query", name), "msg": "is given more than once", "type": "repeated"}
        for name in set(given)
        if given.count(name) > 1
    ]
    if errors:
        raise RequestValidationError(errors)


# Dependencies are coroutines throughout: FastAPI runs any other function in a thread.


async def transaction(request: Request) -> AsyncSession:
    """The session of this request; `Route` commits it when the route returns."""
    if request.method in READING:
        opened: AsyncSession = request.app.state.reading_sessions()
        return await _until_answered(request).enter_async_context(opened)
    session: AsyncSession = request.state.session
    return session


async def reading(request: Request) -> Reading:
    """What a read that is asked often has in place of a session."""
    found = Reading(request.app.state.engine)
    _until_answered(request).push_async_callback(found.end)
    return found


def _until_answered(request: Request) -> AsyncExitStack:
    stack: AsyncExitStack = request.state.until_answered
    return stack


async def now() -> datetime:
    return utc_now()


Transaction = Annotated[AsyncSession, Depends(transaction)]
CurrentReading = Annotated[Reading, Depends(reading)]
Now = Annotated[datetime, Depends(now)]
