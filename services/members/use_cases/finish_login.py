"""Use case: somebody whom their provider knows comes in as an official of their member."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.claims import (
    domain_of,
    language_of,
    name_of,
    roles_of,
    verified_email_of,
)
from services.members.model.identity import Identity
from services.members.model.identity_provider import IdentityProvider
from services.members.model.login_attempt import LoginAttempt
from services.members.model.member import GOVERNING, Member
from services.members.model.official import NEWCOMER, LastAdministrator, Official
from services.members.model.scim import subject_space_of
from services.members.model.sign_in import SignIn
from services.members.model.upstream import Said
from services.members.queries.email_domains import is_proven
from services.members.queries.identity_providers import provider_of
from services.members.queries.login_attempts import authorization_with
from services.members.queries.members import member_for_change
from services.members.queries.officials import (
    administrators_of,
    invited_with,
    named_with,
    official_with_identity,
)
from services.members.use_cases.end_sign_in import themselves
from services.members.use_cases.open_sign_in import Proof, open_sign_in
from services.members.use_cases.record import record
from services.members.use_cases.record_change_of_official import record_change
from shared.actor import Actor
from shared.contracts.members import OfficialAppointed, OfficialChanged, Role
from shared.identifiers import new_id
from shared.messaging.outbox import announce
from shared.sealing import Seals


@dataclass(frozen=True, slots=True)
class CameIn:
    """Somebody has a session now; the cookie is for their browser alone."""

    sign_in: SignIn
    cookie: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """Somebody has none; `code` names why."""

    code: str
    official_id: UUID | None = None


async def finish_login(
    session: AsyncSession,
    attempt: LoginAttempt,
    asked: IdentityProvider,
    said: Said,
    *,
    former_cookie: str | None,
    lasts: timedelta,
    records_refusal: bool = True,
    seals: Seals,
    now: datetime,
) -> CameIn | TurnedAway:
    """Find out which official of the member it is, and open a session; either way it is recorded.

    Who they are is what issuer and subject say; an address counts once, when it binds an
    invitation, and then the provider must have checked it and its domain be the member's. A refusal
    is an answer and no exception, so that what was noted on the way stays.

    Args:
        session: of the database.
        attempt: which has been used up.
        asked: the provider at which it began, as it was then.
        said: who logged in there.
        former_cookie: of a session that the browser had before.
        lasts: how long a session may last.
        records_refusal: unless too many are recorded from where this comes.
        seals: for what is kept.
        now: when.
    """
    came = await _come(
        session,
        attempt,
        asked,
        said,
        former_cookie=former_cookie,
        lasts=lasts,
        seals=seals,
        now=now,
    )
    if isinstance(came, TurnedAway):
        if not records_refusal:
            return came
        who = came.official_id
        await record(
            session,
            member=asked.member,
            action="login.refused",
            subject=f"identity_provider:{asked.id}" if who is None else f"official:{who}",
            actor=None,
            at=now,
            outcome="refused",
            reason=came.code,
            details={"provider": str(asked.id)},
        )
        return came
    await record(
        session,
        member=asked.member,
        action="login.succeeded",
        subject=f"official:{came.sign_in.official_id}",
        actor=themselves(came.sign_in),
        at=now,
        details={
            "provider": str(asked.id),
            "sign_in": str(came.sign_in.id),
            "acr": came.sign_in.acr,
        },
    )
    return came


async def _come(
    session: AsyncSession,
    attempt: LoginAttempt,
    asked: IdentityProvider,
    said: Said,
    *,
    former_cookie: str | None,
    lasts: timedelta,
    seals: Seals,
    now: datetime,
) -> CameIn | TurnedAway:
    member = await member_for_change(session, asked.member)
    provider = await provider_of(session, asked.member, asked.id)
    if member.status == "withdrawn":
        return TurnedAway("member-left")
    if provider.status != "active" or provider.terms != asked.terms:
        return TurnedAway("provider-inactive")
    identity_id = await _known_identity(session, provider, said.subject, now)
    official = await official_with_identity(session, member.slug, identity_id)
    if official is None:
        official = await _first_seen(session, member, provider, said, identity_id, now)
    if official is None:
        return TurnedAway("not-invited")
    if official.status != "active":
        return TurnedAway("blocked", official.id)
    await _take_roles(session, official, roles_of(provider, said.claims), now)
    sign_in, cookie = await open_sign_in(
        session,
        official,
        provider_id=provider.id,
        proof=Proof(
            subject=str(said.claims["sub"]),
            session_id=said.session_id,
            id_token=said.id_token,
            acr=said.acr,
            # Who does not say when is taken at the longest time that we let pass.
            authenticated_at=said.authenticated_at or attempt.began_at - lasts,
        ),
        former_cookie=former_cookie,
        lasts=lasts,
        seals=seals,
        now=now,
    )
    if attempt.authorization_id is not None:
        waiting = await authorization_with(
            session, attempt.authorization_id, now=now, for_change=True
        )
        if waiting is not None:
            waiting.reauthenticated_at, waiting.reauthenticated_by = now, sign_in.id
    return CameIn(sign_in, cookie)


async def _known_identity(
    session: AsyncSession, provider: IdentityProvider, subject: str, now: datetime
) -> UUID:
    """Note that somebody was here; in the same moment another member may do so."""
    if provider.subject_claim != "sub":
        # At some issuers this claim is free to choose: it must never equal somebody's `sub`.
        subject = f"{provider.subject_claim}:{subject}"
    made = insert(Identity).values(
        id=new_id(), issuer=provider.issuer, subject=subject, first_seen_at=now, seen_at=now
    )
    noted = made.on_conflict_do_update(
        index_elements=["issuer", "subject"], set_={"seen_at": now}
    ).returning(Identity.id)
    return (await session.execute(noted)).scalar_one()


async def _first_seen(
    session: AsyncSession,
    member: Member,
    provider: IdentityProvider,
    said: Said,
    identity_id: UUID,
    now: datetime,
) -> Official | None:
    """Find or make the official that somebody is from now on."""
    happened, reason = "bound", None
    official = await _invited(session, provider, said, identity_id, now)
    if official is None:
        happened, reason = "appointed", "unknown-to-the-member"
        official = _newcomer(session, member, provider, said, identity_id, now)
    if official is not None and official.identity_id == identity_id:
        await record(
            session,
            member=member.slug,
            action=f"official.{happened}",
            subject=f"official:{official.id}",
            actor=None,
            at=now,
            reason=reason,
            details={
                "provider": str(provider.id),
                "identity": str(identity_id),
                "roles": official.roles,
            },
        )
    return official


async def _invited(
    session: AsyncSession,
    provider: IdentityProvider,
    said: Said,
    identity_id: UUID,
    now: datetime,
) -> Official | None:
    """Bind the one official who is meant and has not come before.

    Whom the member's directory has named by their subject here is nobody else, whatever address
    they have. Of the others it is the one with the address, if that is sure.

    Source: docs/decisions/0017-the-directory-may-name-the-subject.md
    """
    space = subject_space_of(provider)
    named = await named_with(session, provider.member, space, said.subject)
    if named:
        return _the_one(named, identity_id, now)
    email = verified_email_of(said.claims)
    if email is None or not await is_proven(session, provider.member, domain_of(email)):
        return None
    invited = await invited_with(session, provider.member, email)
    return _the_one(invited, identity_id, now)


def _the_one(invited: Sequence[Official], identity_id: UUID, now: datetime) -> Official | None:
    """Bind the only one who is meant; of several it is nobody."""
    for official in invited:
        if official.status != "active":
            return official  # who is blocked does not come in under another entry
    if len(invited) != 1:
        return None
    [official] = invited
    official.identity_id, official.bound_at = identity_id, now
    return official


def _newcomer(
    session: AsyncSession,
    member: Member,
    provider: IdentityProvider,
    said: Said,
    identity_id: UUID,
    now: datetime,
) -> Official | None:
    """Make somebody an official whom nobody has invited, if that is what the member wants."""
    if provider.unknown_people == "refuse" or member.status not in GOVERNING:
        return None
    roles = roles_of(provider, said.claims)
    if roles is None:
        roles = () if provider.unknown_role is None else (provider.unknown_role,)
    official = Official(
        member=member.slug,
        function=NEWCOMER,
        name=name_of(said.claims),
        email=verified_email_of(said.claims),
        language=language_of(said.claims),
        roles=roles,
        identity_id=identity_id,
        bound_at=now,
        created_at=now,
        updated_at=now,
    )
    member.has_officials = True
    session.add(official)
    announce(
        session,
        OfficialAppointed.about(
            official.state(), by=Actor(member=member.slug), at=now, audience=(member.slug,)
        ),
    )
    return official


async def _take_roles(
    session: AsyncSession, official: Official, roles: tuple[Role, ...] | None, now: datetime
) -> None:
    """Take over the roles that the provider says, but leave the member an administrator."""
    if roles is None or roles == official.roles:
        return
    await session.flush()
    before = official.state()
    administrators = await administrators_of(session, official.member)
    try:
        is_changed = official.change({"roles": roles}, administrators=administrators, at=now)
    except LastAdministrator:
        kept: tuple[Role, ...] = ("administrator", *roles)
        is_changed = official.change({"roles": kept}, administrators=administrators, at=now)
    if is_changed:
        announce(
            session,
            OfficialChanged.about(
                official.state(),
                before=before,
                by=Actor(member=official.member),
                at=now,
                audience=(official.member,),
            ),
        )
        await record_change(
            session, before, official.state(), by=None, reason="said-by-provider", now=now
        )
