"""Use case: sessions of people in applications end, with all tokens that were issued in them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from services.members.model.logout_notice import LogoutNotice
from services.members.queries.logout_notices import clients_to_tell
from services.members.queries.token_families import families_for_change
from services.members.use_cases.record import record_at_once
from shared.actor import Actor
from shared.contracts.members import SessionEnded
from shared.messaging.outbox import announce


async def end_sessions_of(
    session: AsyncSession,
    *,
    now: datetime,
    because: str,
    by: Actor = Actor.CLOCK,
    official_id: UUID | None = None,
    member: str | None = None,
    client_id: str | None = None,
    sign_in_id: UUID | None = None,
    family_id: UUID | None = None,
) -> int:
    """End the sessions that match all that is given, and announce each to its member.

    Applications that want to know of it are told, too, as soon as this is committed.

    What was issued in them is refused everywhere as soon as the news has arrived.

    Args:
        session: of the database.
        now: when.
        because: why, for those who look into it later, such as `logged out`.
        by: who did it; nobody where a rule did.
        official_id: whose sessions.
        member: sessions of officials of this member.
        client_id: sessions in this application.
        sign_in_id: sessions that were opened from this browser.
        family_id: this session.

    Returns:
        How many ended.

    Raises:
        ValueError: nothing is given.
    """
    return await session.run_sync(
        end_sessions_at_once,
        now=now,
        because=because,
        by=by,
        official_id=official_id,
        member=member,
        client_id=client_id,
        sign_in_id=sign_in_id,
        family_id=family_id,
    )


def end_sessions_at_once(
    session: Session,
    *,
    now: datetime,
    because: str,
    by: Actor = Actor.CLOCK,
    official_id: UUID | None = None,
    member: str | None = None,
    client_id: str | None = None,
    sign_in_id: UUID | None = None,
    family_id: UUID | None = None,
) -> int:
    """Do the same without `await`, as Authlib asks."""
    families = families_for_change(
        session,
        official_id=official_id,
        member=member,
        client_id=client_id,
        sign_in_id=sign_in_id,
        family_id=family_id,
    )
    told = clients_to_tell(session, {each.client_id for each in families}) if families else ()
    for family in families:
        state = family.end(because=because, at=now)
        announce(session, SessionEnded.about(state, by=by, at=now, audience=(family.member,)))
        record_at_once(
            session,
            member=family.member,
            action="session.ended",
            subject=f"session:{family.id}",
            actor=by,
            at=now,
            reason=because.replace(" ", "-"),
            details={"official": str(family.official_id), "client": family.client_id},
        )
        if family.client_id in told:
            session.add(
                LogoutNotice(
                    client_id=family.client_id,
                    session_id=family.id,
                    official_id=family.official_id,
                    made_at=now,
                    due_at=now,
                )
            )
    return len(families)
