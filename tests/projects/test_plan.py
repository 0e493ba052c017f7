"""What follows from deadlines and dependencies."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.projects.model.deadline import end_of_day
from services.projects.model.milestone import (
    NotAccountable,
    NotLeadOrAccountable,
    OthersAreAffected,
    PredecessorsOpen,
)
from services.projects.model.plan import (
    DEPENDENCIES_MAX,
    MOVED_MAX,
    PLAN_DEPENDENCIES_MAX,
    DeadlineTooEarly,
    Dependency,
    DependencyCycle,
    DependencyUnknown,
    MovedOutsideCalendar,
    Plan,
    Step,
    TooManyDependencies,
    TooManyMoved,
)
from shared.contracts.projects import MilestoneStatus
from tests.projects.scenes import NOON, Scene, working

DAY = timedelta(days=1)
FIRST = date(2026, 9, 1)


def number(n: int) -> UUID:
    return UUID(int=n)


def step(
    n: int,
    due_on: date = FIRST,
    *needed: tuple[int, int],
    time_zone: str = "Asia/Tokyo",
    status: MilestoneStatus = "planned",
    forecast_on: date | None = None,
    completed_on: date | None = None,
) -> Step:
    return Step(
        number(n),
        due_on=due_on,
        time_zone=time_zone,
        status=status,
        accountable="tokyo",
        depends_on=[Dependency(number(one), lag_days) for one, lag_days in needed],
        forecast_on=forecast_on,
        completed_on=completed_on,
    )


def test_what_waits_moves_no_further_than_it_must() -> None:
    plan = Plan([step(1), step(2, date(2026, 9, 10), (1, 3)), step(3, date(2026, 9, 30), (2, 0))])

    assert plan.moved(number(1), date(2026, 9, 7), "Asia/Tokyo") == {}
    assert plan.moved(number(1), date(2026, 9, 8), "Asia/Tokyo") == {number(2): date(2026, 9, 11)}
    assert plan.moved(number(1), date(2026, 9, 29), "Asia/Tokyo") == {
        number(2): date(2026, 10, 2),
        number(3): date(2026, 10, 2),
    }


def test_only_so_many_move_at_once() -> None:
    followers = [step(n, FIRST, (1, 0)) for n in range(2, MOVED_MAX + 3)]
    as_many_as_can = Plan([step(1), *followers[1:]])
    one_more = Plan([step(1), *followers])

    assert len(as_many_as_can.moved(number(1), FIRST + DAY, "Asia/Tokyo")) == MOVED_MAX
    with pytest.raises(TooManyMoved):
        one_more.moved(number(1), FIRST + DAY, "Asia/Tokyo")


def test_nothing_moves_beyond_the_days_that_can_be_told() -> None:
    plan = Plan([step(1), step(2, date(2199, 12, 31), (1, 3650))])

    assert plan.moved(number(1), date(2190, 12, 31), "Asia/Tokyo") == {
        number(2): date(2200, 12, 29)
    }
    with pytest.raises(MovedOutsideCalendar):
        plan.moved(number(1), date(2191, 12, 31), "Asia/Tokyo")


def test_the_milestones_of_a_project_wait_for_so_many_others_together() -> None:
    waiting = PLAN_DEPENDENCIES_MAX // DEPENDENCIES_MAX
    all_of_them = [(n, 0) for n in range(1, DEPENDENCIES_MAX + 1)]
    steps = [
        *(step(n) for n in range(1, DEPENDENCIES_MAX + 1)),
        *(step(100 + n, FIRST, *all_of_them) for n in range(waiting)),
    ]
    plan = Plan([*steps, last := step(1000)])

    plan.ensure_can_depend(number(100), plan.steps[number(100)].depends_on)
    with pytest.raises(TooManyDependencies):
        plan.ensure_can_depend(last.id, [Dependency(number(1), 0)])


def test_days_are_compared_by_the_instants_at_which_they_end() -> None:
    # The first of September ends in São Paulo when it is noon of the second in Tokyo.
    plan = Plan([step(1, FIRST, time_zone="America/Sao_Paulo"), step(2, FIRST + DAY, (1, 0))])

    plan.ensure_late_enough(plan.steps[number(2)], FIRST + DAY, "Asia/Tokyo")
    with pytest.raises(DeadlineTooEarly) as refused:
        plan.ensure_late_enough(plan.steps[number(2)], FIRST, "Asia/Tokyo")

    assert refused.value.members == {"earliest_on": "2026-09-02"}


def test_a_lag_is_counted_in_days_also_where_a_day_has_23_hours() -> None:
    # Clocks go forward in Berlin on 29 March 2026.
    plan = Plan(
        [
            step(1, date(2026, 3, 28), time_zone="Europe/Berlin"),
            step(2, date(2026, 3, 30), (1, 1), time_zone="Europe/Berlin"),
        ]
    )

    plan.ensure_late_enough(plan.steps[number(2)], date(2026, 3, 29), "Europe/Berlin")


@pytest.mark.parametrize("status", ["completed", "cancelled"])
def test_what_is_over_holds_nobody_up(status: MilestoneStatus) -> None:
    plan = Plan([step(1, FIRST + 9 * DAY, status=status), step(2, FIRST, (1, 5))])

    plan.ensure_late_enough(plan.steps[number(2)], FIRST, "Asia/Tokyo")


def test_nothing_waits_for_itself_by_any_way_round() -> None:
    plan = Plan([step(1), step(2, FIRST, (1, 0)), step(3, FIRST, (2, 0)), step(4)])

    for needed in (1, 2, 3):
        with pytest.raises(DependencyCycle) as refused:
            plan.ensure_can_depend(number(1), [Dependency(number(needed), 0)])
        assert refused.value.members == {"milestone_id": str(number(needed))}
    with pytest.raises(DependencyUnknown):
        plan.ensure_can_depend(number(1), [Dependency(number(9), 0)])
    plan.ensure_can_depend(number(1), [Dependency(number(4), 0)])


def test_what_hangs_on_what_is_the_critical_path() -> None:
    plan = Plan(
        [
            step(1, FIRST),
            step(2, FIRST + 20 * DAY, (1, 10)),
            step(3, FIRST + 20 * DAY, (1, 2)),
            step(4, FIRST + 30 * DAY, (2, 5), (3, 5)),
            step(5, FIRST + 3 * DAY, status="cancelled"),
        ]
    )

    found = {
        one.id.int: (outlook.earliest_on, outlook.slack_days, outlook.is_critical)
        for one, outlook in plan.outlook()
    }

    assert found == {
        1: (FIRST, 0, True),
        2: (FIRST + 10 * DAY, 0, True),
        3: (FIRST + 2 * DAY, 8, False),
        4: (FIRST + 15 * DAY, 0, True),
    }


def test_a_late_forecast_shows_in_everything_behind_it() -> None:
    plan = Plan([step(1, forecast_on=FIRST + 6 * DAY), step(2, FIRST + 5 * DAY, (1, 2))])

    late = {one.id.int: (out.earliest_on, out.is_late) for one, out in plan.outlook()}

    assert late == {1: (FIRST + 6 * DAY, True), 2: (FIRST + 8 * DAY, True)}


def test_what_is_done_was_done_when_it_was_done() -> None:
    done = step(1, FIRST, status="completed", completed_on=FIRST - 3 * DAY)
    plan = Plan([done, step(2, FIRST + 9 * DAY, (1, 4))])

    found = {one.id.int: (out.earliest_on, out.is_critical) for one, out in plan.outlook()}

    assert found == {1: (FIRST - 3 * DAY, False), 2: (FIRST + DAY, True)}


ZONES = ("Asia/Tokyo", "America/Sao_Paulo", "Europe/Paris", "Pacific/Apia")


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    size = draw(st.integers(2, 7))
    steps: list[Step] = []
    for n in range(size):
        needed = draw(st.sets(st.integers(0, n - 1), max_size=3)) if n else set()
        zone = draw(st.sampled_from(ZONES))
        lags = [(one, draw(st.integers(0, 4))) for one in sorted(needed)]
        due_on = FIRST + DAY * draw(st.integers(0, 20))
        while not in_order(Plan([*steps, step(n, due_on, *lags, time_zone=zone)])):
            due_on += DAY
        steps.append(step(n, due_on, *lags, time_zone=zone))
    return Plan(steps)


def in_order(plan: Plan) -> bool:
    """Whether nothing is due before what it waits for."""
    return all(
        end_of_day(plan.steps[needed].due_on + lag * DAY, plan.steps[needed].time_zone)
        <= end_of_day(one.due_on, one.time_zone)
        for one in plan.steps.values()
        for needed, lag in one.depends_on
    )


def with_deadlines(plan: Plan, days: dict[UUID, date]) -> Plan:
    return Plan(replace(one, due_on=days.get(one.id, one.due_on)) for one in plan.steps.values())


@given(plan=plans(), which=st.integers(0, 6), later=st.integers(0, 30))
def test_after_any_move_the_plan_is_in_order_and_nothing_could_have_moved_less(
    plan: Plan, which: int, later: int
) -> None:
    chosen = list(plan.steps.values())[which % len(plan.steps)]
    day = chosen.due_on + later * DAY

    moved = plan.moved(chosen.id, day, chosen.time_zone)

    after = with_deadlines(plan, {**moved, chosen.id: day})
    assert in_order(after)
    for one, to in moved.items():
        assert to > plan.steps[one].due_on
        assert not in_order(with_deadlines(after, {one: to - DAY}))


@given(plan=plans(), data=st.data())
def test_all_deadlines_reach_their_new_days_and_nothing_gives_way_meanwhile(
    plan: Plan, data: st.DataObject
) -> None:
    steps = list(plan.steps.values())
    days = {step.id: FIRST + DAY * data.draw(st.integers(-20, 40)) for step in steps}
    days |= with_deadlines(plan, days).in_order()
    later = {step.id for step in steps if days[step.id] > step.due_on}
    places = plan.places

    backwards = sorted(later, key=places.__getitem__, reverse=True)
    forwards = sorted(days.keys() - later, key=places.__getitem__)
    for each in [*backwards, *forwards]:
        step = plan.steps[each]
        plan.ensure_late_enough(step, days[each], step.time_zone)
        assert plan.moved(each, days[each], step.time_zone) == {}
        plan.note_due(each, days[each], step.time_zone)

    assert {step.id: step.due_on for step in plan.steps.values()} == days


@given(plan=plans(), which=st.integers(0, 6))
def test_a_plan_that_was_told_is_as_one_that_is_made_anew(plan: Plan, which: int) -> None:
    chosen = list(plan.steps.values())[which % len(plan.steps)]
    plan.outlook()  # so that everything is known that could be wrong afterwards

    plan.note_due(chosen.id, chosen.due_on + 30 * DAY, "Asia/Tokyo")
    plan.note_waiting(chosen.id, chosen.depends_on[1:])

    assert plan.outlook() == Plan(plan.steps.values()).outlook()


@given(plan=plans(), which=st.integers(0, 6), needed=st.integers(0, 6))
def test_a_cycle_is_refused_exactly_where_there_would_be_one(
    plan: Plan, which: int, needed: int
) -> None:
    steps = list(plan.steps.values())
    one, other = steps[which % len(steps)], steps[needed % len(steps)]
    reached, frontier = {other.id}, [other]
    while frontier:
        for each in frontier.pop().depends_on:
            if each.milestone_id not in reached:
                reached.add(each.milestone_id)
                frontier.append(plan.steps[each.milestone_id])

    try:
        plan.ensure_can_depend(one.id, [Dependency(other.id, 0)])
    except DependencyCycle:
        refused = True
    except DeadlineTooEarly:
        refused = False
    else:
        refused = False

    assert refused == (one.id in reached)


@given(plan=plans())
def test_no_milestone_is_possible_before_what_it_waits_for(plan: Plan) -> None:
    outlook = {one.id: out for one, out in plan.outlook()}

    assert len(outlook) == len(plan.steps)
    assert any(out.is_critical for out in outlook.values())
    for one in plan.steps.values():
        for needed, lag in one.depends_on:
            before = plan.steps[needed]
            assert end_of_day(
                outlook[needed].earliest_on + lag * DAY, before.time_zone
            ) <= end_of_day(outlook[one.id].earliest_on, one.time_zone)


def test_a_milestone_is_not_done_before_what_it_waits_for() -> None:
    scene = working()
    first, second = scene.plan(due_on=date(2026, 9, 28)), scene.begin()
    first.start(by=scene.as_("tokyo"), at=NOON)
    scene.wait(second, first, lag_days=2)
    tokyo = scene.as_("tokyo")

    with pytest.raises(PredecessorsOpen) as refused:
        second.complete(by=tokyo, at=NOON)
    first.complete(by=tokyo, at=NOON)
    second.knows([first.step])
    with pytest.raises(PredecessorsOpen):
        second.complete(by=tokyo, at=NOON + DAY)
    second.complete(by=tokyo, at=NOON + 2 * DAY)

    assert refused.value.members == {"milestones": [str(first.id)]}
    assert second.completed_on == date(2026, 5, 6)


def test_a_milestone_that_was_given_up_is_waited_for_no_longer() -> None:
    scene = working()
    first, second = scene.plan(), scene.begin()
    scene.wait(second, first)
    first.cancel("Not needed", by=scene.as_("tokyo"), at=NOON)
    second.knows([first.step])

    second.complete(by=scene.as_("tokyo"), at=NOON)

    assert second.status == "completed"


def test_what_waits_behind_a_deadline_belongs_to_whom_it_touches() -> None:
    scene = working()
    scene.accept("delhi")
    first, second, third = scene.plan(), scene.plan(), scene.plan("seoul")
    scene.wait(second, first)
    scene.wait(third, second)
    scene.ask(third, "delhi")
    before = [each.state() for each in scene.milestones]

    with pytest.raises(OthersAreAffected) as refused:
        scene.reschedule(first, date(2026, 10, 1))

    assert refused.value.members == {"affected_members": ["delhi", "seoul"]}
    assert [each.state() for each in scene.milestones] == before


def test_the_lead_moves_its_own_chain() -> None:
    scene = working()
    first, second = scene.plan(), scene.plan()
    scene.wait(second, first, lag_days=0)

    scene.reschedule(first, date(2026, 10, 7))

    assert (first.due_on, second.due_on) == (date(2026, 10, 7), date(2026, 10, 7))
    assert second.baseline_on == date(2026, 9, 30)


def test_the_lead_does_not_decide_what_another_waits_for() -> None:
    scene = working()
    first, second = scene.plan(), scene.plan("seoul")

    with pytest.raises(OthersAreAffected):
        scene.wait(second, first, by="tokyo")
    with pytest.raises(NotLeadOrAccountable):
        scene.wait(second, first, by="paris")
    scene.wait(second, first, by="seoul")

    assert second.dependencies == [Dependency(first.id, 0)]


def test_until_work_begins_a_new_deadline_is_a_new_baseline() -> None:
    scene = Scene().propose()
    scene.accept("seoul")
    milestone = scene.plan()

    scene.reschedule(milestone, date(2026, 10, 1))
    scene.activate()
    scene.reschedule(milestone, date(2026, 11, 1))

    assert (milestone.baseline_on, milestone.due_on) == (date(2026, 10, 1), date(2026, 11, 1))


def test_only_the_accountable_member_says_how_far_it_is() -> None:
    scene = working()
    milestone = scene.begin("seoul")

    with pytest.raises(NotAccountable):
        milestone.report_progress(90, None, by=scene.as_("tokyo"), at=NOON)
    milestone.report_progress(40, date(2026, 10, 5), by=scene.as_("seoul"), at=NOON)

    assert (milestone.progress_percent, milestone.forecast_on) == (40, date(2026, 10, 5))
