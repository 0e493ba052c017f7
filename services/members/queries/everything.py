"""All states, for comparison with what others have heard."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.client import Client
from services.members.model.member import Member
from services.members.model.official import Official
from services.members.model.token_family import TokenFamily
from shared.contracts.event import State


async def all_states(session: AsyncSession) -> dict[str, list[State]]:
    """Give the state of every entity, by kind, in the order of the keys."""
    members = await session.scalars(select(Member).order_by(Member.slug))
    officials = await session.scalars(select(Official).order_by(Official.id))
    clients = await session.scalars(select(Client).order_by(Client.id))
    ended = await session.scalars(
        select(TokenFamily).where(TokenFamily.revoked_at.is_not(None)).order_by(TokenFamily.id)
    )
    return {
        "member": [member.state() for member in members],
        "official": [official.state() for official in officials],
        "client": [client.state() for client in clients],
        "session": [family.ending(family.revoked_at) for family in ended if family.revoked_at],
    }
