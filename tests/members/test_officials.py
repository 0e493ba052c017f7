"""Officials: appointed, changed, blocked, seen; and the last administrator."""

import asyncio
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from services.members.model.member import Member
from services.members.model.official import LastAdministrator, Official, OfficialErased
from services.members.model.speaker import Speaker
from services.members.use_cases.change_official import change_official
from shared.actor import ANY_LOGIN, Actor
from shared.clock import utc_now
from shared.contracts.members import OfficialStatus, Role
from tests.conftest import Database
from tests.members.network import ADMINISTRATOR, COORDINATOR, Network, city, code_of

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def official(
    roles: tuple[Role, ...] = ("administrator",), status: OfficialStatus = "active"
) -> Official:
    return Official(
        member="seoul",
        function={"en": "Administrator"},
        name=None,
        email=None,
        language="ko",
        roles=roles,
        status=status,
        created_at=NOON,
        updated_at=NOON,
    )


@pytest.mark.parametrize("change", [{"status": "blocked"}, {"roles": ("coordinator",)}], ids=str)
def test_the_last_administrator_stays(change: dict[str, Any]) -> None:
    last = official()

    with pytest.raises(LastAdministrator):
        last.change(change, administrators={last.id}, at=NOON)

    assert (last.roles, last.status, last.version) == (("administrator",), "active", 1)


def test_an_administrator_beside_another_can_go() -> None:
    one, other = official(), official()

    one.change({"status": "blocked"}, administrators={one.id, other.id}, at=NOON)

    assert (one.status, one.version) == ("blocked", 2)


def test_the_last_administrator_may_be_corrected() -> None:
    last = official()

    assert last.change({"name": "Min"}, administrators={last.id}, at=NOON)

    assert (last.name, last.version) == ("Min", 2)


def test_a_blocked_administrator_does_not_count() -> None:
    last, blocked = official(), official(status="blocked")

    assert blocked.change({"roles": ("observer",)}, administrators={last.id}, at=NOON)


def test_nothing_changes_of_an_erased_official() -> None:
    erased = official(status="erased")

    with pytest.raises(OfficialErased):
        erased.change({"name": "Min"}, administrators=frozenset(), at=NOON)

    assert erased.name is None


def test_the_actions_offered_for_an_official_are_those_that_would_succeed() -> None:
    seoul = Member(
        slug="seoul",
        kind="city",
        name={"en": "Seoul"},
        local_name=None,
        country="KR",
        time_zone="Asia/Seoul",
        latitude=37.5,
        longitude=127.0,
        is_host=False,
        status="active",
        status_since=date(2001, 10, 1),
        created_at=NOON,
        updated_at=NOON,
    )
    own = Speaker(Actor("seoul", scopes=frozenset({"members:write"})), "active", is_host=False)
    busan = Speaker(Actor("busan", scopes=frozenset({"members:write"})), "active", is_host=False)
    last, blocked, erased = official(), official(status="blocked"), official(status="erased")

    assert last.allowed_actions(seoul, own, {last.id}) == ["change"]
    assert last.allowed_actions(seoul, own, {last.id, uuid4()}) == ["change", "block", "erase"]
    assert blocked.allowed_actions(seoul, own, {last.id}) == ["change", "unblock", "erase"]
    assert erased.allowed_actions(seoul, own, {last.id}) == []
    assert last.allowed_actions(seoul, busan, {last.id, uuid4()}) == []


async def test_a_member_appoints_its_officials(network: Network) -> None:
    await network.join()

    response = await network.send("POST", "/seoul/officials", ADMINISTRATOR, by="seoul")

    assert response.status_code == 201
    appointed = response.json()
    assert response.headers["location"] == f"/api/v1/members/seoul/officials/{appointed['id']}"
    assert response.headers["etag"] == '"1"'
    assert UUID(appointed["id"]).version == 7
    assert (appointed["name"], appointed["status"]) == ("Administrator", "active")
    event = (await network.events())[-1]
    assert (event.type, event.subject) == ("renkei.official.appointed.v1", appointed["id"])
    assert event.audience == ("seoul",)
    assert event.data.state.email == "administrator@seoul.example"


async def test_an_invited_member_may_appoint_before_it_accepts(network: Network) -> None:
    await network.invite()

    assert (await network.appoint())["member"] == "seoul"


async def test_roles_are_a_set(network: Network) -> None:
    await network.join()

    appointed = await network.appoint(
        ADMINISTRATOR | {"roles": ["contributor", "administrator", "contributor"]}
    )

    assert appointed["roles"] == ["administrator", "contributor"]


