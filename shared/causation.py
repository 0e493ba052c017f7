"""What made somebody ask: the fact that a member's system heard of by a webhook.

Every webhook carries the header `webhook-cause: <event id>;hops=<n>`. A system that calls the API
because of a webhook passes it on; the facts that come of its request name that cause, and count one
hop more. So a loop between systems can be seen, and made to end. The header is what somebody says:
who decides by it what others are told goes by the facts that it knows, not by the count. Whoever
passes on nothing, or something made up, changes only what becomes of the facts of its own member.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final
from uuid import UUID

HEADER: Final = "webhook-cause"
HOPS_WRITTEN_MAX: Final = 9_999
FORM: Final = re.compile(
    r"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}) ?; ?hops=([0-9]{1,4})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Cause:
    """A fact because of which something is done, and how often webhooks led to the next one."""

    event_id: UUID
    hops: int


_current: ContextVar[Cause | None] = ContextVar("cause", default=None)


def current_cause() -> Cause | None:
    """Tell because of what the request at work was made, if it says so."""
    return _current.get()


@contextmanager
def because_of(cause: Cause | None) -> Iterator[None]:
    """Let the facts that are announced within name this as their cause."""
    token = _current.set(cause)
    try:
        yield
    finally:
        _current.reset(token)


def read_cause(written: str) -> Cause:
    """Read the header as a webhook carried it.

    Raises:
        ValueError: it is no such header.
    """
    found = FORM.fullmatch(written)
    if found is None:
        raise ValueError("must be as the webhook carried it: an event's id, `;hops=`, a number")
    return Cause(UUID(found[1]), int(found[2]))


def written_cause(cause: Cause) -> str:
    """Write the header for a webhook that tells of `cause.event_id`."""
    return f"{cause.event_id};hops={min(cause.hops, HOPS_WRITTEN_MAX)}"
