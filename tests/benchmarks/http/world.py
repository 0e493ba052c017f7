"""Ten thousand projects of ten members with twenty milestones each, for the projects service."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import create_async_engine

from shared.database import PlainConnection
from tests.benchmarks.servers import Servers
from tests.conftest import upgrade
from tests.web import token

PROJECTS, PROJECTS_QUICK = 10_000, 1_000
MEMBERS: Final = 50
MEMBERS_EACH: Final = 10
MILESTONES_EACH: Final = 20

KNOWN_MEMBERS: Final = """
    INSERT INTO known_member (slug, version, name, status, time_zone, country, is_host)
    SELECT 'city-' || n, 1, jsonb_build_object('en', 'City ' || n), 'active', 'Asia/Tokyo', 'JP',
           n = 0
    FROM generate_series(0, $1::int - 1) n
"""

PROJECT: Final = """
    INSERT INTO project (id, reference, title, summary, objectives, lead, visibility, status,
                         starts_on, ends_on, proposed_at, created_at, updated_at, version)
    SELECT uuidv7(), 'P-' || n,
           jsonb_build_object('en', 'Joint project ' || n, 'ja', '共同事業 ' || n),
           jsonb_build_object('en', repeat('What the project is for. ', 8)),
           ARRAY['common-issues'], 'city-' || n % $2::int, 'participants', 'active',
           '2026-04-01', '2028-03-31', now(), now(), now(), 1
    FROM generate_series(0, $1::int - 1) n
    """

BELONGING: Final[tuple[tuple[str, tuple[int, ...]], ...]] = (
    (
        """
    INSERT INTO participation (id, project_id, member, role, status, invited_at, answered_at,
                               created_at, updated_at, version)
    SELECT uuidv7(), p.id, 'city-' || (substr(p.reference, 3)::int + n) % $2::int, 'participant',
           'accepted', now(), now(), now(), now(), 2
    FROM project p, generate_series(1, $1::int - 1) n
    """,
        (MEMBERS_EACH, MEMBERS),
    ),
    (
        """
    INSERT INTO milestone (id, project_id, title, description, due_on, time_zone, due_at,
                           accountable, status, is_overdue, created_at, updated_at, version)
    SELECT uuidv7(), p.id, jsonb_build_object('en', 'Milestone ' || n),
           jsonb_build_object('en', repeat('What is owed. ', 8)), '2027-03-31', 'Asia/Tokyo',
           '2027-03-31T15:00:00Z', p.lead, 'planned', false, now(), now(), 1
    FROM project p, generate_series(1, $1::int) n
    """,
        (MILESTONES_EACH,),
    ),
    ("VACUUM ANALYZE", ()),
)


@dataclass(frozen=True)
class LoadedProject:
    id: UUID
    lead: str
    version: int


async def load_members(plain: PlainConnection) -> None:
    """Let the service know the members of the network."""
    await plain.execute(KNOWN_MEMBERS, MEMBERS)


async def load_world(servers: Servers, count: int) -> None:
    """Fill the database of the projects service with so many projects."""
    engine = create_async_engine(servers.settings("projects").database_url.get_secret_value())
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "projects")
    await engine.dispose()
    plain = await servers.connect("projects")
    await load_members(plain)
    await plain.execute(PROJECT, count, MEMBERS)
    for statement, numbers in BELONGING:
        await plain.execute(statement, *numbers)
    await plain.close()


async def projects(servers: Servers) -> list[LoadedProject]:
    """All projects as they are now."""
    connection = await servers.connect("projects")
    rows = await connection.fetch("SELECT id, lead, version FROM project ORDER BY id")
    await connection.close()
    return [LoadedProject(**row) for row in rows]


def tokens() -> dict[str, str]:
    """An access token for each member, good for five minutes."""
    return {f"city-{n}": token(f"city-{n}") for n in range(MEMBERS)}
