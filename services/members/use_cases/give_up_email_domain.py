"""Use case: a member gives a mail domain up."""

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.email_domain import ensure_sees_domains_of
from services.members.model.speaker import Speaker
from services.members.queries.email_domains import domain_of
from services.members.queries.members import member_for_change


async def give_up_email_domain(
    session: AsyncSession, slug: str, domain: str, *, speaker: Speaker
) -> None:
    """Forget that a domain is a member's own; who has come in by it stays who they are.

    Raises:
        MemberNotFound: there is no such member.
        EmailDomainNotFound: the member claims no such domain, or the speaker is another.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
    """
    member = await member_for_change(session, slug)
    ensure_sees_domains_of(slug, speaker)
    claimed = await domain_of(session, slug, domain, for_change=True)
    member.ensure_governed_by(speaker)
    await session.delete(claimed)
