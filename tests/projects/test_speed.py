"""The hot reads ask the database once, or once more for a whole list."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from shared.database import Sessions
from tests.conftest import Database
from tests.projects.conftest import Cities
from tests.projects.scenes import working


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    found: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        found.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/projects/{project}", 1),
        ("/projects", 1),
        ("/projects/{project}/participations", 1),
        ("/participations", 1),
        ("/projects/{project}/milestones", 2),
        ("/milestones", 2),
    ],
)
async def test_a_read_takes_few_statements(
    cities: Cities, database: Database, sessions: Sessions, path: str, limit: int
) -> None:
    scene = working()
    for _ in range(20):
        scene.ask(scene.begin(), "seoul")
    await scene.store(sessions)

    with statements(database) as asked:
        await cities.get("seoul", path.format(project=scene.project.id))

    assert len(asked) == limit
