"""Members over HTTP: invite, read, list, change."""

import pytest

from tests.members.network import OPENING, SECRETARIAT, SEOUL, Network, city, code_of


async def test_the_secretariat_invites(network: Network) -> None:
    response = await network.send("POST", "", SEOUL)

    assert response.status_code == 201
    assert response.headers["location"] == "/api/v1/members/seoul"
    assert response.headers["etag"] == '"1"'
    seoul = response.json()
    assert (seoul["status"], seoul["status_since"]) == ("invited", "2001-09-01")
    assert (seoul["local_name"], seoul["is_host"]) == ("서울특별시", False)
    [event] = (await network.events())[3:]
    assert event.type == "renkei.member.invited.v1"
    assert (event.subject, event.entityversion, event.audience) == ("seoul", 1, ("*",))
    assert (event.actor, event.actormember) == ("client:tokyo-main", "tokyo")


@pytest.mark.parametrize(
    ("by", "scopes", "code"),
    [
        ("seoul", SECRETARIAT, "only-the-secretariat"),
        ("tokyo", "members:read members:write", "missing-scope"),
    ],
)
async def test_nobody_else_invites(network: Network, by: str, scopes: str, code: str) -> None:
    await network.join()
    before = await network.happened()

    response = await network.send("POST", "", city("busan"), by=by, scopes=scopes)

    assert (response.status_code, code_of(response)) == (403, code)
    assert await network.happened() == before


async def test_a_slug_is_given_once(network: Network) -> None:
    await network.invite()

    response = await network.send("POST", "", SEOUL)

    assert (response.status_code, code_of(response)) == (409, "member-exists")
    assert await network.happened() == [*OPENING, "member.invited"]


async def test_an_invitation_sent_again_is_one_invitation(network: Network) -> None:
    first = await network.send("POST", "", SEOUL, key="invite-seoul")
    second = await network.send("POST", "", SEOUL, key="invite-seoul")

    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert await network.happened() == [*OPENING, "member.invited"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"slug": "Seoul"},
        {"kind": "village"},
        {"name": {}},
        {"name": {"english": "Seoul"}},
        {"country": "KOR"},
        {"subdivision": "Busan"},
        {"subdivision": ""},
        {"time_zone": "Asia/Joseon"},
        {"latitude": 90.5},
        {"longitude": "126"},
        {"invited_on": "2001-02-30"},
        {"is_host": True},
        {"status": "active"},
        {"local_name": "Se\u0000oul"},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_an_invitation_that_makes_no_sense_changes_nothing(
    network: Network, wrong: dict[str, object]
) -> None:
    response = await network.send("POST", "", SEOUL | wrong)

    assert (response.status_code, code_of(response)) == (422, "invalid-request")
    assert await network.happened() == OPENING


async def test_nobody_is_invited_tomorrow(network: Network) -> None:
    response = await network.send("POST", "", SEOUL | {"invited_on": "2199-01-01"})

    assert (response.status_code, code_of(response)) == (422, "effective-in-future")
    assert await network.happened() == OPENING


async def test_every_member_sees_every_member(network: Network) -> None:
    await network.join()
    await network.invite(city("busan"))

    seoul = await network.get("/seoul", by="busan")
    listed = await network.get("?limit=2", by="busan")

    assert (seoul["slug"], seoul["allowed_actions"]) == ("seoul", [])
    assert [item["slug"] for item in listed["items"]] == ["tokyo", "seoul"]
    rest = await network.get(listed["next"].removeprefix("/api/v1/members"), by="busan")
    assert ([item["slug"] for item in rest["items"]], rest["next"]) == (["busan"], None)


async def test_a_stranger_sees_nobody(network: Network) -> None:
    for path in ("", "/tokyo", "/tokyo/membership-transitions"):
        response = await network.send("GET", path, by=None, scopes="-")
        assert (response.status_code, code_of(response)) == (401, "unauthenticated")


async def test_a_token_of_a_member_that_does_not_exist_is_not_valid(network: Network) -> None:
    response = await network.send("GET", "", by="atlantis")

    assert (response.status_code, code_of(response)) == (401, "unauthenticated")


async def test_reading_needs_the_scope(network: Network) -> None:
    response = await network.send("GET", "", scopes="projects:read")

    assert (response.status_code, code_of(response)) == (403, "missing-scope")


async def test_an_unknown_member_is_not_found(network: Network) -> None:
    response = await network.send("GET", "/atlantis")

    assert (response.status_code, code_of(response)) == (404, "member-not-found")


async def test_lists_are_filtered_and_sorted(network: Network) -> None:
    await network.join()
    await network.invite(city("busan"))
    await network.invite(city("cairo", country="EG", zone="Africa/Cairo"))
    changed = (await network.get("/seoul"))["updated_at"]

    async def slugs(query: str) -> list[str]:
        return [item["slug"] for item in (await network.get(f"?{query}"))["items"]]

    assert await slugs("status=invited") == ["busan", "cairo"]
    assert await slugs("country=EG") == ["cairo"]
    assert await slugs("kind=state") == []
    assert await slugs("sort=-created") == ["cairo", "busan", "seoul", "tokyo"]
    assert await slugs(f"updated_since={changed}&sort=-updated") == ["cairo", "busan", "seoul"]


