"""Use case: a member says where its officials log in."""

from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.identity_provider import (
    IdentityProvider,
    ProviderExists,
    ensure_consistent,
    ensure_issuer,
    ensure_sees_providers_of,
)
from services.members.model.speaker import Speaker
from services.members.queries.members import member_for_change, speaker_of
from services.members.use_cases.provider_fields import ProviderFields
from services.members.use_cases.record import record
from shared.actor import LoginDemand
from shared.identifiers import new_id
from shared.sealing import Seals


async def register_identity_provider(
    session: AsyncSession,
    slug: str,
    fields: ProviderFields,
    *,
    secret: str,
    allow_private: bool,
    seals: Seals,
    speaker: Speaker,
    login: LoginDemand,
    now: datetime,
) -> IdentityProvider:
    """Register an identity provider, as a draft.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        ProviderNotFound: the speaker is another member, and sees none.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        InsufficientUserAuthentication: the login behind the token does not meet `login`.
        IssuerNotAllowed: we may not ask this issuer.
        IssuerServesEveryone: it is not of one organisation.
        UnknownRoleContradictory: unknown people would get a role that they cannot have.
        ProviderExists: the member has this client at this issuer.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker may have lost the right to do it.
    speaker = await speaker_of(session, speaker.actor)
    ensure_sees_providers_of(slug, speaker)
    member.ensure_governed_by(speaker)
    speaker.actor.ensure_logged_in(login, at=now)
    ensure_issuer(fields.issuer, allow_private=allow_private)
    ensure_consistent(fields.unknown_people, fields.unknown_role)
    provider_id = new_id()
    provider = IdentityProvider(
        id=provider_id,
        member=slug,
        sealed_secret=seals.seal(secret.encode(), place=IdentityProvider.place(provider_id)),
        **fields.model_dump(),
        created_at=now,
        updated_at=now,
    )
    try:
        async with session.begin_nested():
            session.add(provider)
    except IntegrityError as error:
        raise ProviderExists("Change that one, or retire it.") from error
    await record(
        session,
        member=slug,
        action="identity_provider.registered",
        subject=f"identity_provider:{provider.id}",
        actor=speaker.actor,
        at=now,
    )
    return provider
