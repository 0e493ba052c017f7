"""A directory asks for no more at once than the process can bear beside everything else."""

from typing import Any

import pytest

from tests.members.scim.directory import PATCH, USER, Directory

FILTERED = 'emails[value eq "a"].type'
VALUES = [{"value": f"0199aaaa-0000-7000-8000-{place:012d}"} for place in range(2_001)]
ADD = {"op": "add", "path": "emails", "value": VALUES[:2_000]}


def operations(*given: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH], "Operations": list(given)}


@pytest.mark.parametrize(
    "body",
    [
        operations(*[{"op": "add", "path": FILTERED, "value": "work"}] * 101),
        operations({"op": "add", "path": "emails" + "x" * 1_000, "value": "work"}),
        operations({"op": "remove", "path": "emails", "value": VALUES}),
        operations({"op": "add", "value": {f"title{place}": "x" for place in range(101)}}),
        operations({"op": "add", "value": {"x" * 1_001: "x"}}),
        operations(*[{"op": "add", "value": {f"a{n}": "x" for n in range(20)}}] * 100),
        operations(ADD, *[{"op": "add", "path": FILTERED, "value": "x"}] * 10),
        operations(ADD, {"op": "remove", "path": "emails", "value": VALUES[:50]}),
    ],
    ids=[
        "operations",
        "a path",
        "values",
        "attributes",
        "a name",
        "attributes in many operations",
        "comparisons",
        "comparisons of values",
    ],
)
async def test_what_would_take_long_is_refused(seoul: Directory, body: dict[str, Any]) -> None:
    made = await seoul.create()

    response = await seoul.send("PATCH", f"/Users/{made['id']}", body)

    assert response.status_code == 413, response.text
    assert await seoul.get(f"/Users/{made['id']}") == made


async def test_a_long_filter_is_refused(seoul: Directory) -> None:
    wanted = " or ".join(["title pr"] * 100)

    asked = await seoul.send("GET", "/Users", params={"filter": wanted})
    posted = await seoul.send("POST", "/Users/.search", {"filter": wanted})
    sorted_ = await seoul.send("GET", "/Users", params={"sortBy": "x" * 1_001})

    assert (asked.status_code, asked.json()["scimType"]) == (400, "invalidFilter")
    assert (posted.status_code, sorted_.status_code) == (413, 413)


async def test_what_directories_really_send_is_borne(seoul: Directory) -> None:
    made = await seoul.create()
    profile = {f'emails[type eq "{kind}"].value': "a@b.example" for kind in ("work", "home")}

    response = await seoul.patch(
        f"/Users/{made['id']}",
        {"op": "add", "value": profile | {f"{USER}:title": "Engineer"}},
        *[{"op": "replace", "path": "displayName", "value": f"Min {n}"} for n in range(40)],
    )

    assert response.status_code == 200, response.text
    seen = await seoul.get(f"/Users/{made['id']}")
    assert (seen["displayName"], seen["title"]) == ("Min 39", "Engineer")


async def test_a_group_has_a_thousand_people_at_most(seoul: Directory) -> None:
    response = await seoul.send(
        "POST", "/Groups", {"displayName": "All", "members": VALUES[:1_001]}
    )

    assert (response.status_code, response.json()["scimType"]) == (400, "invalidValue")
    assert "1000" in response.json()["detail"]


async def test_a_page_ends_where_its_entries_hold_enough(
    seoul: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.members.queries.scim.INCLUDED_MAX", 4)
    people = [await seoul.create("min"), await seoul.create("jun")]
    groups = [await seoul.group(f"group {number}", *people) for number in range(3)]

    first = await seoul.get("/Groups", count="200")
    rest = await seoul.get("/Groups", startIndex="3", count="200")
    persons = await seoul.get("/Users", count="200")
    tried = await seoul.send("GET", "/Groups", params={"filter": 'displayName sw "group"'})
    named = await seoul.get("/Groups", filter='displayName eq "group 2"')

    assert (first["totalResults"], first["itemsPerPage"]) == (3, 2)
    assert [one["id"] for one in first["Resources"] + rest["Resources"]] == [
        one["id"] for one in groups
    ]
    assert (persons["totalResults"], persons["itemsPerPage"]) == (2, 1)
    assert (tried.status_code, tried.json()["scimType"]) == (400, "tooMany")
    assert [one["id"] for one in named["Resources"]] == [groups[2]["id"]]
