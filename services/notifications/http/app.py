"""The web process of the notifications service."""

from fastapi import FastAPI

from services.notifications.http import (
    event_cursors,
    event_digests,
    event_types,
    events,
    inbox,
    webhook_deliveries,
    webhook_endpoints,
    webhook_receivers,
    webhook_recoveries,
    webhook_statistics,
    webhook_test_events,
)
from services.notifications.http.feed_watch import FeedWatch
from services.notifications.model.known import KnownKeys
from services.notifications.settings import NotificationsSettings
from shared.http.application import web_application


def create_app(settings: NotificationsSettings) -> FastAPI:
    def woken() -> None:
        watch.wake()

    app = web_application(
        "notifications",
        "Notifications",
        settings,
        [
            inbox.router,
            webhook_endpoints.router,
            webhook_deliveries.router,
            webhook_receivers.router,
            event_cursors.router,
            event_digests.router,
            events.router,
            event_types.router,
            webhook_test_events.router,
            webhook_recoveries.router,
            webhook_statistics.router,
        ],
        known_keys=KnownKeys,
        woken=woken,
    )
    app.state.feed_watch = watch = FeedWatch(
        settings,
        sessions=lambda: app.state.reading_sessions,
        is_stopping=lambda: app.state.health.stopping,
    )
    return app
