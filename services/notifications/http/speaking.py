"""Who speaks: a client that has not been revoked."""

from typing import Final

from fastapi import Depends

from services.notifications.queries.members import ensure_not_revoked
from shared.http.identity import CurrentActor
from shared.http.transaction import Transaction


async def ensure_may_speak(session: Transaction, actor: CurrentActor) -> None:
    await ensure_not_revoked(session, actor)


Speaking: Final = Depends(ensure_may_speak)
"""For every router: who was revoked gets no remembered answer either."""
