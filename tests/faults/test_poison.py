"""Messages that cannot be handled: shown to people, settled by them, and in nobody's way."""

import json
from typing import Final
from uuid import uuid4

import pytest
from nats.js.api import Header

from deploy.operations.dead_letters import drop
from shared.contracts.projects import ProjectDrafted
from shared.contracts.samples import sample_of
from shared.identifiers import new_id
from shared.messaging.broker import stream_of
from tests.faults.invariants import ensure_true
from tests.faults.network import Network
from tests.faults.striking import until

pytestmark = pytest.mark.faults

RUBBISH: Final = (b"", b"no json", b'{"specversion": "1.0"}', b"[" * 100_000)


async def letters(network: Network, service: str = "notifications") -> list[tuple[int, str, str]]:
    """Number, consumer and reason of each dead letter that waits."""
    rows = await network.fetch(
        service,
        "SELECT id, consumer, reason FROM dead_letter WHERE settled_at IS NULL ORDER BY id",
    )
    return [(row["id"], row["consumer"], row["reason"]) for row in rows]


async def test_rubbish_on_a_stream_is_put_aside_and_shown(network: Network) -> None:
    hearing = {
        subscription.durable
        for subscription in network.service("notifications").subscriptions
        if subscription.event.publisher == "projects" and subscription.event.entity == "project"
    }
    published = [
        await network.jetstream.publish(f"evt.projects.project.{uuid4()}.changed.v1", body)
        for body in RUBBISH
    ]

    await network.load().run(seconds=3)
    await network.until_quiet()

    waiting = await letters(network)
    listed = await network.renkei("dead-letters")
    assert [(consumer, reason[:11]) for _, consumer, reason in waiting] == (
        [(consumer, "unreadable:") for _, consumer, _ in waiting]
    )
    assert {consumer for _, consumer, _ in waiting} == hearing
    assert len(waiting) == len(hearing) * len(RUBBISH)
    assert listed.returncode == 1
    assert all(f" {number} " in listed.stdout for number, _, _ in waiting)
    first, *others = [str(number) for number, _, _ in waiting]
    dropped = await network.renkei("dead-letters", "drop", "notifications", first)
    assert (dropped.returncode, dropped.stderr) == (0, "")
    for number in others:
        await drop(network.service("notifications"), int(number))
    assert (await network.renkei("dead-letters")).returncode == 0
    for confirmation in published:
        await network.jetstream.delete_msg(stream_of("projects"), confirmation.seq)
    await ensure_true(network)


@pytest.mark.parametrize(
    ("table", "column", "consumer"),
    [
        ("known_project", "reference", "notifications-projects"),
        ("inbox_item", "facts ->> 'reference'", "notifications-inbox-projects"),
    ],
)
async def test_an_event_that_cannot_be_handled_waits_and_takes_effect_once(
    network: Network, table: str, column: str, consumer: str
) -> None:
    rule, reference = f"ck_{table}_for_this_test", f"unloved-by-{table.replace('_', '-')}"
    async with network.database("notifications") as database:
        await database.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {rule} CHECK ({column} <> '{reference}')"
        )
        host = network.cities[0]
        await host.write(
            "POST",
            "/api/v1/projects",
            {"reference": reference, "title": {"en": "Unloved"}, "summary": {"en": "Refused."}},
            key=reference,
        )

        # Everything else goes on meanwhile.
        await network.load().run(seconds=3)

        async def buried() -> bool:
            return bool(await letters(network))

        await until(buried, seconds=30, what="the dead letter")
        [(number, who, reason)] = await letters(network)
        early = await network.renkei("dead-letters", "retry", "notifications", str(number))
        await database.execute(f"ALTER TABLE {table} DROP CONSTRAINT {rule}")
    retried = await network.renkei("dead-letters", "retry", "notifications", str(number))
    again = await network.renkei("dead-letters", "retry", "notifications", str(number))

    assert who == consumer
    assert rule in reason
    assert early.returncode == 1
    assert rule in early.stderr
    assert (retried.returncode, retried.stderr) == (0, "")
    assert again.returncode == 1
    assert again.stderr == f"NoSuchDeadLetter: No dead letter {number} waits.\n"
    await ensure_true(network)


async def test_an_event_that_no_database_can_hold_is_put_aside_too(network: Network) -> None:
    project_id, event_id = uuid4(), new_id()
    drafted = sample_of(ProjectDrafted)
    state = drafted.data.state.model_copy(update={"id": project_id, "title": {"en": "a\0b"}})
    event = drafted.model_copy(
        update={
            "id": event_id,
            "subject": str(project_id),
            "audience": ("nobody",),
            "data": drafted.data.model_copy(update={"state": state}),
        }
    )

    confirmation = await network.jetstream.publish(
        event.nats_subject, event.wire_form(), headers={Header.MSG_ID.value: str(event_id)}
    )
    await network.until_quiet()

    [(number, consumer, reason)] = await letters(network)
    assert (consumer, reason.split(":")[0]) == ("notifications-projects", "DBAPIError")
    compared = await network.renkei("reconcile", "--json")
    gaps = [gap for report in json.loads(compared.stdout) for gap in report["gaps"]]
    assert [(gap["what"], gap["events"]) for gap in gaps] == [
        ("unknown to the service", [str(event_id)])
    ]
    await drop(network.service("notifications"), number)
    await network.jetstream.delete_msg(stream_of("projects"), confirmation.seq)
    await ensure_true(network)
