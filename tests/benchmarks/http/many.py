"""Networks that differ in nothing but how many projects they have, to see whether that is felt.

Words have the frequencies that words have (Zipf): a few stand in most projects, most in a few.
"""

import json
from bisect import bisect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random
from typing import Any, Final

from sqlalchemy.ext.asyncio import create_async_engine

from services.projects.model.project import Project
from services.projects.model.project_words import ProjectWords
from shared.database import PlainConnection
from shared.identifiers import new_id
from tests.benchmarks.http.world import MEMBERS, MEMBERS_EACH, load_members
from tests.benchmarks.servers import Servers
from tests.conftest import upgrade

VOCABULARY: Final = 20_000
WORDS_EACH: Final = 40
BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)

COMMON, RARE, ABSENT = "project", "zanzibar", "nowhere"
"""In every project, in five of them, and in none."""
RARE_COUNT: Final = 5

INDEXES: Final = """
    SELECT indexname, indexdef FROM pg_indexes WHERE tablename = $1 AND indexname NOT LIKE 'pk%'
"""

PARTICIPATIONS: Final = """
    INSERT INTO participation (id, project_id, member, role, status, invited_at, answered_at,
                               created_at, updated_at, version)
    SELECT uuidv7(), p.id, 'city-' || (substr(p.reference, 3)::int + n) % $2::int, 'participant',
           'accepted', now(), now(), now(), now(), 2
    FROM project p, generate_series(1, $1::int - 1) n
"""


async def load_many(servers: Servers, database: str, count: int) -> None:
    """Fill a database with so many projects."""
    engine = create_async_engine(servers.settings(database).database_url.get_secret_value())
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "projects")
    await engine.dispose()
    plain = await servers.connect(database)
    await load_members(plain)
    await _load_projects(plain, count)
    async with without_indexes(plain, "participation"):
        await plain.execute(PARTICIPATIONS, MEMBERS_EACH, MEMBERS)
    await plain.execute("VACUUM ANALYZE")
    await plain.close()


async def _load_projects(plain: PlainConnection, count: int) -> None:
    made = list(_projects(count))
    columns = [
        *("id", "reference", "title", "summary", "objectives", "lead", "visibility", "status"),
        *("proposed_at", "created_at", "updated_at", "version"),
    ]
    documents = {"title", "summary"}
    await plain.copy_records_to_table(
        "project",
        columns=columns,
        records=(
            [
                json.dumps(getattr(each, name)) if name in documents else getattr(each, name)
                for name in columns
            ]
            for each in made
        ),
    )
    words = map(ProjectWords.of, made)
    async with without_indexes(plain, "project_words"):
        await plain.copy_records_to_table(
            "project_words",
            columns=["project_id", "text", "grams", "noted_at"],
            records=((each.project_id, each.text, each.grams, each.noted_at) for each in words),
        )


@asynccontextmanager
async def without_indexes(plain: PlainConnection, table: str) -> AsyncIterator[None]:
    """Make the indexes of a table when it is full, which takes a part of the time."""
    indexes = await plain.fetch(INDEXES, table)
    for index in indexes:
        await plain.execute(f"DROP INDEX {index['indexname']}")
    yield
    for index in indexes:
        await plain.execute(index["indexdef"])


def _projects(count: int) -> Iterator[Project]:
    random = Random(1)
    vocabulary = [
        "".join(random.choices("abcdefghijklmnoprstuvwy", k=random.randint(4, 10)))
        for _ in range(VOCABULARY)
    ]
    bounds = list(accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))
    rare = set(range(0, count, count // RARE_COUNT))
    for number in range(count):
        said = [vocabulary[bisect(bounds, random.random() * bounds[-1])] for _ in range(WORDS_EACH)]
        said += [RARE] if number in rare else []
        created_at = BEGINNING + timedelta(seconds=number)
        values: dict[str, Any] = {
            "title": {"en": f"Joint {COMMON} {number}", "ja": f"共同事業 {number}"},
            "summary": {"en": " ".join(said)},
        }
        project = Project(
            reference=f"P-{number}",
            objectives=("common-issues",),
            lead=f"city-{number % MEMBERS}",
            visibility="participants",
            created_at=created_at,
            updated_at=created_at,
            id=new_id(),
            **values,
        )
        project.status, project.proposed_at = "active", created_at
        yield project
