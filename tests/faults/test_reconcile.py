"""`renkei reconcile` sees what is missing, wherever it is missing, and closes the gap."""

import json
from typing import Any

import pytest

from shared.messaging.broker import stream_of
from tests.faults.invariants import ensure_true
from tests.faults.network import Network
from tests.faults.stream import Message, read_stream

pytestmark = pytest.mark.faults


async def gaps(network: Network, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit code and gaps of all services."""
    found = await network.renkei("reconcile", "--json", *arguments)
    return found.returncode, [gap for one in json.loads(found.stdout) for gap in one["gaps"]]


async def cancelled_project(network: Network, reference: str) -> str:
    """Make a project whose history is over, and tell its identifier."""
    host = network.cities[0]
    project = await host.write(
        "POST",
        "/api/v1/projects",
        {"reference": reference, "title": {"en": "Short"}, "summary": {"en": "Soon over."}},
        key=reference,
    )
    there = f"/api/v1/projects/{project['id']}"
    await host.write(
        "POST", f"{there}/cancellation", {"reason": "It was."}, key=f"{reference}-2", if_match=1
    )
    await network.until_quiet()
    return str(project["id"])


async def last_about(network: Network, project_id: str) -> Message:
    *_, last = [
        message
        for message in await read_stream(network.jetstream, "projects")
        if f".{project_id}." in message.subject
    ]
    return last


async def test_a_running_platform_under_load_has_no_gaps(network: Network) -> None:
    load = network.load()
    async with load.running(seconds=6):
        answers = [await gaps(network) for _ in range(2)]

    assert answers == [(0, []), (0, [])]
    await ensure_true(network)


async def test_an_event_that_the_stream_lost_is_named_and_published_again(
    network: Network,
) -> None:
    project_id = await cancelled_project(network, "lost-by-the-stream")
    last = await last_about(network, project_id)
    await network.jetstream.delete_msg(stream_of("projects"), last.sequence)

    looked = await gaps(network)
    repaired = await network.renkei("reconcile", "--repair")

    gap = {
        "where": "EVT_PROJECTS",
        "what": "missing from the stream",
        "events": [last.message_id],
    }
    assert looked == (1, [gap])
    assert repaired.returncode == 1
    assert repaired.stderr == "projects: published 1 events again\n"
    assert await gaps(network) == (0, [])
    await ensure_true(network)


async def test_a_copy_that_fell_behind_is_named_and_brought_up_to_date(
    network: Network,
) -> None:
    project_id = await cancelled_project(network, "forgotten-by-a-copy")
    async with network.database("notifications") as database:
        await database.execute(
            "UPDATE known_project SET version = 1, status = 'draft' WHERE id::text = $1", project_id
        )
    last = await last_about(network, project_id)

    repaired = await gaps(network, "--repair")
    await network.until_quiet()

    gap = {
        "where": "notifications-projects",
        "what": "never took effect",
        "events": [last.message_id],
    }
    assert repaired == (1, [gap])
    assert await gaps(network) == (0, [])
    # It is on the stream twice now, as was asked for.
    *_, second = await read_stream(network.jetstream, "projects")
    assert second.body == last.body
    await network.jetstream.delete_msg(stream_of("projects"), second.sequence)
    await ensure_true(network)


async def test_an_event_that_an_inbox_never_heard_of_is_named_and_told(network: Network) -> None:
    project_id = await cancelled_project(network, "unheard-of")
    last = await last_about(network, project_id)
    async with network.database("notifications") as database, database.transaction():
        await database.execute(
            "DELETE FROM inbox WHERE consumer = 'notifications-inbox-projects'"
            " AND event_id::text = $1",
            last.message_id,
        )
        await database.execute(
            "UPDATE inbox_item SET count = count - 1 WHERE subject_id::text = $1", project_id
        )

    repaired = await gaps(network, "--repair")
    await network.until_quiet()

    gap = {
        "where": "notifications-inbox-projects",
        "what": "never took effect",
        "events": [last.message_id],
    }
    assert repaired == (1, [gap])
    *_, second = await read_stream(network.jetstream, "projects")
    await network.jetstream.delete_msg(stream_of("projects"), second.sequence)
    await ensure_true(network)
