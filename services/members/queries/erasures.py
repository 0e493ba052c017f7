"""Every SELECT of what is left of officials who are being erased."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.erasure import Erasure
from services.members.model.official import Official
from services.members.model.sign_in import SignIn


async def all_sign_ins_of(session: AsyncSession, official_id: UUID) -> Sequence[SignIn]:
    """Load every sign-in of an official, ended or not, locked."""
    query = (
        select(SignIn)
        .where(SignIn.official_id == official_id)
        .order_by(SignIn.id)
        .with_for_update()
    )
    return list(await session.scalars(query))


async def is_linked(session: AsyncSession, identity_id: UUID) -> bool:
    """Tell whether an identity is that of any official."""
    return bool(await session.scalar(select(exists().where(Official.identity_id == identity_id))))


async def next_erasure(session: AsyncSession) -> Erasure | None:
    """Find an official of whom history still tells."""
    found: Erasure | None = await session.scalar(
        select(Erasure).order_by(Erasure.asked_at, Erasure.official_id).limit(1)
    )
    return found
