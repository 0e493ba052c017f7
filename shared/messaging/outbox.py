"""The outbox: events wait here, in the transaction that made them true, to be sent after it."""

import re
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import event as on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shared.causation import current_cause
from shared.contracts.event import Event
from shared.messaging.tables import OutboxMessage
from shared.messaging.waking import after_each_commit_with
from shared.refusals import TooLarge
from shared.telemetry import current_traceparent

BODY_LIMIT_BYTES: Final = 900_000
"""Below the broker's `max_payload` of 1 MiB, with room for headers."""


ONE_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]+")
"""What may stand between two dots of a NATS subject, and cannot be mistaken for a wildcard."""


class EventTooLarge(TooLarge):
    """A fact is bigger than the broker takes; it must be refused before it is committed."""

    code = "fact-too-large"
    title = "The thing would become larger than can be told to others"


def announce(session: AsyncSession | Session, event: Event[Any]) -> None:
    """Record `event`; it leaves if, and only if, the caller's transaction commits.

    The entity's row must be locked or carry a version check (`version_id_col`): the position in
    the outbox is drawn before the UPDATE of the entity, and only one of the two keeps the order of
    one entity's facts right.

    Raises:
        EventTooLarge: the broker would never take it.
        ValueError: the entity's identifier cannot stand in a NATS subject.
    """
    if not ONE_TOKEN.fullmatch(event.subject):
        raise ValueError(f"{event.subject!r} cannot stand in a NATS subject")
    stamped: dict[str, Any] = {"traceparent": current_traceparent()}
    if (cause := current_cause()) is not None:
        stamped |= {"causationid": cause.event_id, "hops": cause.hops + 1}
    event = event.model_copy(update=stamped)
    body = event.wire_form()
    if len(body) > BODY_LIMIT_BYTES:
        raise EventTooLarge(
            f"All that belongs to it may have {BODY_LIMIT_BYTES} bytes; it has {len(body)}."
        )
    session.add(OutboxMessage(event_id=event.id, subject=event.nats_subject, body=body))
    session.info["announced"] = True


WRITE: Final = """
INSERT INTO outbox (event_id, subject, body)
SELECT event_id, subject, body
FROM unnest($1::uuid[], $2::text[], $3::bytea[]) WITH ORDINALITY
    AS announced (event_id, subject, body, place)
ORDER BY place
"""


@on.listens_for(Session, "before_flush")
def write_announced(session: Session, *_: Any) -> None:
    """Write what was announced in one statement: the ORM would take ten times as long, per row."""
    messages = [each for each in session.new if isinstance(each, OutboxMessage)]
    if not messages:
        return
    for message in messages:
        session.expunge(message)
    columns = zip(*((each.event_id, each.subject, each.body) for each in messages), strict=True)
    session.connection().exec_driver_sql(WRITE, tuple(map(list, columns)))


def after_each_announcement(call: Callable[[], None]) -> Callable[[], None]:
    """Call back, in this process, after each commit that left something in the outbox.

    A hint for the relay, which looks by itself every second: losing it costs that second.

    Returns:
        What ends it.
    """
    return after_each_commit_with("announced", call)
