"""Processes end in the one moment in which something is half done."""

import asyncio

import pytest

from tests.faults.invariants import ensure_true
from tests.faults.network import Network
from tests.faults.striking import until, until_back, until_held_up, writes_held_up

pytestmark = pytest.mark.faults


async def drafted(network: Network, key: str) -> str:
    """Let the host begin a project, and tell its address."""
    project = await network.cities[0].write(
        "POST",
        "/api/v1/projects",
        {"reference": key, "title": {"en": key.title()}, "summary": {"en": "At a bad moment."}},
        key=key,
    )
    return f"/api/v1/projects/{project['id']}"


@pytest.mark.parametrize("table", ["outbox", "remembered_answer"])
async def test_a_web_process_killed_before_its_commit_has_done_nothing(
    network: Network, table: str
) -> None:
    reference = f"half-done-{table.replace('_', '-')}"

    async with writes_held_up(network, "projects", table):
        writing = asyncio.create_task(drafted(network, reference))
        await until_held_up(network, "projects", "projects-web", table)
        killed = network.platform.kill("projects-web")
        seen = await network.fetch(
            "projects", "SELECT 1 FROM project WHERE reference=$1", reference
        )
    await until_back(network, {"projects-web": killed})
    # The edge or the city has sent the same request again, with the same key.
    await writing

    assert seen == []
    await ensure_true(network)


async def test_a_relay_killed_before_the_broker_has_confirmed_loses_nothing(
    network: Network,
) -> None:
    async with writes_held_up(network, "projects", "event_log"):
        await drafted(network, "not-yet-confirmed")
        await until_held_up(network, "projects", "projects-relay", "event_log")
        await network.platform.pause("nats")
    try:
        # It goes on now, and speaks to nobody.
        await until(lambda: _sends(network), what="the relay sending")
        killed = network.platform.kill("projects-relay")
        waiting = await network.fetch("projects", "SELECT count(*) FROM outbox")
        await until_back(network, {"projects-relay": killed})
    finally:
        await network.platform.resume("nats")

    assert waiting[0][0] == 1
    await ensure_true(network)


async def _sends(network: Network) -> bool:
    """Whether the relay has read the outbox, and the database now waits for it."""
    return bool(
        await network.fetch(
            "projects",
            "SELECT 1 FROM pg_stat_activity WHERE application_name = 'projects-relay'"
            " AND state LIKE 'idle%' AND query LIKE '%outbox%'",
        )
    )


async def test_consumers_killed_before_their_commit_take_everything_in_later(
    network: Network,
) -> None:
    async with (
        writes_held_up(network, "notifications", "inbox", "known_project"),
        writes_held_up(network, "projects", "known_member"),
    ):
        await drafted(network, "not-yet-taken-in")
        host = network.cities[0]
        member = await host.read(f"/api/v1/members/{host.member}")
        await host.write(
            "PATCH",
            f"/api/v1/members/{host.member}",
            {"name": {"en": "Tokyo by night"}},
            if_match=member["version"],
        )
        await until_held_up(network, "notifications", "notifications-consumers", "inbox")
        await until_held_up(network, "notifications", "notifications-consumers", "known_project")
        await until_held_up(network, "projects", "projects-consumers", "known_member")
        killed = {
            name: network.platform.kill(name)
            for name in ("notifications-consumers", "projects-consumers")
        }
    await until_back(network, killed)

    await ensure_true(network)


async def test_consumers_killed_before_they_could_acknowledge_do_nothing_twice(
    network: Network,
) -> None:
    async with writes_held_up(network, "notifications", "inbox_item"):
        there = await drafted(network, "done-and-not-heard")
        await network.cities[0].write("POST", f"{there}/proposal", key="heard", if_match=1)
        await until_held_up(network, "notifications", "notifications-consumers", "inbox_item")
        await network.platform.pause("nats")
    try:
        # They commit now, and nobody is there to hear of it.
        await until(lambda: _in_inbox(network), what="the commit")
        killed = network.platform.kill("notifications-consumers")
    finally:
        await network.platform.resume("nats")
    await until_back(network, {"notifications-consumers": killed})

    await ensure_true(network)


async def _in_inbox(network: Network) -> bool:
    [row] = await network.fetch(
        "notifications",
        "SELECT count(*) FROM inbox_item JOIN known_project p ON p.id = subject_id"
        " WHERE p.reference = 'done-and-not-heard'",
    )
    return bool(row[0])
