"""Alembic entry of the projects service."""

from services.projects.model import activity, comment, known, milestone, participation, project
from services.projects.model.base import Base
from shared.migrating import migrate

__all__ = ["activity", "comment", "known", "milestone", "participation", "project"]

migrate(Base.metadata)
