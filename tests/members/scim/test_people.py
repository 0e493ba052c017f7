"""People of whom a directory tells are officials, by the same verbs as everywhere else."""

from typing import Any

import pytest
from sqlalchemy import func, select

from services.members.model.official import Official
from services.members.model.scim import ScimGroupMember, ScimUser
from services.members.model.sign_in import SignIn
from services.members.model.token_family import TokenFamily
from tests.conftest import Database
from tests.members.network import ADMINISTRATOR, COORDINATOR, city
from tests.members.oauth.people import application, family_of, log_in
from tests.members.scim.directory import ERROR, USER, Directory, directory_of
from tests.web import api, person_token

DEACTIVATE = {"op": "replace", "path": "active", "value": False}


async def test_somebody_new_becomes_an_official_without_roles(seoul: Directory) -> None:
    made = await seoul.create(title="Water engineer", preferredLanguage="ko-KR", externalId="e-1")

    assert made["meta"]["location"].endswith(f"/scim/v2/Users/{made['id']}")
    official = await seoul.official(made)
    assert (official["name"], official["email"]) == ("Min", "min@seoul.example")
    assert official["function"] == {"ko-KR": "Water engineer"}
    assert (official["roles"], official["status"]) == ([], "active")
    event = (await seoul.network.events())[-1]
    assert (event.type, event.subject) == ("renkei.official.appointed.v1", made["id"])
    assert str(event.actor).startswith("client:scim-")
    assert event.audience == ("seoul",)


async def test_somebody_can_be_told_of_who_is_not_active_yet(seoul: Directory) -> None:
    made = await seoul.create(active=False)

    assert made["active"] is False
    assert (await seoul.official(made))["status"] == "blocked"


async def test_one_name_is_one_person(seoul: Directory) -> None:
    await seoul.create()
    happened = await seoul.network.happened()

    again = await seoul.send("POST", "/Users", {"schemas": [USER], "userName": "MIN@seoul.example"})

    assert (again.status_code, again.json()["scimType"]) == (409, "uniqueness")
    assert await seoul.network.happened() == happened


async def test_a_directory_finds_who_was_appointed_by_hand_and_takes_them_over(
    seoul: Directory,
) -> None:
    appointed = await seoul.network.appoint(ADMINISTRATOR)

    [found] = (await seoul.get("/Users", filter='userName eq "Administrator@Seoul.example"'))[
        "Resources"
    ]
    response = await seoul.patch(
        f"/Users/{found['id']}", {"op": "add", "path": "externalId", "value": "e-1"}
    )

    assert found["id"] == appointed["id"]
    assert response.status_code == 200
    [same] = (await seoul.get("/Users", filter='externalId eq "e-1"'))["Resources"]
    assert same["id"] == appointed["id"]
    assert (await seoul.official(same))["roles"] == ["administrator"]


@pytest.mark.parametrize(
    "operation",
    [
        DEACTIVATE,
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "replace", "value": {"active": False}},
        {"op": "Add", "path": "active", "value": "False"},
        {"op": "replace", "path": f"{USER}:active", "value": False},
    ],
    ids=["by the book", "Entra", "Okta", "Entra adding", "by its whole name"],
)
async def test_who_is_active_no_more_is_out_at_once(
    seoul: Directory, database: Database, operation: dict[str, Any]
) -> None:
    async with database.sessions.begin() as session:
        person = await log_in(session, "coordinator", member="seoul")
        desk = application()
        session.add(desk)
        await session.flush()
        family = family_of(person, desk)
        session.add(family)
    token = person_token("seoul", person.official.id, session_id=family.id)
    headers = {"Authorization": f"Bearer {token}"}
    async with api(seoul.network.app) as browser:
        before = await browser.get("/api/v1/members", headers=headers)

        response = await seoul.patch(f"/Users/{person.official.id}", operation)

        after = await browser.get("/api/v1/members", headers=headers)
    assert (response.status_code, before.status_code, after.status_code) == (200, 200, 401)
    assert response.json()["active"] is False
    async with database.sessions() as session:
        sign_in = await session.get_one(SignIn, person.sign_in.id)
        official = await session.get_one(Official, person.official.id)
        ended = await session.get_one(TokenFamily, family.id)
    assert (official.status, official.is_deactivated) == ("blocked", True)
    assert {sign_in.ended_because, ended.revoked_because} == {"official blocked"}
    assert {"official.blocked", "session.ended"} <= {*await seoul.network.happened()}


