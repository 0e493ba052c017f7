"""Use case: an operator opens the network with its host."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.client import Client, new_client_id, new_secret, secret_hash_of
from services.members.model.member import Member
from services.members.model.official import Official
from services.members.model.scopes import SCOPES
from services.members.queries.members import is_open
from services.members.use_cases.fields import MemberFields
from services.members.use_cases.record import record
from shared.actor import Actor
from shared.contracts.event import EVERYONE
from shared.contracts.members import ClientRegistered, MemberActivated, OfficialAppointed
from shared.fields import Day, Email, Input, LanguageTag, Lines
from shared.messaging.outbox import announce
from shared.refusals import Conflict

FIRST_CLIENT: Final = "secretariat"


class NetworkAlreadyOpen(Conflict):
    code = "network-already-open"
    title = "The network has a host already"


class AdministratorFields(Input):
    """The host's first administrator, named by function."""

    function: Lines
    email: Email | None = None
    language: LanguageTag


class HostFields(MemberFields):
    """The host, as the operator's file describes it."""

    member_since: Day
    administrator: AdministratorFields


@dataclass(frozen=True, slots=True)
class OpenedNetwork:
    """What the operator must know to go on; the secret is not shown again."""

    member: str
    administrator_id: UUID
    client_id: str
    client_secret: str = field(repr=False)


async def open_network(session: AsyncSession, *, host: HostFields, now: datetime) -> OpenedNetwork:
    """Make the host an active member, with an administrator and a client that has every scope.

    Raises:
        NetworkAlreadyOpen: there is a host.
        SubdivisionUnknown: the country has no such subdivision.
        EffectiveInFuture: `member_since` has not come where the host is.
    """
    if await is_open(session):
        raise NetworkAlreadyOpen("Nothing was changed.")
    operator = Actor(member=host.slug)
    member = Member(
        **host.model_dump(exclude={"member_since", "administrator"}),
        is_host=True,
        status="active",
        status_since=host.member_since,
        created_at=now,
        updated_at=now,
    )
    member.has_officials = member.has_clients = True
    beginning = member.begin(by=None, at=now)
    try:
        async with session.begin_nested():
            session.add(member)
    except IntegrityError as error:
        raise NetworkAlreadyOpen("Somebody opened it in the same moment.") from error
    administrator = Official(
        member=host.slug,
        **host.administrator.model_dump(),
        name=None,
        roles=("administrator", "coordinator"),
        created_at=now,
        updated_at=now,
    )
    secret = new_secret()
    client = Client(
        id=new_client_id(host.slug, FIRST_CLIENT),
        member=host.slug,
        name=FIRST_CLIENT,
        scopes=SCOPES,
        secret_hash=secret_hash_of(secret),
        created_at=now,
        updated_at=now,
    )
    session.add_all((beginning, administrator, client))
    own = (host.slug,)
    for event in (
        MemberActivated.about(member.state(), by=operator, at=now, audience=EVERYONE),
        OfficialAppointed.about(administrator.state(), by=operator, at=now, audience=own),
        ClientRegistered.about(client.state(), by=operator, at=now, audience=own),
    ):
        announce(session, event)
        await record(
            session,
            member=host.slug,
            action=f"{event.entity}.{event.happened}",
            subject=f"{event.entity}:{event.subject}",
            actor=operator,
            at=now,
        )
    return OpenedNetwork(host.slug, administrator.id, client.id, secret)
