"""Groups of a directory give roles, once the member's administrators have said which."""

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import func, select

from services.members.model.scim import ScimGroup, roles_with
from shared.contracts.members import Role
from tests.conftest import Database
from tests.members.network import ADMINISTRATOR, city, code_of
from tests.members.scim.directory import GROUP, Directory, directory_of


@pytest.mark.parametrize(
    ("roles", "given", "taken", "then"),
    [
        ((), {"contributor"}, set(), ("contributor",)),
        (("observer",), {"administrator"}, set(), ("administrator", "observer")),
        (("coordinator", "observer"), set(), {"observer"}, ("coordinator",)),
        (("observer",), {"coordinator"}, {"observer"}, ("coordinator",)),
        (("observer",), {"observer"}, {"observer"}, ("observer",)),
        (("observer",), set(), {"administrator"}, ("observer",)),
    ],
)
def test_who_comes_and_goes_has_the_roles_of_where_they_are(
    roles: tuple[Role, ...], given: set[Role], taken: set[Role], then: tuple[Role, ...]
) -> None:
    assert roles_with(roles, given=frozenset(given), taken=frozenset(taken)) == then


async def roles_of(seoul: Directory, *people: dict[str, Any]) -> list[list[str]]:
    return [(await seoul.official(one))["roles"] for one in people]


async def test_a_group_gives_nothing_until_somebody_says_what_it_stands_for(
    seoul: Directory,
) -> None:
    min_, jun = await seoul.create("min"), await seoul.create("jun")
    group = await seoul.group("administrator", min_, jun)

    before = await roles_of(seoul, min_, jun)
    response = await seoul.map(group, "coordinator")

    assert before == [[], []]
    assert (response.status_code, response.json()["role"]) == (200, "coordinator")
    assert await roles_of(seoul, min_, jun) == [["coordinator"], ["coordinator"]]
    assert (await seoul.network.happened())[-2:] == ["official.changed"] * 2


def add(*values: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {"op": "add", "path": "members", "value": list(values)} | given


MIN, JUN = {"value": "{min}"}, {"value": "{jun}"}


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "remove", "path": 'members[value eq "{min}"]'}, add(JUN)],
        [add(MIN, op="Remove"), add({"$ref": None} | JUN, op="Add")],
        [add({"display": "jun@seoul.example", "type": "User"} | JUN, op="replace")],
        [{"op": "replace", "value": {"members": [JUN]}}],
    ],
    ids=["by the book", "Entra", "Okta", "without a path"],
)
async def test_who_comes_into_a_group_has_its_role_and_who_leaves_has_not(
    seoul: Directory, operations: list[dict[str, Any]]
) -> None:
    min_, jun = await seoul.create("min"), await seoul.create("jun")
    group = await seoul.group("Leads", min_)
    await seoul.map(group, "coordinator")
    written = json.dumps(operations).replace("{min}", min_["id"]).replace("{jun}", jun["id"])

    response = await seoul.patch(f"/Groups/{group['id']}", *json.loads(written))

    assert response.status_code == 204, response.text
    assert await roles_of(seoul, min_, jun) == [[], ["coordinator"]]
    [shown] = (await seoul.get(f"/Groups/{group['id']}"))["members"]
    assert shown["value"] == jun["id"]
    assert shown["$ref"].endswith(f"/scim/v2/Users/{jun['id']}")
    [seen] = (await seoul.get(f"/Users/{jun['id']}"))["groups"]
    assert (seen["value"], seen["display"]) == (group["id"], "Leads")


async def test_a_role_stays_while_another_group_gives_it(seoul: Directory) -> None:
    min_ = await seoul.create()
    first, second = await seoul.group("One", min_), await seoul.group("Two", min_)
    for group in (first, second):
        await seoul.map(group, "contributor")

    await seoul.send("DELETE", f"/Groups/{first['id']}")
    after_one = await roles_of(seoul, min_)
    await seoul.patch(f"/Groups/{second['id']}", {"op": "remove", "path": "members"})

    assert after_one == [["contributor"]]
    assert await roles_of(seoul, min_) == [[]]


async def test_roles_given_by_hand_stay(seoul: Directory) -> None:
    administrator = await seoul.network.appoint(ADMINISTRATOR)
    group = await seoul.group("Leads", administrator)
    await seoul.map(group, "coordinator")
    both = await roles_of(seoul, administrator)

    await seoul.send("DELETE", f"/Groups/{group['id']}")

    assert both == [["administrator", "coordinator"]]
    assert await roles_of(seoul, administrator) == [["administrator"]]


async def test_the_last_administrator_does_not_leave_the_group(seoul: Directory) -> None:
    min_, jun = await seoul.create("min"), await seoul.create("jun")
    group = await seoul.group("Administrators", min_)
    await seoul.map(group, "administrator")
    path = f"/Groups/{group['id']}"
    happened = await seoul.network.happened()

    answers = [
        await seoul.patch(path, {"op": "remove", "path": "members"}),
        await seoul.send("DELETE", path),
        await seoul.map(group, None),
    ]

    assert [answer.status_code for answer in answers] == [409, 409, 409]
    assert code_of(answers[2]) == "last-administrator"
    assert await seoul.network.happened() == happened
    [kept] = (await seoul.get(path))["members"]
    assert kept["value"] == min_["id"]
    followed = await seoul.patch(
        path, {"op": "replace", "path": "members", "value": [{"value": jun["id"]}]}
    )
    assert followed.status_code == 204
    assert await roles_of(seoul, min_, jun) == [[], ["administrator"]]