async def test_an_appointment_sent_again_is_one_appointment(network: Network) -> None:
    await network.join()

    answers = [
        await network.send("POST", "/seoul/officials", ADMINISTRATOR, by="seoul", key="first")
        for _ in range(2)
    ]

    assert answers[0].json() == answers[1].json()
    assert (await network.happened()).count("official.appointed") == 2  # with Tokyo's own


@pytest.mark.parametrize(
    "wrong",
    [
        {"roles": []},
        {"roles": ["mayor"]},
        {"roles": "administrator"},
        {"language": "Korean"},
        {"email": "seoul"},
        {"function": {}},
        {"name": " "},
        {"status": "blocked"},
    ],
    ids=str,
)
async def test_an_appointment_that_makes_no_sense_is_refused(
    network: Network, wrong: dict[str, Any]
) -> None:
    await network.join()
    before = await network.happened()

    response = await network.send("POST", "/seoul/officials", ADMINISTRATOR | wrong, by="seoul")

    assert (response.status_code, code_of(response)) == (422, "invalid-request")
    assert await network.happened() == before


async def test_the_secretariat_appoints_the_first_administrator_and_no_other(
    network: Network,
) -> None:
    await network.invite()

    coordinator = await network.send("POST", "/seoul/officials", COORDINATOR)
    first = await network.send("POST", "/seoul/officials", ADMINISTRATOR)
    second = await network.send("POST", "/seoul/officials", ADMINISTRATOR)

    assert code_of(coordinator) == "only-the-member-itself"
    assert first.status_code == 201
    assert (second.status_code, code_of(second)) == (403, "only-the-member-itself")
    listed = await network.get("/seoul/officials", by="seoul")
    assert [item["id"] for item in listed["items"]] == [first.json()["id"]]


@pytest.mark.parametrize(
    ("by", "scopes", "code"),
    [
        ("busan", "members:write", "only-the-member-itself"),
        ("seoul", "members:read", "missing-scope"),
    ],
)
async def test_nobody_else_appoints(network: Network, by: str, scopes: str, code: str) -> None:
    await network.join()
    await network.join(city("busan"))
    before = await network.happened()

    response = await network.send("POST", "/seoul/officials", ADMINISTRATOR, by=by, scopes=scopes)

    assert (response.status_code, code_of(response)) == (403, code)
    assert await network.happened() == before


async def test_other_members_see_the_function_but_not_the_person(network: Network) -> None:
    await network.join()
    await network.join(city("busan"))
    appointed = await network.appoint()
    path = f"/seoul/officials/{appointed['id']}"

    own, others = await network.get(path, by="seoul"), await network.get(path, by="busan")
    [listed] = (await network.get("/seoul/officials", by="tokyo"))["items"]

    assert (own["name"], own["email"]) == ("Administrator", "administrator@seoul.example")
    for seen in (others, listed):
        assert (seen["name"], seen["email"], seen["allowed_actions"]) == (None, None, [])
        assert seen["function"] == ADMINISTRATOR["function"]
        assert seen["roles"] == ["administrator"]


async def test_who_has_not_joined_sees_no_officials_of_others(network: Network) -> None:
    await network.join()
    await network.invite(city("busan"))
    appointed = await network.appoint()

    for path in ("/seoul/officials", f"/seoul/officials/{appointed['id']}"):
        response = await network.send("GET", path, by="busan")
        assert (response.status_code, code_of(response)) == (403, "member-not-active")


async def test_a_stranger_sees_no_officials(network: Network) -> None:
    response = await network.send("GET", "/tokyo/officials", by=None, scopes="-")

    assert (response.status_code, code_of(response)) == (401, "unauthenticated")


async def test_an_official_is_found_only_at_its_member(network: Network) -> None:
    await network.join()
    appointed = await network.appoint()

    response = await network.send("GET", f"/tokyo/officials/{appointed['id']}")

    assert (response.status_code, code_of(response)) == (404, "official-not-found")


async def test_officials_are_filtered(network: Network) -> None:
    await network.join()
    administrator, coordinator = await network.appoint(), await network.appoint(COORDINATOR)

    async def ids(query: str) -> list[str]:
        listed = await network.get(f"/seoul/officials?{query}", by="seoul")
        return [item["id"] for item in listed["items"]]

    assert await ids("role=coordinator") == [coordinator["id"]]
    assert await ids("status=blocked") == []
    assert await ids("sort=-created") == [coordinator["id"], administrator["id"]]
    assert await ids(f"updated_since={coordinator['updated_at']}") == [coordinator["id"]]


