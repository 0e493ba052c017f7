"""The web process of the notifications service."""

from fastapi import FastAPI

from services.notifications.http import (
    inbox,
    webhook_deliveries,
    webhook_endpoints,
    webhook_recoveries,
    webhook_statistics,
    webhook_test_events,
)
from services.notifications.model.known import KnownKeys
from services.notifications.settings import NotificationsSettings
from shared.http.application import web_application


def create_app(settings: NotificationsSettings) -> FastAPI:
    return web_application(
        "notifications",
        "Notifications",
        settings,
        [
            inbox.router,
            webhook_endpoints.router,
            webhook_deliveries.router,
            webhook_test_events.router,
            webhook_recoveries.router,
            webhook_statistics.router,
        ],
        known_keys=KnownKeys,
    )
