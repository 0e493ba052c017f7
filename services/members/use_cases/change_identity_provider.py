"""Use case: a member changes where its officials log in."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.identity_provider import (
    IdentityProvider,
    ProviderExists,
    ensure_issuer,
)
from services.members.model.speaker import Speaker
from services.members.use_cases.governed_provider import governed_provider
from services.members.use_cases.record import different, record
from shared.actor import LoginDemand
from shared.sealing import Seals


async def change_identity_provider(
    session: AsyncSession,
    slug: str,
    provider_id: UUID,
    fields: dict[str, Any],
    *,
    allow_private: bool,
    seals: Seals,
    expected: int | None,
    speaker: Speaker,
    login: LoginDemand,
    now: datetime,
) -> IdentityProvider:
    """Change what is given and different; what a test login shows must then be shown again.

    Args:
        session: of the request.
        slug: of the member.
        provider_id: of one of its providers.
        fields: names and new values; `secret` is one of them.
        allow_private: accept an issuer on this machine.
        seals: for the secret.
        expected: version that the speaker has read.
        speaker: who asks for it.
        login: what is asked of the login of a person.
        now: when.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        ProviderNotFound: the member has no such provider, or the speaker is another.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        VersionStale: it is at another version than `expected`.
        InsufficientUserAuthentication: the login behind the token does not meet `login`.
        ProviderIsRetired: it is history.
        IssuerNotAllowed: we may not ask this issuer.
        IssuerServesEveryone: it is not of one organisation.
        UnknownRoleContradictory: unknown people would get a role that they cannot have.
        ProviderExists: the member has this client at this issuer.
    """
    provider = await governed_provider(
        session, slug, provider_id, expected=expected, speaker=speaker, login=login, now=now
    )
    before = provider.state()
    fields = dict(fields)
    secret = ["secret"] if "secret" in fields else []
    if "issuer" in fields:
        ensure_issuer(fields["issuer"], allow_private=allow_private)
    if "secret" in fields:
        place = IdentityProvider.place(provider.id)
        fields["sealed_secret"] = seals.seal(fields.pop("secret").encode(), place=place)
    try:
        async with session.begin_nested():
            is_changed = provider.change(fields, at=now)
    except IntegrityError as error:
        raise ProviderExists("Change that one, or retire it.") from error
    if is_changed:
        await record(
            session,
            member=slug,
            action="identity_provider.changed",
            subject=f"identity_provider:{provider.id}",
            actor=speaker.actor,
            at=now,
            details={"fields": [*different(before, provider.state()), *secret]},
        )
    return provider
