"""The worker of the members service: it sends facts and hears none, and lets history forget."""

import sys
from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.members.settings import MembersSettings
from services.members.use_cases.forget_authorizations import forget_authorizations
from services.members.use_cases.purge_erased import purge_erased
from shared.messaging.broker import connected
from shared.messaging.erasing import forget_streamed
from shared.serving import Worker
from shared.timers import Timer

FORGET_SECONDS: Final = 300


async def forget(session: AsyncSession, now: datetime) -> bool:
    return await forget_authorizations(session, now=now)


WORKER: Final = Worker(
    "members",
    timers=[Timer("forget-authorizations", forget, every_seconds=FORGET_SECONDS)],
)


def purging(settings: MembersSettings) -> Timer:
    """Take officials who have been erased out of history."""

    async def forget(subjects: str, *, kept: str) -> int:
        # Erasing is rare: a connection of its own, for once, is simpler than one that is kept.
        async with connected(
            settings, name="members-purge", first_seconds=settings.publish_seconds
        ) as nats:
            return await forget_streamed(nats.jetstream(), "members", subjects, kept=kept)

    async def purge(session: AsyncSession, now: datetime) -> bool:
        del now
        return await purge_erased(session, forget_streamed=forget)

    return Timer("purge-erased", purge)


def main() -> None:
    settings = MembersSettings()
    replace(WORKER, timers=[*WORKER.timers, purging(settings)]).run(settings, sys.argv[1:])


if __name__ == "__main__":
    main()
