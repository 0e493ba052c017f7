"""Every SELECT of mail domains."""

from collections.abc import Sequence

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.email_domain import EmailDomain, EmailDomainNotFound


async def is_proven(session: AsyncSession, member: str, domain: str) -> bool:
    """Tell whether a member has shown that a mail domain is its own."""
    query = select(
        exists().where(
            EmailDomain.domain == domain,
            EmailDomain.member == member,
            EmailDomain.verified_at.is_not(None),
        )
    )
    return bool(await session.scalar(query))


async def owner_of(session: AsyncSession, domain: str) -> str | None:
    """Name the member that has shown a mail domain to be its own."""
    owner: str | None = await session.scalar(
        select(EmailDomain.member).where(
            EmailDomain.domain == domain, EmailDomain.verified_at.is_not(None)
        )
    )
    return owner


async def domains_of(session: AsyncSession, member: str) -> Sequence[EmailDomain]:
    """Load all mail domains that a member claims, in their order."""
    query = select(EmailDomain).where(EmailDomain.member == member).order_by(EmailDomain.domain)
    return list(await session.scalars(query))


async def domain_of(
    session: AsyncSession, member: str, domain: str, *, for_change: bool = False
) -> EmailDomain:
    """Load a mail domain that a member claims.

    Raises:
        EmailDomainNotFound: it claims no such domain.
    """
    query = select(EmailDomain).where(EmailDomain.member == member, EmailDomain.domain == domain)
    if for_change:
        query = query.with_for_update()
    found = await session.scalar(query)
    if found is None:
        raise EmailDomainNotFound(f"{member} claims no mail domain {domain}.")
    return found
