"""Alembic entry of the projects service."""

from services.projects.model import (
    activity,
    calendar_feed,
    charter,
    comment,
    decision,
    handover,
    known,
    milestone,
    participation,
    project,
    project_words,
    topic,
)
from services.projects.model.base import Base
from shared.migrating import migrate

__all__ = [
    "activity",
    "calendar_feed",
    "charter",
    "comment",
    "decision",
    "handover",
    "known",
    "milestone",
    "participation",
    "project",
    "project_words",
    "topic",
]

migrate(Base.metadata)
