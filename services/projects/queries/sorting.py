"""In which order lists come."""

from typing import Any, Literal

from sqlalchemy.orm import InstrumentedAttribute

from services.projects.model.milestone import Milestone
from services.projects.model.participation import Participation
from services.projects.model.project import Project

Sort = Literal["created", "-created", "updated", "-updated"]
MilestoneSort = Literal["created", "-created", "updated", "-updated", "due", "-due"]

Keys = tuple[InstrumentedAttribute[Any], InstrumentedAttribute[Any]]


def keys_of(
    entity: type[Project] | type[Participation] | type[Milestone], sort: MilestoneSort
) -> tuple[Keys, bool]:
    """The columns to sort by, unique together, and whether the newest comes first."""
    by: dict[str, Any] = {"created": entity.created_at, "updated": entity.updated_at}
    if entity is Milestone:
        by["due"] = Milestone.due_at
    return (by[sort.removeprefix("-")], entity.id), sort.startswith("-")
