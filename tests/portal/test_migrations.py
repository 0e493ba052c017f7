"""The migrations make exactly the tables that the code describes."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from tests.conftest import DatabaseOf


def check(connection: Connection) -> None:
    config = Config("alembic.ini", ini_section="portal")
    config.attributes["connection"] = connection
    command.check(config)


async def test_the_migrations_make_the_tables_of_the_model(database_of: DatabaseOf) -> None:
    database = await database_of("portal")

    async with database.engine.begin() as connection:
        await connection.run_sync(check)
