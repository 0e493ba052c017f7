"""The services as an operator meets them: settings, database, subscriptions, states."""

import importlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import NullPool

from shared.database import Sessions, sessions_of
from shared.messaging.consumer import Copy, Subscription
from shared.serving import Worker
from shared.settings import Settings

SERVICES: Final = ("members", "projects", "notifications")
"""Those that tell and hear facts."""
DATABASES: Final = (*SERVICES, "portal")
"""Those that have a database; the portal has nothing else."""


@dataclass(frozen=True)
class Service:
    """One service, with what it declares."""

    name: str
    settings: Settings
    worker: Worker
    metadata: MetaData
    all_states: Callable[[AsyncSession], Awaitable[dict[str, list[Any]]]]

    @property
    def subscriptions(self) -> Sequence[Subscription[Any]]:
        return self.worker.subscriptions

    @property
    def copies(self) -> list[Copy[Any]]:
        return [found for found in self.worker.subscriptions if isinstance(found, Copy)]

    @asynccontextmanager
    async def database(self) -> AsyncIterator[tuple[AsyncEngine, Sessions]]:
        """Connect to the service's database for the time of a command."""
        async with database_of(self.settings) as opened:
            yield opened


@asynccontextmanager
async def database_of(settings: Settings) -> AsyncIterator[tuple[AsyncEngine, Sessions]]:
    """Connect to the database that these settings name, for the time of a command."""
    from sqlalchemy.ext.asyncio import create_async_engine

    engine = create_async_engine(settings.database_url.get_secret_value(), poolclass=NullPool)
    try:
        yield engine, sessions_of(engine)
    finally:
        await engine.dispose()


def service(name: str) -> Service:
    """Load one service with its settings from the environment."""
    package = f"services.{name}"
    return Service(
        name=name,
        settings=settings_of(name),
        worker=importlib.import_module(f"{package}.worker").WORKER,
        metadata=importlib.import_module(f"{package}.model.base").Base.metadata,
        all_states=importlib.import_module(f"{package}.queries.everything").all_states,
    )


def settings_of(name: str) -> Settings:
    """Read the settings of one service: `RENKEI_<SERVICE>_<NAME>`, else `RENKEI_<NAME>`."""
    module = importlib.import_module(f"services.{name}.settings")
    kind: type[Settings] = getattr(module, f"{name.capitalize()}Settings")
    prefix = f"RENKEI_{name.upper()}_"
    own = {
        variable.removeprefix(prefix).lower(): value
        for variable, value in os.environ.items()
        if variable.startswith(prefix)
    }
    return kind(**{field: value for field, value in own.items() if field in kind.model_fields})  # type: ignore[arg-type]


def all_services() -> list[Service]:
    return [service(name) for name in SERVICES]
