"""Use case: a person lets an application act in their name, and it gets a code."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from services.members.model.sign_in import SignIn
from services.members.model.token_family import CODE_LIFETIME, AuthorizationCode, TokenFamily
from services.members.use_cases.record import record_at_once
from shared.actor import Actor
from shared.one_time import hash_of, new_one_time_secret


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an application asked for, and was given."""

    client_id: str
    scopes: tuple[str, ...]
    redirect_uri: str
    code_challenge: str
    nonce: str | None
    dpop_thumbprint: str | None


def open_session(session: Session, wanted: Wanted, *, sign_in: SignIn, now: datetime) -> str:
    """Open a session of the person in the application; it ends with theirs in the browser.

    Without `await`, as Authlib asks.

    Returns:
        The code that the application redeems once, within a minute.
    """
    family = TokenFamily(
        sign_in_id=sign_in.id,
        client_id=wanted.client_id,
        official_id=sign_in.official_id,
        member=sign_in.member,
        scopes=wanted.scopes,
        dpop_thumbprint=wanted.dpop_thumbprint,
        acr=sign_in.acr,
        authenticated_at=sign_in.authenticated_at,
        began_at=now,
        ends_at=sign_in.ends_at,
    )
    session.add(family)
    session.flush()
    record_at_once(
        session,
        member=family.member,
        action="session.began",
        subject=f"session:{family.id}",
        actor=Actor(
            member=family.member, official_id=family.official_id, client_id=family.client_id
        ),
        at=now,
        details={"sign_in": str(sign_in.id), "scopes": family.scopes},
    )
    code = new_one_time_secret("rkc_")
    session.add(
        AuthorizationCode(
            hash=hash_of(code),
            family_id=family.id,
            redirect_uri=wanted.redirect_uri,
            nonce=wanted.nonce,
            code_challenge=wanted.code_challenge,
            expires_at=now + CODE_LIFETIME,
        )
    )
    return code
