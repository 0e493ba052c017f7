"""The operator's commands on a running platform: what they print, and their exit codes."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from nats.js.api import StreamConfig

from deploy.embedded.layout import REPOSITORY, SERVICES
from deploy.operations.dumping import canonical
from shared.messaging.broker import stream_of
from tests.faults.invariants import ensure_true

if TYPE_CHECKING:
    from tests.faults.network import Network

# One platform for all tests that operate or hurt one.
pytestmark = pytest.mark.journey

HOST_FILE = REPOSITORY / "deploy" / "demo" / "host.json"


async def test_a_network_is_opened_only_once(network: "Network") -> None:
    before = await network.renkei("dump", "members")

    again = await network.renkei("init", "--json", "--member-file", str(HOST_FILE))

    assert again.returncode == 1
    assert again.stdout == ""
    assert again.stderr == "Nothing was changed.\n"
    assert (await network.renkei("dump", "members")).stdout == before.stdout


async def test_an_application_of_the_platform_is_registered_once(network: "Network") -> None:
    register = ("register-application", "desk", "--json", "--redirect-uri")

    first = await network.renkei(*register, "https://desk.example/callback")
    moved = await network.renkei(*register, "https://moved.example/callback")
    refused = await network.renkei(*register, "http://desk.example/callback")

    made, known = json.loads(first.stdout), json.loads(moved.stdout)
    assert made["client_secret"].startswith("rks_")
    assert known == {
        "client_id": made["client_id"],
        "client_secret": None,
        "redirect_uris": ["https://moved.example/callback"],
    }
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("redirect_uris.0: ")


async def test_keys_are_replaced_one_rotation_at_a_time(network: "Network") -> None:
    former = (await network.http.get("/oauth/jwks")).json()["keys"]

    begun = await network.renkei("rotate-keys")
    again = await network.renkei("rotate-keys")
    hastened = await network.renkei("rotate-keys", "--now")

    assert [line.partition(" ")[0] for line in begun.stdout.splitlines()] == ["ES256", "RS256"]
    assert {line.rpartition(" ")[2] for line in begun.stdout.splitlines()} == {"next"}
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("The keys that sign next are there already. It began at ")
    assert [line.split(" ")[2:5] for line in hastened.stdout.splitlines()] == (
        [["active,", "signs", "from"]] * 2
    )
    rows = await network.fetch("members", "SELECT id FROM signing_key WHERE status <> 'retired'")
    assert {row["id"] for row in rows} >= {key["kid"] for key in former}


async def test_the_audit_trails_of_a_network_can_be_followed(network: "Network") -> None:
    verified = await network.renkei("verify-audit")
    one = await network.renkei("verify-audit", "--member", "tokyo", "--member", "nowhere")

    heads = {
        member: (int(length), head)
        for member, length, head in map(str.split, verified.stdout.splitlines())
    }
    rows = await network.fetch("members", "SELECT member, length, hash FROM audit_head")
    assert (verified.returncode, verified.stderr) == (0, "")
    assert heads == {row["member"]: (row["length"], row["hash"]) for row in rows}
    assert {"tokyo"} < heads.keys()
    assert one.returncode == 1
    assert one.stdout.startswith("tokyo ")
    assert one.stderr == "nowhere: there is no trail\n"


async def test_a_dump_is_canonical_and_complete(network: "Network") -> None:
    first, second = [await network.renkei("dump", "projects") for _ in range(2)]

    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == second.stdout
    picture = json.loads(first.stdout)
    assert first.stdout == canonical(picture) + "\n"
    assert list(picture) == [
        "calendar_feed",
        "comment",
        "decision",
        "handover",
        "known_client",
        "known_member",
        "known_official",
        "known_session",
        "milestone",
        "objective",
        "participation",
        "project",
        "theme",
    ]
    assert {member["slug"] for member in picture["known_member"]} == {
        city.member for city in network.cities
    }


async def test_migrating_again_changes_nothing(network: "Network") -> None:
    before = await schema(network)

    migrated = await network.renkei("migrate")

    assert migrated.returncode == 0
    assert await schema(network) == before


async def schema(network: "Network") -> list[tuple[Any, ...]]:
    query = (
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY 1, 2"
    )
    return [(service, *row) for service in SERVICES for row in await network.fetch(service, query)]


async def test_a_healthy_platform_has_no_gaps(network: "Network") -> None:
    await network.load().run(seconds=2)
    await network.until_quiet()

    shown = await network.renkei("reconcile")
    as_json = await network.renkei("reconcile", "--json")

    assert (shown.returncode, shown.stderr) == (0, "")
    assert "notifications-inbox-projects" in shown.stdout
    reports = json.loads(as_json.stdout)
    assert as_json.returncode == 0
    assert [report["service"] for report in reports] == list(SERVICES)
    for report in reports:
        assert report["gaps"] == []
        assert report["waiting"] == 0
        assert report["streamed"] == report["logged"] > 0
    told = {consumer["durable"] for report in reports for consumer in report["consumers"]}
    assert told == {
        subscription.durable
        for service in network.services
        for subscription in service.subscriptions
    }


async def test_a_healthy_platform_has_no_dead_letters(network: "Network") -> None:
    listed = await network.renkei("dead-letters")
    dropped = await network.renkei("dead-letters", "drop", "notifications", "999999")

    assert listed.returncode == 0
    assert dropped.returncode == 1
    assert dropped.stderr == "NoSuchDeadLetter: No dead letter 999999 waits.\n"


async def test_the_doctor_finds_a_healthy_platform_healthy(network: "Network") -> None:
    found = await network.renkei("doctor")

    lines = found.stdout.splitlines()
    assert (found.returncode, found.stderr) == (0, "")
    assert [line for line in lines if not line.startswith("ok  ")] == []
    assert "ok  NATS sync_interval: always" in lines
    for name in SERVICES:
        assert f"ok  {name}: migrations: none pending" in lines
        assert f"ok  {name}: dead letters: 0 waiting" in lines
        assert f"ok  {stream_of(name)}: as declared" in lines
    for service in network.services:
        for subscription in service.subscriptions:
            assert f"ok  {subscription.durable}: as declared" in lines


async def test_the_doctor_sees_that_a_stream_is_not_as_declared(network: "Network") -> None:
    stream = stream_of("projects")
    declared = (await network.jetstream.stream_info(stream)).config
    await network.jetstream.update_stream(with_window(declared, seconds=120))

    drifted = await network.renkei("doctor")
    await network.jetstream.update_stream(with_window(declared, seconds=600))
    mended = await network.renkei("doctor")

    assert drifted.returncode == 1
    assert [line for line in drifted.stdout.splitlines() if not line.startswith("ok  ")] == [
        f"no  {stream}: duplicate_window is 120.0, not 600"
    ]
    assert mended.returncode == 0


def with_window(config: StreamConfig, *, seconds: float) -> StreamConfig:
    return config.evolve(duplicate_window=seconds)


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["dump", "elsewhere"],
        ["dead-letters", "retry", "notifications", "first"],
        ["no-such-command"],
    ],
    ids=" ".join,
)
async def test_wrong_usage_has_an_exit_code_of_its_own(
    network: "Network", wrong: list[str]
) -> None:
    refused = await network.renkei(*wrong)

    assert refused.returncode == 2


async def test_looking_has_changed_nothing(network: "Network") -> None:
    await ensure_true(network)
