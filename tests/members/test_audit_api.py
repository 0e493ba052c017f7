"""Administrators read and take away the trail of their own member, and nobody else's."""

import hashlib
import json
from typing import Any

import pytest
from sqlalchemy import text

from services.members.http import audit
from services.members.use_cases.record import record
from shared.actor import Actor
from shared.clock import utc_now
from tests.conftest import Database
from tests.members.network import ADMINISTRATOR, OWN, SECRETARIAT, Network, code_of

PATH = "/api/v1/members/seoul/audit-entries"


@pytest.fixture
async def seoul(network: Network) -> Network:
    """Seoul has joined, appointed somebody and registered a machine."""
    await network.join()
    await network.appoint()
    await network.register()
    return network


async def read(network: Network, path: str = PATH, *, member: str = "seoul") -> list[Any]:
    async with network.client(member) as client:
        response = await client.get(path)
    assert response.status_code == 200, response.text
    return list(response.json()["items"])


async def exported(network: Network, query: str = "") -> tuple[list[Any], dict[str, Any]]:
    async with network.client("seoul") as client:
        response = await client.get(f"{PATH}/export{query}")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    *entries, last = [json.loads(line) for line in response.text.splitlines()]
    return entries, last["end"]


async def as_superuser(database: Database, statement: str) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(statement))


async def write(network: Network, count: int) -> None:
    async with network.database.sessions.begin() as session:
        for number in range(count):
            await record(
                session,
                member="seoul",
                action="official.changed",
                subject=f"official:{number}",
                actor=Actor(member="seoul", client_id="seoul-main"),
                at=utc_now(),
            )


async def test_a_member_reads_what_happened_to_it(seoul: Network) -> None:
    entries = await read(seoul)

    assert [(each["position"], each["action"], each["actor"]) for each in entries] == [
        (1, "member.invited", "client:tokyo-main"),
        (2, "member.activated", "client:seoul-main"),
        (3, "official.appointed", "client:seoul-main"),
        (4, "client.registered", "client:seoul-main"),
    ]
    assert entries[0]["actor_member"] == "tokyo"
    assert entries[2]["details"] == {"roles": ADMINISTRATOR["roles"]}


async def test_the_secretariat_reads_what_it_did_itself(seoul: Network) -> None:
    entries = await read(seoul, "/api/v1/members/tokyo/audit-entries", member="tokyo")

    assert [(each["action"], each["subject"]) for each in entries] == [
        ("member.activated", "member:tokyo"),
        ("official.appointed", f"official:{seoul.opened.administrator_id}"),
        ("client.registered", f"client:{seoul.opened.client_id}"),
        ("member.invited", "member:seoul"),
    ]
    assert [each["actor"] for each in entries[:3]] == ["operator"] * 3


@pytest.mark.parametrize("tail", ["", "/export"])
@pytest.mark.parametrize(
    ("member", "scopes", "slug", "status", "code"),
    [
        ("tokyo", SECRETARIAT, "seoul", 404, "audit-trail-not-found"),
        ("tokyo", SECRETARIAT, "nowhere", 404, "audit-trail-not-found"),
        ("seoul", OWN, "tokyo", 404, "audit-trail-not-found"),
        ("seoul", "members:read projects:write", "seoul", 403, "missing-scope"),
        (None, OWN, "seoul", 401, "unauthenticated"),
    ],
)
async def test_nobody_else_learns_whether_there_is_a_trail(
    seoul: Network, member: str | None, scopes: str, slug: str, status: int, code: str, tail: str
) -> None:
    async with seoul.client(member, scopes) as client:
        response = await client.get(f"/api/v1/members/{slug}/audit-entries{tail}")

    assert (response.status_code, code_of(response)) == (status, code)


async def test_a_suspended_member_still_reads_its_trail(seoul: Network) -> None:
    await seoul.step("seoul", "suspended", by="tokyo", on="2020-01-01", reason="Arrears")

    assert (await read(seoul))[-1]["action"] == "member.suspended"


@pytest.mark.parametrize(
    ("query", "positions"),
    [
        ("?action=official.appointed", [3]),
        ("?actor=client:tokyo-main", [1]),
        ("?outcome=refused", []),
        ("?outcome=done&sort=-created", [4, 3, 2, 1]),
        ("?since=2100-01-01T00:00:00Z", []),
        ("?since=2001-01-01T00:00:00Z&action=client.registered", [4]),
    ],
)
async def test_entries_are_found_by_what_who_and_when(
    seoul: Network, query: str, positions: list[int]
) -> None:
    assert [each["position"] for each in await read(seoul, PATH + query)] == positions


