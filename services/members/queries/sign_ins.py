"""Every SELECT of sign-ins."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.member import Member
from services.members.model.official import Official
from services.members.model.sign_in import SignIn


async def sign_in_with(
    session: AsyncSession, cookie_hash: str, *, for_change: bool = False
) -> SignIn | None:
    """Load the sign-in of a browser whose official may act, if there is one."""
    query = (
        select(SignIn)
        .join(Official, Official.id == SignIn.official_id)
        .join(Member, Member.slug == SignIn.member)
        .where(
            SignIn.cookie_hash == cookie_hash,
            SignIn.ended_at.is_(None),
            Official.status == "active",
            Member.status != "withdrawn",
        )
    )
    if for_change:
        query = query.with_for_update(of=SignIn).execution_options(populate_existing=True)
    found: SignIn | None = await session.scalar(query)
    return found


async def hold_sign_in(session: AsyncSession, sign_in: SignIn) -> bool:
    """Let nobody end a session before this transaction is over.

    Returns:
        Whether it still stands. Whoever was about to end it has been waited for.
    """
    query = (
        select(SignIn.id)
        .where(SignIn.id == sign_in.id, SignIn.ended_at.is_(None))
        .with_for_update(read=True)
    )
    return await session.scalar(query) is not None


async def sign_ins_at(
    session: AsyncSession, provider_id: UUID, *, upstream_sid: str | None, subject: str | None
) -> Sequence[SignIn]:
    """Load what still stands of a session at a provider, or of a person there, locked."""
    query = select(SignIn).where(SignIn.provider_id == provider_id, SignIn.ended_at.is_(None))
    if upstream_sid is not None:
        query = query.where(SignIn.upstream_sid == upstream_sid)
    if subject is not None:
        query = query.where(SignIn.upstream_subject == subject)
    return list(await session.scalars(query.order_by(SignIn.id).with_for_update()))
