"""Who reads: an actor whose token covers the reading of projects."""

from typing import Annotated

from fastapi import Depends

from shared.actor import Actor
from shared.http.identity import CurrentActor


async def reader(actor: CurrentActor) -> Actor:
    """Let pass who may read projects.

    Raises:
        MissingScope: the access token does not cover it.
    """
    actor.ensure_may("projects:read")
    return actor


Reader = Annotated[Actor, Depends(reader)]
