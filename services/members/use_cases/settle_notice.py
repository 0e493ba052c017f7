"""Use case: an application was told of a logout, or could not be."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.queries.logout_notices import notice_for_change
from services.members.use_cases.claim_notices import ClaimedNotice
from services.members.use_cases.record import record
from shared.actor import Actor


async def settle_notice(
    session: AsyncSession, claimed: ClaimedNotice, *, hindrance: str | None, now: datetime
) -> None:
    """Write down what came of an attempt: it is done, will be tried again, or is given up.

    What is given up stands in the trail of the member whose application it is.

    Args:
        session: of the database.
        claimed: the notice, as the sender took it; one that another has taken since is left alone.
        hindrance: why the application has not taken it; nothing if it has.
        now: when.
    """
    found = await notice_for_change(session, claimed.id)
    if found is None or found[0].attempts != claimed.attempt:
        return
    notice, client = found
    if hindrance is not None and notice.put_off(at=now):
        return
    await session.delete(notice)
    if hindrance is not None:
        await record(
            session,
            member=client.member,
            action="client.not_told",
            subject=f"client:{client.id}",
            actor=Actor.CLOCK,
            at=now,
            outcome="refused",
            reason=hindrance,
            details={"session": str(notice.session_id), "attempts": notice.attempts},
        )
