"""Use case: a member corrects, blocks or unblocks one of its officials."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.official import Official
from services.members.model.speaker import Speaker
from services.members.queries.members import member_for_change, speaker_of
from services.members.queries.officials import administrators_of, official_of
from services.members.use_cases.end_presence import end_presence
from services.members.use_cases.record_change_of_official import record_change
from shared.actor import LoginDemand
from shared.contracts.members import (
    OfficialBlocked,
    OfficialChanged,
    OfficialEvent,
    OfficialState,
    OfficialUnblocked,
)
from shared.http.preconditions import ensure_version
from shared.messaging.outbox import announce


async def change_official(
    session: AsyncSession,
    slug: str,
    official_id: UUID,
    fields: dict[str, Any],
    *,
    expected: int | None,
    speaker: Speaker,
    login: LoginDemand,
    now: datetime,
) -> Official:
    """Change what is different, and announce it to the member if anything is.

    What somebody who is blocked was logged in to has ended for good. The member is locked, so that
    of two administrators who block each other one stays.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        OnlyTheMemberItself: the speaker is another.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        OfficialNotFound: the member has no such official.
        VersionStale: it is at another version than `expected`.
        InsufficientUserAuthentication: it gives somebody rights, or somebody who has never logged
            in another address, and the login behind the token does not meet `login`.
        OfficialErased: nothing is left that could change.
        LastAdministrator: nobody else could act as one.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker may have lost the right to do it.
    speaker = await speaker_of(session, speaker.actor)
    member.ensure_governed_by(speaker)
    official = await official_of(session, slug, official_id, for_change=True)
    before = official.state()
    ensure_version(expected, before)
    if official.is_given_rights_by(fields):
        speaker.actor.ensure_logged_in(login, at=now)
    administrators = await administrators_of(session, slug)
    if official.change(fields, administrators=administrators, at=now):
        after = official.state()
        event = _what_happened(before, after)
        announce(
            session,
            event.about(after, before=before, by=speaker.actor, at=now, audience=(slug,)),
        )
        await record_change(session, before, after, by=speaker.actor, now=now)
        if event is OfficialBlocked:
            await end_presence(
                session, official.id, because="official blocked", by=speaker.actor, now=now
            )
    return official


def _what_happened(before: OfficialState, after: OfficialState) -> type[OfficialEvent]:
    """Whether somebody may act weighs more than how they are called."""
    if before.status == after.status:
        return OfficialChanged
    return OfficialBlocked if after.status == "blocked" else OfficialUnblocked
