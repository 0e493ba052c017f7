"""Which events an endpoint wants: by exact type, by entity, or all."""

from collections.abc import Collection, Iterable
from typing import Annotated, Final

from pydantic import StringConstraints

# Imported so that the catalogue knows every published event.
from shared.contracts import members, notifications, projects
from shared.contracts.event import CATALOGUE
from shared.refusals import Invalid, NotFound

PUBLISHERS: Final = (members, notifications, projects)
ALL: Final = "*"

EventTypePattern = Annotated[
    str,
    StringConstraints(
        max_length=100, pattern=r"^(\*|renkei\.[a-z_]+\.(\*|[a-z_]+\.v[1-9][0-9]?))$"
    ),
]
"""Such as `renkei.milestone.completed.v1`, `renkei.milestone.*` or `*`."""


class EventTypeUnknown(Invalid):
    code = "event-type-unknown"
    title = "There are no events of this type"


class EventTypeNotFound(NotFound):
    code = "event-type-not-found"
    title = "There is no such type of event"


def patterns_that_match(event_type: str) -> tuple[str, ...]:
    """Every pattern that wants events of this type."""
    return (event_type, f"{'.'.join(event_type.split('.')[:2])}.*", ALL)


def scopes_to_read(patterns: Iterable[str]) -> list[str]:
    """Say what an access token must cover to read what events of these types tell."""
    wanted = set(patterns)
    return sorted(
        {
            f"{kind.publisher}:read"
            for name, kind in CATALOGUE.items()
            if wanted.intersection(patterns_that_match(name))
        }
    )


def are_covered(patterns: Iterable[str], *, by: Iterable[str]) -> bool:
    """Tell whether all that some patterns want, now and later, is wanted by others."""
    others = set(by)
    return all(others.intersection(patterns_that_match(pattern)) for pattern in patterns)


def ensure_known(patterns: tuple[str, ...]) -> None:
    """Refuse a pattern that no event will ever match.

    Raises:
        EventTypeUnknown: there is one.
    """
    matched = {pattern for kind in CATALOGUE for pattern in patterns_that_match(kind)}
    unknown = [pattern for pattern in patterns if pattern not in matched]
    if unknown:
        raise EventTypeUnknown(
            f"No event is of the type {unknown[0]!r}.", members={"known": sorted(CATALOGUE)}
        )


def chosen(patterns: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take patterns apart: exact types, and kinds of things of which all is wanted."""
    exact, kinds = [], []
    for pattern in patterns:
        if pattern == ALL:
            kinds += sorted({kind.entity for kind in CATALOGUE.values()})
        elif pattern.endswith(".*"):
            kinds.append(pattern.split(".")[1])
        else:
            exact.append(pattern)
    return tuple(exact), tuple(kinds)


def readable_entities(scopes: Collection[str]) -> frozenset[str]:
    """The kinds of things of which whoever has these scopes may hear."""
    return frozenset(
        kind.entity for kind in CATALOGUE.values() if f"{kind.publisher}:read" in scopes
    )
