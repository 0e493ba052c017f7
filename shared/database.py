"""What every table and every session of every service has in common."""

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
from pydantic import BaseModel
from pydantic_core import from_json, to_json
from sqlalchemy import BigInteger, DateTime, Dialect, Text, TypeDecorator
from sqlalchemy import event as on
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import ConnectionPoolEntry

from shared.settings import Settings

Sessions = async_sessionmaker[AsyncSession]

RESTED_SECONDS: Final = 1.0

NAMING: Final = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Strings(TypeDecorator[tuple[str, ...]]):
    """A short list of strings that is replaced, never edited: `text[]` as a tuple."""

    impl = ARRAY(Text)
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[str, ...] | None:
        del dialect
        return None if value is None else tuple(value)


TYPES: Final[dict[Any, Any]] = {
    str: Text(),
    int: BigInteger(),
    datetime: DateTime(timezone=True),
    dict[str, str]: JSONB(),
    dict[str, Any]: JSONB(),
    tuple[str, ...]: Strings(),
}


def connect(settings: Settings, *, application: str, pool_size: int | None = None) -> AsyncEngine:
    """Open a pool of connections to the service's own database.

    The pool is as large as the number of requests at work, because a smaller one starves waiters.
    """
    engine = create_async_engine(
        settings.database_url.get_secret_value(),
        pool_size=pool_size or settings.in_flight_limit,
        max_overflow=2,
        pool_timeout=settings.request_seconds / 2,
        pool_recycle=1800,
        hide_parameters=True,  # what people wrote must not stand in logs
        # Several times faster than the standard library, and a list reads a hundred documents.
        json_deserializer=from_json,
        json_serializer=lambda value: to_json(value).decode(),
        connect_args={
            "timeout": settings.request_seconds / 2,
            "server_settings": {
                "application_name": application,
                "statement_timeout": str(int(settings.statement_seconds * 1000)),
                "idle_in_transaction_session_timeout": str(int(settings.request_seconds * 1000)),
                "jit": "off",
            },
        },
    )
    look_at_rested_connections(engine)
    return engine


def look_at_rested_connections(engine: AsyncEngine) -> None:
    """Give out a connection that has rested only if the database still answers on it.

    One that was in use a moment ago is given out as it is: the pool's own `pool_pre_ping` would ask
    each time, in three round trips, which is more than most requests do themselves.
    """

    @on.listens_for(engine.sync_engine, "checkin")
    def note(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["used_at"] = time.monotonic()

    @on.listens_for(engine.sync_engine, "checkout")
    def look(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
        used_at = record.info.get("used_at")
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError("the database has closed the connection")
        if used_at is not None and time.monotonic() - used_at > RESTED_SECONDS:
            try:
                connection.ping()
            except Exception as error:
                raise InvalidatePoolError("the database does not answer") from error


def sessions_of(engine: AsyncEngine) -> Sessions:
    return async_sessionmaker(engine, expire_on_commit=False)


def reading_sessions_of(engine: AsyncEngine) -> Sessions:
    """Make sessions for reads of single statements: they save the trips of BEGIN and ROLLBACK."""
    return async_sessionmaker(
        engine.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False
    )


if TYPE_CHECKING:
    PlainConnection = asyncpg.Connection[asyncpg.Record]
else:
    PlainConnection = asyncpg.Connection
"""A connection outside the pool."""


def asyncpg_dsn(settings: Settings) -> str:
    """Address of the same database for a connection outside the pool, which can hold locks."""
    return settings.database_url.get_secret_value().replace("postgresql+asyncpg", "postgresql", 1)


OUTAGES: Final = (
    "08",  # connection lost
    "25006",  # read only: a standby that was the primary a moment ago
    "25P03",  # we were idle in a transaction for too long
    "28",  # cannot log in
    "3D",  # no such database: it is being restored
    "40",  # deadlock
    "53",  # out of connections, memory or disk
    "55P03",  # lock not available
    "57",  # being shut down or started, or the statement took too long
    "58",  # trouble of its machine
)
"""Beginnings of SQLSTATE codes after which the same request may well succeed a little later."""


def cause_of(error: BaseException) -> BaseException:
    """What the driver said, whether or not the engine and its adapter have wrapped it."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    if isinstance(error, AsyncAdapt_asyncpg_dbapi.Error) and error.__cause__ is not None:
        error = error.__cause__
    return error


def is_outage(error: BaseException) -> bool:
    """Tell whether this says that the database is away or too busy, and not that we are wrong."""
    if isinstance(error, PoolTimeout):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    cause = cause_of(error)
    if isinstance(cause, asyncpg.PostgresError):
        # After a migration a statement that was prepared before it fails once.
        gone_stale = isinstance(cause, asyncpg.InvalidCachedStatementError)
        return gone_stale or str(cause.sqlstate).startswith(OUTAGES)
    # The last is what a connection raises that ends in the middle of an operation.
    return isinstance(cause, asyncpg.InterfaceError | OSError | asyncpg.InternalClientError)


def complain(log: Any, what: str, error: Exception, **details: Any) -> None:
    """Log what went wrong in a part that goes on: with its traceback, unless it is an outage."""
    if is_outage(error):
        log.warning(what, error=repr(error)[:300], **details)
    else:
        log.error(what, exc_info=error, **details)


def as_json(value: Any) -> Any:
    """Ready a state or identifier for a JSON column."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return str(value) if isinstance(value, UUID) else value
