"""Use case: an application redeems a code, or a refresh token, for the next tokens."""

from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, update
from sqlalchemy.orm import Session

from services.members.model.token_family import (
    AuthorizationCode,
    RefreshToken,
    SessionOver,
    TokenFamily,
    UsedBefore,
)
from services.members.queries.token_families import Holder, holder_of
from services.members.use_cases.end_sessions import end_sessions_at_once
from shared.actor import Actor
from shared.one_time import hash_of


def continue_session(
    session: Session,
    secret: AuthorizationCode | RefreshToken,
    *,
    dpop_thumbprint: str | None,
    now: datetime,
) -> Holder:
    """Use a one-time secret up, before any token exists, and say for whom tokens may be issued.

    Whoever is second with a secret ends the session, since one of the two is a thief: what was
    written must be committed although this refuses. Without `await`, as Authlib asks.

    Args:
        session: of the database.
        secret: a code or refresh token of the application that asks.
        dpop_thumbprint: of the key that the application has shown.
        now: when.

    Raises:
        UsedBefore: and the session has ended.
        SessionOver: it has ended, the secret has expired, the official may no longer act, or the
            key is another.

    Source: RFC 9700, sections 2.1.1 and 4.14.
    """
    holder = holder_of(session, secret.family_id)
    if holder is None:
        raise SessionOver("It is not known.")
    family = holder.family
    family.ensure_good(holder.official, dpop_thumbprint=dpop_thumbprint, now=now)
    if holder.sign_in.ended_at is not None or holder.member.status == "withdrawn":
        raise SessionOver("It has ended.")
    if secret.used_at is None and secret.expires_at <= now:
        raise SessionOver("The code or token has expired.")
    if not _use_up(session, secret, now):
        by = Actor(member=family.member, client_id=family.client_id)
        end_sessions_at_once(session, now=now, because="used twice", by=by, family_id=family.id)
        raise UsedBefore("One of the two who used it may be a thief.")
    if isinstance(secret, AuthorizationCode) and dpop_thumbprint is not None:
        family.dpop_thumbprint = dpop_thumbprint
    return holder


def keep_refresh_token(session: Session, token: str, family: TokenFamily) -> None:
    """Remember a refresh token that is given out, until its session ends."""
    session.add(RefreshToken(hash=hash_of(token), family_id=family.id, expires_at=family.ends_at))


def _use_up(session: Session, secret: AuthorizationCode | RefreshToken, now: datetime) -> bool:
    """Mark a secret as used. Of all who try at once this is true for one."""
    kind = type(secret)
    result: CursorResult[Any] = session.execute(  # type: ignore[assignment]
        update(kind)
        .where(kind.hash == secret.hash, kind.used_at.is_(None))
        .values(used_at=now)
        .execution_options(synchronize_session=False)
    )
    return result.rowcount == 1
