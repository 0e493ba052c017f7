"""What happened in a project, as people read it: one line for each announced fact.

The database writes the lines itself, when a fact enters the outbox (see the migration); nothing
here is ever constructed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.projects.model.base import Base

KNOWN_OTHERWISE: Final = frozenset(
    {
        *("id", "project_id", "version", "created_at", "updated_at"),
        *("title", "member", "subject_kind", "subject_id", "subject_title"),
    }
)
"""Of a new thing: what the line says anyway, or nobody wants to read."""


class Activity(Base, kw_only=True):
    """A fact about a project or something in it. `position` is the order in which facts leave.

    `became` holds the present values of what changed, or all of a new thing; `was` the former ones.
    """

    __tablename__ = "activity"

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    event_id: Mapped[UUID]
    type: Mapped[str]
    at: Mapped[datetime]
    audience: Mapped[tuple[str, ...]]
    actor: Mapped[str | None]
    official_id: Mapped[UUID | None]
    member: Mapped[str | None]
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    subject_version: Mapped[int]
    subject_title: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    subject_member: Mapped[str | None]
    was: Mapped[dict[str, Any]]
    became: Mapped[dict[str, Any]]

    def changes(self) -> "list[Change]":
        """What changed, from what to what."""
        return list(changes_between(self.was, self.became, is_new=self.subject_version == 1))


@dataclass(frozen=True, slots=True)
class Part:
    """One of several things that an entity has, such as a contribution to a milestone."""

    id: str | None
    member: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """One field that was one thing and became another; `of` names the part that it belongs to."""

    field: str
    was: Any
    became: Any
    of: Part | None = None


def changes_between(
    was: dict[str, Any], became: dict[str, Any], *, is_new: bool = False
) -> Iterator[Change]:
    """Compare field by field, in the order of names, and parts of the entity part by part.

    Of a new thing, what is empty and what is known otherwise is left out.
    """
    for name, value in sorted(became.items()):
        former = was.get(name)
        if is_new and (name in KNOWN_OTHERWISE or value in (None, [], {}, False)):
            continue
        if _has_parts(former, value):
            yield from _changes_of_parts(name, former or [], value or [])
        elif former != value:
            yield Change(name, former, value)


def _has_parts(*values: Any) -> bool:
    return any(isinstance(value, list) and value and isinstance(value[0], dict) for value in values)


def _changes_of_parts(
    name: str, was: list[dict[str, Any]], became: list[dict[str, Any]]
) -> Iterator[Change]:
    former = {_key(part): part for part in was}
    present = {_key(part): part for part in became}
    for key in [*present, *(key for key in former if key not in present)]:
        before, after = former.get(key), present.get(key)
        part = Part(*((after or before or {}).get(named) for named in ("id", "member")))
        if before is None or after is None:
            yield Change(name, before, after, part)
            continue
        for field in sorted({*before, *after}):
            if before.get(field) != after.get(field):
                yield Change(f"{name}.{field}", before.get(field), after.get(field), part)


def _key(part: dict[str, Any]) -> Any:
    return part.get("id") or part.get("member") or str(part)
