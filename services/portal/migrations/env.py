"""Alembic entry of the portal."""

from services.portal.model.base import Base
from shared.migrating import migrate

migrate(Base.metadata, has_messages=False)