async def test_a_member_corrects_an_official(network: Network) -> None:
    await network.join()
    appointed = await network.appoint()

    response = await network.send(
        "PATCH",
        f"/seoul/officials/{appointed['id']}",
        {"name": None, "language": "en"},
        by="seoul",
        version=1,
    )

    assert (response.status_code, response.headers["etag"]) == (200, '"2"')
    assert (response.json()["name"], response.json()["language"]) == (None, "en")
    event = (await network.events())[-1]
    assert (event.type, event.entityversion) == ("renkei.official.changed.v1", 2)
    assert event.audience == ("seoul",)


async def test_blocking_weighs_more_than_a_new_name(network: Network) -> None:
    await network.join()
    await network.appoint()
    appointed = await network.appoint(COORDINATOR)
    path = f"/seoul/officials/{appointed['id']}"

    blocked = await network.send(
        "PATCH", path, {"status": "blocked", "name": "Min"}, by="seoul", version=1
    )
    unblocked = await network.send("PATCH", path, {"status": "active"}, by="seoul", version=2)

    assert blocked.json()["allowed_actions"] == ["change", "unblock", "erase"]
    assert unblocked.json()["status"] == "active"
    assert (await network.happened())[-2:] == ["official.blocked", "official.unblocked"]


@pytest.mark.parametrize(
    ("by", "scopes", "version", "status", "code"),
    [
        ("busan", "members:write", 1, 403, "only-the-member-itself"),
        ("tokyo", "members:write network:write", 1, 403, "only-the-member-itself"),
        ("seoul", "members:read", 1, 403, "missing-scope"),
        ("seoul", "members:write", None, 428, "version-required"),
        ("seoul", "members:write", 2, 412, "version-stale"),
        ("seoul", "members:write", 1, 409, "last-administrator"),
    ],
)
async def test_a_refused_change_of_an_official_changes_nothing(
    network: Network, by: str, scopes: str, version: int | None, status: int, code: str
) -> None:
    await network.join()
    await network.join(city("busan"))
    appointed = await network.appoint()
    path = f"/seoul/officials/{appointed['id']}"
    before = await network.happened()

    response = await network.send(
        "PATCH", path, {"status": "blocked"}, by=by, scopes=scopes, version=version
    )

    assert (response.status_code, code_of(response)) == (status, code)
    assert (await network.get(path, by="seoul"))["status"] == "active"
    assert await network.happened() == before


async def test_an_unknown_official_is_not_found(network: Network) -> None:
    await network.join()

    response = await network.send(
        "PATCH", f"/seoul/officials/{uuid4()}", {"name": "x"}, by="seoul", version=1
    )

    assert (response.status_code, code_of(response)) == (404, "official-not-found")


@pytest.mark.parametrize(
    "body", [{"roles": None}, {"status": "erased"}, {"member": "busan"}, {"email": 5}], ids=str
)
async def test_a_change_of_an_official_that_makes_no_sense_is_refused(
    network: Network, body: dict[str, Any]
) -> None:
    await network.join()
    appointed = await network.appoint()

    response = await network.send(
        "PATCH", f"/seoul/officials/{appointed['id']}", body, by="seoul", version=1
    )

    assert (response.status_code, code_of(response)) == (422, "invalid-request")


async def test_an_erased_official_stays_as_it_is(network: Network) -> None:
    await network.join()
    appointed = await network.appoint(COORDINATOR)
    async with network.database.sessions.begin() as session:
        await session.execute(
            update(Official).where(Official.id == UUID(appointed["id"])).values(status="erased")
        )

    response = await network.send(
        "PATCH", f"/seoul/officials/{appointed['id']}", {"name": "x"}, by="seoul", version=1
    )

    assert (response.status_code, code_of(response)) == (409, "official-erased")


async def test_of_two_administrators_who_block_each_other_one_stays(
    network: Network, database: Database
) -> None:
    await network.join()
    pair = [await network.appoint(), await network.appoint()]
    scopes = frozenset({"members:write"})
    speaker = Speaker(Actor("seoul", client_id="seoul-main", scopes=scopes), "active", False)

    async def block(one: dict[str, Any]) -> str:
        try:
            async with database.sessions.begin() as session:
                await change_official(
                    session,
                    "seoul",
                    UUID(one["id"]),
                    {"status": "blocked"},
                    expected=1,
                    speaker=speaker,
                    login=ANY_LOGIN,
                    now=utc_now(),
                )
        except LastAdministrator:
            return "refused"
        return "blocked"

    outcomes = await asyncio.gather(*(block(one) for one in pair))

    assert sorted(outcomes) == ["blocked", "refused"]
    listed = await network.get("/seoul/officials?status=active", by="seoul")
    assert len(listed["items"]) == 1
    assert (await network.happened()).count("official.blocked") == 1
