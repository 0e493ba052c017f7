"""Use case: the directory of a member comes with its token."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.scim import ScimToken, subject_space_of, token_hash_of
from services.members.model.speaker import Speaker, SpeakerUnknown
from services.members.queries.identity_providers import provider_of
from services.members.queries.members import member_for_change
from services.members.queries.scim import token_with
from shared.actor import Actor

SEEN_EVERY: Final = timedelta(hours=1)
"""How exactly it is kept when a token was last used: a row is not written at each request."""


@dataclass(frozen=True, slots=True)
class Directory:
    """The directory of a member, which may speak for the member about its officials."""

    speaker: Speaker
    subject_space: str | None
    """Where its `externalId` is the subject of who logs in, if anywhere."""

    @property
    def member(self) -> str:
        return self.speaker.member


async def enter_by_scim(
    session: AsyncSession, token: str, *, to_change: bool, now: datetime
) -> Directory:
    """Find out whose directory it is, as an actor named `client:scim-…` after its token.

    Who comes to change something gets the member locked, until the transaction ends: changes of
    one member's people come one after another, and none after the token has been revoked.

    Raises:
        SpeakerUnknown: no directory has such a token, or its member has left.
    """
    found = await token_with(session, token_hash_of(token))
    if found is not None and to_change:
        await member_for_change(session, found[0].member)
        found = await token_with(session, token_hash_of(token))
    if found is None or found[0].revoked_at is not None or found[1].status == "withdrawn":
        raise SpeakerUnknown("The request needs a token of a member's directory.")
    known, member = found
    if known.used_at is None or known.used_at < now - SEEN_EVERY:
        # Past the entity: nobody who read the token before is to be told that it has changed.
        seen = update(ScimToken).where(ScimToken.id == known.id).values(used_at=now)
        await session.execute(seen.execution_options(synchronize_session=False))
    actor = Actor(
        member=member.slug,
        client_id=f"scim-{known.id}",
        scopes=frozenset({"members:read", "members:write"}),
    )
    speaker = Speaker(actor, member.status, member.is_host)
    return Directory(speaker, await _subject_space(session, known))


async def _subject_space(session: AsyncSession, token: ScimToken) -> str | None:
    if token.identity_provider_id is None:
        return None
    provider = await provider_of(session, token.member, token.identity_provider_id)
    return None if provider.status == "retired" else subject_space_of(provider)
