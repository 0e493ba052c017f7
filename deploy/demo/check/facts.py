"""The facts on NATS, read by a plain client of it."""

import json
import time
from typing import Any, Final

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, Header

from deploy.demo.check.journey import Journey
from deploy.demo.check.news import happened
from deploy.demo.check.report import Report
from shared.contracts import members, notifications, projects
from shared.contracts.event import CATALOGUE

PUBLISHERS: Final = (members, notifications, projects)
"""Imported so that the catalogue knows every published event."""

REQUIRED: Final = ("specversion", "id", "source", "type")
WAIT_SECONDS: Final = 5.0
FETCH_SECONDS: Final = 0.3


async def check_facts(nats_url: str, report: Report, journey: Journey) -> None:
    client = await nats.connect(nats_url)
    try:
        found = await _facts_about(client, journey.things, at_least=len(journey.told))
    finally:
        await client.close()
    events = [event for event, _ in found]
    report.equal(
        f"{len(journey.told)} accepted writes are {len(journey.told)} facts on NATS, in order",
        [happened(event) for event in events],
        journey.told,
    )
    report.equal(
        "each is a CloudEvent", [fault for event in events for fault in _faults(event)], []
    )
    report.equal(
        "each carries its id for the broker's own protection against doubles",
        [headers[Header.MSG_ID] for _, headers in found],
        [event["id"] for event in events],
    )
    read = [CATALOGUE[event["type"]].model_validate(event) for event in events]
    report.that(
        "each says for whom it is and shows the state after it",
        all(event.audience and event.data.state.version == event.entityversion for event in read),
        events,
    )
    versions: dict[str, list[int]] = {}
    for event in read:
        versions.setdefault(event.subject, []).append(event.entityversion)
    report.equal(
        "the versions of each thing rise by one",
        list(versions.values()),
        [list(range(1, len(each) + 1)) for each in versions.values()],
    )


async def _facts_about(
    client: Client, things: list[str], *, at_least: int
) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """Read all facts about some things from the stream, with the headers of their messages."""
    jetstream = client.jetstream()
    pull = await jetstream.pull_subscribe(
        "",
        stream="EVT_PROJECTS",
        config=ConsumerConfig(
            filter_subjects=[f"evt.projects.*.{thing}.>" for thing in things],
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.NONE,
            mem_storage=True,
            inactive_threshold=30,
        ),
    )
    found: list[tuple[dict[str, Any], dict[str, str]]] = []
    deadline = time.monotonic() + WAIT_SECONDS
    try:
        while True:
            messages = await _next(pull)
            found += [(json.loads(each.data), each.headers or {}) for each in messages]
            # One more look shows that there are no more than there should be.
            if not messages and (len(found) >= at_least or time.monotonic() > deadline):
                return found
    finally:
        await pull.unsubscribe()


async def _next(pull: JetStreamContext.PullSubscription) -> list[Msg]:
    try:
        return await pull.fetch(100, timeout=FETCH_SECONDS)
    except TimeoutError:
        return []


def _faults(event: dict[str, Any]) -> list[str]:
    """Name what keeps this from being a CloudEvent. Source: CloudEvents 1.0, section 3."""
    faults = [f"{name} is missing" for name in REQUIRED if not event.get(name)]
    faults += [f"{name} is no name" for name in event if not (name.isalnum() and name.islower())]
    faults += [
        f"{name} is of no type that attributes have"
        for name, value in event.items()
        if name != "data" and not isinstance(value, str | int | bool)
    ]
    if event.get("specversion") != "1.0":
        faults.append("specversion is not 1.0")
    return faults
