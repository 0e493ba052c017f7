"""Use case: an application asks for authorization, and the person has to do something first."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from services.members.model.authorization_request import AuthorizationRequest
from services.members.model.sign_in import SignIn
from services.members.model.token_family import Consent
from services.members.queries.authorization_requests import (
    authorization_with,
    pushed_authorization,
)
from services.members.use_cases.end_sign_in import themselves
from services.members.use_cases.record import record
from shared.one_time import hash_of, new_one_time_secret
from shared.refusals import Conflict

PUSHED_LIFETIME: Final = timedelta(seconds=90)
LIFETIME: Final = timedelta(minutes=15)


class AuthorizationGone(Conflict):
    code = "authorization-gone"
    title = "The authorization has ended, or was begun in another browser"


def push_authorization(
    session: Session, client_id: str, parameters: dict[str, str], *, now: datetime
) -> str:
    """Keep what an application asks for, until it sends the browser. Source: RFC 9126.

    Without `await`, as Authlib asks.

    Returns:
        What the application names it by, once.
    """
    handle = new_one_time_secret()
    session.add(
        AuthorizationRequest(
            handle_hash=hash_of(handle),
            client_id=client_id,
            parameters=parameters,
            expires_at=now + PUSHED_LIFETIME,
        )
    )
    return handle


async def take_pushed(
    session: AsyncSession, handle: str, client_id: str, *, now: datetime
) -> dict[str, str]:
    """Take up what an application has pushed.

    Raises:
        AuthorizationGone: there is no such thing, or not any more, or it is another client's.
    """
    found = await pushed_authorization(session, hash_of(handle))
    if found is None or found.client_id != client_id or not found.is_good(now):
        raise AuthorizationGone("The request_uri is unknown, has expired or has been used.")
    found.used_at = now
    return found.parameters


async def begin_authorization(
    session: AsyncSession,
    client_id: str,
    parameters: dict[str, str],
    *,
    browser: str,
    now: datetime,
) -> AuthorizationRequest:
    """Keep what was asked for while the person logs in or thinks about it."""
    request = AuthorizationRequest(
        client_id=client_id,
        parameters=parameters,
        browser_hash=hash_of(browser),
        expires_at=now + LIFETIME,
    )
    session.add(request)
    await session.flush()
    return request


async def continue_authorization(
    session: AsyncSession, request_id: UUID, *, browser: str | None, now: datetime
) -> AuthorizationRequest:
    """Go on with what was begun in the same browser.

    Raises:
        AuthorizationGone: it is over, or was begun in another browser.
    """
    found = await authorization_with(session, request_id)
    if (
        found is None
        or browser is None
        or found.browser_hash != hash_of(browser)
        or not found.is_good(now)
    ):
        raise AuthorizationGone("Go back to the application and begin again.")
    return found


async def give_consent(
    session: AsyncSession,
    sign_in: SignIn,
    client_id: str,
    scopes: tuple[str, ...],
    *,
    now: datetime,
) -> None:
    """Remember what somebody lets an application do in their name; they are not asked again."""
    given = insert(Consent).values(
        official_id=sign_in.official_id, client_id=client_id, scopes=scopes, given_at=now
    )
    await session.execute(
        given.on_conflict_do_update(
            index_elements=["official_id", "client_id"],
            set_={"scopes": given.excluded.scopes, "given_at": given.excluded.given_at},
        )
    )
    await record(
        session,
        member=sign_in.member,
        action="consent.given",
        subject=f"client:{client_id}",
        actor=themselves(sign_in),
        at=now,
        details={"scopes": scopes},
    )


async def refuse_consent(
    session: AsyncSession, sign_in: SignIn, client_id: str, *, now: datetime
) -> None:
    """Note that somebody did not let an application act in their name; they are asked again."""
    await record(
        session,
        member=sign_in.member,
        action="consent.given",
        subject=f"client:{client_id}",
        actor=themselves(sign_in),
        at=now,
        outcome="refused",
        reason="refused-by-the-person",
    )