@pytest.mark.parametrize("sort", ["created", "-created"])
async def test_pages_lead_through_the_whole_trail_while_it_grows(seoul: Network, sort: str) -> None:
    address: str | None = f"{PATH}?limit=2&sort={sort}"
    found: list[int] = []
    async with seoul.client("seoul") as client:
        while address is not None and len(found) < 4:
            body = (await client.get(address)).json()
            found += [each["position"] for each in body["items"]]
            address = body["next"]
            await seoul.register(name="Another")

    assert found == ([1, 2, 3, 4] if sort == "created" else [4, 3, 2, 1])


@pytest.mark.parametrize(
    "query",
    [
        "?outcome=maybe",
        "?since=yesterday",
        "?since=2020-01-01T00:00:00",
        "?sort=hash",
        "?actor=%00",
        "?action=",
        "?action=a%0Ab",
        "?actor=a&actor=b",
        "?reason=x",
        "?cursor=x",
        "?limit=0",
        "/export?after=-1",
        "/export?after=99999999999999999999",
        "/export?after=x",
        "/export?limit=5",
    ],
)
async def test_bad_questions_are_refused(seoul: Network, query: str) -> None:
    async with seoul.client("seoul") as client:
        response = await client.get(PATH + query)

    assert response.status_code == 422, response.text


async def test_an_export_can_be_checked_with_nothing_but_what_it_holds(seoul: Network) -> None:
    entries, end = await exported(seoul)

    previous = "0" * 64
    for each in entries:
        hashed, before = each.pop("hash"), each.pop("previous_hash")
        canonical = json.dumps(each, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert before == previous
        assert hashlib.sha256((before + canonical).encode()).hexdigest() == hashed
        previous = hashed
    assert [each["position"] for each in entries] == [1, 2, 3, 4]
    assert end == {
        "member": "seoul",
        "position": 4,
        "hash": previous,
        "first_bad": None,
        "next": None,
    }


async def test_an_export_goes_on_where_one_has_ended(
    seoul: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "EXPORT_MAX", 3)

    first, end = await exported(seoul)
    second, last = await exported(seoul, end["next"].removeprefix(f"{PATH}/export"))

    assert [each["position"] for each in first] == [1, 2, 3]
    assert (end["hash"], end["first_bad"]) == (first[-1]["hash"], None)
    assert [each["position"] for each in second] == [4]
    assert (last["hash"], last["first_bad"], last["next"]) == (second[-1]["hash"], None, None)


async def test_an_export_longer_than_a_batch_is_whole(seoul: Network) -> None:
    await write(seoul, 450)

    entries, end = await exported(seoul)

    assert [each["position"] for each in entries] == list(range(1, 455))
    assert (end["position"], end["first_bad"]) == (454, None)


@pytest.mark.parametrize(
    ("statement", "positions", "first_bad"),
    [
        ("UPDATE audit_entry SET subject = 'x' WHERE position = 2", [1, 2, 3, 4], 2),
        ("DELETE FROM audit_entry WHERE position = 3", [1, 2, 4], 3),
        ("DELETE FROM audit_entry WHERE position = 4", [1, 2, 3], 4),
        ("DELETE FROM audit_entry", [], 1),
        ("UPDATE audit_head SET hash = 'x'", [1, 2, 3, 4], 4),
    ],
)
async def test_an_export_tells_where_the_trail_was_touched(
    seoul: Network, statement: str, positions: list[int], first_bad: int
) -> None:
    await as_superuser(seoul.database, statement)

    entries, end = await exported(seoul)

    assert [each["position"] for each in entries] == positions
    assert (end["first_bad"], end["hash"]) == (first_bad, None)


async def test_an_export_behind_what_there_is_is_refused(seoul: Network) -> None:
    async with seoul.client("seoul") as client:
        response = await client.get(f"{PATH}/export?after=5")

    assert (response.status_code, code_of(response)) == (404, "audit-entry-not-found")


async def test_an_erased_official_leaves_the_trail_as_it_was(seoul: Network) -> None:
    official = await seoul.appoint()
    before, _ = await exported(seoul)
    path = f"/seoul/officials/{official['id']}/erasure"

    response = await seoul.send("POST", path, by="seoul", version=official["version"])

    assert response.status_code == 200, response.text
    after, end = await exported(seoul)
    assert after[: len(before)] == before
    assert (after[-1]["action"], after[-1]["subject"]) == (
        "official.erased",
        f"official:{official['id']}",
    )
    assert end["first_bad"] is None
