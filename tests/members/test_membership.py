"""Membership over HTTP: steps, their history, and who belonged when."""

import asyncio
from typing import Final

import pytest

from tests.members.network import OPENING, Network, city, code_of

# The Asian Network of Major Cities 21, as it really was.
FOUNDERS: Final = {
    "bangkok": ("TH", "Asia/Bangkok"),
    "beijing": ("CN", "Asia/Shanghai"),
    "delhi": ("IN", "Asia/Kolkata"),
    "hanoi": ("VN", "Asia/Ho_Chi_Minh"),
    "jakarta": ("ID", "Asia/Jakarta"),
    "kuala-lumpur": ("MY", "Asia/Kuala_Lumpur"),
    "manila": ("PH", "Asia/Manila"),
    "seoul": ("KR", "Asia/Seoul"),
    "singapore": ("SG", "Asia/Singapore"),
    "taipei": ("TW", "Asia/Taipei"),
    "yangon": ("MM", "Asia/Yangon"),
}
FOUNDED_ON: Final = "2001-10-01"
LATER: Final = {
    "tomsk": ("RU", "Asia/Tomsk"),
    "ulaanbaatar": ("MN", "Asia/Ulaanbaatar"),
}
JOINED_LATER_ON: Final = "2012-06-30"
BEIJING_LEFT_ON: Final = "2005-08-30"


@pytest.fixture
async def anmc21(network: Network) -> Network:
    for members, day in ((FOUNDERS, FOUNDED_ON), (LATER, JOINED_LATER_ON)):
        for slug, (country, zone) in members.items():
            await network.join(city(slug, country=country, zone=zone) | {"invited_on": day}, on=day)
    await network.step("beijing", "withdrawn", by="beijing", on=BEIJING_LEFT_ON)
    return network


@pytest.mark.parametrize(
    ("day", "belonged"),
    [
        ("2001-09-30", set()),
        ("2001-10-01", {"tokyo", *FOUNDERS}),
        ("2005-08-29", {"tokyo", *FOUNDERS}),
        ("2005-08-30", {"tokyo", *FOUNDERS} - {"beijing"}),
        ("2005-09-01", {"tokyo", *FOUNDERS} - {"beijing"}),
        ("2012-06-29", {"tokyo", *FOUNDERS} - {"beijing"}),
        ("2012-06-30", {"tokyo", *FOUNDERS, *LATER} - {"beijing"}),
    ],
)
async def test_who_belonged_on_a_day_can_be_answered(
    anmc21: Network, day: str, belonged: set[str]
) -> None:
    answer = await anmc21.get(f"?on={day}&limit=200")

    assert {item["slug"] for item in answer["items"]} == belonged
    assert {item["status"] for item in answer["items"]} <= {"active"}


async def test_a_day_shows_the_status_of_that_day(anmc21: Network) -> None:
    then = await anmc21.get("?on=2005-08-01&country=CN")
    now = await anmc21.get("?country=CN")

    [beijing] = then["items"]
    assert (beijing["status"], beijing["status_since"]) == ("active", "2001-10-01")
    assert beijing["allowed_actions"] == []
    [beijing] = now["items"]
    assert (beijing["status"], beijing["status_since"]) == ("withdrawn", "2005-08-30")


async def test_who_belonged_comes_in_pages(anmc21: Network) -> None:
    found, path = [], "?on=2005-09-01&limit=5&sort=-created"
    while path:
        part = await anmc21.get(path)
        found += [item["slug"] for item in part["items"]]
        path = (part["next"] or "").removeprefix("/api/v1/members")

    assert len(found) == len(set(found)) == 11
    assert found[-1] == "tokyo"


async def test_the_suspended_belong_and_say_so(network: Network) -> None:
    await network.join()
    await network.step("seoul", "suspended", by="tokyo", on="2003-01-01", reason="Fees unpaid")
    await network.step("seoul", "active", by="tokyo", on="2003-01-01")
    await network.step("seoul", "suspended", by="tokyo", on="2004-01-01", reason="Again")

    async def on(day: str, status: str = "") -> dict[str, str]:
        answer = await network.get(f"?on={day}{status}")
        return {item["slug"]: item["status"] for item in answer["items"]}

    assert await on("2003-01-01") == {"tokyo": "active", "seoul": "active"}
    assert await on("2004-01-01") == {"tokyo": "active", "seoul": "suspended"}
    assert await on("2004-01-01", "&status=suspended") == {"seoul": "suspended"}
    assert await on("2004-01-01", "&status=withdrawn") == {}


