"""The secretariat keeps the lists of objectives and themes; projects name what is on them."""

import asyncio
from typing import Any

import pytest

from services.projects.model.standing import MemberNotActive
from services.projects.model.topic import (
    NotSecretariat,
    Objective,
    Theme,
    TopicKind,
    TopicNotInUse,
    TopicNotRetired,
    TopicRetiredBefore,
    TopicsInUse,
    ensure_in_use,
)
from shared.contracts.event import EVERYONE
from shared.database import Sessions
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, Scene, listed, working
from tests.projects.test_api import DRAFT

WATER = {"slug": "water", "title": {"en": "Water", "ja": "水"}, "position": 3}
BOTH = pytest.mark.parametrize("many", ["objectives", "themes"])


@pytest.mark.parametrize("kind", [Objective, Theme])
def test_it_is_in_use_or_retired(kind: TopicKind) -> None:
    topic: Objective | Theme = kind(
        slug="water", title={"en": "Water"}, created_at=NOON, updated_at=NOON
    )
    tokyo = Scene().as_("tokyo")

    assert topic.allowed_actions(tokyo) == ["change", "retire"]
    with pytest.raises(TopicNotRetired):
        topic.reinstate(by=tokyo, at=NOON)
    topic.retire(by=tokyo, at=NOON)
    assert topic.allowed_actions(tokyo) == ["change", "reinstate"]
    with pytest.raises(TopicRetiredBefore):
        topic.retire(by=tokyo, at=NOON)
    topic.change({"position": 7}, by=tokyo, at=NOON)
    topic.reinstate(by=tokyo, at=NOON)
    assert (topic.is_retired, topic.position, topic.version) == (False, 7, 4)


def test_only_the_active_host_keeps_the_lists() -> None:
    scene = Scene()
    theme = listed(Theme, "water")

    with pytest.raises(NotSecretariat):
        theme.retire(by=scene.as_("seoul"), at=NOON)
    scene.inactive.add("tokyo")
    with pytest.raises(MemberNotActive):
        theme.retire(by=scene.as_("tokyo"), at=NOON)
    assert theme.allowed_actions(scene.as_("seoul")) == []
    assert (theme.is_retired, theme.version) == (False, 1)


def test_what_is_not_in_use_is_told_by_name() -> None:
    in_use = TopicsInUse(frozenset({"games"}), frozenset({"water"}))

    ensure_in_use(in_use, objectives=["games"], themes=["water"])
    with pytest.raises(TopicNotInUse) as refused:
        ensure_in_use(in_use, objectives=["games", "wealth", "fame"], themes=["water"])

    assert refused.value.members == {"objectives": ["fame", "wealth"]}


@BOTH
async def test_the_secretariat_adds_and_everybody_reads(
    cities: Cities, sessions: Sessions, many: str
) -> None:
    made = await cities.call("tokyo", "POST", f"/{many}", WATER, match=None)

    topic = made.json()
    assert made.status_code == 201
    assert made.headers["location"] == f"/api/v1/{many}/water"
    assert made.headers["etag"] == '"1"'
    assert {name: topic[name] for name in WATER} == WATER
    assert (topic["description"], topic["is_retired"]) == (None, False)
    assert topic["allowed_actions"] == ["change", "retire"]
    assert await cities.get("delhi", f"/{many}/water") == topic | {"allowed_actions": []}
    [event] = await announced(sessions)
    assert event.type == f"renkei.{many[:-1]}.added.v1"
    assert event.nats_subject == f"evt.projects.{many[:-1]}.water.added.v1"
    assert event.audience == EVERYONE
    assert event.data.state.title == WATER["title"]


@BOTH
async def test_it_is_changed_retired_and_reinstated(
    cities: Cities, sessions: Sessions, many: str
) -> None:
    await cities.do("tokyo", "POST", f"/{many}", WATER)
    here = f"/{many}/water"

    changed = await cities.call("tokyo", "PATCH", here, {"title": {"en": "Rivers"}}, match='"1"')
    retired = await cities.call("tokyo", "POST", f"{here}/retirement", match='"2"')
    back = await cities.call("tokyo", "POST", f"{here}/reinstatement", match='"3"')

    assert [each.status_code for each in (changed, retired, back)] == [200, 200, 200]
    assert [each.json()["is_retired"] for each in (changed, retired, back)] == [False, True, False]
    _, reworded, ended, begun = await announced(sessions)
    assert reworded.data.previous["title"] == WATER["title"]
    assert [each.type.split(".")[2] for each in (reworded, ended, begun)] == [
        "changed",
        "retired",
        "reinstated",
    ]


