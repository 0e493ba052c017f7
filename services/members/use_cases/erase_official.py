"""Use case: nothing that tells who an official was is kept any longer."""

import json
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.erasure import Erasure
from services.members.model.identity import Identity
from services.members.model.official import Official
from services.members.model.scim import ScimGroupMember, ScimUser
from services.members.model.speaker import Speaker
from services.members.model.token_family import Consent
from services.members.queries.erasures import all_sign_ins_of, is_linked
from services.members.queries.members import member_for_change, speaker_of
from services.members.queries.officials import administrators_of, official_of
from services.members.use_cases.end_presence import end_presence
from services.members.use_cases.record import record
from shared.actor import LoginDemand
from shared.contracts.members import OfficialErased
from shared.http.preconditions import ensure_version
from shared.messaging.erasing import forget_waiting
from shared.messaging.outbox import announce


async def erase_official(
    session: AsyncSession,
    slug: str,
    official_id: UUID,
    *,
    expected: int | None,
    speaker: Speaker,
    login: LoginDemand,
    now: datetime,
) -> Official:
    """Erase an official, end what they are logged in to, and announce that they are gone.

    What was told of them before is taken out of history afterwards, by `purge_erased`, which the
    row written here asks for. What they did stays, done by a former official.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        OnlyTheMemberItself: the speaker is another.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        OfficialNotFound: the member has no such official.
        VersionStale: it is at another version than `expected`.
        InsufficientUserAuthentication: the login behind the token does not meet `login`.
        OfficialErased: that has happened before.
        LastAdministrator: nobody else could act as one.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker may have lost the right to do it.
    speaker = await speaker_of(session, speaker.actor)
    member.ensure_governed_by(speaker)
    official = await official_of(session, slug, official_id, for_change=True)
    ensure_version(expected, official.state())
    speaker.actor.ensure_logged_in(login, at=now)
    administrators = await administrators_of(session, slug)
    identity_id = official.identity_id
    official.erase(former=member.former_official(), administrators=administrators, at=now)
    await end_presence(session, official_id, because="official erased", by=speaker.actor, now=now)
    await _forget_person(session, official, identity_id)
    await forget_waiting(session, f"evt.members.official.{official_id}.>")
    session.add(Erasure(official_id=official_id, asked_at=now))
    # Without the state before: it is what must not be told again.
    announce(
        session, OfficialErased.about(official.state(), by=speaker.actor, at=now, audience=(slug,))
    )
    await record(
        session,
        member=slug,
        action="official.erased",
        subject=f"official:{official_id}",
        actor=speaker.actor,
        at=now,
    )
    return official


async def _forget_person(
    session: AsyncSession, official: Official, identity_id: UUID | None
) -> None:
    """Take away what other rows tell: logins, consents, the identity, remembered answers."""
    await session.flush()
    for sign_in in await all_sign_ins_of(session, official.id):
        sign_in.upstream_sid, sign_in.upstream_subject, sign_in.sealed_id_token = None, "", ""
    for told in (Consent, ScimGroupMember, ScimUser):
        await session.execute(delete(told).where(told.official_id == official.id))
    if identity_id is not None and not await is_linked(session, identity_id):
        await session.execute(delete(Identity).where(Identity.id == identity_id))
    # The same request, sent again, must not appoint them again: the answer stays, without them.
    shown = official.state().model_dump(mode="json") | {"allowed_actions": []}
    location = f"/api/v1/members/{official.member}/officials/{official.id}"
    await session.execute(
        text("UPDATE remembered_answer SET body = :body WHERE headers ->> 'location' = :location"),
        {"body": json.dumps(shown).encode(), "location": location},
    )
