"""The lead is handed over: offered, accepted, agreed, all in one history."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.database import Sessions
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import Scene
from tests.projects.test_decisions_api import four, kinds, say

OFFER = {
    "candidate": "seoul",
    "note": "Our term ends.",
    "rule": "two_thirds",
    "closes_on": (datetime.now(UTC) + timedelta(days=20)).date().isoformat(),
    "time_zone": "Asia/Tokyo",
}


async def offered(cities: Cities, scene: Scene) -> Any:
    return await cities.do("tokyo", "POST", f"/projects/{scene.project.id}/handovers", OFFER)


async def accepted(cities: Cities, scene: Scene) -> Any:
    offer = await offered(cities, scene)
    return await cities.do("seoul", "POST", f"/handovers/{offer['id']}/acceptance", {})


async def test_a_lead_is_handed_over_by_all_who_take_part(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await four(sessions)

    handover = await accepted(cities, scene)
    decision = await cities.get("delhi", f"/decisions/{handover['decision_id']}")
    await say(cities, decision, "tokyo", "seoul", "delhi")
    await cities.do("tokyo", "POST", f"/decisions/{decision['id']}/closing")

    project = await cities.get("seoul", f"/projects/{scene.project.id}")
    places = await cities.get("tokyo", f"/projects/{scene.project.id}/participations")
    history = await cities.get("tokyo", f"/projects/{scene.project.id}/handovers")
    assert decision["proposer"] == "tokyo"
    assert [one["member"] for one in decision["electorate"]] == [
        *("delhi", "jakarta", "seoul", "tokyo")
    ]
    assert project["lead"] == "seoul"
    assert "change" in project["allowed_actions"]
    roles = {one["member"]: (one["role"], one["status"]) for one in places["items"]}
    assert roles["seoul"] == ("lead", "accepted")
    assert roles["tokyo"] == ("participant", "accepted")
    assert [(one["lead"], one["candidate"], one["status"]) for one in history["items"]] == [
        ("tokyo", "seoul", "agreed")
    ]
    assert (await kinds(sessions))[-5:] == [
        "decision.adopted.v1",
        "project.lead_changed.v1",
        "participation.role_changed.v1",
        "participation.role_changed.v1",
        "handover.agreed.v1",
    ]


async def test_the_lead_can_come_back(cities: Cities, sessions: Sessions) -> None:
    scene = await four(sessions)
    handover = await accepted(cities, scene)
    decision = await cities.get("tokyo", f"/decisions/{handover['decision_id']}")
    await say(cities, decision, "tokyo", "seoul", "delhi")
    await cities.do("tokyo", "POST", f"/decisions/{decision['id']}/closing")

    back = await cities.do(
        "seoul",
        "POST",
        f"/projects/{scene.project.id}/handovers",
        OFFER | {"candidate": "tokyo"},
    )
    back = await cities.do("tokyo", "POST", f"/handovers/{back['id']}/acceptance", {})
    decision = await cities.get("tokyo", f"/decisions/{back['decision_id']}")
    await say(cities, decision, "tokyo", "seoul", "delhi")
    await cities.do("seoul", "POST", f"/decisions/{decision['id']}/closing")

    project = await cities.get("tokyo", f"/projects/{scene.project.id}")
    places = await cities.get("tokyo", f"/projects/{scene.project.id}/participations")
    roles = {one["member"]: one["role"] for one in places["items"] if one["status"] == "accepted"}
    assert project["lead"] == "tokyo"
    assert (roles["tokyo"], roles["seoul"]) == ("lead", "participant")
    assert all(one["accepted_on"] for one in places["items"] if one["status"] == "accepted")


async def test_nobody_accepts_for_the_candidate(cities: Cities, sessions: Sessions) -> None:
    scene = await four(sessions)
    offer = await offered(cities, scene)

    for member in ("tokyo", "delhi"):
        refused = await cities.call(member, "POST", f"/handovers/{offer['id']}/acceptance", {})
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-candidate")
    stranger = await cities.call("berlin", "POST", f"/handovers/{offer['id']}/acceptance", {})

    assert stranger.status_code == 404
    assert (await cities.get("tokyo", f"/projects/{scene.project.id}"))["lead"] == "tokyo"


@pytest.mark.parametrize("candidate", ["paris", "berlin", "tokyo"])
async def test_only_a_member_that_takes_part_can_lead(
    cities: Cities, sessions: Sessions, candidate: str
) -> None:
    scene = await four(sessions)

    refused = await cities.call(
        "tokyo",
        "POST",
        f"/projects/{scene.project.id}/handovers",
        OFFER | {"candidate": candidate},
    )

    assert refused.json()["type"] == "/problems/candidate-not-taking-part"


@pytest.mark.parametrize(
    ("closes_on", "problem"),
    [("2026-01-01", "/problems/closes-too-soon"), ("2199-12-31", "/problems/closes-too-late")],
)
async def test_nobody_is_offered_what_they_could_not_accept(
    cities: Cities, sessions: Sessions, closes_on: str, problem: str
) -> None:
    scene = await four(sessions)

    refused = await cities.call(
        "tokyo",
        "POST",
        f"/projects/{scene.project.id}/handovers",
        OFFER | {"closes_on": closes_on},
    )

    assert refused.json()["type"] == problem
    assert await kinds(sessions) == []


async def test_one_offer_at_a_time_which_can_be_declined_or_taken_back(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await four(sessions)
    first = await offered(cities, scene)
    path = f"/projects/{scene.project.id}/handovers"

    second = await cities.call("tokyo", "POST", path, OFFER | {"candidate": "delhi"})
    declined = await cities.do(
        "seoul", "POST", f"/handovers/{first['id']}/declination", {"note": "No staff."}
    )
    third = await cities.do("tokyo", "POST", path, OFFER | {"candidate": "delhi"})
    taken_back = await cities.do("tokyo", "POST", f"/handovers/{third['id']}/withdrawal")

    assert second.json()["type"] == "/problems/handover-open"
    assert (declined["status"], declined["answer_note"]) == ("declined", "No staff.")
    assert taken_back["status"] == "withdrawn"


async def test_what_the_members_refuse_changes_nothing(cities: Cities, sessions: Sessions) -> None:
    scene = await four(sessions)
    handover = await accepted(cities, scene)
    decision = await cities.get("tokyo", f"/decisions/{handover['decision_id']}")

    await say(cities, decision, "delhi", "jakarta", position="object")

    ended = await cities.get("tokyo", f"/handovers/{handover['id']}")
    assert ended["status"] == "refused"
    assert (await cities.get("tokyo", f"/projects/{scene.project.id}"))["lead"] == "tokyo"


async def test_a_candidate_that_leaves_is_not_made_lead(cities: Cities, sessions: Sessions) -> None:
    scene = await four(sessions)
    offer = await offered(cities, scene)

    place = scene.participations["seoul"].id
    await cities.do("seoul", "POST", f"/participations/{place}/withdrawal", {"note": "Bye."})

    ended = await cities.get("tokyo", f"/handovers/{offer['id']}")
    assert ended["status"] == "withdrawn"
    assert (await announced(sessions))[-1].type == "renkei.handover.withdrawn.v1"
