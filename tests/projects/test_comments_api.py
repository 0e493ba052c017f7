"""The discussion as its clients meet it."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from httpx2 import Response

from services.projects.model.known import KnownOfficial
from shared.actor import Actor
from shared.contracts.event import EVERYONE
from shared.contracts.members import OfficialErased, OfficialState
from shared.contracts.projects import Visibility
from shared.database import Sessions
from shared.identifiers import new_id
from tests.conftest import Database
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, SCOPES, Scene, working
from tests.projects.test_copies import deliver
from tests.web import api, person_token

TEXT = {"en": "Can we meet in May?", "ja": "五月に会えますか。"}
SEOULS, TOKYOS, DELHIS, BLOCKED = new_id(), new_id(), new_id(), new_id()


def official(official_id: UUID, member: str, status: str = "active") -> KnownOfficial:
    return KnownOfficial(
        id=official_id,
        version=1,
        member=member,
        function={"en": f"Coordinator, {member.title()}"},
        roles=("coordinator",),
        scopes=tuple(sorted(SCOPES)),
        status=status,
    )


@pytest.fixture
async def scene(sessions: Sessions) -> Scene:
    async with sessions.begin() as session:
        session.add_all(
            [
                official(SEOULS, "seoul"),
                official(TOKYOS, "tokyo"),
                official(DELHIS, "delhi"),
                official(BLOCKED, "seoul", "blocked"),
            ]
        )
    scene = working()
    scene.plan()
    return await scene.store(sessions)


def project_of(scene: Scene) -> str:
    return f"/projects/{scene.project.id}/comments"


def milestone_of(scene: Scene) -> str:
    return f"/milestones/{scene.milestones[0].id}/comments"


async def as_person(
    cities: Cities, member: str, official_id: UUID, method: str, path: str, body: Any = None
) -> Response:
    async with api(cities.app) as client:
        bearer = person_token(member, official_id)
        return await client.request(
            method,
            f"/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {bearer}", "If-Match": "*"},
        )


@pytest.mark.parametrize("where", [project_of, milestone_of])
async def test_a_comment_is_told_to_those_who_see_the_project(
    cities: Cities, sessions: Sessions, scene: Scene, where: Any
) -> None:
    response = await as_person(
        cities,
        "seoul",
        SEOULS,
        "POST",
        where(scene),
        {
            "text": TEXT,
            "mentioned_members": ["tokyo", "tokyo"],
            "mentioned_officials": [str(TOKYOS)],
        },
    )

    comment = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"/api/v1/comments/{comment['id']}"
    assert response.headers["etag"] == '"1"'
    assert comment["text"] == TEXT
    assert (comment["member"], comment["official_id"]) == ("seoul", str(SEOULS))
    assert comment["author_function"] == {"en": "Coordinator, Seoul"}
    assert comment["mentioned_members"] == ["tokyo"]
    assert comment["mentioned_officials"] == [str(TOKYOS)]
    assert comment["allowed_actions"] == ["reply", "edit", "remove"]
    assert await cities.get("seoul", f"/comments/{comment['id']}") == comment
    assert (await cities.get("seoul", where(scene)))["items"] == [comment]
    [event] = await announced(sessions)
    assert event.type == "renkei.comment.posted.v1"
    assert event.audience == ("paris", "seoul", "tokyo")
    assert event.actor == f"official:{SEOULS}"
    assert event.data.state.text == TEXT
    assert "Coordinator" not in event.wire_form().decode()


async def test_each_thing_has_a_discussion_of_its_own(cities: Cities, scene: Scene) -> None:
    about_project = await cities.do("seoul", "POST", project_of(scene), {"text": TEXT})
    about_milestone = await cities.do("seoul", "POST", milestone_of(scene), {"text": TEXT})

    found = [
        [item["id"] for item in (await cities.get("tokyo", path))["items"]]
        for path in (project_of(scene), milestone_of(scene))
    ]

    assert found == [[about_project["id"]], [about_milestone["id"]]]
    assert about_milestone["subject_title"] == {"en": "Sensors placed"}


async def test_a_discussion_is_paged_and_narrowed_to_a_thread(cities: Cities, scene: Scene) -> None:
    here = project_of(scene)
    first = await cities.do("seoul", "POST", here, {"text": TEXT})
    reply = {"text": {"en": "Yes."}, "in_reply_to": first["id"]}
    answer = await cities.do("tokyo", "POST", here, reply)
    second = await cities.do("paris", "POST", here, {"text": TEXT})

    page = await cities.get("seoul", f"{here}?limit=2")
    rest = await cities.get("seoul", page["next"].removeprefix("/api/v1"))
    thread = await cities.get("seoul", f"{here}?in_reply_to={first['id']}")
    newest = await cities.get("seoul", f"{here}?sort=-created&limit=1")

    assert [item["id"] for item in page["items"]] == [first["id"], answer["id"]]
    assert [item["id"] for item in rest["items"]] == [second["id"]]
    assert [item["id"] for item in thread["items"]] == [answer["id"]]
    assert [item["id"] for item in newest["items"]] == [second["id"]]
    assert answer["in_reply_to_member"] == "seoul"


async def test_a_reply_stays_in_its_discussion_and_one_level_deep(
    cities: Cities, sessions: Sessions, scene: Scene
) -> None:
    first = await cities.do("seoul", "POST", project_of(scene), {"text": TEXT})
    reply = {"text": TEXT, "in_reply_to": first["id"]}
    second = await cities.do("tokyo", "POST", project_of(scene), reply)

    deeper = await cities.call(
        "seoul", "POST", project_of(scene), {"text": TEXT, "in_reply_to": second["id"]}
    )
    elsewhere = await cities.call("seoul", "POST", milestone_of(scene), reply)
    nowhere = await cities.call(
        "seoul", "POST", milestone_of(scene), {"text": TEXT, "in_reply_to": str(new_id())}
    )

    assert (deeper.status_code, deeper.json()["type"]) == (422, "/problems/reply-to-reply")
    for refused in (elsewhere, nowhere):
        assert refused.status_code == 422
        assert refused.json()["type"] == "/problems/replied-comment-unknown"
    assert len(await announced(sessions)) == 2


@pytest.mark.parametrize(
    "mention",
    [
        {"mentioned_members": ["delhi"]},
        {"mentioned_members": ["atlantis"]},
        {"mentioned_officials": [str(DELHIS)]},
        {"mentioned_officials": [str(BLOCKED)]},
        {"mentioned_officials": [str(new_id())]},
    ],
    ids=["strange city", "no city", "stranger", "blocked", "nobody"],
)
async def test_a_mention_tells_nothing_of_who_is_elsewhere(
    cities: Cities, sessions: Sessions, scene: Scene, mention: dict[str, list[str]]
) -> None:
    refused = await cities.call("seoul", "POST", project_of(scene), {"text": TEXT} | mention)

    [[named]] = mention.values()
    kind = "member" if "mentioned_members" in mention else "official"
    assert refused.status_code == 422
    assert refused.json() == {
        "type": "/problems/mention-unknown",
        "title": "Only who sees the project can be mentioned",
        "status": 422,
        "detail": f"No {kind} {named} is here.",
        "instance": f"/api/v1{project_of(scene)}",
    }
    assert await announced(sessions) == []


@pytest.mark.parametrize(
    "odd",
    [
        {"text": {}},
        {"text": "Can we meet?"},
        {"text": {"english": "x"}},
        {"text": {"en": " "}},
        {"text": {"en": "x" * 20_001}},
        {"mentioned_members": ["tokyo"] * 21},
        {"mentioned_officials": ["tokyo"]},
        {"in_reply_to": "first"},
        {"member": "tokyo"},
    ],
    ids=str,
)
async def test_an_odd_comment_is_refused(
    cities: Cities, sessions: Sessions, scene: Scene, odd: dict[str, Any]
) -> None:
    response = await cities.call("seoul", "POST", project_of(scene), {"text": TEXT} | odd)

    assert response.status_code == 422
    assert await announced(sessions) == []


async def test_the_same_key_says_it_once(cities: Cities, sessions: Sessions, scene: Scene) -> None:
    first, again = [
        await cities.call("seoul", "POST", project_of(scene), {"text": TEXT}, key="once")
        for _ in range(2)
    ]

    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert len(await announced(sessions)) == 1


async def test_an_edit_shows_as_one_and_its_former_words_stay_readable(
    cities: Cities, sessions: Sessions, scene: Scene
) -> None:
    comment = await cities.do("seoul", "POST", project_of(scene), {"text": TEXT})
    there = f"/comments/{comment['id']}"

    edited = await cities.call("seoul", "PATCH", there, {"text": {"en": "June?"}}, match='"1"')
    await cities.do("seoul", "PATCH", there, {"text": {"en": "July?"}})

    assert edited.status_code == 200
    assert edited.headers["etag"] == '"2"'
    assert edited.json()["edited_at"] is not None
    versions = (await cities.get("paris", f"{there}/versions"))["items"]
    assert [(each["version"], each["text"]) for each in versions] == [
        (1, TEXT),
        (2, {"en": "June?"}),
    ]
    assert versions[0]["written_at"] == comment["created_at"]
    assert versions[1]["written_at"] == versions[0]["replaced_at"] == edited.json()["edited_at"]
    first_page = await cities.get("paris", f"{there}/versions?limit=1")
    assert first_page["items"] == versions[:1]
    _, event, _ = await announced(sessions)
    assert event.type == "renkei.comment.edited.v1"
    assert event.data.previous["text"] == TEXT


async def test_a_removed_comment_is_a_gap_with_a_reason(
    cities: Cities, sessions: Sessions, scene: Scene
) -> None:
    here = project_of(scene)
    spoken = {"text": TEXT, "mentioned_members": ["tokyo"]}
    comment = await cities.do("seoul", "POST", here, spoken)
    there = f"/comments/{comment['id']}"
    await cities.do("seoul", "PATCH", there, {"text": {"en": "Kim will come."}})

    gone = await as_person(
        cities, "seoul", SEOULS, "POST", f"{there}/removal", {"reason": "Names somebody."}
    )

    shown = await cities.get("tokyo", there)
    assert gone.status_code == 200
    assert (shown["text"], shown["mentioned_members"]) == (None, [])
    assert (shown["member"], shown["removed_by_official_id"]) == ("seoul", str(SEOULS))
    assert shown["removed_reason"] == "Names somebody."
    assert shown["removed_at"] == gone.json()["removed_at"] is not None
    assert shown["allowed_actions"] == ["reply"]
    assert (await cities.get("tokyo", here))["items"] == [shown]
    versions = (await cities.get("tokyo", f"{there}/versions"))["items"]
    assert [version["text"] for version in versions] == [None]
    *_, event = await announced(sessions)
    assert event.type == "renkei.comment.removed.v1"
    assert event.audience == ("paris", "seoul", "tokyo")
    assert event.data.state.text is None
    assert set(event.data.previous) == {
        "removed_at",
        "removed_by_official_id",
        "removed_reason",
        "updated_at",
    }
    assert "Kim" not in event.wire_form().decode()


async def test_a_city_may_not_touch_the_words_of_another(
    cities: Cities, sessions: Sessions, scene: Scene
) -> None:
    comment = await cities.do("seoul", "POST", project_of(scene), {"text": TEXT})
    there = f"/comments/{comment['id']}"

    answers = [
        await cities.call("tokyo", "PATCH", there, {"text": {"en": "x"}}),
        await cities.call("tokyo", "POST", f"{there}/removal", {"reason": "Rude."}),
        await cities.call("paris", "POST", f"{there}/removal", {"reason": "Rude."}),
    ]

    for answer in answers:
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-your-comment")
    assert (await cities.get("seoul", there))["text"] == TEXT
    assert len(await announced(sessions)) == 1


async def test_of_two_edits_of_one_version_the_second_is_told_so(
    cities: Cities, sessions: Sessions, scene: Scene
) -> None:
    comment = await cities.do("seoul", "POST", project_of(scene), {"text": TEXT})
    there = f"/comments/{comment['id']}"

    answers = await asyncio.gather(
        *(
            cities.call("seoul", "PATCH", there, {"text": {"en": month}}, match='"1"')
            for month in ("June?", "July?")
        )
    )

    assert sorted(answer.status_code for answer in answers) == [200, 412]
    [stale] = [answer.json() for answer in answers if answer.status_code == 412]
    shown = await cities.get("seoul", there)
    assert stale["current"]["text"] == shown["text"]
    assert shown["version"] == 2
    assert len((await cities.get("seoul", f"{there}/versions"))["items"]) == 1
    assert len(await announced(sessions)) == 2


async def test_who_edits_says_which_version(cities: Cities, scene: Scene) -> None:
    comment = await cities.do("seoul", "POST", project_of(scene), {"text": TEXT})
    there = f"/comments/{comment['id']}"

    missing = await cities.call("seoul", "PATCH", there, {"text": TEXT}, match=None)
    stale = await cities.call("seoul", "POST", f"{there}/removal", {"reason": "x"}, match='"7"')
    nothing = await cities.call("seoul", "PATCH", there, {})

    assert [missing.status_code, stale.status_code, nothing.status_code] == [428, 412, 422]
    assert (await cities.get("seoul", there))["version"] == 1


CODES = {
    "participants": {"tokyo": 200, "seoul": 200, "paris": 200, "berlin": 404, "delhi": 404},
    "network": {"tokyo": 200, "seoul": 200, "paris": 200, "berlin": 200, "delhi": 200},
}


@pytest.mark.parametrize("visibility", ["participants", "network"])
async def test_a_discussion_is_for_those_who_see_the_project(
    cities: Cities, sessions: Sessions, visibility: Visibility
) -> None:
    scene = working(visibility)
    scene.plan()
    await scene.store(sessions)
    comment = await cities.do("seoul", "POST", project_of(scene), {"text": TEXT})
    await cities.do("seoul", "POST", milestone_of(scene), {"text": TEXT})
    there = f"/comments/{comment['id']}"

    for path in (project_of(scene), milestone_of(scene), there, f"{there}/versions"):
        found = {m: (await cities.call(m, "GET", path)).status_code for m in CODES[visibility]}
        assert found == CODES[visibility]
    onlooker = 404 if visibility == "participants" else 403
    for path in (project_of(scene), milestone_of(scene)):
        refused = await cities.call("delhi", "POST", path, {"text": TEXT})
        assert refused.status_code == onlooker
    audience = EVERYONE if visibility == "network" else ("paris", "seoul", "tokyo")
    assert {event.audience for event in await announced(sessions)} == {audience}


async def test_opening_a_project_tells_nobody_what_was_said_before(
    cities: Cities, sessions: Sessions, scene: Scene
) -> None:
    here = project_of(scene)
    before = await cities.do("seoul", "POST", here, {"text": TEXT})
    there = f"/comments/{before['id']}"
    opened = {"visibility": "network"}
    await cities.do("tokyo", "PATCH", f"/projects/{scene.project.id}", opened)
    after = await cities.do("seoul", "POST", here, {"text": TEXT, "mentioned_members": ["delhi"]})
    await cities.do("seoul", "PATCH", there, {"text": {"en": "June?"}})

    shown = {
        member: [each["id"] for each in (await cities.get(member, here))["items"]]
        for member in ("delhi", "paris")
    }

    assert shown == {"delhi": [after["id"]], "paris": [before["id"], after["id"]]}
    for path in (there, f"{there}/versions"):
        assert (await cities.call("delhi", "GET", path)).status_code == 404
    removal = await cities.call("delhi", "POST", f"{there}/removal", {"reason": "x"})
    assert removal.status_code == 404
    told = {event.type: event.audience for event in (await announced(sessions))[2:]}
    assert told == {
        "renkei.comment.posted.v1": EVERYONE,
        "renkei.comment.edited.v1": ("paris", "seoul", "tokyo"),
    }


async def test_what_one_may_not_see_is_as_what_is_not_there(cities: Cities, scene: Scene) -> None:
    comment = await cities.do("seoul", "POST", project_of(scene), {"text": TEXT})
    body = {"text": TEXT, "mentioned_members": ["delhi"]}

    for method, path in (
        ("GET", "/projects/{}/comments"),
        ("POST", "/projects/{}/comments"),
        ("GET", "/milestones/{}/comments"),
        ("POST", "/milestones/{}/comments"),
        ("GET", "/comments/{}"),
        ("GET", "/comments/{}/versions"),
        ("PATCH", "/comments/{}"),
        ("POST", "/comments/{}/removal"),
    ):
        hidden_id = {
            "projects": scene.project.id,
            "milestones": scene.milestones[0].id,
            "comments": comment["id"],
        }[path.split("/")[1]]
        sent = None if method == "GET" else body if "removal" not in path else {"reason": "x"}
        told = []
        for asked in (hidden_id, new_id()):
            answer = await cities.call("delhi", method, path.format(asked), sent)
            assert answer.status_code == 404
            told.append(answer.text.replace(str(asked), "…"))
        assert told[0] == told[1]


async def test_a_draft_has_no_discussion(cities: Cities, sessions: Sessions) -> None:
    scene = await Scene().store(sessions)

    refused = await cities.call("tokyo", "POST", project_of(scene), {"text": TEXT})
    hidden = await cities.call("seoul", "POST", project_of(scene), {"text": TEXT})

    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/draft-not-discussed")
    assert hidden.status_code == 404
    assert await announced(sessions) == []


async def test_of_an_erased_official_the_member_is_left(
    cities: Cities, database: Database, scene: Scene
) -> None:
    here = project_of(scene)
    comment = (await as_person(cities, "seoul", SEOULS, "POST", here, {"text": TEXT})).json()
    left = OfficialState(
        version=2,
        id=SEOULS,
        member="seoul",
        function={"en": "A former official of Seoul"},
        name=None,
        email=None,
        language="ko",
        roles=(),
        scopes=(),
        status="erased",
        created_at=NOON,
        updated_at=NOON,
    )

    await deliver(database, OfficialErased.about(left, by=Actor.CLOCK, at=NOON, audience=["seoul"]))

    [shown] = (await cities.get("tokyo", here))["items"]
    assert shown == await cities.get("tokyo", f"/comments/{comment['id']}")
    assert shown["author_function"] == {"en": "A former official of Seoul"}
    assert (shown["member"], shown["text"]) == ("seoul", TEXT)
    coordinated = await cities.call(
        "seoul", "POST", f"/comments/{comment['id']}/removal", {"reason": "Names somebody."}
    )
    assert coordinated.status_code == 200