async def test_a_group_may_stand_for_another_role(seoul: Directory) -> None:
    min_ = await seoul.create()
    group = await seoul.group("Leads", min_)
    await seoul.map(group, "coordinator")

    await seoul.map(group, "observer")

    assert await roles_of(seoul, min_) == [["observer"]]


async def test_a_group_is_renamed_and_found_by_its_name(seoul: Directory) -> None:
    group = await seoul.group("Leads")

    response = await seoul.patch(
        f"/Groups/{group['id']}",
        {"op": "replace", "value": {"id": group["id"], "displayName": "Leitung"}},
    )

    assert response.status_code == 204
    listed = await seoul.get(
        "/Groups", filter='displayName eq "LEITUNG"', excludedAttributes="members"
    )
    assert [one["id"] for one in listed["Resources"]] == [group["id"]]
    assert "members" not in listed["Resources"][0]


async def test_two_groups_have_two_names(seoul: Directory) -> None:
    await seoul.group("Leads")
    other = await seoul.group("Desk")

    created = await seoul.send("POST", "/Groups", {"schemas": [GROUP], "displayName": "LEADS"})
    renamed = await seoul.patch(
        f"/Groups/{other['id']}", {"op": "replace", "path": "displayName", "value": "leads"}
    )

    assert [created.status_code, renamed.status_code] == [409, 409]
    assert (await seoul.get(f"/Groups/{other['id']}"))["displayName"] == "Desk"


async def test_changes_of_one_group_at_once_are_all_kept(
    seoul: Directory, database: Database
) -> None:
    people = [await seoul.create(f"official-{place}") for place in range(6)]
    group = await seoul.group("Leads")
    await seoul.map(group, "contributor")

    answers = await asyncio.gather(
        *(
            seoul.patch(
                f"/Groups/{group['id']}",
                {"op": "add", "path": "members", "value": [{"value": one["id"]}]},
            )
            for one in people
        )
    )

    assert [answer.status_code for answer in answers] == [204] * 6
    shown = await seoul.get(f"/Groups/{group['id']}")
    assert {one["value"] for one in shown["members"]} == {one["id"] for one in people}
    assert await roles_of(seoul, *people) == [["contributor"]] * 6
    async with database.sessions() as session:
        version = await session.scalar(select(ScimGroup.version))
    assert version == 8  # made, given its role, and six times joined


async def test_of_two_who_mean_the_same_version_one_is_refused(seoul: Directory) -> None:
    group = await seoul.group("Leads")

    answers = await asyncio.gather(
        *(
            seoul.patch(
                f"/Groups/{group['id']}",
                {"op": "replace", "path": "displayName", "value": name},
                version=group["meta"]["version"],
            )
            for name in ("One", "Two")
        )
    )

    assert sorted(answer.status_code for answer in answers) == [204, 412]


async def test_only_the_member_says_what_its_groups_stand_for(
    seoul: Directory, database: Database
) -> None:
    await seoul.network.join(city("busan"))
    busan = await directory_of(seoul.network, "busan")
    min_ = await seoul.create()
    group = await seoul.group("Leads", min_)
    path = f"/seoul/scim-groups/{group['id']}"
    body = {"role": "administrator"}

    answers = {
        "busan": await seoul.network.send("PATCH", path, body, by="busan", version=1),
        "tokyo": await seoul.network.send("PATCH", path, body, by="tokyo", version=1),
        "reader": await seoul.network.send(
            "PATCH", path, body, by="seoul", scopes="members:read", version=1
        ),
        "stale": await seoul.network.send("PATCH", path, body, by="seoul", version=7),
        "unknown": await seoul.network.send(
            "PATCH", path, {"role": "mayor"}, by="seoul", version=1
        ),
        "directory": await seoul.patch(
            f"/Groups/{group['id']}", {"op": "add", "path": "role", "value": "administrator"}
        ),
        "seen by busan": await seoul.network.send("GET", "/seoul/scim-groups", by="busan"),
    }

    assert {who: answer.status_code for who, answer in answers.items()} == {
        "busan": 404,
        "tokyo": 404,
        "reader": 403,
        "stale": 412,
        "unknown": 422,
        "directory": 204,
        "seen by busan": 404,
    }
    assert (await busan.get("/Groups"))["totalResults"] == 0
    assert (await busan.send("GET", f"/Groups/{group['id']}")).status_code == 404
    assert (await busan.send("DELETE", f"/Groups/{group['id']}")).status_code == 404
    assert await roles_of(seoul, min_) == [[]]
    async with database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(ScimGroup)) == 1


@pytest.mark.parametrize("wrong", ["nobody", "0199aaaa-0000-7000-8000-000000000000", None, ""])
async def test_who_is_in_a_group_must_exist(seoul: Directory, wrong: str | None) -> None:
    response = await seoul.send(
        "POST",
        "/Groups",
        {"schemas": [GROUP], "displayName": "Leads", "members": [{"value": wrong}]},
    )

    assert response.status_code == 400
    assert (await seoul.get("/Groups"))["totalResults"] == 0


async def test_administrators_see_the_groups_of_their_directory(seoul: Directory) -> None:
    group = await seoul.group("Leads")

    listed = await seoul.network.get("/seoul/scim-groups", by="seoul")

    [shown] = listed["items"]
    assert (shown["id"], shown["display_name"], shown["role"]) == (group["id"], "Leads", None)
    assert shown["allowed_actions"] == ["change"]
