"""The columns of the tables. They keep their names and their order; new ones come after them.

A text has a column for each language that occurs, such as `title[en]` and `title[ja]`, after all
other columns. A deadline is the end of the day `due_on` in `time_zone`; `due_at` says the same as
an instant in UTC. A charter is no cell but a document: tables only say which version is in force.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from services.projects.http.tables.cells import Value, instant
from services.projects.http.tables.dependencies import dependencies_written
from services.projects.model.contribution import Contribution
from services.projects.model.milestone import Milestone
from services.projects.model.project import Project

LANGUAGES_MAX: Final = 100
"""Columns of one text: anybody may write in any language, and all would be in one table."""

Columns = dict[str, Callable[[Any], Value]]

PROJECT: Final[Columns] = {
    "id": lambda project: str(project.id),
    "version": lambda project: project.version,
    "reference": lambda project: project.reference,
    "lead": lambda project: project.lead,
    "status": lambda project: project.status,
    "status_reason": lambda project: project.status_reason,
    "visibility": lambda project: project.visibility,
    "objectives": lambda project: " ".join(project.objectives),
    "starts_on": lambda project: project.starts_on,
    "ends_on": lambda project: project.ends_on,
    "created_at": lambda project: instant(project.created_at),
    "updated_at": lambda project: instant(project.updated_at),
    "themes": lambda project: " ".join(project.themes),
    "charter_version": lambda project: project.charter_version,
}

MILESTONE: Final[Columns] = {
    "id": lambda milestone: str(milestone.id),
    "version": lambda milestone: milestone.version,
    "project_id": lambda milestone: str(milestone.project_id),
    "due_on": lambda milestone: milestone.due_on,
    "time_zone": lambda milestone: milestone.time_zone,
    "due_at": lambda milestone: instant(milestone.due_at),
    "accountable": lambda milestone: milestone.accountable,
    "status": lambda milestone: milestone.status,
    "status_reason": lambda milestone: milestone.status_reason,
    "is_overdue": lambda milestone: milestone.is_overdue,
    "completed_at": lambda milestone: instant(milestone.completed_at),
    "created_at": lambda milestone: instant(milestone.created_at),
    "updated_at": lambda milestone: instant(milestone.updated_at),
    "baseline_on": lambda milestone: milestone.baseline_on,
    "forecast_on": lambda milestone: milestone.forecast_on,
    "completed_on": lambda milestone: milestone.completed_on,
    "progress_percent": lambda milestone: milestone.progress_percent,
    "depends_on": lambda milestone: dependencies_written(milestone.dependencies),
}

CONTRIBUTION: Final[Columns] = {
    "id": lambda contribution: str(contribution.id),
    "milestone_id": lambda contribution: str(contribution.milestone_id),
    "member": lambda contribution: contribution.member,
    "description": lambda contribution: contribution.description,
    "status": lambda contribution: contribution.status,
    "evidence": lambda contribution: contribution.evidence,
    "reason": lambda contribution: contribution.reason,
    "delivered_at": lambda contribution: instant(contribution.delivered_at),
    "decided_at": lambda contribution: instant(contribution.decided_at),
    "links": lambda contribution: " ".join(contribution.links),
}

FIXED: Final = (
    *("kind", "id", "version", "project_id", "milestone_id", "reference", "lead", "accountable"),
    *("member", "status", "status_reason", "visibility", "objectives", "starts_on", "ends_on"),
    *("due_on", "time_zone", "due_at", "is_overdue", "completed_at", "description", "evidence"),
    *("reason", "delivered_at", "decided_at", "created_at", "updated_at"),
    *("themes", "charter_version", "baseline_on", "forecast_on", "completed_on"),
    *("progress_percent", "depends_on", "links"),
)
"""The columns of a file that can hold only one table, before those of texts."""


@dataclass(slots=True)
class Languages:
    """In which languages the texts of an export are written, and how often."""

    title: Counter[str] = field(default_factory=Counter)
    summary: Counter[str] = field(default_factory=Counter)
    description: Counter[str] = field(default_factory=Counter)

    def note(self, project: Project) -> None:
        self.title.update(project.title.keys())
        self.summary.update(project.summary.keys())


def languages_shown(found: Counter[str]) -> tuple[str, ...]:
    """The languages that have columns: all of them, or those that are written most."""
    return tuple(sorted(language for language, _ in found.most_common(LANGUAGES_MAX)))


def text_columns(texts: Mapping[str, Sequence[str]]) -> list[str]:
    return [f"{name}[{language}]" for name, languages in texts.items() for language in languages]


def cells_of(
    thing: Project | Milestone | Contribution,
    columns: Columns,
    texts: Mapping[str, Sequence[str]],
) -> list[Value]:
    """What a thing has in its columns, and in those of its texts."""
    cells: list[Value] = [of(thing) for of in columns.values()]
    for name, languages in texts.items():
        written: Mapping[str, str] = getattr(thing, name) or {}
        cells += [written.get(language) for language in languages]
    return cells


def places_of(columns: Iterable[str], among: Sequence[str]) -> list[int]:
    """Where columns stand in a wider table."""
    return [among.index(column) for column in columns]
