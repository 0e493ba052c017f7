"""Alembic entry of the projects service."""

from services.projects.model import (
    calendar_feed,
    charter,
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
    "calendar_feed",
    "charter",
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