async def test_who_is_active_again_may_act_again(seoul: Directory) -> None:
    made = await seoul.create()
    await seoul.patch(f"/Users/{made['id']}", DEACTIVATE)

    response = await seoul.patch(f"/Users/{made['id']}", DEACTIVATE | {"value": "True"})

    assert response.status_code == 200
    assert (await seoul.official(made))["status"] == "active"
    assert (await seoul.network.happened())[-1] == "official.unblocked"


@pytest.mark.parametrize("active", [False, True])
async def test_what_the_directory_leaves_open_changes_nothing(
    seoul: Directory, active: bool
) -> None:
    made = await seoul.create(active=active)
    before = await seoul.official(made)

    response = await seoul.patch(f"/Users/{made['id']}", {"op": "remove", "path": "active"})

    assert response.status_code == 200
    assert "active" not in response.json()
    assert await seoul.official(made) == before


@pytest.mark.parametrize("was_deactivated", [False, True])
async def test_who_was_blocked_by_hand_is_not_unblocked_by_the_directory(
    seoul: Directory, was_deactivated: bool
) -> None:
    made = await seoul.create()
    path = f"/seoul/officials/{made['id']}"
    if was_deactivated:
        await seoul.patch(f"/Users/{made['id']}", DEACTIVATE)
        await seoul.patch(f"/Users/{made['id']}", DEACTIVATE | {"value": True})
    version = (await seoul.official(made))["version"]
    await seoul.network.send("PATCH", path, {"status": "blocked"}, by="seoul", version=version)

    renamed = await seoul.patch(
        f"/Users/{made['id']}", {"op": "replace", "path": "displayName", "value": "Min Kim"}
    )
    unblocked = await seoul.send(
        "PUT",
        f"/Users/{made['id']}",
        {"schemas": [USER], "userName": "min@seoul.example", "active": True},
    )

    assert renamed.status_code == 200
    assert (unblocked.status_code, unblocked.json()["schemas"]) == (409, [ERROR])
    official = await seoul.official(made)
    assert (official["status"], official["name"]) == ("blocked", "Min Kim")


async def test_the_last_administrator_stays(seoul: Directory) -> None:
    last = await seoul.network.appoint(ADMINISTRATOR)
    happened = await seoul.network.happened()

    deactivated = await seoul.patch(f"/Users/{last['id']}", DEACTIVATE)
    deleted = await seoul.send("DELETE", f"/Users/{last['id']}")

    for response in (deactivated, deleted):
        assert response.status_code == 409
        assert response.json()["detail"] == "Appoint another administrator of seoul first."
    assert (await seoul.official(last))["status"] == "active"
    assert await seoul.network.happened() == happened


async def test_who_is_deleted_is_erased(seoul: Directory, database: Database) -> None:
    made = await seoul.create(externalId="e-1")
    group = await seoul.group("Water", made)

    response = await seoul.send("DELETE", f"/Users/{made['id']}")

    assert response.status_code == 204
    assert (await seoul.official(made))["status"] == "erased"
    assert (await seoul.send("GET", f"/Users/{made['id']}")).status_code == 404
    assert (await seoul.send("DELETE", f"/Users/{made['id']}")).status_code == 404
    assert (await seoul.get("/Users", filter='userName eq "min@seoul.example"'))[
        "totalResults"
    ] == 0
    assert "members" not in await seoul.get(f"/Groups/{group['id']}")
    async with database.sessions() as session:
        for kind in (ScimUser, ScimGroupMember):
            assert await session.scalar(select(func.count()).select_from(kind)) == 0
    await seoul.create()


async def test_erasure_by_hand_takes_the_words_of_the_directory_too(
    seoul: Directory, database: Database
) -> None:
    made = await seoul.create()

    await seoul.network.send(
        "POST", f"/seoul/officials/{made['id']}/erasure", by="seoul", version=1
    )

    assert (await seoul.send("GET", f"/Users/{made['id']}")).status_code == 404
    async with database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(ScimUser)) == 0


