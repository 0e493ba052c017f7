"""Pauses between attempts, and the end of them."""

import asyncio
import random
from dataclasses import dataclass, field

from shared.settings import Settings


@dataclass(slots=True)
class Patience:
    """Pauses that double while nothing works, and begin anew once something does."""

    settings: Settings
    next_seconds: float = field(init=False)

    def __post_init__(self) -> None:
        self.worked()

    def worked(self) -> None:
        self.next_seconds = self.settings.retry_seconds

    async def pause(self) -> None:
        """Wait; the length varies, so that replicas do not all come back in the same moment."""
        seconds = self.next_seconds * random.uniform(0.5, 1)  # noqa: S311 -- no secret
        self.next_seconds = min(self.next_seconds * 2, self.settings.retry_seconds_max)
        await asyncio.sleep(seconds)


def stop_if_cancelled() -> None:
    """Obey a cancellation that a library has swallowed.

    `asyncio.wait_for` of Python 3.11, which nats-py waits with, loses a cancellation that comes in
    the same moment as the result; a loop that goes on for ever would then do so.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
