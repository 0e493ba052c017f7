"""Alembic entry of the members service."""

from services.members.model.base import Base
from shared.migrating import migrate

migrate(Base.metadata)