async def test_a_change_by_hand_is_what_the_directory_sees(seoul: Directory) -> None:
    made = await seoul.create()

    await seoul.network.send(
        "PATCH",
        f"/seoul/officials/{made['id']}",
        {"name": "Min Kim", "email": "kim@seoul.example"},
        by="seoul",
        version=1,
    )

    seen = await seoul.get(f"/Users/{made['id']}")
    assert (seen["displayName"], seen["emails"][0]["value"]) == ("Min Kim", "kim@seoul.example")
    assert seen["userName"] == "min@seoul.example"
    assert seen["meta"]["version"] != made["meta"]["version"]


async def test_what_okta_says_with_a_whole_profile_is_taken_over(seoul: Directory) -> None:
    made = await seoul.create()

    response = await seoul.send(
        "PUT",
        f"/Users/{made['id']}",
        {
            "schemas": [USER],
            "id": made["id"],
            "userName": "min.kim@seoul.example",
            "name": {"givenName": "Min", "familyName": "Kim"},
            "displayName": "Min Kim",
            "emails": [
                {"primary": False, "value": "home@elsewhere.example", "type": "home"},
                {"primary": True, "value": "min.kim@seoul.example", "type": "work"},
            ],
            "locale": "en-US",
            "preferredLanguage": "ko_kr",
            "groups": [],
            "active": True,
            "password": "never kept",
        },
    )

    assert response.status_code == 200, response.text
    assert "password" not in response.text
    official = await seoul.official(made)
    assert (official["name"], official["email"]) == ("Min Kim", "min.kim@seoul.example")
    assert official["language"] == "ko-KR"
    assert (await seoul.network.happened())[-1] == "official.changed"


async def test_what_entra_says_bit_by_bit_is_taken_over(seoul: Directory) -> None:
    made = await seoul.create(emails=[])
    enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

    response = await seoul.patch(
        f"/Users/{made['id']}",
        {"op": "Add", "path": 'emails[type eq "work"].value', "value": "kim@seoul.example"},
        {"op": "Replace", "path": "displayName", "value": "Min Kim"},
        {"op": "Add", "path": "name.givenName", "value": "Min"},
        {"op": "Add", "path": f"{enterprise}:department", "value": "Water"},
        {"op": "Add", "path": 'phoneNumbers[type eq "work"].value', "value": "1"},
        {"op": "Add", "path": "externalId", "value": "8ab2"},
        {"op": "Add", "value": {"title": "Engineer", f"{enterprise}:employeeNumber": "7"}},
    )

    assert response.status_code == 200, response.text
    seen = await seoul.get(f"/Users/{made['id']}")
    assert seen["emails"] == [{"value": "kim@seoul.example", "type": "work"}]
    assert (seen["displayName"], seen["title"]) == ("Min Kim", "Engineer")
    assert seen["externalId"] == "8ab2"


async def test_a_change_that_changes_nothing_is_told_to_nobody(seoul: Directory) -> None:
    made = await seoul.create()
    happened = await seoul.network.happened()

    response = await seoul.patch(
        f"/Users/{made['id']}", {"op": "replace", "path": "displayName", "value": "Min"}
    )

    assert response.status_code == 200
    assert (await seoul.get(f"/Users/{made['id']}"))["meta"] == made["meta"]
    assert await seoul.network.happened() == happened


async def test_nobody_overwrites_what_they_have_not_seen(seoul: Directory) -> None:
    made = await seoul.create()
    rename = {"op": "replace", "path": "displayName", "value": "Other"}

    first = await seoul.patch(f"/Users/{made['id']}", rename, version=made["meta"]["version"])
    second = await seoul.patch(f"/Users/{made['id']}", DEACTIVATE, version=made["meta"]["version"])
    deleted = await seoul.send("DELETE", f"/Users/{made['id']}", version=made["meta"]["version"])

    assert (first.status_code, second.status_code, deleted.status_code) == (200, 412, 412)
    seen = await seoul.send("GET", f"/Users/{made['id']}")
    assert (seen.json()["displayName"], seen.json()["active"]) == ("Other", True)
    same = await seoul.send(
        "GET", f"/Users/{made['id']}", headers={"If-None-Match": seen.headers["etag"]}
    )
    assert same.status_code == 304


