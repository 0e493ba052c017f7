"""Use case: a member lets its directory say who its officials are."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.scim import (
    TOKENS_MAX,
    ScimToken,
    TooManyScimTokens,
    ensure_sees_directory_of,
    new_scim_token,
    token_hash_of,
)
from services.members.model.speaker import Speaker
from services.members.queries.identity_providers import provider_of
from services.members.queries.members import member_for_change, speaker_of
from services.members.queries.scim import count_good_tokens
from services.members.use_cases.record import record
from shared.actor import LoginDemand


@dataclass(frozen=True, slots=True)
class IssuedScimToken:
    """A new token, and the only sight of what it says."""

    token: ScimToken
    secret: str = field(repr=False)


async def issue_scim_token(
    session: AsyncSession,
    slug: str,
    *,
    name: str,
    identity_provider_id: UUID | None,
    speaker: Speaker,
    login: LoginDemand,
    now: datetime,
) -> IssuedScimToken:
    """Make a token for the directory of a member.

    Args:
        session: of the database.
        slug: of the member.
        name: by which people know the token.
        identity_provider_id: where the directory's `externalId` is the subject of who logs in.
        speaker: who asks for it.
        login: what is asked of the login of a person.
        now: when.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        ScimTokenNotFound: the speaker is another member.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        TooManyScimTokens: it has as many as it can.
        ProviderNotFound: the member has no such identity provider.
        InsufficientUserAuthentication: the login behind the token does not meet `login`.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker may have lost the right to do it.
    speaker = await speaker_of(session, speaker.actor)
    ensure_sees_directory_of(slug, speaker)
    member.ensure_governed_by(speaker)
    if await count_good_tokens(session, slug) >= TOKENS_MAX:
        raise TooManyScimTokens(f"Revoke one first: {TOKENS_MAX} are good at once.")
    if identity_provider_id is not None:
        await provider_of(session, slug, identity_provider_id)
    speaker.actor.ensure_logged_in(login, at=now)
    secret = new_scim_token()
    token = ScimToken(
        member=slug,
        name=name,
        token_hash=token_hash_of(secret),
        identity_provider_id=identity_provider_id,
        created_at=now,
        updated_at=now,
    )
    session.add(token)
    await record(
        session,
        member=slug,
        action="scim.token_issued",
        subject=f"scim_token:{token.id}",
        actor=speaker.actor,
        at=now,
        details={
            "identity_provider_id": None
            if identity_provider_id is None
            else str(identity_provider_id)
        },
    )
    return IssuedScimToken(token, secret)
