"""Alembic entry of the projects service."""

from services.projects.model import calendar_feed, known, milestone, participation, project
from services.projects.model.base import Base
from shared.migrating import migrate

__all__ = ["calendar_feed", "known", "milestone", "participation", "project"]

migrate(Base.metadata)
