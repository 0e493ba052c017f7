"""Use case: a member gives a mail domain up."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.email_domain import ensure_sees_domains_of
from services.members.model.speaker import Speaker
from services.members.queries.email_domains import domain_of
from services.members.queries.members import member_for_change, speaker_of
from services.members.use_cases.record import record
from shared.http.preconditions import ensure_version


async def give_up_email_domain(
    session: AsyncSession,
    slug: str,
    domain: str,
    *,
    expected: int | None,
    speaker: Speaker,
    now: datetime,
) -> None:
    """Forget that a domain is a member's own; who has come in by it stays who they are.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        EmailDomainNotFound: the member claims no such domain, or the speaker is another.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        VersionStale: it is at another version than `expected`.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker may have lost the right to do it.
    speaker = await speaker_of(session, speaker.actor)
    ensure_sees_domains_of(slug, speaker)
    claimed = await domain_of(session, slug, domain, for_change=True)
    member.ensure_governed_by(speaker)
    ensure_version(expected, claimed.state())
    await session.delete(claimed)
    await record(
        session,
        member=slug,
        action="email_domain.given_up",
        subject=f"email_domain:{domain}",
        actor=speaker.actor,
        at=now,
    )
