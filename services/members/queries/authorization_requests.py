"""Every SELECT of authorization requests and of consents."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.authorization_request import AuthorizationRequest
from services.members.model.member import Member
from services.members.model.official import Official
from services.members.model.sign_in import SignIn
from services.members.model.token_family import Consent


async def authorization_with(
    session: AsyncSession, request_id: UUID
) -> AuthorizationRequest | None:
    """Load what a browser brought, locked: it is gone on with once."""
    return await session.get(AuthorizationRequest, request_id, with_for_update=True)


async def pushed_authorization(
    session: AsyncSession, handle_hash: str
) -> AuthorizationRequest | None:
    """Load what an application pushed, locked: it is taken up once."""
    query = (
        select(AuthorizationRequest)
        .where(AuthorizationRequest.handle_hash == handle_hash)
        .with_for_update()
    )
    found: AuthorizationRequest | None = await session.scalar(query)
    return found


async def who_signed_in(session: AsyncSession, sign_in: SignIn) -> tuple[Official, Member]:
    """Load the official of a browser session, and its member."""
    found = await session.execute(
        select(Official, Member)
        .join(Member, Member.slug == Official.member)
        .where(Official.id == sign_in.official_id)
    )
    official, member = found.one()
    return official, member


async def has_consented(
    session: AsyncSession, official_id: UUID, client_id: str, scopes: tuple[str, ...]
) -> bool:
    """Tell whether somebody has let an application do all of this before.

    Nobody takes it back before this transaction is over; whoever was about to has been waited for.
    """
    consent = await session.get(Consent, (official_id, client_id), with_for_update={"read": True})
    return consent is not None and set(scopes) <= set(consent.scopes)
