"""Use case: a member says that a mail domain is its own."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.email_domain import (
    DOMAINS_MAX,
    EmailDomain,
    EmailDomainClaimed,
    TooManyEmailDomains,
    ensure_sees_domains_of,
    new_challenge,
)
from services.members.model.speaker import Speaker
from services.members.queries.email_domains import domains_of
from services.members.queries.members import member_for_change, speaker_of
from services.members.use_cases.record import record
from shared.actor import LoginDemand


async def claim_email_domain(
    session: AsyncSession,
    slug: str,
    domain: str,
    *,
    speaker: Speaker,
    login: LoginDemand,
    now: datetime,
) -> EmailDomain:
    """Note what the DNS must say to prove it; several members may claim the same.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        EmailDomainNotFound: the speaker is another member, and sees none.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        InsufficientUserAuthentication: the login behind the token does not meet `login`.
        EmailDomainClaimed: the member has said so before.
        TooManyEmailDomains: the member claims as many as it can.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker may have lost the right to do it.
    speaker = await speaker_of(session, speaker.actor)
    ensure_sees_domains_of(slug, speaker)
    member.ensure_governed_by(speaker)
    speaker.actor.ensure_logged_in(login, at=now)
    claimed = await domains_of(session, slug)
    if domain in {one.domain for one in claimed}:
        raise EmailDomainClaimed("Its challenge is in the list.")
    if len(claimed) >= DOMAINS_MAX:
        raise TooManyEmailDomains(f"There are {DOMAINS_MAX}; give one up first.")
    made = EmailDomain(domain=domain, member=slug, challenge=new_challenge(), created_at=now)
    session.add(made)
    await record(
        session,
        member=slug,
        action="email_domain.claimed",
        subject=f"email_domain:{domain}",
        actor=speaker.actor,
        at=now,
    )
    return made
