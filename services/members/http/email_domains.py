"""Mail domains over HTTP. A member sees and claims its own; the DNS proves them."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AfterValidator, Field, StringConstraints

from services.members.http.speakers import CurrentReader, CurrentSpeaker, Speaking
from services.members.model.email_domain import (
    EmailDomain,
    EmailDomainClaimed,
    EmailDomainNotFound,
    EmailDomainNotProven,
    EmailDomainState,
    EmailDomainTaken,
    TooManyEmailDomains,
    ensure_sees_domains_of,
    record_name_of,
)
from services.members.model.member import MemberNotFound
from services.members.model.speaker import MemberNotActive
from services.members.queries.email_domains import domain_of, domains_of
from services.members.use_cases.claim_email_domain import claim_email_domain
from services.members.use_cases.give_up_email_domain import give_up_email_domain
from services.members.use_cases.prove_email_domain import (
    DomainRecords,
    DomainRecordsAway,
    prove_email_domain,
)
from shared.actor import InsufficientUserAuthentication, MissingScope
from shared.fields import Input, Output, Slug
from shared.http.idempotency import Idempotent
from shared.http.identity import CurrentActor
from shared.http.preconditions import ExpectedVersion, VersionRequired, VersionStale, show_version
from shared.http.problems import refusals
from shared.http.recent_login import RecentLogin
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/members/{slug}/email-domains",
    tags=["email domains"],
    route_class=Route,
    dependencies=[Speaking],
)


def _lower(domain: str) -> str:
    return domain.lower()


Domain = Annotated[
    str,
    StringConstraints(
        max_length=240,
        pattern=r"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]$",
    ),
    AfterValidator(_lower),
]
"""A domain such as `seoul.example`; in other scripts as it stands in the DNS (`xn--…`)."""


class EmailDomainIn(Input):
    """A mail domain of the member."""

    domain: Domain


class EmailDomainOut(EmailDomainState):
    """A mail domain that the member claims, and what proves it."""

    record_name: Annotated[str, Field(description="Where the DNS must have a TXT record.")]
    record_value: Annotated[str, Field(description="What the record must say.")]


class EmailDomainsOut(Output):
    """All mail domains that the member claims."""

    items: list[EmailDomainOut]


async def found_texts(
    slug: Slug, domain: Domain, request: Request, actor: CurrentActor
) -> frozenset[str]:
    """Ask the DNS, before the request takes a connection to the database."""
    if actor.member != slug:
        raise EmailDomainNotFound(f"You see no mail domains of {slug}.")
    actor.ensure_may("members:write")
    records: DomainRecords = request.app.state.domain_records
    return await records.texts(record_name_of(domain))


@router.get("", responses=refusals(MissingScope, EmailDomainNotFound))
async def get_email_domains(
    slug: Slug, session: Transaction, reader: CurrentReader
) -> EmailDomainsOut:
    """List the mail domains that your member claims: fifty at most."""
    ensure_sees_domains_of(slug, reader)
    found = await domains_of(session, slug)
    return EmailDomainsOut(items=[EmailDomainOut.model_validate(one) for one in found])


@router.get("/{domain}", responses=refusals(MissingScope, EmailDomainNotFound))
async def get_email_domain(
    slug: Slug, domain: Domain, response: Response, session: Transaction, reader: CurrentReader
) -> EmailDomainOut:
    """Show a mail domain that your member claims."""
    ensure_sees_domains_of(slug, reader)
    return shown(response, await domain_of(session, slug, domain))


@router.post(
    "",
    status_code=201,
    dependencies=[Idempotent],
    responses=refusals(
        MemberNotFound,
        EmailDomainNotFound,
        MissingScope,
        MemberNotActive,
        InsufficientUserAuthentication,
        EmailDomainClaimed,
        TooManyEmailDomains,
    ),
)
async def post_email_domain(
    slug: Slug,
    body: EmailDomainIn,
    response: Response,
    session: Transaction,
    speaker: CurrentSpeaker,
    login: RecentLogin,
    now: Now,
) -> EmailDomainOut:
    """Claim a mail domain. The answer says what to enter into the DNS."""
    claimed = await claim_email_domain(
        session, slug, body.domain, speaker=speaker, login=login, now=now
    )
    response.headers["Location"] = f"/api/v1/members/{slug}/email-domains/{claimed.domain}"
    return shown(response, claimed)


@router.delete(
    "/{domain}",
    status_code=204,
    responses=refusals(
        MemberNotFound,
        EmailDomainNotFound,
        MissingScope,
        MemberNotActive,
        VersionRequired,
        VersionStale,
    ),
)
async def delete_email_domain(
    slug: Slug,
    domain: Domain,
    session: Transaction,
    speaker: CurrentSpeaker,
    expected: ExpectedVersion,
    now: Now,
) -> None:
    """Give a mail domain up. Nobody is bound by an address of it any more."""
    await give_up_email_domain(session, slug, domain, expected=expected, speaker=speaker, now=now)


proving = APIRouter(
    prefix=router.prefix, tags=["email domains"], route_class=Route
)  # without `Speaking`, which would begin the transaction before the DNS has answered


@proving.post(
    "/{domain}/verification",
    dependencies=[Depends(found_texts), Speaking, Idempotent],
    responses=refusals(
        MemberNotFound,
        EmailDomainNotFound,
        MissingScope,
        MemberNotActive,
        EmailDomainNotProven,
        EmailDomainTaken,
        DomainRecordsAway,
    ),
)
async def post_email_domain_verification(
    slug: Slug,
    domain: Domain,
    response: Response,
    texts: Annotated[frozenset[str], Depends(found_texts)],
    session: Transaction,
    speaker: CurrentSpeaker,
    now: Now,
) -> EmailDomainOut:
    """Look into the DNS, and take the domain as your member's own if it says so."""
    claimed = await prove_email_domain(session, slug, domain, texts=texts, speaker=speaker, now=now)
    return shown(response, claimed)


def shown(response: Response, claimed: EmailDomain) -> EmailDomainOut:
    show_version(response, claimed.version)
    return EmailDomainOut.model_validate(claimed)
