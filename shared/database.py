"""What every table and every session of every service has in common."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
from pydantic import BaseModel
from sqlalchemy import BigInteger, DateTime, Dialect, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from shared.settings import Settings

Sessions = async_sessionmaker[AsyncSession]

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
    return create_async_engine(
        settings.database_url.get_secret_value(),
        pool_size=pool_size or settings.in_flight_limit,
        max_overflow=2,
        pool_timeout=settings.request_seconds / 2,
        pool_recycle=1800,
        pool_pre_ping=True,
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


def as_json(value: Any) -> Any:
    """Ready a state or identifier for a JSON column."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return str(value) if isinstance(value, UUID) else value