@pytest.mark.parametrize(
    "query", ["status=gone", "sort=name", "on=2005-13-01", "limit=0", "colour=red", "cursor=x"]
)
async def test_a_list_that_makes_no_sense_is_refused(network: Network, query: str) -> None:
    response = await network.send("GET", f"?{query}")

    assert response.status_code == 422


async def test_a_member_corrects_what_is_known_of_it(network: Network) -> None:
    await network.join()

    response = await network.send(
        "PATCH", "/seoul", {"local_name": None, "latitude": 37.5}, by="seoul", version=2
    )

    assert response.status_code == 200
    assert response.headers["etag"] == '"3"'
    seoul = response.json()
    assert (seoul["local_name"], seoul["latitude"]) == (None, 37.5)
    assert seoul["longitude"] == 126.9784
    event = (await network.events())[-1]
    assert (event.type, event.entityversion) == ("renkei.member.changed.v1", 3)
    assert event.data.previous["local_name"] == "서울특별시"
    assert event.data.previous["latitude"] == 37.566


async def test_the_secretariat_may_correct_it_too(network: Network) -> None:
    await network.invite()

    response = await network.send("PATCH", "/seoul", {"name": {"en": "Soul"}}, version=1)

    assert (response.status_code, response.json()["name"]) == (200, {"en": "Soul"})


async def test_a_change_of_nothing_is_no_change(network: Network) -> None:
    await network.join()
    before = await network.happened()

    response = await network.send("PATCH", "/seoul", {"country": "KR"}, by="seoul", version=2)

    assert (response.status_code, response.headers["etag"]) == (200, '"2"')
    assert await network.happened() == before


@pytest.mark.parametrize(
    ("by", "scopes", "version", "status", "code"),
    [
        ("busan", "members:write", 2, 403, "only-the-member-itself"),
        ("seoul", "members:read", 2, 403, "missing-scope"),
        ("seoul", "members:write", None, 428, "version-required"),
        ("seoul", "members:write", 1, 412, "version-stale"),
    ],
)
async def test_a_change_that_is_refused_changes_nothing(
    network: Network, by: str, scopes: str, version: int | None, status: int, code: str
) -> None:
    await network.join()
    await network.join(city("busan"))
    before = await network.happened()

    response = await network.send(
        "PATCH", "/seoul", {"country": "KP"}, by=by, scopes=scopes, version=version
    )

    assert (response.status_code, code_of(response)) == (status, code)
    assert (await network.get("/seoul"))["country"] == "KR"
    assert await network.happened() == before


async def test_a_stale_change_shows_how_it_is_now(network: Network) -> None:
    await network.join()

    response = await network.send("PATCH", "/seoul", {"country": "KP"}, by="seoul", version=1)

    current = response.json()["current"]
    assert (current["slug"], current["version"], current["status"]) == ("seoul", 2, "active")


SYDNEY = city("sydney", country="AU", zone="Australia/Sydney") | {"subdivision": "NSW"}


async def test_a_member_says_where_in_its_country_it_is(network: Network) -> None:
    await network.join(SYDNEY)

    response = await network.send("PATCH", "/sydney", {"subdivision": None}, by="sydney", version=2)

    invited, *_, changed = (await network.events())[len(OPENING) :]
    assert (response.status_code, response.json()["subdivision"]) == (200, None)
    assert invited.data.state.subdivision == "NSW"
    assert (changed.data.state.subdivision, changed.data.previous["subdivision"]) == (None, "NSW")


async def test_nobody_is_invited_from_where_nobody_knows_the_holidays(network: Network) -> None:
    response = await network.send("POST", "", SYDNEY | {"subdivision": "BY"})

    assert (response.status_code, code_of(response)) == (422, "subdivision-unknown")
    assert await network.happened() == OPENING


@pytest.mark.parametrize(
    "body", [{"country": "NZ"}, {"subdivision": "BY"}, {"country": "DE", "subdivision": "NSW"}]
)
async def test_a_subdivision_must_be_one_of_the_country_as_it_will_be(
    network: Network, body: dict[str, str]
) -> None:
    await network.join(SYDNEY)
    before = await network.happened()

    response = await network.send("PATCH", "/sydney", body, by="sydney", version=2)

    assert (response.status_code, code_of(response)) == (422, "subdivision-unknown")
    found = await network.get("/sydney")
    assert (found["country"], found["subdivision"]) == ("AU", "NSW")
    assert await network.happened() == before


async def test_country_and_subdivision_change_together(network: Network) -> None:
    await network.join(SYDNEY)

    response = await network.send(
        "PATCH", "/sydney", {"country": "DE", "subdivision": "BY"}, by="sydney", version=2
    )

    assert response.status_code == 200
    assert (response.json()["country"], response.json()["subdivision"]) == ("DE", "BY")


@pytest.mark.parametrize(
    "body",
    [{"country": None}, {"slug": "soul"}, {"status": "active"}, {"kind": "state"}, [], "x"],
    ids=str,
)
async def test_a_change_that_makes_no_sense_is_refused(network: Network, body: object) -> None:
    await network.join()

    response = await network.send("PATCH", "/seoul", body, by="seoul", version=2)

    assert (response.status_code, code_of(response)) == (422, "invalid-request")


async def test_a_member_that_only_was_invited_cannot_change_itself(network: Network) -> None:
    await network.invite()

    response = await network.send("PATCH", "/seoul", {"country": "KP"}, by="seoul", version=1)

    assert (response.status_code, code_of(response)) == (403, "member-not-active")
    assert (await network.get("/seoul"))["country"] == "KR"