@BOTH
@pytest.mark.parametrize(
    ("member", "method", "path", "body", "match", "status", "code"),
    [
        ("seoul", "POST", "", WATER, None, 403, "not-secretariat"),
        ("tokyo", "POST", "", WATER | {"slug": "air"}, None, 409, "topic-exists"),
        ("tokyo", "POST", "", WATER | {"slug": "Air"}, None, 422, "invalid-request"),
        ("tokyo", "POST", "", WATER | {"position": -1}, None, 422, "invalid-request"),
        ("tokyo", "POST", "", WATER | {"position": 2**31}, None, 422, "invalid-request"),
        ("seoul", "PATCH", "/air", {"position": 1}, "*", 403, "not-secretariat"),
        ("tokyo", "PATCH", "/air", {"position": 1}, None, 428, "version-required"),
        ("tokyo", "PATCH", "/air", {"position": 1}, '"4"', 412, "version-stale"),
        ("tokyo", "PATCH", "/air", {"slug": "sky"}, "*", 422, "invalid-request"),
        ("tokyo", "PATCH", "/air", {}, "*", 422, "invalid-request"),
        ("tokyo", "PATCH", "/sea", {"position": 1}, "*", 404, "topic-not-found"),
        ("seoul", "POST", "/air/retirement", None, "*", 403, "not-secretariat"),
        ("tokyo", "POST", "/air/reinstatement", None, "*", 409, "topic-not-retired"),
        ("delhi", "GET", "/sea", None, None, 404, "topic-not-found"),
        ("delhi", "GET", "?cursor=x", None, None, 422, "cursor-unknown"),
    ],
)
async def test_a_refusal_changes_no_list(
    cities: Cities,
    sessions: Sessions,
    many: str,
    member: str,
    method: str,
    path: str,
    body: Any,
    match: str | None,
    status: int,
    code: str,
) -> None:
    async with sessions.begin() as session:
        session.add(listed(Objective, "air") if many == "objectives" else listed(Theme, "air"))

    refused = await cities.call(member, method, f"/{many}{path}", body, match=match)

    assert refused.status_code == status, refused.text
    assert refused.json()["type"] == f"/problems/{code}"
    assert await announced(sessions) == []


async def test_a_list_has_the_order_of_the_secretariat(cities: Cities, sessions: Sessions) -> None:
    async with sessions.begin() as session:
        for slug, position in (("water", 2), ("air", 1), ("waste", 1), ("arts", 3)):
            theme = listed(Theme, slug)
            theme.position = position
            theme.is_retired = slug == "arts"
            session.add(theme)

    async def slugs(path: str) -> list[str]:
        page = await cities.get("delhi", path)
        rest = [] if page["next"] is None else await slugs(page["next"].removeprefix("/api/v1"))
        return [each["slug"] for each in page["items"]] + rest

    assert await slugs("/themes?limit=2") == ["air", "waste", "water", "arts"]
    assert await slugs("/themes?retired=false") == ["air", "waste", "water"]
    assert await slugs("/themes?retired=true") == ["arts"]


async def test_of_two_at_once_one_is_added(cities: Cities, sessions: Sessions) -> None:
    answers = await asyncio.gather(*(cities.call("tokyo", "POST", "/themes", WATER) for _ in "12"))

    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert len(await announced(sessions)) == 1


async def test_a_project_names_only_what_is_in_use(cities: Cities, sessions: Sessions) -> None:
    async with sessions.begin() as session:
        old, new = listed(Theme, "games"), listed(Theme, "water")
        old.is_retired = True
        session.add_all([old, new])
    odd = DRAFT | {"objectives": ["common-issues", "wealth"], "themes": ["games", "water", "fame"]}

    refused = await cities.call("seoul", "POST", "/projects", odd)

    assert refused.status_code == 422
    assert refused.json()["type"] == "/problems/topic-not-in-use"
    assert refused.json()["objectives"] == ["wealth"]
    assert refused.json()["themes"] == ["fame", "games"]
    assert await announced(sessions) == []
    made = await cities.do("seoul", "POST", "/projects", DRAFT | {"themes": ["water"]})
    assert made["themes"] == ["water"]


async def test_a_project_keeps_what_is_retired_and_names_nothing_retired_anew(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)
    here = f"/projects/{scene.project.id}"
    await cities.do("tokyo", "POST", "/objectives/common-issues/retirement")
    await cities.do("tokyo", "POST", "/objectives/games/retirement")

    kept = await cities.call("tokyo", "PATCH", here, {"objectives": ["common-issues"]})
    added = await cities.call("tokyo", "PATCH", here, {"objectives": ["common-issues", "games"]})
    dropped = await cities.call("tokyo", "PATCH", here, {"objectives": []})
    again = await cities.call("tokyo", "PATCH", here, {"objectives": ["common-issues"]})

    assert [each.status_code for each in (kept, added, dropped, again)] == [200, 422, 200, 422]
    assert added.json()["objectives"] == ["games"]
    assert (await cities.get("tokyo", here))["objectives"] == []
