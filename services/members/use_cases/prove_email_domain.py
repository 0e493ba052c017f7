"""Use case: the DNS shows that a mail domain is a member's own."""

from datetime import datetime
from typing import Protocol

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.email_domain import (
    EmailDomain,
    EmailDomainTaken,
    ensure_sees_domains_of,
)
from services.members.model.speaker import Speaker
from services.members.queries.email_domains import domain_of
from services.members.queries.members import member_for_change, speaker_of
from services.members.use_cases.record import record
from shared.refusals import Unavailable


class DomainRecordsAway(Unavailable):
    code = "domain-records-unavailable"
    title = "The DNS cannot be asked at the moment"


class DomainRecords(Protocol):
    """Asks the DNS."""

    async def texts(self, name: str) -> frozenset[str]:
        """Give what the TXT records of a name say; nothing if there are none.

        Raises:
            DomainRecordsAway: there is no answer.
        """


async def prove_email_domain(
    session: AsyncSession,
    slug: str,
    domain: str,
    *,
    texts: frozenset[str],
    speaker: Speaker,
    now: datetime,
) -> EmailDomain:
    """Take a domain as the member's own: its officials' addresses lead to it from now on.

    Args:
        session: of the request.
        slug: of the member.
        domain: that it claims.
        texts: what the DNS says, which was asked before the transaction began.
        speaker: who asks for it.
        now: when.

    Raises:
        MemberNotFound: there is no such member.
        SpeakerUnknown: the speaker may not act any more.
        EmailDomainNotFound: the member claims no such domain, or the speaker is another.
        MissingScope: the token does not cover it.
        MemberNotActive: the member is suspended or has withdrawn.
        EmailDomainNotProven: the DNS does not say so.
        EmailDomainTaken: another member has proven it before.
    """
    member = await member_for_change(session, slug)
    # Once more: while this waited for its turn, the speaker may have lost the right to do it.
    speaker = await speaker_of(session, speaker.actor)
    ensure_sees_domains_of(slug, speaker)
    claimed = await domain_of(session, slug, domain, for_change=True)
    member.ensure_governed_by(speaker)
    try:
        async with session.begin_nested():
            claimed.verify(texts, at=now)
    except IntegrityError as error:
        raise EmailDomainTaken(
            "A domain is one member's only; it must give it up first."
        ) from error
    await record(
        session,
        member=slug,
        action="email_domain.proven",
        subject=f"email_domain:{domain}",
        actor=speaker.actor,
        at=now,
    )
    return claimed
