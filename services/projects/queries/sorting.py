"""In which order lists come."""

from typing import Literal

from services.projects.model.decision import Decision
from services.projects.model.milestone import Milestone
from services.projects.model.participation import Participation
from services.projects.model.project import Project
from shared.http.paging import Keys

Sort = Literal["created", "-created", "updated", "-updated"]
MilestoneSort = Literal["created", "-created", "updated", "-updated", "due", "-due"]
DecisionSort = Literal["created", "-created", "updated", "-updated", "closes", "-closes"]


def sorts_of(
    entity: type[Project] | type[Participation] | type[Milestone] | type[Decision],
) -> dict[str, Keys]:
    """The columns to sort by, unique together."""
    sorts: dict[str, Keys] = {
        "created": (entity.created_at, entity.id),
        "updated": (entity.updated_at, entity.id),
    }
    if entity is Milestone:
        sorts["due"] = (Milestone.due_at, Milestone.id)
    if entity is Decision:
        sorts["closes"] = (Decision.closes_at, Decision.id)
    return sorts
