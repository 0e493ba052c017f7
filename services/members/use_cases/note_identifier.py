"""Use case: something signed arrives that must not be accepted a second time."""

from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.members.model.token_family import UsedIdentifier


def note_identifier(session: Session, owner: str, identifier: str, *, until: datetime) -> bool:
    """Note a `jti`, until whatever bears it has expired. Without `await`, as Authlib asks.

    Args:
        session: of the database; what this writes must be committed, whatever the answer.
        owner: who may not repeat itself, such as `client:seoul-desk-1a2b3c4d`.
        identifier: what has been seen now.
        until: when it can be forgotten.

    Returns:
        Whether it is seen for the first time.
    """
    result: CursorResult[Any] = session.execute(  # type: ignore[assignment]
        insert(UsedIdentifier)
        .values(owner=owner, identifier=identifier, expires_at=until)
        .on_conflict_do_nothing()
    )
    return result.rowcount == 1
