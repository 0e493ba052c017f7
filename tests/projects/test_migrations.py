"""The tables in the database are those that the entities describe."""

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, select
from sqlalchemy.ext.asyncio import create_async_engine

from services.projects.model.base import Base
from services.projects.model.project_words import ProjectWords
from services.projects.use_cases.note_words import note_words
from shared.database import sessions_of
from shared.messaging.tables import MessagingBase
from shared.migrating import is_ours
from tests.conftest import Database
from tests.projects.scenes import NOON
from tests.servers import Servers, create_database


async def test_the_migrated_tables_are_those_of_the_entities(database: Database) -> None:
    described = MetaData()
    for metadata in (Base.metadata, MessagingBase.metadata):
        for table in metadata.tables.values():
            table.to_metadata(described)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": is_ours, "compare_server_default": False},
        )
        return list(compare_metadata(context, described))

    async with database.engine.connect() as connection:
        found = await connection.run_sync(differences)

    assert found == []


async def test_what_projects_named_before_there_were_lists_is_on_the_list(
    servers: Servers,
) -> None:
    engine = create_async_engine(await create_database(servers, None))

    def upgrade_to(connection: Connection, revision: str) -> None:
        config = Config("alembic.ini", ini_section="projects")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    async with engine.begin() as connection:
        await connection.run_sync(upgrade_to, "0003")
        await connection.exec_driver_sql(
            """
            INSERT INTO project (id, reference, title, summary, objectives, lead, visibility,
                                 status, created_at, updated_at, version)
            SELECT gen_random_uuid(), 'p' || n, '{"en": "Air"}', '{"en": "Dust"}',
                   ARRAY['common-issues', 'goal-' || n], 'tokyo', 'network', 'draft',
                   now(), now(), 1
            FROM generate_series(1, 2) n
            """
        )
        await connection.run_sync(upgrade_to, "head")
        listed = await connection.exec_driver_sql(
            "SELECT slug, title ->> 'en', is_retired, version FROM objective ORDER BY slug"
        )
        found = [tuple(row) for row in listed]
    async with sessions_of(engine).begin() as session:
        await note_words(session, NOON)
        texts = await session.scalars(select(ProjectWords.text).order_by(ProjectWords.text))
        words = list(texts)
    await engine.dispose()

    assert found == [
        ("common-issues", "Common Issues", False, 1),
        ("goal-1", "Goal 1", False, 1),
        ("goal-2", "Goal 2", False, 1),
    ]
    assert words == ["p1 air dust", "p2 air dust"]