async def test_a_membership_tells_its_history(network: Network) -> None:
    await network.join()
    await network.step("seoul", "suspended", by="tokyo", on="2003-01-01", reason="Fees unpaid")

    history = await network.get("/seoul/membership-transitions", by="seoul")

    assert [
        (step["status"], step["effective_on"], step["member_version"], step["reason"])
        for step in history["items"]
    ] == [
        ("invited", "2001-09-01", 1, None),
        ("active", "2001-10-01", 2, None),
        ("suspended", "2003-01-01", 3, "Fees unpaid"),
    ]
    assert [step["recorded_by"] for step in history["items"]] == [
        "client:tokyo-main",
        "client:seoul-main",
        "client:tokyo-main",
    ]


async def test_history_comes_in_pages(network: Network) -> None:
    await network.join()

    first = await network.get("/seoul/membership-transitions?limit=1")
    rest = await network.get(first["next"].removeprefix("/api/v1/members"))

    assert [step["status"] for step in first["items"] + rest["items"]] == ["invited", "active"]


async def test_each_step_is_announced_to_everyone(network: Network) -> None:
    await network.join()
    await network.step("seoul", "suspended", by="tokyo", reason="Fees unpaid")
    await network.step("seoul", "active", by="tokyo")
    await network.step("seoul", "withdrawn", by="seoul")

    assert await network.happened() == [
        *OPENING,
        "member.invited",
        "member.activated",
        "member.suspended",
        "member.reinstated",
        "member.withdrawn",
    ]
    events = (await network.events())[3:]
    assert [event.entityversion for event in events] == [1, 2, 3, 4, 5]
    assert {event.audience for event in events} == {("*",)}
    assert events[1].data.previous["status"] == "invited"


async def test_a_step_sent_again_is_one_step(network: Network) -> None:
    await network.invite()
    path, body = "/seoul/membership-transitions", {"status": "active"}

    first = await network.send("POST", path, body, by="seoul", version=1, key="accept")
    second = await network.send("POST", path, body, by="seoul", version=1, key="accept")

    assert (first.status_code, first.headers["etag"]) == (200, '"2"')
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert await network.happened() == [*OPENING, "member.invited", "member.activated"]


@pytest.mark.parametrize(
    ("by", "body", "version", "status", "code"),
    [
        ("busan", {"status": "active"}, 1, 403, "only-the-member-itself"),
        ("tokyo", {"status": "active"}, 1, 403, "only-the-member-itself"),
        ("seoul", {"status": "active"}, None, 428, "version-required"),
        ("seoul", {"status": "active"}, 7, 412, "version-stale"),
        ("tokyo", {"status": "suspended", "reason": "x"}, 1, 409, "transition-ruled-out"),
        ("seoul", {"status": "invited"}, 1, 422, "invalid-request"),
        (
            "seoul",
            {"status": "active", "effective_on": "2199-01-01"},
            1,
            422,
            "effective-in-future",
        ),
        (
            "seoul",
            {"status": "active", "effective_on": "2001-08-31"},
            1,
            409,
            "effective-before-previous",
        ),
    ],
)
async def test_a_step_that_is_refused_leaves_no_trace(
    network: Network, by: str, body: dict[str, str], version: int | None, status: int, code: str
) -> None:
    await network.join(city("busan"))
    await network.invite()
    before = await network.happened()

    response = await network.send(
        "POST", "/seoul/membership-transitions", body, by=by, version=version
    )

    assert (response.status_code, code_of(response)) == (status, code)
    assert (await network.get("/seoul"))["status"] == "invited"
    assert len((await network.get("/seoul/membership-transitions"))["items"]) == 1
    assert await network.happened() == before


async def test_a_suspended_member_can_only_leave(network: Network) -> None:
    await network.join()
    official = await network.appoint()
    await network.step("seoul", "suspended", by="tokyo", reason="Fees unpaid")

    for method, path, body in (
        ("PATCH", "/seoul", {"country": "KP"}),
        (
            "POST",
            "/seoul/officials",
            {"function": {"en": "x"}, "language": "ko", "roles": ["observer"]},
        ),
        ("PATCH", f"/seoul/officials/{official['id']}", {"name": "x"}),
        ("POST", "/seoul/clients", {"name": "x", "scopes": ["members:read"]}),
    ):
        response = await network.send(method, path, body, by="seoul", version=3)
        assert (response.status_code, code_of(response)) == (403, "member-not-active")
    left = await network.step("seoul", "withdrawn", by="seoul")

    assert left["status"] == "withdrawn"


async def test_of_two_steps_at_once_one_is_taken(network: Network) -> None:
    await network.invite()
    path = "/seoul/membership-transitions"

    answers = await asyncio.gather(
        network.send("POST", path, {"status": "active"}, by="seoul", version=1),
        network.send("POST", path, {"status": "withdrawn"}, by="seoul", version=1),
    )

    assert sorted(answer.status_code for answer in answers) == [200, 412]
    assert len(await network.happened()) == len(OPENING) + 2
