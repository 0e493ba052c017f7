"""What every route of the authorization server needs."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import Request, Response
from starlette.background import BackgroundTask

from services.members.http.guesses import TooManyGuesses, guard_of
from services.members.http.oauth.errors import SlowDown
from services.members.http.oauth.forms import ClientForm
from services.members.http.oauth.grants import Issuing
from services.members.http.oauth.keys import KeyRing
from services.members.http.oauth.server import CheckedRequest
from services.members.http.oauth.tokens import OwnTokens
from services.members.settings import MembersSettings
from services.members.use_cases.refuse_client import refuse_client
from shared.clock import utc_now
from shared.database import Sessions
from shared.http.application import audience_of

NAME_LIMIT: Final = 100
"""No client has a longer name; what is longer counts as its beginning."""


async def issuing_of(request: Request) -> Issuing:
    """How this installation issues tokens, with the keys of this moment."""
    state = request.app.state
    settings: MembersSettings = state.settings
    ring: KeyRing = state.signing_keys
    keys = await ring.current(state.sessions)
    return Issuing(
        settings.issuer,
        audience_of(settings),
        settings.access_token_seconds,
        keys.signing,
        keys.identity,
    )


async def own_tokens_of(request: Request) -> OwnTokens:
    """What knows the access tokens of this installation."""
    state = request.app.state
    ring: KeyRing = state.signing_keys
    keys = await ring.current(state.sessions)
    return OwnTokens(keys, state.settings.issuer, audience_of(state.settings))


async def guarded(
    request: Request,
    form: ClientForm,
    answer: Callable[[], Awaitable[Response]],
    *,
    is_beginning: bool = False,
) -> Response:
    """Answer a client, unless too many guesses came from where it asks.

    Args:
        request: of the client.
        form: what it sent.
        answer: makes the answer.
        is_beginning: whether this leaves something behind that only a login takes away.

    Raises:
        SlowDown: they did. Who has proved itself is not stopped by others.
    """
    named = form.credentials.client_id[:NAME_LIMIT]
    is_proof = form.credentials.method != "none"
    client = guard_of(request, "client", named)
    grant = guard_of(request, "unfinished") if is_beginning else guard_of(request, "grant", named)
    try:
        client.ensure_open()
        if not is_proof:
            grant.ensure_open()
    except TooManyGuesses as refusal:
        raise SlowDown(refusal) from refusal
    response = await answer()
    if response.status_code == 401:
        await client.failed()
        # Behind the answer, which must not take longer for a name that is a client's.
        response.background = BackgroundTask(_note_refusal, request.app.state.sessions, named)
    elif is_proof:
        client.proved()
    elif is_beginning or response.status_code == 400:
        # Whoever only says a name may still guess at codes and tokens, or fill our tables.
        await grant.failed()
    return response


async def _note_refusal(sessions: Sessions, client_id: str) -> None:
    """Record it in a transaction of its own: what the request did may have been undone."""
    async with sessions.begin() as session:
        await refuse_client(session, client_id, now=utc_now())


def address_of(request: Request, path: str) -> str:
    """The address of a route as the outside knows it, whatever the request says."""
    return f"{request.app.state.settings.issuer}{path}"


def checked(request: Request, path: str, form: ClientForm) -> CheckedRequest:
    """Make of a form what Authlib works with."""
    return CheckedRequest(
        "POST",
        address_of(request, path),
        form.parameters,
        now=utc_now(),
        credentials=form.credentials,
        proof=form.proof,
    )
