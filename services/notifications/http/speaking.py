"""Who speaks: an actor who may still act, with the rights of now and not of the token's issue."""

from typing import Annotated, Final

from fastapi import Depends

from services.notifications.queries.members import ensure_may_speak
from shared.actor import Actor
from shared.http.identity import CurrentActor
from shared.http.transaction import Transaction


async def current_speaker(session: Transaction, actor: CurrentActor) -> Actor:
    return await ensure_may_speak(session, actor)


Speaking: Final = Depends(current_speaker)
"""For every router: who may not act any more gets no remembered answer either."""

CurrentSpeaker = Annotated[Actor, Depends(current_speaker)]
