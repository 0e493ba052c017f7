"""Every SELECT of token families and their one-time secrets."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.members.model.token_family import TokenFamily


def families_for_change(
    session: Session,
    *,
    official_id: UUID | None = None,
    member: str | None = None,
    client_id: str | None = None,
    sign_in_id: UUID | None = None,
    family_id: UUID | None = None,
) -> Sequence[TokenFamily]:
    """Load the families that have not ended and match all that is given, locked.

    Without `await`, as Authlib asks.
    """
    wanted = {
        TokenFamily.official_id: official_id,
        TokenFamily.member: member,
        TokenFamily.client_id: client_id,
        TokenFamily.sign_in_id: sign_in_id,
        TokenFamily.id: family_id,
    }
    given = [column == value for column, value in wanted.items() if value is not None]
    if not given:
        raise ValueError("this would be every session of the network")
    query = (
        select(TokenFamily)
        .where(TokenFamily.revoked_at.is_(None), *given)
        .order_by(TokenFamily.id)  # two who end the same ones wait for each other, never forever
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(query))
