"""What others promised is not moved over their heads, by any route."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from services.projects.model import milestone, plan
from services.projects.model.known import KnownMember
from services.projects.model.milestone import Milestone
from shared.database import Sessions
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import Scene, working
from tests.projects.test_decisions_api import kinds, let_time_pass, say

LATER = {"due_on": "2026-11-30", "time_zone": "Asia/Tokyo"}
CLOSES_ON = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()
QUESTION = {
    "title": {"en": "Two months later"},
    "text": {"en": "The sensors come later."},
    "rule": "unanimity",
    "closes_on": CLOSES_ON,
    "time_zone": "Asia/Tokyo",
}


class Chain:
    """Tokyo's milestone, then one of Tokyo with Delhi's contribution, then one of Seoul."""

    def __init__(self) -> None:
        self.scene = working()
        self.scene.accept("delhi")
        self.scene.accept("jakarta")
        self.first = self.scene.plan(due_on=date(2026, 9, 1))
        self.second = self.scene.plan(due_on=date(2026, 9, 30))
        self.third = self.scene.plan("seoul", due_on=date(2026, 12, 31))
        self.scene.ask(self.second, "delhi")
        self.scene.wait(self.second, self.first, lag_days=7)
        self.scene.wait(self.third, self.second)

    async def stored(self, sessions: Sessions) -> "Chain":
        await self.scene.store(sessions)
        return self


async def due(cities: Cities, milestone: Milestone) -> str:
    return str((await cities.get("tokyo", f"/milestones/{milestone.id}"))["due_on"])


async def test_what_a_new_deadline_would_touch_is_said_before_anything_moves(
    cities: Cities, sessions: Sessions
) -> None:
    chain = await Chain().stored(sessions)

    foreseen = await cities.do(
        "tokyo", "POST", f"/milestones/{chain.first.id}/reschedule?dry_run=true", LATER
    )

    assert foreseen == {
        "milestone_id": str(chain.first.id),
        **LATER,
        "moved": [{"milestone_id": str(chain.second.id), "due_on": "2026-12-07"}],
        "waiting": [str(chain.second.id), str(chain.third.id)],
        "affected_members": ["delhi", "seoul"],
        "needs_decision": True,
        "warnings": [],
    }
    assert await due(cities, chain.first) == "2026-09-01"
    assert await kinds(sessions) == []


async def test_what_touches_others_is_refused_unless_they_are_asked(
    cities: Cities, sessions: Sessions
) -> None:
    chain = await Chain().stored(sessions)

    refused = await cities.call("tokyo", "POST", f"/milestones/{chain.first.id}/reschedule", LATER)

    assert refused.status_code == 409
    assert refused.json()["affected_members"] == ["delhi", "seoul"]
    assert await kinds(sessions) == []


async def test_exactly_the_affected_are_asked_and_all_moves_when_they_consent(
    cities: Cities, sessions: Sessions
) -> None:
    chain = await Chain().stored(sessions)

    asked = await cities.call(
        "tokyo", "POST", f"/milestones/{chain.first.id}/reschedule", {**LATER, "ask": QUESTION}
    )
    decision = asked.json()
    before = await due(cities, chain.first)
    await say(cities, decision, "delhi", "seoul")
    closed = await cities.do("tokyo", "POST", f"/decisions/{decision['id']}/closing")

    assert asked.status_code == 202
    assert asked.headers["Location"] == f"/api/v1/decisions/{decision['id']}"
    assert [one["member"] for one in decision["electorate"]] == ["delhi", "seoul"]
    assert before == "2026-09-01"
    assert (closed["status"], closed["hindrance"]) == ("adopted", None)
    assert await due(cities, chain.first) == "2026-11-30"
    assert await due(cities, chain.second) == "2026-12-07"
    assert await due(cities, chain.third) == "2026-12-31"
    assert (await kinds(sessions))[-3:] == [
        "decision.adopted.v1",
        "milestone.rescheduled.v1",
        "milestone.rescheduled.v1",
    ]


async def test_one_objection_and_nothing_moves(cities: Cities, sessions: Sessions) -> None:
    chain = await Chain().stored(sessions)
    asked = (
        await cities.call(
            "tokyo", "POST", f"/milestones/{chain.first.id}/reschedule", {**LATER, "ask": QUESTION}
        )
    ).json()

    said = await say(cities, asked, "seoul", position="object")

    assert said["status"] == "rejected"
    assert await due(cities, chain.first) == "2026-09-01"


async def test_who_comes_into_play_after_the_question_is_not_passed_over(
    cities: Cities, sessions: Sessions
) -> None:
    chain = await Chain().stored(sessions)
    asked = (
        await cities.call(
            "tokyo", "POST", f"/milestones/{chain.first.id}/reschedule", {**LATER, "ask": QUESTION}
        )
    ).json()
    await cities.do(
        "tokyo",
        "POST",
        f"/milestones/{chain.first.id}/contributions",
        {"member": "jakarta", "description": "Maps"},
    )

    await say(cities, asked, "delhi", "seoul")
    closed = await cities.do("tokyo", "POST", f"/decisions/{asked['id']}/closing")

    assert (closed["status"], closed["hindrance"]) == ("adopted", "others-are-affected")
    assert await due(cities, chain.first) == "2026-09-01"


@pytest.mark.parametrize("rule", ["two_thirds", "simple_majority"])
async def test_most_do_not_decide_about_the_promise_of_one(
    cities: Cities, sessions: Sessions, rule: str
) -> None:
    chain = await Chain().stored(sessions)
    effect = {"kind": "reschedule_milestone", "milestone_id": str(chain.first.id), **LATER}

    refused = await cities.call(
        "tokyo",
        "POST",
        f"/projects/{chain.scene.project.id}/decisions",
        QUESTION | {"rule": rule, "effect": effect},
    )

    assert (refused.status_code, refused.json()["type"]) == (
        422,
        "/problems/rule-overrules-affected",
    )


async def test_the_accountable_member_asks_for_more_time_and_the_lead_is_asked(
    cities: Cities, sessions: Sessions
) -> None:
    chain = await Chain().stored(sessions)
    effect = {
        "kind": "reschedule_milestone",
        "milestone_id": str(chain.third.id),
        "due_on": "2027-01-31",
        "time_zone": "Asia/Seoul",
    }

    asked = await cities.do(
        "seoul",
        "POST",
        f"/projects/{chain.scene.project.id}/decisions",
        QUESTION | {"effect": effect},
    )
    other = await cities.call(
        "delhi",
        "POST",
        f"/projects/{chain.scene.project.id}/decisions",
        QUESTION | {"effect": effect},
    )
    await say(cities, asked, "tokyo")
    await cities.do("seoul", "POST", f"/decisions/{asked['id']}/closing")

    assert [one["member"] for one in asked["electorate"]] == ["tokyo"]
    assert other.json()["type"] == "/problems/not-lead-or-accountable"
    assert await due(cities, chain.third) == "2027-01-31"


async def test_a_milestone_is_asked_about_once_at_a_time(
    cities: Cities, sessions: Sessions
) -> None:
    chain = await Chain().stored(sessions)
    path, body = f"/milestones/{chain.first.id}/reschedule", {**LATER, "ask": QUESTION}

    first = await cities.call("tokyo", "POST", path, body)
    second = await cities.call("tokyo", "POST", path, body)

    assert second.status_code == 409
    assert second.json()["decision_id"] == first.json()["id"]


async def test_a_deadline_does_not_pass_what_it_waits_for(
    cities: Cities, sessions: Sessions
) -> None:
    chain = await Chain().stored(sessions)

    refused = await cities.call(
        "tokyo",
        "POST",
        f"/milestones/{chain.second.id}/reschedule",
        {"due_on": "2026-09-07", "time_zone": "Asia/Tokyo"},
    )

    assert refused.json()["type"] == "/problems/deadline-too-early"
    assert refused.json()["earliest_on"] == "2026-09-08"


async def test_cancelling_what_others_promised_needs_them_too(
    cities: Cities, sessions: Sessions
) -> None:
    chain = await Chain().stored(sessions)
    effect = {
        "kind": "cancel_milestone",
        "milestone_id": str(chain.third.id),
        "reason": "Not needed any more.",
    }
    asked = await cities.do(
        "tokyo",
        "POST",
        f"/projects/{chain.scene.project.id}/decisions",
        QUESTION | {"rule": "silence", "effect": effect},
    )

    await let_time_pass(sessions, asked)

    cancelled = await cities.get("seoul", f"/milestones/{chain.third.id}")
    assert [one["member"] for one in asked["electorate"]] == ["seoul"]
    assert (cancelled["status"], cancelled["status_reason"]) == (
        "cancelled",
        "Not needed any more.",
    )


async def test_two_edits_at_once_make_no_circle(cities: Cities, sessions: Sessions) -> None:
    scene = working()
    one, other = scene.plan(), scene.plan()
    await scene.store(sessions)

    def wait(milestone: Milestone, needed: Milestone) -> Any:
        return cities.call(
            "tokyo",
            "PUT",
            f"/milestones/{milestone.id}/dependencies",
            {"depends_on": [{"milestone_id": str(needed.id)}]},
        )

    answers = await asyncio.gather(*(wait(one, other), wait(other, one)))

    assert sorted(each.status_code for each in answers) == [200, 409]
    [refused] = [each for each in answers if each.status_code == 409]
    assert refused.json()["type"] == "/problems/dependency-cycle"


async def test_the_schedule_shows_what_everything_hangs_on(
    cities: Cities, sessions: Sessions
) -> None:
    chain = await Chain().stored(sessions)

    schedule = await cities.get("delhi", f"/projects/{chain.scene.project.id}/schedule")
    hidden = await cities.call("berlin", "GET", f"/projects/{chain.scene.project.id}/schedule")

    assert [
        (one["milestone_id"], one["earliest_on"], one["slack_days"], one["is_critical"])
        for one in schedule["items"]
    ] == [
        (str(chain.first.id), "2026-09-01", 0, True),
        (str(chain.second.id), "2026-09-08", 0, True),
        (str(chain.third.id), "2026-09-08", 0, True),
    ]
    assert hidden.status_code == 404


async def test_progress_and_forecast_are_facts(cities: Cities, sessions: Sessions) -> None:
    scene = working()
    milestone = scene.begin("seoul")
    await scene.store(sessions)
    body = {"progress_percent": 30, "forecast_on": "2026-10-10"}

    shown = await cities.do("seoul", "PUT", f"/milestones/{milestone.id}/progress", body)

    [event] = await announced(sessions)
    assert (shown["progress_percent"], shown["forecast_on"]) == (30, "2026-10-10")
    assert event.data.previous == {
        "progress_percent": 0,
        "forecast_on": None,
        "updated_at": event.data.previous["updated_at"],
    }


async def test_who_changed_it_first_is_shown_to_whom_comes_second(
    cities: Cities, sessions: Sessions
) -> None:
    scene = Scene().propose()
    scene.accept("seoul")
    milestone = scene.plan()
    await scene.store(sessions)
    path = f"/milestones/{milestone.id}"

    await cities.call("tokyo", "PATCH", path, {"title": {"en": "First"}}, match='"1"')
    second = await cities.call("tokyo", "PATCH", path, {"title": {"en": "Second"}}, match='"1"')

    assert second.status_code == 412
    assert second.json()["current"]["title"] == {"en": "First"}


def bulk_move(milestone: Milestone, due_on: str) -> dict[str, Any]:
    change = {"action": "reschedule", "due_on": due_on, "time_zone": "Asia/Tokyo"}
    return {"id": str(milestone.id), "version": milestone.version, **change}


async def test_a_chain_is_moved_together_by_the_versions_that_were_read(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    first, second = scene.plan(due_on=date(2026, 9, 1)), scene.plan(due_on=date(2026, 9, 1))
    scene.wait(second, first)
    await scene.store(sessions)

    answer = await cities.call(
        "tokyo",
        "POST",
        f"/projects/{scene.project.id}/milestones/bulk",
        {"items": [bulk_move(first, "2026-10-01"), bulk_move(second, "2026-10-15")]},
    )

    assert answer.status_code == 200, answer.text
    assert [one["due_on"] for one in answer.json()["items"]] == ["2026-10-01", "2026-10-15"]
    assert len(await announced(sessions)) == 2


async def test_no_bulk_and_no_table_moves_what_others_wait_for(
    cities: Cities, sessions: Sessions
) -> None:
    chain = await Chain().stored(sessions)
    project = chain.scene.project.id
    table = f"id,due_on\n{chain.first.id},2026-11-30\n".encode()

    together = await cities.call(
        "tokyo",
        "POST",
        f"/projects/{project}/milestones/bulk",
        {"items": [bulk_move(chain.first, "2026-11-30")]},
    )
    imported = await cities.send(
        "tokyo", f"/projects/{project}/milestones/import", table, "text/csv"
    )

    [problem] = together.json()["problems"]
    assert problem["type"] == "/problems/others-are-affected"
    assert problem["affected_members"] == ["delhi", "seoul"]
    assert imported.status_code == 422
    assert "others-are-affected" in imported.text
    assert await due(cities, chain.first) == "2026-09-01"
    assert await announced(sessions) == []


async def test_what_others_wait_for_is_not_cancelled_to_be_planned_anew(
    cities: Cities, sessions: Sessions
) -> None:
    chain = await Chain().stored(sessions)

    refused = await cities.call(
        "tokyo", "POST", f"/milestones/{chain.first.id}/cancellation", {"reason": "Later."}
    )

    assert refused.json()["type"] == "/problems/others-are-affected"
    assert refused.json()["affected_members"] == ["delhi", "seoul"]
    assert await kinds(sessions) == []


async def test_what_others_planned_with_is_not_cut_off_before_it_moves(
    cities: Cities, sessions: Sessions
) -> None:
    chain = await Chain().stored(sessions)
    path = f"/milestones/{chain.second.id}/dependencies"
    shorter = [{"milestone_id": str(chain.first.id), "lag_days": 6}]

    cut_off = await cities.call("tokyo", "PUT", path, {"depends_on": []})
    shortened = await cities.call("tokyo", "PUT", path, {"depends_on": shorter})

    assert cut_off.json()["type"] == "/problems/others-are-affected"
    assert cut_off.json()["affected_members"] == ["delhi", "seoul"]
    assert shortened.json() == cut_off.json()
    assert await kinds(sessions) == []


async def test_who_left_and_came_back_is_not_passed_over(
    cities: Cities, sessions: Sessions
) -> None:
    chain = await Chain().stored(sessions)
    asked = await cities.call(
        "tokyo",
        "POST",
        f"/milestones/{chain.first.id}/reschedule",
        {**LATER, "ask": QUESTION | {"rule": "silence"}},
    )
    places = f"/projects/{chain.scene.project.id}/participations"
    seoul = chain.scene.participations["seoul"].id
    await cities.do("seoul", "POST", f"/participations/{seoul}/withdrawal", {"note": "Elections."})
    back = await cities.do("tokyo", "POST", places, {"member": "seoul", "role": "participant"})
    await cities.do("seoul", "POST", f"/participations/{back['id']}/acceptance", {})

    await let_time_pass(sessions, asked.json())

    closed = await cities.get("tokyo", f"/decisions/{asked.json()['id']}")
    assert (closed["status"], closed["hindrance"]) == ("adopted", "others-are-affected")
    assert await due(cities, chain.first) == "2026-09-01"


async def test_the_silence_of_who_may_not_speak_is_no_consent(
    cities: Cities, sessions: Sessions
) -> None:
    chain = await Chain().stored(sessions)
    asked = await cities.call(
        "tokyo",
        "POST",
        f"/milestones/{chain.first.id}/reschedule",
        {**LATER, "ask": QUESTION | {"rule": "silence"}},
    )
    async with sessions.begin() as session:
        (await session.get_one(KnownMember, "seoul")).status = "suspended"

    await let_time_pass(sessions, asked.json())

    closed = await cities.get("tokyo", f"/decisions/{asked.json()['id']}")
    assert (closed["status"], closed["hindrance"]) == ("adopted", "others-are-affected")
    assert await due(cities, chain.first) == "2026-09-01"


async def test_whoever_leads_by_then_is_not_passed_over(cities: Cities, sessions: Sessions) -> None:
    chain = Chain()
    milestone = chain.scene.plan("seoul", due_on=date(2026, 9, 1))
    await chain.stored(sessions)
    effect = {"kind": "reschedule_milestone", "milestone_id": str(milestone.id), **LATER}
    asked = await cities.do(
        "seoul",
        "POST",
        f"/projects/{chain.scene.project.id}/decisions",
        QUESTION | {"effect": effect},
    )
    await cities.do(
        "seoul",
        "POST",
        f"/milestones/{milestone.id}/contributions",
        {"member": "jakarta", "description": "Sensor data"},
    )
    offer = await cities.do(
        "tokyo",
        "POST",
        f"/projects/{chain.scene.project.id}/handovers",
        {"candidate": "jakarta", "closes_on": CLOSES_ON, "time_zone": "Asia/Tokyo"},
    )
    accepted = await cities.do("jakarta", "POST", f"/handovers/{offer['id']}/acceptance", {})
    agreed = await cities.get("tokyo", f"/decisions/{accepted['decision_id']}")
    await say(cities, agreed, "tokyo", "seoul", "delhi")
    await cities.do("tokyo", "POST", f"/decisions/{agreed['id']}/closing")

    await say(cities, asked, "tokyo")
    closed = await cities.do("seoul", "POST", f"/decisions/{asked['id']}/closing")

    assert [one["member"] for one in asked["electorate"]] == ["tokyo"]
    assert (closed["status"], closed["hindrance"]) == ("adopted", "others-are-affected")
    assert await due(cities, milestone) == "2026-09-01"


async def test_what_too_much_waits_for_stays_where_it_is(
    cities: Cities, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = await Chain().stored(sessions)
    effect = {"kind": "reschedule_milestone", "milestone_id": str(chain.first.id), **LATER}
    put = ("tokyo", "POST", f"/projects/{chain.scene.project.id}/decisions")
    asked = await cities.do(*put, QUESTION | {"rule": "silence", "effect": effect})
    monkeypatch.setattr(plan, "MOVED_MAX", 0)

    foreseen = await cities.call(
        "tokyo", "POST", f"/milestones/{chain.first.id}/reschedule?dry_run=true", LATER
    )
    await let_time_pass(sessions, asked)
    again = await cities.call(*put, QUESTION | {"effect": effect})

    closed = await cities.get("tokyo", f"/decisions/{asked['id']}")
    assert foreseen.json()["type"] == again.json()["type"] == "/problems/too-many-moved"
    assert (closed["status"], closed["hindrance"]) == ("adopted", "too-many-moved")
    assert await due(cities, chain.first) == "2026-09-01"
    assert await kinds(sessions) == ["decision.opened.v1", "decision.adopted.v1"]


async def test_a_project_has_room_for_a_limited_number_of_milestones(
    cities: Cities, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = await Chain().stored(sessions)
    monkeypatch.setattr(milestone, "MILESTONES_MAX", 4)
    path = f"/projects/{chain.scene.project.id}/milestones"
    new = {"title": {"en": "One more"}, **LATER, "accountable": "tokyo"}
    rows = "title[en],due_on,time_zone,accountable\r\n" + "More,2026-11-30,UTC,tokyo\r\n" * 2

    table = await cities.send("tokyo", f"{path}/import", rows.encode(), "text/csv")
    await cities.do("tokyo", "POST", path, new)
    refused = await cities.call("tokyo", "POST", path, new)

    assert [each["code"] for each in table.json()["problems"]] == ["too-many-milestones"]
    assert refused.json()["type"] == "/problems/too-many-milestones"
    assert await kinds(sessions) == ["milestone.planned.v1"]
