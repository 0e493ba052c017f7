"""Looks at an installation the way an experienced operator would, and says what is not right."""

import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from httpx2 import AsyncClient, HTTPError
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from sqlalchemy import text

from deploy.operations.applications import portal_settings
from deploy.operations.migrating import pending_migrations
from deploy.operations.services import Service, database_of, service, settings_of
from shared.messaging.broker import stream_config, stream_of
from shared.settings import Settings

SKEW_SECONDS: Final = 2
STALE_OUTBOX_SECONDS: Final = 60
POSTGRES_MAJOR: Final = 16
NATS_MINOR: Final = (2, 12)

Verdict = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    verdict: Verdict
    detail: str


async def examine(
    services: list[Service], nats: Client, monitor_url: str | None
) -> AsyncIterator[Finding]:
    """Look at everything; each finding as soon as it is known."""
    version = sys.version.split()[0]
    yield Finding("Python", "ok" if sys.version_info >= (3, 11) else "error", version)
    yield _nats_version(nats)
    yield await _sync_interval(monitor_url)
    for each in services:
        async for finding in _service(each, nats):
            yield finding
    async for finding in _portal():
        yield finding


def _nats_version(nats: Client) -> Finding:
    found = nats.connected_server_version
    good = (found.major, found.minor) >= NATS_MINOR
    return Finding("NATS", "ok" if good else "error", f"{found.major}.{found.minor}.{found.patch}")


async def _sync_interval(monitor_url: str | None) -> Finding:
    what = "NATS sync_interval"
    if monitor_url is None:
        return Finding(what, "warning", "unknown: set RENKEI_NATS_MONITOR_URL to look")
    try:
        async with AsyncClient(timeout=3, trust_env=False) as http:
            answer = await http.get(f"{monitor_url}/jsz?config=true")
            config = answer.raise_for_status().json()["config"]
    except (HTTPError, KeyError, ValueError) as error:
        return Finding(what, "warning", f"cannot be read: {error!r}")
    if config.get("sync_always"):
        return Finding(what, "ok", "always")
    seconds = config.get("sync_interval", 0) / 1e9
    return Finding(what, "error", f"{seconds:g} s: a power cut loses what was confirmed meanwhile")


async def _service(service: Service, nats: Client) -> AsyncIterator[Finding]:
    is_current = False
    async for finding in _database(service.name, service.settings):
        yield finding
        is_current = finding.what.endswith(": migrations") and finding.verdict == "ok"
    if is_current:
        async for finding in _messages(service):
            yield finding
    async for finding in _broker(service, nats):
        yield finding


async def _portal() -> AsyncIterator[Finding]:
    async for finding in _database("portal", settings_of("portal")):
        yield finding
    what, portal = "portal: application", portal_settings()
    if portal is None:
        yield Finding(what, "error", "RENKEI_PORTAL_CLIENT_ID and _KEY do not say which")
        return
    async with service("members").database() as (engine, _), engine.connect() as connection:
        addresses = await connection.scalar(
            text("SELECT redirect_uris FROM client WHERE id = :id AND status = 'active'"),
            {"id": portal.portal_client_id},
        )
    is_known = addresses is not None and f"{portal.own_url}/session/callback" in addresses
    how = "is registered" if is_known else "must be registered: `renkei register-portal`"
    yield Finding(what, "ok" if is_known else "error", f"{portal.portal_client_id} {how}")


async def _database(name: str, settings: Settings) -> AsyncIterator[Finding]:
    """Look at what every database must be; whether it has its newest form comes last."""
    async with database_of(settings) as (engine, _), engine.connect() as connection:
        began = datetime.now(UTC)
        row = (
            await connection.execute(
                text("SELECT clock_timestamp() AS now, current_setting('server_version') AS v")
            )
        ).one()
        ended = datetime.now(UTC)
        good = int(row.v.split(".")[0]) >= POSTGRES_MAJOR
        yield Finding(f"{name}: PostgreSQL", "ok" if good else "error", row.v)
        skew = abs((row.now - (began + (ended - began) / 2)).total_seconds())
        verdict: Verdict = "ok" if skew <= SKEW_SECONDS else "error"
        yield Finding(f"{name}: clock of the database", verdict, f"{skew:.3f} s from ours")
    pending = await pending_migrations(name)
    detail = f"pending: {', '.join(pending)}" if pending else "none pending"
    yield Finding(f"{name}: migrations", "error" if pending else "ok", detail)


async def _messages(service: Service) -> AsyncIterator[Finding]:
    name = service.name
    async with service.database() as (engine, _), engine.connect() as connection:
        dead = await connection.scalar(
            text("SELECT count(*) FROM dead_letter WHERE settled_at IS NULL")
        )
        yield Finding(f"{name}: dead letters", "warning" if dead else "ok", f"{dead} waiting")
        age = await connection.scalar(
            text("SELECT extract(epoch FROM now() - min(recorded_at))::float8 FROM outbox")
        )
        yield Finding(
            f"{name}: outbox",
            "warning" if age is not None and age > STALE_OUTBOX_SECONDS else "ok",
            "empty" if age is None else f"oldest event waits {age:.0f} s",
        )


async def _broker(service: Service, nats: Client) -> AsyncIterator[Finding]:
    jetstream = nats.jetstream(timeout=5)
    stream = stream_of(service.name)
    try:
        found = (await jetstream.stream_info(stream)).config
    except NotFoundError:
        yield Finding(stream, "error", "missing: is the relay running?")
        return
    wanted = stream_config(service.name, service.settings.stream_replicas)
    yield _drift(stream, wanted, found)
    for subscription in service.subscriptions:
        try:
            info = await jetstream.consumer_info(subscription.stream, subscription.durable)
        except NotFoundError:
            yield Finding(subscription.durable, "error", "missing: is the consumer running?")
            continue
        wanted_consumer = subscription.consumer_config(service.settings)
        yield _drift(subscription.durable, wanted_consumer, info.config)


def _drift(what: str, wanted: Any, found: Any) -> Finding:
    """Compare what we would declare with what the broker has."""
    differences = [
        f"{name} is {getattr(found, name)!r}, not {value!r}"
        for name, value in vars(wanted).items()
        if value is not None and getattr(found, name) != value
    ]
    return Finding(what, "error" if differences else "ok", "; ".join(differences) or "as declared")
