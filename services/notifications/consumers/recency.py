"""What is too old to be told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from shared.contracts.event import Event
from shared.messaging.housekeeping import INBOX_KEPT


def recent(events: Sequence[Event[Any]], *, now: datetime) -> list[Event[Any]]:
    """Leave out facts from before the time that our memory of handled events covers.

    A broker that lost its disk is refilled with the whole history; without this, everybody would be
    told everything once more.
    """
    return [event for event in events if event.time > now - INBOX_KEPT]
