"""Who speaks, for the routes of this service."""

from typing import Annotated

from fastapi import Depends

from services.members.model.speaker import Speaker
from services.members.queries.members import speaker_of
from shared.http.identity import CurrentActor
from shared.http.transaction import Transaction


async def current_speaker(session: Transaction, actor: CurrentActor) -> Speaker:
    return await speaker_of(session, actor)


Speaking = Depends(current_speaker)
"""For every router: who was revoked gets no remembered answer either."""

CurrentSpeaker = Annotated[Speaker, Depends(current_speaker)]


async def current_reader(speaker: CurrentSpeaker) -> Speaker:
    speaker.actor.ensure_may("members:read")
    return speaker


CurrentReader = Annotated[Speaker, Depends(current_reader)]
"""The same for what every member may read with the scope `members:read`."""
