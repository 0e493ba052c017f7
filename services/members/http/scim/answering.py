"""What a directory is answered. Source: RFC 7644.

The protocol is that of `scim2_server`, which knows neither the web nor the database.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog
from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError
from scim2_models import (
    ConflictException,
    ForbiddenException,
    InvalidValueException,
    NotFoundException,
    PayloadTooLargeException,
    PreconditionFailedException,
    SCIMException,
    UnauthorizedException,
    UniquenessException,
)
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse
from scim2_server.service import scim_exception_of
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.http.guesses import Guard, TooManyGuesses, guard_of
from services.members.http.scim.bounds import BoundedHandler, ensure_bearable
from services.members.http.scim.resources import SERVICE
from services.members.http.scim.storage import MemberStorage
from services.members.model.scim import ScimNameTaken, token_hash_of
from services.members.model.speaker import SpeakerUnknown
from services.members.use_cases.enter_by_scim import Directory, enter_by_scim
from shared.clock import utc_now
from shared.refusals import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PreconditionFailed,
    Refusal,
    TooLarge,
    Unauthenticated,
)

MEDIA_TYPE: Final = "application/scim+json"
BODY_LIMIT_BYTES: Final = 256_000
TOKEN_LIMIT: Final = 200

EXCEPTIONS: Final[dict[type[Refusal], type[SCIMException]]] = {
    Unauthenticated: UnauthorizedException,
    Forbidden: ForbiddenException,
    NotFound: NotFoundException,
    ScimNameTaken: UniquenessException,
    Conflict: ConflictException,
    PreconditionFailed: PreconditionFailedException,
    TooLarge: PayloadTooLargeException,
    Invalid: InvalidValueException,
}
"""What SCIM says in place of our refusals."""


class TooManyRequestsException(SCIMException):
    """The library leaves this status to whoever needs it. Source: RFC 6585, section 4."""

    status = 429


async def answer(path: str, request: Request, *, base_url: str) -> Response:
    """Do what the directory asks, in one transaction."""
    try:
        return _shown(await _answered(path, request, base_url))
    except TooManyGuesses as refusal:
        refused = _shown(SERVICE.error_response(TooManyRequestsException(detail=refusal.detail)))
        refused.headers["Retry-After"] = str(refusal.seconds)
        return refused
    except tuple(EXCEPTIONS) as refusal:
        return _shown(SERVICE.error_response(exception_of(refusal)))
    except ValidationError as error:
        return _shown(SERVICE.error_response(scim_exception_of(error)))
    except SCIMException as error:
        return _shown(SERVICE.error_response(_within_four_hundred(error)))


async def _answered(path: str, request: Request, base_url: str) -> ScimResponse:
    token = _token(request)
    guard = guard_of(request, "provisioning", token_hash_of(token))
    guard.ensure_open()
    try:
        return await _answered_with(token, guard, path, request, base_url)
    except SpeakerUnknown:
        await guard.failed()
        raise


async def _answered_with(
    token: str, guard: Guard, path: str, request: Request, base_url: str
) -> ScimResponse:
    body = await request.body()
    if len(body) > BODY_LIMIT_BYTES:
        raise PayloadTooLargeException(detail=f"At most {BODY_LIMIT_BYTES} bytes are read.")
    asked = ScimRequest(
        method=request.method,
        base_url=base_url,
        path=path,
        query=_query(request),
        headers=list(request.headers.items()),
        body=body,
    )
    to_change = request.method != "GET" and not path.endswith("/.search")
    async with _opened(request, to_change=to_change) as session:
        now = utc_now()
        directory = await enter_by_scim(session, token, to_change=to_change, now=now)
        guard.proved()
        _note(directory)
        ensure_bearable(asked.query, body)
        storage = MemberStorage(session, directory, now)
        return await BoundedHandler(SERVICE, storage).handle(asked)


@asynccontextmanager
async def _opened(request: Request, *, to_change: bool) -> AsyncIterator[AsyncSession]:
    """Open what is committed before the answer leaves, unless there is a refusal."""
    if to_change:
        async with request.app.state.sessions.begin() as session:
            yield session
    else:
        async with request.app.state.reading_sessions() as session:
            yield session


def exception_of(refusal: Refusal) -> SCIMException:
    """Say no in SCIM's words."""
    kind = next(kind for base, kind in EXCEPTIONS.items() if isinstance(refusal, base))
    return kind(detail=refusal.detail)


def _within_four_hundred(error: SCIMException) -> SCIMException:
    """Say of what we do not do that it is not there, or makes no sense.

    RFC 7644 has 501 for it, which whoever watches a server takes for a fault of ours.
    """
    if error.status == 501:
        return NotFoundException(detail=error.detail)
    return error


def _token(request: Request) -> str:
    headers = request.headers.getlist("authorization")
    scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > TOKEN_LIMIT or not token.isascii():
        raise SpeakerUnknown("The request needs one `Authorization: Bearer …` header.")
    return token


def _query(request: Request) -> dict[str, str]:
    """Read the query; directories add parameters of their own, which are passed over."""
    given = request.query_params.multi_items()
    if len({name for name, _ in given}) != len(given):
        raise InvalidValueException(detail="A parameter is given more than once.")
    return dict(given)


def _note(directory: Directory) -> None:
    actor = directory.speaker.actor
    structlog.contextvars.bind_contextvars(member=actor.member, actor=actor.reference)


def _shown(response: ScimResponse) -> Response:
    if response.body is None:
        return Response(status_code=int(response.status), headers=response.headers)
    return JSONResponse(
        response.body, int(response.status), response.headers, media_type=MEDIA_TYPE
    )
