"""The charter is the lead's until others take part on its terms; every version of it stays."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from services.projects.model.charter import CharterAgreed
from services.projects.model.project import NotProjectLead, Progress, ProjectEnded
from shared.contracts.event import EVERYONE
from shared.contracts.projects import ProjectCharterAmended
from shared.database import Sessions
from shared.messaging.outbox import BODY_LIMIT_BYTES
from shared.refusals import Refusal
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, Scene, actor, working

TERMS = {"en": "We share our data.", "ja": "データを共有する。"}
OTHER_TERMS = {"en": "We share our data and our staff."}


def write(scene: Scene, member: str = "tokyo") -> None:
    scene.project.write_charter(TERMS, by=scene.as_(member), at=NOON)


def invited() -> Scene:
    scene = Scene().propose()
    scene.invite("seoul")
    scene.accept("paris", "observer")
    return scene


def left() -> Scene:
    scene = Scene().propose()
    scene.accept("seoul")
    scene.withdraw("seoul")
    return scene


def over() -> Scene:
    scene = Scene()
    scene.project.cancel("No", by=scene.as_("tokyo"), at=NOON)
    return scene


@pytest.mark.parametrize("made", [Scene, invited, left])
def test_the_lead_writes_it_while_nobody_else_takes_part(made: Callable[[], Scene]) -> None:
    scene = made()
    version = scene.project.version

    first = scene.project.write_charter(TERMS, by=scene.as_("tokyo"), at=NOON)
    second = scene.project.write_charter(OTHER_TERMS, by=scene.as_("tokyo"), at=NOON)

    assert (first.number, first.text, first.decision_id) == (1, TERMS, None)
    assert (second.number, second.text) == (2, OTHER_TERMS)
    assert (second.adopted_at, second.adopted_by, second.adopted_by_member) == (
        NOON,
        "client:tokyo-main",
        "tokyo",
    )
    state = scene.project.state()
    assert (state.charter, state.charter_version) == (OTHER_TERMS, 2)
    assert state.version == version + 2


@pytest.mark.parametrize(
    ("made", "member", "refusal"),
    [
        (working, "tokyo", CharterAgreed),
        (working, "seoul", NotProjectLead),
        (invited, "seoul", NotProjectLead),
        (over, "tokyo", ProjectEnded),
    ],
)
def test_nobody_writes_it_over_the_heads_of_others(
    made: Callable[[], Scene], member: str, refusal: type[Refusal]
) -> None:
    scene = made()
    before = scene.project.state()

    with pytest.raises(refusal):
        write(scene, member)

    assert scene.project.state() == before
    offered = scene.project.allowed_actions(scene.as_(member), Progress())
    assert "amend_charter" not in offered


def test_a_decision_amends_it_whoever_takes_part() -> None:
    scene = working()
    decision_id = UUID("0196f000-0000-7000-8000-000000000009")

    version = scene.project.adopt_charter(
        TERMS, by=actor("seoul"), at=NOON, decision_id=decision_id
    )

    assert (version.number, version.decision_id) == (1, decision_id)
    assert scene.project.charter == TERMS


def test_the_largest_charter_fits_twice_into_a_fact() -> None:
    scene = Scene()
    wide = {"en": "🏙" * 20_000}
    scene.project.summary = wide
    scene.project.title = {f"{a}{b}": "🏙" * 300 for a in "abc" for b in "abcdefghij"}
    scene.project.write_charter(wide, by=scene.as_("tokyo"), at=NOON)
    before = scene.project.state()
    scene.project.write_charter({"en": "🏙" * 19_999}, by=scene.as_("tokyo"), at=NOON)

    event = ProjectCharterAmended.about(
        scene.project.state(), before=before, by=actor("tokyo"), at=NOON, audience=EVERYONE
    )

    assert len(event.wire_form()) < BODY_LIMIT_BYTES


async def test_every_version_stays_readable(cities: Cities, sessions: Sessions) -> None:
    scene = await invited().store(sessions)
    here = f"/projects/{scene.project.id}"

    written = await cities.call("tokyo", "PUT", f"{here}/charter", {"text": TERMS}, match='"2"')
    await cities.do("tokyo", "PUT", f"{here}/charter", {"text": OTHER_TERMS})

    assert written.status_code == 200
    assert written.headers["etag"] == '"3"'
    assert (written.json()["charter"], written.json()["charter_version"]) == (TERMS, 1)
    first, second = await announced(sessions)
    assert first.type == "renkei.project.charter_amended.v1"
    assert first.audience == ("paris", "seoul", "tokyo")
    assert second.data.state.charter == OTHER_TERMS
    assert second.data.previous["charter"] == TERMS
    page = await cities.get("seoul", f"{here}/charter-versions?limit=1")
    [item] = page["items"]
    assert {**item, "adopted_at": None} == {
        "number": 1,
        "text": TERMS,
        "adopted_at": None,
        "adopted_by": "client:tokyo-main",
        "adopted_by_member": "tokyo",
        "decision_id": None,
    }
    rest = await cities.get("seoul", page["next"].removeprefix("/api/v1"))
    assert [each["number"] for each in rest["items"]] == [2]
    assert await cities.get("seoul", f"{here}/charter-versions/1") == item


@pytest.mark.parametrize(
    ("member", "body", "match", "status", "code"),
    [
        ("tokyo", {"text": TERMS}, "*", 409, "charter-agreed"),
        ("seoul", {"text": TERMS}, "*", 403, "not-project-lead"),
        ("delhi", {"text": TERMS}, "*", 404, "project-not-found"),
        ("tokyo", {"text": TERMS}, None, 428, "version-required"),
        ("tokyo", {"text": TERMS}, '"1"', 412, "version-stale"),
        ("tokyo", {"text": {}}, "*", 422, "invalid-request"),
        ("tokyo", {"text": {"en": "x" * 20_001}}, "*", 422, "invalid-request"),
        ("tokyo", {"text": TERMS, "number": 7}, "*", 422, "invalid-request"),
    ],
)
async def test_a_refused_charter_changes_nothing(
    cities: Cities,
    sessions: Sessions,
    member: str,
    body: Any,
    match: str | None,
    status: int,
    code: str,
) -> None:
    scene = await working().store(sessions)
    here = f"/projects/{scene.project.id}"

    refused = await cities.call(member, "PUT", f"{here}/charter", body, match=match)

    assert refused.status_code == status
    assert refused.json()["type"] == f"/problems/{code}"
    if code == "charter-agreed":
        assert refused.json()["taking_part"] == ["seoul"]
    assert await announced(sessions) == []
    assert (await cities.get("tokyo", f"{here}/charter-versions"))["items"] == []


@pytest.mark.parametrize("path", ["charter-versions", "charter-versions/1"])
async def test_who_does_not_see_the_project_sees_no_charter(
    cities: Cities, sessions: Sessions, path: str
) -> None:
    scene = invited()
    version = scene.project.write_charter(TERMS, by=scene.as_("tokyo"), at=NOON)
    await scene.store(sessions)
    async with sessions.begin() as session:
        session.add(version)
    here = f"/projects/{scene.project.id}/{path}"

    codes = [(await cities.call(member, "GET", here)).status_code for member in ("seoul", "delhi")]

    assert codes == [200, 404]


@pytest.mark.parametrize(
    ("number", "status"), [("2", 404), ("0", 422), ("99999999999", 422), ("x", 422)]
)
async def test_a_version_that_is_none_is_not_found(
    cities: Cities, sessions: Sessions, number: str, status: int
) -> None:
    scene = await working().store(sessions)

    response = await cities.call(
        "tokyo", "GET", f"/projects/{scene.project.id}/charter-versions/{number}"
    )

    assert response.status_code == status