async def test_another_members_people_do_not_exist(seoul: Directory) -> None:
    await seoul.network.join(city("busan"))
    busan = await directory_of(seoul.network, "busan")
    made = await seoul.create(externalId="e-1")
    path = f"/Users/{made['id']}"
    unknown = await busan.send("GET", "/Users/0199aaaa-0000-7000-8000-000000000000")

    answers = [
        await busan.send("GET", path),
        await busan.send("PUT", path, {"schemas": [USER], "userName": "x"}),
        await busan.patch(path, DEACTIVATE),
        await busan.send("DELETE", path),
    ]
    listed = await busan.get("/Users")
    filtered = await busan.get("/Users", filter=f'id eq "{made["id"]}"')
    in_group = await busan.send(
        "POST",
        "/Groups",
        {"schemas": [], "displayName": "g", "members": [{"value": made["id"]}]},
    )

    assert [answer.status_code for answer in answers] == [404] * 4
    assert answers[0].json()["detail"].replace(made["id"], "") == unknown.json()["detail"].replace(
        "0199aaaa-0000-7000-8000-000000000000", ""
    )
    assert (listed["totalResults"], filtered["totalResults"]) == (0, 0)
    assert in_group.status_code == 400
    assert (await seoul.official(made))["status"] == "active"


@pytest.mark.parametrize("status", ["suspended", "withdrawn"])
async def test_a_member_that_is_not_active_says_nothing(seoul: Directory, status: str) -> None:
    made = await seoul.create()
    by = "tokyo" if status == "suspended" else "seoul"
    if status == "withdrawn":
        await seoul.network.appoint(COORDINATOR)
    await seoul.network.step("seoul", status, by=by, reason="r")
    happened = await seoul.network.happened()

    changed = await seoul.patch(f"/Users/{made['id']}", DEACTIVATE)
    created = await seoul.send("POST", "/Users", {"schemas": [USER], "userName": "x"})
    grouped = await seoul.send("POST", "/Groups", {"schemas": [], "displayName": "x"})

    expected = 403 if status == "suspended" else 401
    assert {changed.status_code, created.status_code, grouped.status_code} == {expected}
    assert await seoul.network.happened() == happened


async def test_lists_come_in_parts(seoul: Directory) -> None:
    made = [await seoul.create(f"official-{place}") for place in range(5)]

    first = await seoul.get("/Users", startIndex="1", count="2")
    last = await seoul.get("/Users", startIndex="5", count="2")
    beyond = await seoul.get("/Users", startIndex="9" * 300)
    none = await seoul.get("/Users", count="0")

    assert [one["id"] for one in first["Resources"]] == [one["id"] for one in made[:2]]
    assert (first["totalResults"], first["itemsPerPage"]) == (5, 2)
    assert [one["id"] for one in last["Resources"]] == [made[4]["id"]]
    assert (beyond["totalResults"], none["totalResults"]) == (5, 5)
    assert (beyond["Resources"], none["Resources"]) == ([], [])


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ('userName eq "A@seoul.example"', ["a"]),
        ('emails.value eq "b@SEOUL.example"', ["b"]),
        ('emails eq "b@seoul.example"', ["b"]),
        ('emails[value eq "b@seoul.example"]', ["b"]),
        ('emails[type eq "work" and value co "a@"]', ["a"]),
        ('externalId eq "e-a"', ["a"]),
        ('externalId eq "E-A"', []),
        ('userName eq "a@seoul.example" and active eq true', ["a"]),
        ('userName eq "a@seoul.example" and active eq false', []),
        ('userName sw "b" or externalId eq "e-a"', ["a", "b"]),
        ('not (displayName eq "a")', ["b"]),
        ("title pr", []),
        ('id eq "nobody"', []),
        (f'{USER}:userName eq "a@seoul.example"', ["a"]),
        ('userName eq "\\u0000"', []),
        ('userName eq "\\ud800"', []),
    ],
)
async def test_people_are_found_by_what_the_directory_knows(
    seoul: Directory, wanted: str, found: list[str]
) -> None:
    for name in ("a", "b"):
        await seoul.create(name, externalId=f"e-{name}")

    listed = await seoul.get("/Users", filter=wanted)
    posted = await seoul.send(
        "POST",
        "/Users/.search",
        {
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "filter": wanted,
            "sortBy": "userName",
        },
    )

    names = [one["displayName"].lower() for one in listed["Resources"]]
    assert (names, listed["totalResults"]) == (found, len(found))
    assert posted.json()["totalResults"] == len(found)
