"""The hot reads ask the database a few times, however long the list."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from asyncpg.connection import LoggedQuery
from sqlalchemy import event

from shared.database import Sessions
from tests.conftest import Database
from tests.projects.conftest import Cities
from tests.projects.scenes import working


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """What the database is asked meanwhile, by whatever way."""
    found: list[str] = []

    def note(asked: LoggedQuery) -> None:
        # About types the driver asks for itself, once per connection.
        if not any(word in asked.query for word in ("typeinfo", "current_setting")):
            found.append(asked.query)

    def listen(connection: Any, *_: Any) -> None:
        connection.driver_connection.add_query_logger(note)

    def leave(connection: Any, *_: Any) -> None:
        connection.driver_connection.remove_query_logger(note)

    pool = database.engine.sync_engine.pool
    event.listen(pool, "checkout", listen)
    event.listen(pool, "checkin", leave)
    try:
        yield found
    finally:
        event.remove(pool, "checkout", listen)
        event.remove(pool, "checkin", leave)


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/projects/{project}", 1),
        ("/projects", 1),
        ("/projects/{project}/participations", 1),
        ("/participations", 1),
        ("/projects/{project}/participations?on=2026-05-04", 1),
        ("/participations/{participation}/duties", 4),
        ("/projects/{project}/milestones", 3),
        ("/milestones", 3),
    ],
)
async def test_a_read_takes_few_statements(
    cities: Cities, database: Database, sessions: Sessions, path: str, limit: int
) -> None:
    scene = working()
    for _ in range(20):
        scene.ask(scene.begin(), "seoul")
    await scene.store(sessions)
    place = scene.participations["seoul"].id

    with statements(database) as asked:
        await cities.get("seoul", path.format(project=scene.project.id, participation=place))
        await asyncio.sleep(0)  # the driver tells in the next turn of the loop

    assert len(asked) == limit
