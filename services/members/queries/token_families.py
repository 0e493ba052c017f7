"""Every SELECT of token families and their one-time secrets."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from services.members.model.member import Member
from services.members.model.official import Official
from services.members.model.sign_in import SignIn
from services.members.model.token_family import AuthorizationCode, RefreshToken, TokenFamily


def families_for_change(
    session: Session,
    *,
    official_id: UUID | None = None,
    member: str | None = None,
    client_id: str | None = None,
    sign_in_id: UUID | None = None,
    family_id: UUID | None = None,
) -> Sequence[TokenFamily]:
    """Load the families that have not ended and match all that is given, locked.

    Without `await`, as Authlib asks.
    """
    wanted = {
        TokenFamily.official_id: official_id,
        TokenFamily.member: member,
        TokenFamily.client_id: client_id,
        TokenFamily.sign_in_id: sign_in_id,
        TokenFamily.id: family_id,
    }
    given = [column == value for column, value in wanted.items() if value is not None]
    if not given:
        raise ValueError("this would be every session of the network")
    query = (
        select(TokenFamily)
        .where(TokenFamily.revoked_at.is_(None), *given)
        .order_by(TokenFamily.id)  # two who end the same ones wait for each other, never forever
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(query))


@dataclass(frozen=True, slots=True)
class Holder:
    """A session of somebody in an application, with who that is."""

    family: TokenFamily
    official: Official
    member: Member
    sign_in: SignIn


def holder_of(session: Session, family_id: UUID) -> Holder | None:
    """Load a session with its official, as they are now."""
    found = session.execute(
        select(TokenFamily, Official, Member, SignIn)
        .join(Official, Official.id == TokenFamily.official_id)
        .join(Member, Member.slug == TokenFamily.member)
        .join(SignIn, SignIn.id == TokenFamily.sign_in_id)
        .where(TokenFamily.id == family_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    return None if found is None else Holder(*found)


def code_with(
    session: Session, code_hash: str, client_id: str
) -> tuple[AuthorizationCode, TokenFamily] | None:
    """Load a code that was given to an application."""
    found = session.execute(
        select(AuthorizationCode, TokenFamily)
        .join(TokenFamily, TokenFamily.id == AuthorizationCode.family_id)
        .where(AuthorizationCode.hash == code_hash, TokenFamily.client_id == client_id)
    ).one_or_none()
    return None if found is None else (found[0], found[1])


def refresh_token_with(
    session: Session, token_hash: str
) -> tuple[RefreshToken, TokenFamily] | None:
    """Load a refresh token, whoever it was given to."""
    found = session.execute(
        select(RefreshToken, TokenFamily)
        .join(TokenFamily, TokenFamily.id == RefreshToken.family_id)
        .where(RefreshToken.hash == token_hash)
    ).one_or_none()
    return None if found is None else (found[0], found[1])


async def family_with(session: AsyncSession, family_id: UUID) -> TokenFamily | None:
    """Load a session of somebody in an application."""
    return await session.get(TokenFamily, family_id)
