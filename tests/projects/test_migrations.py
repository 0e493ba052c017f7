"""The tables in the database are those that the entities describe."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from services.projects.model.base import Base
from shared.messaging.tables import MessagingBase
from shared.migrating import is_ours
from tests.conftest import Database


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
