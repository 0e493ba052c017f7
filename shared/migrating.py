"""Runs Alembic for one service: its own tables and its copy of the messaging tables.

A migration must run while the previous release still serves: add, backfill, enforce. It waits only
briefly for locks, so that it fails rather than blocks those who work.
"""

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shared.messaging.tables import MessagingBase


def migrate(tables: MetaData, *, has_messages: bool = True) -> None:
    """Entry of every service's `migrations/env.py`.

    Args:
        tables: of the service.
        has_messages: whether it sends or hears events, and so has the tables of messaging.
    """

    def run(connection: Connection) -> None:
        context.configure(
            connection,
            target_metadata=[tables, *([MessagingBase.metadata] if has_messages else [])],
            include_name=is_ours,
            compare_server_default=False,
        )
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('renkei.migrations'))"))
            connection.execute(text("SET LOCAL lock_timeout = '5s'"))
            context.run_migrations()

    given = context.config.attributes.get("connection")
    if given is not None:
        run(given)
        return

    async def connect() -> None:
        engine = create_async_engine(
            str(context.config.get_main_option("sqlalchemy.url")), poolclass=NullPool
        )
        async with engine.begin() as connection:
            await connection.run_sync(run)
        await engine.dispose()

    asyncio.run(connect())


def is_ours(name: str | None, kind: str, _: Any) -> bool:
    """Leave out the partitions of the event log, which the relay makes."""
    return not (kind == "table" and name is not None and name.startswith("event_log_"))
