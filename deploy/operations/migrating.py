"""Brings every service's database to the form that this release needs."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from deploy.operations.services import settings_of
from deploy.paths import REPOSITORY


def alembic_config(service: str, database_url: str) -> Config:
    config = Config(str(REPOSITORY / "alembic.ini"), ini_section=service)
    config.set_main_option("script_location", str(REPOSITORY / f"services/{service}/migrations"))
    config.set_main_option("sqlalchemy.url", database_url.replace("%", "%%"))
    return config


def migrate(service: str) -> None:
    """Run what is missing; nothing, if nothing is."""
    url = settings_of(service).database_url.get_secret_value()
    command.upgrade(alembic_config(service, url), "head")


async def pending_migrations(service: str) -> list[str]:
    """Name the revisions that the database of a service lacks, oldest first."""
    url = settings_of(service).database_url.get_secret_value()
    script = ScriptDirectory.from_config(alembic_config(service, url))

    def current(connection: Connection) -> set[str]:
        return set(MigrationContext.configure(connection).get_current_heads())

    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        heads = await connection.run_sync(current)
    await engine.dispose()
    wanted = [revision.revision for revision in script.walk_revisions()]
    done: set[str] = set()
    for head in heads:
        done |= {revision.revision for revision in script.iterate_revisions(head, "base")}
    return [revision for revision in reversed(wanted) if revision not in done]
