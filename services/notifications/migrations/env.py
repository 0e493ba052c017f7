"""Alembic entry of the notifications service."""

from services.notifications.model import (
    event_feed,
    inbox_item,
    known,
    unplaced_fact,
    webhook_delivery,
    webhook_endpoint,
    webhook_lane,
    webhook_recovery,
    webhook_verification,
)
from services.notifications.model.base import Base
from shared.migrating import migrate

TABLES = (
    event_feed,
    inbox_item,
    known,
    unplaced_fact,
    webhook_delivery,
    webhook_endpoint,
    webhook_lane,
    webhook_recovery,
    webhook_verification,
)

migrate(Base.metadata)
