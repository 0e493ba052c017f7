"""Every SELECT about a person who asks about themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.client import Client
from services.members.model.member import Member
from services.members.model.official import Official
from services.members.model.presence import (
    ConsentNotFound,
    OwnSessionNotFound,
    PersonNeeded,
    Presence,
)
from services.members.model.sign_in import SignIn
from services.members.model.token_family import Consent, TokenFamily
from shared.actor import Actor
from shared.http.paging import Paging


async def presence_of(session: AsyncSession, actor: Actor) -> Presence:
    """Load the person who asks, with the session they ask in.

    Raises:
        PersonNeeded: a machine asks.
    """
    found = await session.execute(
        select(Official, Member, TokenFamily, SignIn, Client)
        .join(Member, Member.slug == Official.member)
        .join(TokenFamily, TokenFamily.official_id == Official.id)
        .join(SignIn, SignIn.id == TokenFamily.sign_in_id)
        .join(Client, Client.id == TokenFamily.client_id)
        .where(Official.id == actor.official_id, TokenFamily.id == actor.session_id)
    )
    row = found.one_or_none()
    if row is None:
        raise PersonNeeded("A machine acts for its member, and for nobody in it.")
    return Presence(*row)


async def other_places_of(session: AsyncSession, official: Official) -> Sequence[Official]:
    """Load what the same person is for other members that they can act for."""
    if official.identity_id is None:
        return []
    query = (
        select(Official)
        .join(Member, Member.slug == Official.member)
        .where(
            Official.identity_id == official.identity_id,
            Official.id != official.id,
            Official.status == "active",
            Member.status != "withdrawn",
        )
        .order_by(Official.member)
    )
    return list(await session.scalars(query))


@dataclass(frozen=True, slots=True)
class Opened:
    """An application that a person uses from a browser."""

    family: TokenFamily
    name: str


async def list_sign_ins(
    session: AsyncSession, official_id: UUID, *, now: datetime, paging: Paging
) -> tuple[Sequence[SignIn], str | None]:
    """Give a part of where an official is logged in, and the cursor of the next one."""
    query = select(SignIn).where(
        SignIn.official_id == official_id, SignIn.ended_at.is_(None), SignIn.ends_at > now
    )
    return await paging.fetch(session, query, SignIn.began_at, SignIn.id, descending=True)


async def opened_from(
    session: AsyncSession, sign_ins: Sequence[SignIn]
) -> dict[UUID, list[Opened]]:
    """Tell which applications were opened from these browsers and are still in use."""
    found: dict[UUID, list[Opened]] = {sign_in.id: [] for sign_in in sign_ins}
    query = (
        select(TokenFamily, Client.name)
        .join(Client, Client.id == TokenFamily.client_id)
        .where(TokenFamily.sign_in_id.in_(found), TokenFamily.revoked_at.is_(None))
        .order_by(TokenFamily.began_at, TokenFamily.id)
    )
    for family, name in await session.execute(query):
        found[family.sign_in_id].append(Opened(family, name))
    return found


async def own_sign_in(
    session: AsyncSession, official_id: UUID, sign_in_id: UUID, *, now: datetime
) -> SignIn:
    """Load, locked, where an official is logged in.

    Raises:
        OwnSessionNotFound: they are not, or not any more.
    """
    query = (
        select(SignIn)
        .where(
            SignIn.id == sign_in_id,
            SignIn.official_id == official_id,
            SignIn.ended_at.is_(None),
            SignIn.ends_at > now,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    sign_in: SignIn | None = await session.scalar(query)
    if sign_in is None:
        raise OwnSessionNotFound(f"There is no session {sign_in_id}, or it has ended.")
    return sign_in


@dataclass(frozen=True, slots=True)
class Given:
    """What a person lets an application do."""

    consent: Consent
    client: Client


async def list_consents(
    session: AsyncSession, official_id: UUID, *, paging: Paging
) -> tuple[Sequence[Given], str | None]:
    """Give a part of what an official lets applications do, and the cursor of the next one."""
    query = (
        select(Consent)
        .join(Client, Client.id == Consent.client_id)
        .where(Consent.official_id == official_id, Client.status == "active")
    )
    consents, cursor = await paging.fetch(session, query, Consent.given_at, Consent.client_id)
    ids = [consent.client_id for consent in consents]
    clients = await session.scalars(select(Client).where(Client.id.in_(ids)))
    by_id = {client.id: client for client in clients}
    return [Given(consent, by_id[consent.client_id]) for consent in consents], cursor


async def own_consent(session: AsyncSession, official_id: UUID, client_id: str) -> Consent:
    """Load, locked, what an official lets an application do.

    Raises:
        ConsentNotFound: nothing.
    """
    consent = await session.get(Consent, (official_id, client_id), with_for_update=True)
    if consent is None:
        raise ConsentNotFound(f"You have not let {client_id} act for you.")
    return consent
