"""The notifications service with its database, and facts as it would hear them."""

import pytest
from fastapi import FastAPI

from services.notifications.http.app import create_app
from services.notifications.settings import NotificationsSettings
from shared.database import Sessions
from tests.conftest import Database, DatabaseOf
from tests.notifications.hearing import Ears
from tests.notifications.receiver import LOOPBACK
from tests.web import environment, on


@pytest.fixture
async def database(database_of: DatabaseOf) -> Database:
    return await database_of("notifications")


@pytest.fixture
def sessions(database: Database) -> Sessions:
    return database.sessions


@pytest.fixture
def settings(database: Database) -> NotificationsSettings:
    """Settings of one machine's development, with pauses too short to wait for."""
    return NotificationsSettings(
        **environment(database),
        webhook_allowed_networks=LOOPBACK,
        webhook_schedule_seconds=(0, 0.05, 0.05),
        webhook_jitter=0,
        webhook_connect_seconds=0.5,
        webhook_total_seconds=0.5,
        webhook_poll_seconds=0.05,
        webhook_turn_seconds=20,
        webhook_lease_seconds=60,
    )


@pytest.fixture
async def app(settings: NotificationsSettings, database: Database) -> FastAPI:
    return on(create_app(settings), database)


@pytest.fixture
def ears(database: Database, settings: NotificationsSettings) -> Ears:
    return Ears(database.sessions, settings)
