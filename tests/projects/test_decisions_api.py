"""Decisions as members meet them, with what an adopted one does."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from services.projects.model import decision
from services.projects.model.decision import Decision, Position
from services.projects.model.milestone import Milestone
from services.projects.use_cases.close_due_decisions import close_due_decisions
from shared.database import Sessions
from shared.timers import Timer, tick
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import Scene, working

TIMER = Timer("decisions-due", close_due_decisions)

ASK = {
    "title": {"en": "A second year?"},
    "text": {"en": "We propose to go on for another year."},
    "rule": "two_thirds",
    "closes_on": (datetime.now(UTC) + timedelta(days=20)).date().isoformat(),
    "time_zone": "Asia/Tokyo",
}


async def four(sessions: Sessions, visibility: Any = "participants") -> Scene:
    """Tokyo leads; Seoul, Delhi and Jakarta take part; Paris is only invited."""
    scene = working(visibility)
    scene.accept("delhi")
    scene.accept("jakarta")
    return await scene.store(sessions)


async def put(cities: Cities, scene: Scene, proposer: str = "tokyo", **changes: Any) -> Any:
    return await cities.do(
        proposer, "POST", f"/projects/{scene.project.id}/decisions", ASK | changes
    )


async def say(cities: Cities, decision: Any, *members: str, position: str = "approve") -> Any:
    said = decision
    for member in members:
        said = await cities.do(
            member, "POST", f"/decisions/{decision['id']}/positions", {"position": position}
        )
    return said


async def let_pass(sessions: Sessions, *decisions: Any) -> None:
    """Let the deadlines of decisions have passed, one after the other; nobody has noticed yet."""
    async with sessions.begin() as session:
        for nth, decision in enumerate(decisions):
            await session.execute(
                update(Decision)
                .where(Decision.id == UUID(decision["id"]))
                .values(closes_at=datetime.now(UTC) - timedelta(seconds=60 - nth))
            )


async def let_time_pass(sessions: Sessions, *decisions: Any) -> None:
    """Let the deadlines of decisions have passed, one after the other."""
    await let_pass(sessions, *decisions)
    await tick(TIMER, sessions)


async def kinds(sessions: Sessions) -> list[str]:
    return [event.type.removeprefix("renkei.") for event in await announced(sessions)]


async def test_members_are_asked_and_the_proposer_closes_what_is_settled(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await four(sessions)

    asked = await put(cities, scene)
    said = await say(cities, asked, "tokyo", "seoul", "delhi")
    closed = await cities.do("tokyo", "POST", f"/decisions/{asked['id']}/closing")

    assert [one["member"] for one in asked["electorate"]] == ["delhi", "jakarta", "seoul", "tokyo"]
    assert asked["allowed_actions"] == ["take_position", "withdraw"]
    assert said["tally"] == {
        "electorate": 4,
        "approve": 3,
        "object": 0,
        "abstain": 0,
        "silent": 1,
        "needed": 3,
    }
    assert (closed["status"], closed["hindrance"]) == ("adopted", None)
    assert await kinds(sessions) == [
        "decision.opened.v1",
        *["decision.position_taken.v1"] * 3,
        "decision.adopted.v1",
    ]


async def test_all_that_was_said_can_be_read_in_its_order(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await four(sessions)
    asked = await put(cities, scene)
    await say(cities, asked, "seoul", position="object")
    await say(cities, asked, "seoul", "delhi")

    history = await cities.get("jakarta", f"/decisions/{asked['id']}/positions")
    of_seoul = await cities.get("jakarta", f"/decisions/{asked['id']}/positions?member=seoul")

    assert [(one["member"], one["position"]) for one in history["items"]] == [
        ("seoul", "object"),
        ("seoul", "approve"),
        ("delhi", "approve"),
    ]
    assert [one["position"] for one in of_seoul["items"]] == ["object", "approve"]
    assert history["items"][0]["taken_by"] == "client:seoul-main"


async def test_what_can_be_reached_no_longer_is_rejected_with_the_position_that_ends_it(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await four(sessions)
    asked = await put(cities, scene)

    await say(cities, asked, "seoul", position="abstain")
    said = await say(cities, asked, "delhi", position="object")
    late = await cities.call(
        "jakarta", "POST", f"/decisions/{asked['id']}/positions", {"position": "approve"}
    )

    assert said["status"] == "rejected"
    assert (late.status_code, late.json()["type"]) == (409, "/problems/decision-closed")
    assert await kinds(sessions) == [
        "decision.opened.v1",
        "decision.position_taken.v1",
        "decision.position_taken.v1",
        "decision.rejected.v1",
    ]


async def test_silence_until_the_deadline_is_consent(cities: Cities, sessions: Sessions) -> None:
    scene = await four(sessions)
    asked = await put(cities, scene, rule="silence")

    await let_time_pass(sessions, asked)
    closed = await cities.get("seoul", f"/decisions/{asked['id']}")

    assert closed["status"] == "adopted"
    assert (await announced(sessions))[-1].actor is None


async def test_an_unmet_rule_lapses_at_the_deadline(cities: Cities, sessions: Sessions) -> None:
    scene = await four(sessions)
    asked = await put(cities, scene)
    await say(cities, asked, "tokyo", "seoul")

    await let_time_pass(sessions, asked)

    assert (await cities.get("tokyo", f"/decisions/{asked['id']}"))["status"] == "lapsed"


async def test_strangers_and_the_merely_invited_say_nothing(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await four(sessions)
    asked = await put(cities, scene)
    path = f"/decisions/{asked['id']}/positions"

    stranger = await cities.call("berlin", "POST", path, {"position": "approve"})
    invited = await cities.call("paris", "POST", path, {"position": "approve"})
    proposal = await cities.call("paris", "POST", f"/projects/{scene.project.id}/decisions", ASK)

    assert (stranger.status_code, stranger.json()["type"]) == (404, "/problems/decision-not-found")
    assert (invited.status_code, invited.json()["type"]) == (403, "/problems/not-asked")
    assert (proposal.status_code, proposal.json()["type"]) == (403, "/problems/not-participating")
    assert (await cities.call("berlin", "GET", path)).status_code == 404
    assert (await cities.get("berlin", "/decisions"))["items"] == []
    assert await kinds(sessions) == ["decision.opened.v1"]


async def test_fifty_positions_and_closings_at_once_have_one_result(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await four(sessions)
    asked = await put(cities, scene, rule="simple_majority")
    members = ("tokyo", "seoul", "delhi", "jakarta")

    answers = await asyncio.gather(
        *(
            cities.call(
                members[number % 4],
                "POST",
                f"/decisions/{asked['id']}/positions",
                {"position": "approve"},
            )
            for number in range(32)
        ),
        *(cities.call("tokyo", "POST", f"/decisions/{asked['id']}/closing") for _ in range(16)),
    )

    statuses = {each.status_code for each in answers}
    events = Counter(await kinds(sessions))
    closed = await cities.get("tokyo", f"/decisions/{asked['id']}")
    async with sessions() as session:
        kept = await session.scalar(select(func.count()).select_from(Position))
    assert statuses <= {200, 201, 409}
    assert events["decision.adopted.v1"] == (closed["status"] == "adopted")
    assert events["decision.position_taken.v1"] == kept
    assert closed["version"] == 1 + sum(events.values()) - 1


@pytest.mark.parametrize("workers", [4])
async def test_a_deadline_is_met_once_however_many_workers_look(
    cities: Cities, sessions: Sessions, workers: int
) -> None:
    scene = await four(sessions)
    asked = [await put(cities, scene, rule="silence") for _ in range(5)]
    async with sessions.begin() as session:
        await session.execute(update(Decision).values(closes_at=datetime.now(UTC)))

    await asyncio.gather(*(tick(TIMER, sessions) for _ in range(workers)))
    await tick(TIMER, sessions)

    events = Counter(await kinds(sessions))
    assert events["decision.adopted.v1"] == len(asked)


async def test_the_proposer_takes_a_question_back(cities: Cities, sessions: Sessions) -> None:
    scene = await four(sessions)
    asked = await put(cities, scene, "seoul")
    path = f"/decisions/{asked['id']}/withdrawal"

    refused = await cities.call("tokyo", "POST", path, {"reason": "No"})
    taken_back = await cities.do("seoul", "POST", path, {"reason": "Superseded."})

    assert refused.json()["type"] == "/problems/not-proposer"
    assert (taken_back["status"], taken_back["status_reason"]) == ("withdrawn", "Superseded.")


async def test_whoever_leaves_is_counted_out_and_may_settle_it(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await four(sessions)
    asked = await put(cities, scene, rule="simple_majority")
    await say(cities, asked, "tokyo")
    await say(cities, asked, "delhi", position="object")

    for member in ("seoul", "jakarta"):
        place = scene.participations[member].id
        await cities.do(member, "POST", f"/participations/{place}/withdrawal", {"note": "Bye."})

    closed = await cities.get("tokyo", f"/decisions/{asked['id']}")
    counted = {one["member"]: one["counted_out_at"] is None for one in closed["electorate"]}
    assert closed["status"] == "rejected"
    assert closed["tally"]["electorate"] == 2
    assert counted == {"delhi": True, "jakarta": False, "seoul": False, "tokyo": True}
    assert (await kinds(sessions))[-5:] == [
        "participation.withdrawn.v1",
        "decision.elector_counted_out.v1",
        "participation.withdrawn.v1",
        "decision.elector_counted_out.v1",
        "decision.rejected.v1",
    ]


async def test_open_questions_end_with_the_project(cities: Cities, sessions: Sessions) -> None:
    scene = await four(sessions)
    asked = await put(cities, scene)

    await cities.do(
        "tokyo", "POST", f"/projects/{scene.project.id}/cancellation", {"reason": "No money"}
    )

    ended = await cities.get("seoul", f"/decisions/{asked['id']}")
    assert (ended["status"], ended["status_reason"]) == ("lapsed", "project-ended")


async def test_members_are_admitted_by_decision(cities: Cities, sessions: Sessions) -> None:
    scene = await four(sessions)
    effect = {"kind": "admit_member", "member": "berlin"}
    asked = await put(cities, scene, "seoul", rule="silence", effect=effect)
    assert (await cities.call("berlin", "GET", f"/decisions/{asked['id']}")).status_code == 404

    await let_time_pass(sessions, asked)

    places = await cities.get("berlin", "/participations?member=berlin&status=invited")
    assert [(one["role"], one["project_id"]) for one in places["items"]] == [
        ("participant", str(scene.project.id))
    ]
    assert (await announced(sessions))[-1].audience == (
        *("berlin", "delhi", "jakarta", "paris", "seoul", "tokyo"),
    )


async def test_a_project_is_closed_by_decision_and_nothing_else_stays_open(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await four(sessions)
    other = await put(cities, scene)
    effect = {"kind": "close_project", "status": "cancelled", "reason": "Merged with another."}
    asked = await put(cities, scene, "delhi", rule="silence", effect=effect)

    await let_time_pass(sessions, asked)

    project = await cities.get("tokyo", f"/projects/{scene.project.id}")
    assert (project["status"], project["status_reason"]) == ("cancelled", "Merged with another.")
    assert (await cities.get("tokyo", f"/decisions/{other['id']}"))["status"] == "lapsed"
    assert (await cities.get("tokyo", f"/decisions/{asked['id']}"))["status"] == "adopted"


async def test_what_closes_the_project_closes_what_is_due_with_it_once(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await four(sessions)
    effect = {"kind": "close_project", "status": "cancelled", "reason": "Merged with another."}
    first = await put(cities, scene, "delhi", rule="silence", effect=effect)
    second = await put(cities, scene, rule="silence")

    await let_time_pass(sessions, first, second)

    ended = await cities.get("tokyo", f"/decisions/{second['id']}")
    assert (ended["status"], ended["status_reason"]) == ("lapsed", "project-ended")
    assert ended["version"] == 2
    assert await kinds(sessions) == [
        "decision.opened.v1",
        "decision.opened.v1",
        "decision.adopted.v1",
        "project.cancelled.v1",
        "decision.lapsed.v1",
    ]


async def test_what_is_due_at_once_follows_on_what_came_before(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await four(sessions)
    effect = {"kind": "admit_member", "member": "berlin"}
    first = await put(cities, scene, rule="silence", effect=effect)
    second = await put(cities, scene, "seoul", rule="silence", effect=effect)
    third = await put(cities, scene, rule="silence")

    await let_time_pass(sessions, first, second, third)

    closed = [await cities.get("tokyo", f"/decisions/{each['id']}") for each in (first, second)]
    assert [(each["status"], each["hindrance"]) for each in closed] == [
        ("adopted", None),
        ("adopted", "already-invited"),
    ]
    assert "berlin" in (await announced(sessions))[-1].audience


async def test_who_leaves_after_the_deadline_does_not_turn_what_was_decided(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await four(sessions)
    asked = await put(cities, scene, rule="unanimity")
    await say(cities, asked, "tokyo", "seoul", "delhi")
    await let_pass(sessions, asked)

    await cities.do(
        "jakarta",
        "POST",
        f"/participations/{scene.participations['jakarta'].id}/withdrawal",
        {"note": "Other duties."},
    )

    closed = await cities.get("seoul", f"/decisions/{asked['id']}")
    assert closed["status"] == "lapsed"
    assert closed["tally"]["electorate"] == 4


async def test_who_leaves_while_the_end_of_the_project_is_due_closes_nothing_twice(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await four(sessions)
    effect = {"kind": "close_project", "status": "cancelled", "reason": "Merged with another."}
    first = await put(cities, scene, rule="silence", effect=effect)
    second = await put(cities, scene, rule="silence")
    await let_pass(sessions, first, second)

    await cities.do(
        "jakarta",
        "POST",
        f"/participations/{scene.participations['jakarta'].id}/withdrawal",
        {"note": "Other duties."},
    )

    ended = [await cities.get("seoul", f"/decisions/{each['id']}") for each in (first, second)]
    assert [each["status"] for each in ended] == ["adopted", "lapsed"]
    assert (await kinds(sessions)).count("decision.lapsed.v1") == 1


async def test_what_is_not_possible_is_not_made_possible_by_a_decision(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    scene.plan()
    await scene.store(sessions)
    effect = {"kind": "close_project", "status": "completed", "reason": "Done."}
    asked = await put(cities, scene, rule="silence", effect=effect)

    await let_time_pass(sessions, asked)

    closed = await cities.get("tokyo", f"/decisions/{asked['id']}")
    assert (closed["status"], closed["hindrance"]) == ("adopted", "milestones-open")
    assert (await cities.get("tokyo", f"/projects/{scene.project.id}"))["status"] == "active"


@pytest.mark.parametrize(
    ("change", "location"),
    [
        ({"rule": "coin"}, "body/rule"),
        ({"closes_on": "tomorrow"}, "body/closes_on"),
        ({"title": {}}, "body/title"),
        ({"effect": {"kind": "change_lead", "member": "seoul"}}, "body/effect"),
        ({"electorate": ["seoul"]}, "body/electorate"),
    ],
)
async def test_odd_questions_are_not_put(
    cities: Cities, sessions: Sessions, change: Any, location: str
) -> None:
    scene = await four(sessions)

    refused = await cities.call(
        "tokyo", "POST", f"/projects/{scene.project.id}/decisions", ASK | change
    )

    assert refused.status_code == 422
    assert refused.json()["errors"][0]["location"].startswith(location)
    assert await kinds(sessions) == []


async def test_a_milestone_of_another_project_cannot_be_asked_about(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await four(sessions)
    hidden = Scene(reference="other").propose()
    await hidden.store(sessions)
    async with sessions.begin() as session:
        other = Milestone.plan(
            hidden.project,
            title={"en": "Hidden"},
            description=None,
            due_on=datetime(2026, 9, 1, tzinfo=UTC).date(),
            time_zone="Asia/Tokyo",
            accountable="tokyo",
            by=hidden.as_("tokyo"),
            at=datetime.now(UTC),
        )
        session.add(await session.merge(other))
    effect = {
        "kind": "reschedule_milestone",
        "milestone_id": str(other.id),
        "due_on": "2026-12-01",
        "time_zone": "Asia/Tokyo",
    }

    refused = await cities.call(
        "seoul",
        "POST",
        f"/projects/{scene.project.id}/decisions",
        ASK | {"rule": "unanimity", "effect": effect},
    )

    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/milestone-unknown")


async def test_a_project_is_asked_a_limited_number_of_things_at_a_time(
    cities: Cities, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await four(sessions)
    monkeypatch.setattr(decision, "OPEN_MAX", 2)
    first = await put(cities, scene)
    await put(cities, scene)

    refused = await cities.call("seoul", "POST", f"/projects/{scene.project.id}/decisions", ASK)
    await cities.do("tokyo", "POST", f"/decisions/{first['id']}/withdrawal", {"reason": "Enough."})
    await put(cities, scene, "seoul")

    assert refused.json()["type"] == "/problems/too-many-open"
    assert await kinds(sessions) == [
        *["decision.opened.v1"] * 2,
        "decision.withdrawn.v1",
        "decision.opened.v1",
    ]
