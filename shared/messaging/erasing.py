"""Taking facts about a person out of history, where the law asks for it.

What is said of a person has subjects of its own, so that it can be found: in the outbox, in the
event log and on the stream. Once none is left in the log, a lost stream cannot bring it back.
"""

import json

from nats.js import JetStreamContext
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.messaging.broker import raw_request, stream_of


async def forget_waiting(session: AsyncSession, subjects: str) -> None:
    """Let no fact out that still waits.

    One that is on its way at this moment is waited for, and is in the log afterwards.

    Args:
        session: of the service that publishes.
        subjects: of the facts, such as `evt.members.official.<id>.>`.
    """
    await session.execute(
        text("DELETE FROM outbox WHERE starts_with(subject, :beginning)"),
        {"beginning": subjects.removesuffix(">")},
    )


async def forget_logged(session: AsyncSession, subjects: str, *, kept: str) -> int:
    """Take facts out of the event log, all but those of the subject `kept`.

    Returns:
        How many there were.
    """
    await session.execute(text("SET LOCAL statement_timeout = '60s'"))
    result = await session.execute(
        text("DELETE FROM event_log WHERE starts_with(subject, :beginning) AND subject <> :kept"),
        {"beginning": subjects.removesuffix(">"), "kept": kept},
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


async def forget_buried(session: AsyncSession, subjects: str, *, kept: str) -> None:
    """Take facts from among the dead letters of a service that hears them."""
    await session.execute(
        text("DELETE FROM dead_letter WHERE starts_with(subject, :beginning) AND subject <> :kept"),
        {"beginning": subjects.removesuffix(">"), "kept": kept},
    )


async def forget_streamed(
    jetstream: JetStreamContext, service: str, subjects: str, *, kept: str
) -> int:
    """Take facts off the stream of a service, all but those of the subject `kept`.

    Returns:
        How many there were.

    Raises:
        NotFoundError: there is no such stream.
    """
    stream = stream_of(service)
    wanted = json.dumps({"subjects_filter": subjects}).encode()
    found = await raw_request(jetstream, f"STREAM.INFO.{stream}", wanted)
    purged = 0
    for subject in sorted(found["state"].get("subjects") or {}):
        if subject != kept:
            one = json.dumps({"filter": subject}).encode()
            purged += (await raw_request(jetstream, f"STREAM.PURGE.{stream}", one))["purged"]
    return purged
