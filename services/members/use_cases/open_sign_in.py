"""Use case: a person's session begins in a browser."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.official import Official
from services.members.model.sign_in import SignIn
from services.members.queries.sign_ins import sign_in_with
from services.members.use_cases.end_sign_in import end_sign_in
from shared.identifiers import new_id
from shared.one_time import hash_of, new_one_time_secret
from shared.sealing import Seals


@dataclass(frozen=True, slots=True)
class Proof:
    """How a provider says that somebody proved who they are."""

    subject: str = field(repr=False)
    """`sub`, by which the provider names them when they leave."""
    session_id: str | None
    id_token: str = field(repr=False)
    acr: str | None
    authenticated_at: datetime


async def open_sign_in(
    session: AsyncSession,
    official: Official,
    *,
    provider_id: UUID,
    proof: Proof,
    former_cookie: str | None,
    lasts: timedelta,
    seals: Seals,
    now: datetime,
) -> tuple[SignIn, str]:
    """Open a session, under a cookie that nobody has seen before.

    The same person's session in this browser goes on under the new cookie, so that what they use
    stays open when they prove themselves again; anybody else's session there ends.

    Returns:
        The session, and the cookie for the browser, which is kept nowhere.
    """
    cookie = new_one_time_secret()
    former = None
    if former_cookie is not None:
        former = await sign_in_with(session, hash_of(former_cookie), for_change=True)
    if former is not None and (former.official_id, former.provider_id) != (
        official.id,
        provider_id,
    ):
        await end_sign_in(session, former, because="somebody else logged in", now=now)
        former = None
    sign_in_id = new_id() if former is None else former.id
    sealed = seals.seal(proof.id_token.encode(), place=SignIn.place(sign_in_id))
    if former is not None:
        former.cookie_hash, former.sealed_id_token = hash_of(cookie), sealed
        former.upstream_sid, former.upstream_subject = proof.session_id, proof.subject
        former.acr, former.authenticated_at = proof.acr, proof.authenticated_at
        former.seen_at, former.ends_at = now, now + lasts
        return former, cookie
    sign_in = SignIn(
        id=sign_in_id,
        cookie_hash=hash_of(cookie),
        official_id=official.id,
        member=official.member,
        provider_id=provider_id,
        upstream_sid=proof.session_id,
        upstream_subject=proof.subject,
        sealed_id_token=sealed,
        acr=proof.acr,
        authenticated_at=proof.authenticated_at,
        began_at=now,
        seen_at=now,
        ends_at=now + lasts,
    )
    session.add(sign_in)
    return sign_in, cookie
