"""Every SELECT of members and their membership."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Select, Subquery, and_, exists, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.client import Client
from services.members.model.member import (
    BELONGING,
    Member,
    MemberNotFound,
    MembershipTransition,
)
from services.members.model.official import Official
from services.members.model.rights import scopes_of
from services.members.model.speaker import Speaker, SpeakerUnknown
from services.members.model.token_family import TokenFamily
from services.members.queries.ordering import Sort, columns_of, is_descending
from shared.actor import Actor
from shared.contracts.members import MemberKind, MembershipStatus
from shared.http.paging import Paging


@dataclass(frozen=True, slots=True)
class MemberFilter:
    """Which members a list is about; with `on`, those who belonged on that day."""

    on: date | None = None
    status: MembershipStatus | None = None
    kind: MemberKind | None = None
    country: str | None = None
    updated_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The status of a membership, and the day it took it."""

    status: MembershipStatus
    since: date


async def speaker_of(session: AsyncSession, actor: Actor) -> Speaker:
    """Find out for whom an actor speaks; a person with what their roles cover now.

    Raises:
        SpeakerUnknown: its client has been revoked, its member is not of this network, the person
            may not act for the member any more, or the session has ended.
    """
    found = await session.execute(
        select(
            Member.status,
            Member.is_host,
            Client.status,
            Official.status,
            Official.roles,
            TokenFamily.id.is_not(None),
        )
        .select_from(Member)
        .outerjoin(Client, Client.id == actor.client_id)
        .outerjoin(Official, and_(Official.id == actor.official_id, Official.member == Member.slug))
        .outerjoin(
            TokenFamily,
            and_(
                TokenFamily.id == actor.session_id,
                TokenFamily.official_id == Official.id,
                TokenFamily.revoked_at.is_(None),
            ),
        )
        .where(Member.slug == actor.member)
    )
    row = found.one_or_none()
    if row is None:
        raise SpeakerUnknown("The access token is for a member that this network does not know.")
    status, is_host, client_status, official_status, roles, is_in_session = row
    if client_status == "revoked":
        raise SpeakerUnknown("The client that the access token was issued to has been revoked.")
    if actor.official_id is None:
        return Speaker(actor, status, is_host)
    if official_status != "active":
        raise SpeakerUnknown("The official that the access token is about may not act any more.")
    if not is_in_session:
        raise SpeakerUnknown("The session that the access token belongs to has ended.")
    return Speaker(actor.narrowed(scopes_of(roles, is_host=is_host)), status, is_host)


async def member_with(session: AsyncSession, slug: str) -> Member:
    """Load a member.

    Raises:
        MemberNotFound: there is none with this slug.
    """
    member = await session.get(Member, slug)
    if member is None:
        raise MemberNotFound(f"No member has the slug {slug}.")
    return member


async def member_for_change(session: AsyncSession, slug: str) -> Member:
    """Load a member, locked until the transaction ends, and with it its officials and clients.

    Raises:
        MemberNotFound: there is none with this slug.
    """
    member = await session.get(Member, slug, with_for_update=True)
    if member is None:
        raise MemberNotFound(f"No member has the slug {slug}.")
    return member


async def host_for_change(session: AsyncSession) -> Member:
    """Load the member that runs the network, locked until the transaction ends.

    Raises:
        MemberNotFound: the network has not been opened.
    """
    host = await session.scalar(select(Member).where(Member.is_host).with_for_update())
    if host is None:
        raise MemberNotFound("The network has not been opened yet.")
    return host


async def host_of(session: AsyncSession) -> str | None:
    """Name the member that runs the network; nobody before it has been opened."""
    found: str | None = await session.scalar(select(Member.slug).where(Member.is_host))
    return found


async def is_open(session: AsyncSession) -> bool:
    """Tell whether the network has a host."""
    return bool(await session.scalar(select(exists().where(Member.is_host))))


async def list_members(
    session: AsyncSession, wanted: MemberFilter, *, sort: Sort, paging: Paging
) -> tuple[Sequence[Member], str | None]:
    """Give a part of the members, and the cursor of the next one."""
    query = select(Member)
    if wanted.on is not None:
        query = _who_belonged(query, standings_on(wanted.on), wanted.status)
    elif wanted.status is not None:
        query = query.where(Member.status == wanted.status)
    if wanted.kind is not None:
        query = query.where(Member.kind == wanted.kind)
    if wanted.country is not None:
        query = query.where(Member.country == wanted.country)
    if wanted.updated_since is not None:
        query = query.where(Member.updated_at >= wanted.updated_since)
    return await paging.fetch(
        session,
        query,
        *columns_of(Member, Member.slug, sort),
        descending=is_descending(sort),
    )


def standings_on(day: date) -> Subquery:
    """The last transition of each member that had taken effect on `day`."""
    step = MembershipTransition
    return (
        select(step.member, step.status, step.effective_on)
        .where(step.effective_on <= day)
        .ext(distinct_on(step.member))
        .order_by(step.member, step.effective_on.desc(), step.member_version.desc())
        .subquery()
    )


def _who_belonged(
    query: Select[Member], standings: Subquery, status: MembershipStatus | None
) -> Select[Member]:
    wanted = BELONGING if status is None else BELONGING & {status}
    return query.join(standings, standings.c.member == Member.slug).where(
        standings.c.status.in_(sorted(wanted))
    )


async def standings_of(
    session: AsyncSession, slugs: Sequence[str], *, on: date
) -> dict[str, Standing]:
    """Tell which status each of these members had on a day."""
    standings = standings_on(on)
    rows = await session.execute(select(standings).where(standings.c.member.in_(slugs)))
    return {row.member: Standing(row.status, row.effective_on) for row in rows}


async def list_transitions(
    session: AsyncSession, slug: str, *, paging: Paging
) -> tuple[Sequence[MembershipTransition], str | None]:
    """Give a part of a membership's history, oldest first, and the cursor of the next one."""
    return await paging.fetch(
        session,
        select(MembershipTransition).where(MembershipTransition.member == slug),
        MembershipTransition.member_version,
    )
