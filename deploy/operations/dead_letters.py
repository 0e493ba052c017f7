"""Events that a consumer gave up: look, try again, or let go."""

from collections.abc import Sequence

from nats.aio.client import Client
from nats.aio.msg import Msg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.operations.services import Service
from shared.clock import utc_now
from shared.messaging.consumer import enter_inbox, read
from shared.messaging.tables import DeadLetter


class NoSuchDeadLetter(Exception):
    """No dead letter with this number waits, or its consumer no longer exists."""


async def waiting(session: AsyncSession) -> Sequence[DeadLetter]:
    """Dead letters that nobody has settled, oldest first."""
    return (
        await session.scalars(
            select(DeadLetter).where(DeadLetter.settled_at.is_(None)).order_by(DeadLetter.id)
        )
    ).all()


async def retry(service: Service, number: int) -> None:
    """Handle the event once more, here; settled in the transaction of its effect.

    Raises:
        NoSuchDeadLetter: there is none with this number.
        Exception: whatever the handler still does not like; the letter stays.
    """
    async with service.database() as (_, sessions), sessions.begin() as session:
        letter = await _letter(session, number)
        found = [s for s in service.subscriptions if s.durable == letter.consumer]
        if not found:
            raise NoSuchDeadLetter(f"There is no consumer {letter.consumer} any more.")
        [subscription] = found
        event = read(Msg(Client(), letter.subject, data=letter.body), subscription.event)
        new = (
            await enter_inbox(session, subscription.durable, [event])
            if subscription.once
            else {event.id}
        )
        if new:
            await subscription.apply(session, [event])
        letter.settled_at, letter.settlement = utc_now(), "retried"


async def drop(service: Service, number: int) -> None:
    """Let the event go; the letter stays as history.

    Raises:
        NoSuchDeadLetter: there is none with this number.
    """
    async with service.database() as (_, sessions), sessions.begin() as session:
        letter = await _letter(session, number)
        letter.settled_at, letter.settlement = utc_now(), "dropped"


async def _letter(session: AsyncSession, number: int) -> DeadLetter:
    letter = await session.get(DeadLetter, number, with_for_update=True)
    if letter is None or letter.settled_at is not None:
        raise NoSuchDeadLetter(f"No dead letter {number} waits.")
    return letter
