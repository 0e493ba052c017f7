"""Starts and stops processes: a web process, or a worker with its parts."""

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog
import uvloop
from fastapi import FastAPI
from granian.constants import Interfaces
from granian.server.embed import Server
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine

from shared.database import Sessions, connect, sessions_of
from shared.health import Health, health_router
from shared.messaging.broker import connected
from shared.messaging.consumer import Consumer, Subscription
from shared.messaging.housekeeping import housekeeping
from shared.messaging.in_order import run_alone
from shared.messaging.relay import Relay
from shared.messaging.waking import WAKES, after_each_commit_with, tell_others
from shared.settings import Settings
from shared.telemetry import build_info, configure_logging, configure_tracing
from shared.timers import Timer, run_timers

log = structlog.get_logger(__name__)


def serve(app: FastAPI, *, process: str) -> None:
    """Run a web process until it is told to stop."""
    settings: Settings = app.state.settings
    configure_logging(settings, process=process)
    configure_tracing(settings, process=process)
    uvloop.run(_serve(app, settings, app.state.health))


async def _serve(app: FastAPI, settings: Settings, health: Health) -> None:
    server = Server(
        app,
        address=settings.listen_host,
        port=settings.listen_port,
        interface=Interfaces.ASGI,
        websockets=False,
        log_enabled=False,
        backlog=1024,
    )

    def stop() -> None:
        health.stopping = True
        server.stop()  # type: ignore[no-untyped-call]

    with stopped_by_signals(stop):
        log.info("process.started", port=settings.listen_port, **build_info())
        await server.serve()
    log.info("process.stopped")


def spare_what_is_loaded() -> None:
    """Let collections of garbage look no more at what is there now, and look more rarely at all.

    What is loaded at the start stays; without this, a tenth of the processor goes into looking.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@dataclass(frozen=True)
class Workplace:
    """What the parts of a worker work with."""

    service: str
    settings: Settings
    engine: AsyncEngine
    sessions: Sessions
    nats: Client


Part = Callable[[Workplace], Coroutine[Any, Any, None]]
"""A part of a worker that runs until it is cancelled, such as the relay."""


@dataclass(frozen=True)
class Worker:
    """The worker of a service. Several copies may run at any time, whole or in parts."""

    service: str
    subscriptions: Sequence[Subscription[Any]] = ()
    timers: Sequence[Timer] = ()
    parts: Mapping[str, Part] = field(default_factory=dict)

    def run(self, settings: Settings, names: Sequence[str] = ()) -> None:
        """Run the named parts, all by default, until told to stop."""
        parts = self._all_parts()
        unknown = [name for name in names if name not in parts]
        if unknown:
            sys.exit(f"{self.service}-worker has no part {unknown[0]!r}; it has {', '.join(parts)}")
        chosen = {name: parts[name] for name in names or parts}
        process = f"{self.service}-{'-'.join(names) or 'worker'}"
        configure_logging(settings, process=process)
        configure_tracing(settings, process=process)
        uvloop.run(self._run(settings, chosen, process))

    def _all_parts(self) -> dict[str, Part]:
        async def relay(place: Workplace) -> None:
            await Relay(place.service, place.settings, place.nats).run()

        async def consumers(place: Workplace) -> None:
            def consumers_of(*, in_order: bool) -> list[Consumer]:
                return [
                    Consumer(subscription, place.sessions, place.settings, place.nats)
                    for subscription in self.subscriptions
                    if subscription.in_order == in_order
                ]

            async with asyncio.TaskGroup() as group:
                for consumer in consumers_of(in_order=False):
                    group.create_task(consumer.run())
                if ordered := consumers_of(in_order=True):
                    group.create_task(
                        run_alone(
                            [consumer.run for consumer in ordered],
                            service=self.service,
                            settings=place.settings,
                        )
                    )

        async def timers(place: Workplace) -> None:
            await run_timers([*self.timers, *housekeeping()], place.sessions, place.settings)

        return {"relay": relay, "consumers": consumers, "timers": timers, **self.parts}

    async def _run(self, settings: Settings, parts: dict[str, Part], process: str) -> None:
        health = Health(process)
        app = FastAPI(openapi_url=None)
        app.include_router(health_router(health))
        server = Server(
            app,
            address=settings.listen_host,
            port=settings.listen_port,
            interface=Interfaces.ASGINL,
            websockets=False,
            log_enabled=False,
        )
        engine = connect(settings, application=process, pool_size=10)
        spare_what_is_loaded()
        health.needs_database(engine)
        stop = asyncio.Event()
        with stopped_by_signals(stop.set):
            serving = asyncio.create_task(server.serve())
            working = asyncio.create_task(self._work(settings, parts, process, engine, health))
            log.info("process.started", port=settings.listen_port, **build_info())
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait((working, stopping, serving), return_when=asyncio.FIRST_COMPLETED)
            health.stopping = True
            # Cancelling rolls back what is half done; the broker delivers it again.
            working.cancel()
            stopping.cancel()
            results = await asyncio.gather(working, stopping, return_exceptions=True)
            server.stop()  # type: ignore[no-untyped-call]
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(serving, settings.stop_seconds)
            await engine.dispose()
        log.info("process.stopped")
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _work(
        self,
        settings: Settings,
        parts: dict[str, Part],
        process: str,
        engine: AsyncEngine,
        health: Health,
    ) -> None:
        client: Client | None = None

        async def broker_answers() -> bool:
            return client is not None and bool(client.is_connected)

        health.needs("nats", broker_answers)
        async with connected(settings, name=process) as nats:
            client = nats
            place = Workplace(self.service, settings, engine, sessions_of(engine), nats)
            hints = asyncio.Event()
            end = after_each_commit_with(WAKES, hints.set)
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(tell_others(nats, self.service, hints))
                    for name, part in parts.items():
                        group.create_task(part(place), name=name)
            finally:
                end()
