"""Use case: a member joins, is suspended or reinstated, or leaves."""

from datetime import date, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.member import Member
from services.members.model.speaker import Speaker
from services.members.queries.members import member_for_change, speaker_of
from services.members.use_cases.record import record
from shared.contracts.event import EVERYONE
from shared.contracts.members import (
    MemberActivated,
    MemberEvent,
    MemberReinstated,
    MembershipStatus,
    MemberSuspended,
    MemberWithdrawn,
)
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce

HAPPENED: Final[dict[tuple[MembershipStatus, MembershipStatus], type[MemberEvent]]] = {
    ("invited", "active"): MemberActivated,
    ("suspended", "active"): MemberReinstated,
    ("active", "suspended"): MemberSuspended,
    ("invited", "withdrawn"): MemberWithdrawn,
    ("active", "withdrawn"): MemberWithdrawn,
    ("suspended", "withdrawn"): MemberWithdrawn,
}


async def change_membership(
    session: AsyncSession,
    slug: str,
    status: MembershipStatus,
    *,
    effective_on: date | None,
    reason: str | None,
    expected: int | None,
    speaker: Speaker,
    now: datetime,
) -> Member:
    """Take a step in a membership, enter it into the history, and announce it.

    Args:
        session: of the request.
        slug: of the member.
        status: where the step leads.
        effective_on: today where the member is, unless history is recorded late.
        reason: needed for a suspension.
        expected: version of the member that the speaker has seen; nothing for any.
        speaker: who asks for it.
        now: when.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        OnlyTheMemberItself: this step is for the member to take.
        OnlyTheSecretariat: this step is for the secretariat to take.
        MissingScope: the token does not cover it.
        VersionStale: the member is at another version than `expected`.
        MembershipEnded: the member has withdrawn.
        TransitionRuledOut: the status is not reached from the present one.
        HostStays: the member is the host.
        ReasonMissing: a suspension without one.
        EffectiveInFuture: the day has not come where the member is.
        EffectiveBeforePrevious: the day lies before that of the step before.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker may have lost the right to do it.
    speaker = await speaker_of(session, speaker.actor)
    member.ensure_has_say(speaker)
    before = member.state()
    ensure_version(expected, before)
    session.add(
        member.take_step(status, effective_on=effective_on, reason=reason, speaker=speaker, at=now)
    )
    event = HAPPENED[before.status, member.status]
    announce(
        session,
        event.about(member.state(), before=before, by=speaker.actor, at=now, audience=EVERYONE),
    )
    await record(
        session,
        member=slug,
        action=f"member.{event.happened}",
        subject=f"member:{slug}",
        actor=speaker.actor,
        at=now,
        details={"effective_on": member.status_since.isoformat()},
    )
    return member
