"""Alembic entry of the notifications service."""

from services.notifications.model import (
    inbox_item,
    known,
    unplaced_fact,
    webhook_delivery,
    webhook_endpoint,
)
from services.notifications.model.base import Base
from shared.migrating import migrate

TABLES = (inbox_item, known, unplaced_fact, webhook_delivery, webhook_endpoint)

migrate(Base.metadata)
