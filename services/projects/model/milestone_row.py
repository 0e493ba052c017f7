"""What a table says of one milestone, and what of it cannot be."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from uuid import UUID

from services.projects.model.milestone import Milestone, MilestoneChanges
from services.projects.model.plan import DependencyUnknown
from services.projects.model.rewording import reworded
from shared.refusals import Conflict, Invalid


class FieldMissing(Invalid):
    code = "field-missing"
    title = "The milestone cannot be without this"


class NotChangedHere(Conflict):
    code = "not-changed-here"
    title = "A table does not change this"


class Reference(NamedTuple):
    """What a row waits for: a milestone by its id, or that of a row by its key."""

    to: UUID | str
    lag_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneRow:
    """What a table says of one milestone; nothing where it says nothing.

    Words are by language, and nothing in a language ends what was written in it. Other rows may
    name it by `key`. Nothing may be expected as `forecast_on`, if `has_forecast_on`.
    """

    id: UUID | None = None
    key: str | None = None
    version: int | None = None
    title: Mapping[str, str | None] = field(default_factory=dict)
    description: Mapping[str, str | None] = field(default_factory=dict)
    due_on: date | None = None
    time_zone: str | None = None
    project_id: UUID | None = None
    accountable: str | None = None
    status: str | None = None
    progress_percent: int | None = None
    forecast_on: date | None = None
    has_forecast_on: bool = False
    depends_on: Sequence[Reference] | None = None


def ensure_here(row: MilestoneRow, project_id: UUID) -> None:
    """Refuse a row of another project.

    Raises:
        NotChangedHere: the row names another one.
    """
    if row.project_id not in {None, project_id}:
        raise not_changed("project_id")


def ensure_the_rest_stays(row: MilestoneRow, milestone: Milestone) -> None:
    """Refuse a row in which somebody has changed what a table does not change.

    Raises:
        NotChangedHere: who is accountable, or the status, is different.
    """
    if row.accountable not in {None, milestone.accountable}:
        raise not_changed("accountable")
    if row.status not in {None, milestone.status}:
        raise not_changed("status")


def not_changed(column: str) -> NotChangedHere:
    return NotChangedHere("Leave it as it is, or empty.", members={"column": column})


def changes_of(row: MilestoneRow, milestone: Milestone) -> MilestoneChanges:
    """What of the words in a row is new.

    Raises:
        FieldMissing: no title would be left.
        TextsTooLong: with what stays it is too much.
    """
    changes = MilestoneChanges()
    title = reworded(milestone.title, row.title)
    description = reworded(milestone.description, row.description)
    if not title:
        raise missing("title")
    if title != milestone.title:
        changes["title"] = title
    if description != (milestone.description or {}):
        changes["description"] = description or None
    return changes


def ensure_complete(row: MilestoneRow) -> tuple[date, str, str]:
    """Refuse a new milestone without what it needs.

    Returns:
        Its day, its time zone, and who is accountable.

    Raises:
        FieldMissing: something is not there.
        NotChangedHere: it is said to be further than planned.
    """
    if row.status not in {None, "planned"}:
        raise not_changed("status")
    if row.due_on is None:
        raise missing("due_on")
    if row.time_zone is None:
        raise missing("time_zone")
    if row.accountable is None:
        raise missing("accountable")
    return row.due_on, row.time_zone, row.accountable


def missing(column: str) -> FieldMissing:
    return FieldMissing(f"There is no {column}.", members={"column": column})


def reports_progress(row: MilestoneRow, milestone: Milestone) -> bool:
    """Tell whether progress or forecast in a row are new."""
    return row.progress_percent not in {None, milestone.progress_percent} or (
        row.has_forecast_on and row.forecast_on != milestone.forecast_on
    )


def ensure_known(references: Iterable[Reference], keys: Collection[str]) -> None:
    """Refuse keys that no row has.

    Raises:
        DependencyUnknown: there is one.
    """
    for to, _ in references:
        if isinstance(to, str) and to not in keys:
            raise unknown(to)


def unknown(key: UUID | str) -> DependencyUnknown:
    return DependencyUnknown(
        f"No row that can be entered has the key {key}.", members={"column": "depends_on"}
    )
