"""The rules of decisions: who is asked, who answers, and when it is over."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from services.projects.model.decision import (
    ClosesTooLate,
    ClosesTooSoon,
    CountedOut,
    Decision,
    DecisionClosed,
    NotAsked,
    NotProposer,
    NotSettled,
)
from services.projects.model.project import NobodyToAsk, ProjectEnded
from services.projects.model.standing import MemberNotActive, NotParticipating
from services.projects.model.verdict import verdict_at_deadline
from shared.actor import MissingScope
from shared.contracts.projects import DecisionRule, PositionTaken
from shared.refusals import Refusal
from tests.projects.scenes import NOON, Scene, working

CLOSES_AT = datetime(2026, 6, 1, 15, 0, tzinfo=UTC)


def four() -> Scene:
    """Tokyo leads; Seoul, Delhi and Jakarta take part; Paris is only invited."""
    scene = working()
    scene.accept("delhi")
    scene.accept("jakarta")
    return scene


def test_it_asks_all_who_take_part_and_closes_at_the_end_of_a_local_day() -> None:
    decision = four().put("two_thirds")

    assert [each.member for each in decision.electorate] == ["delhi", "jakarta", "seoul", "tokyo"]
    assert decision.closes_at == CLOSES_AT
    assert decision.tally.needed == 3


def test_who_joins_later_is_not_asked() -> None:
    scene = four()
    decision = scene.put()
    scene.participations["paris"].accept(
        reservation=None, note=None, by=scene.as_("paris"), at=NOON
    )
    scene.note(scene.participations["paris"])

    with pytest.raises(NotAsked):
        scene.say(decision, "paris")
    assert decision.allowed_actions(scene.as_("paris"), NOON) == []


def test_nobody_says_anything_for_another_member() -> None:
    scene = four()
    decision = scene.put()
    scene.accept("berlin", "observer")

    scene.say(decision, "seoul", position="object")

    assert {each.member: each.position for each in decision.electorate} == {
        "delhi": None,
        "jakarta": None,
        "seoul": "object",
        "tokyo": None,
    }
    with pytest.raises(NotAsked):
        scene.say(decision, "berlin")


def test_a_position_may_change_and_what_was_said_before_is_kept() -> None:
    scene = four()
    decision = scene.put()
    seoul = scene.as_("seoul")

    first = decision.take_position("object", "Too early.", by=seoul, at=NOON)
    second = decision.take_position("approve", None, by=seoul, at=NOON + timedelta(hours=1))

    assert (first.position, first.reason, first.taken_at) == ("object", "Too early.", NOON)
    assert first.taken_by == "client:seoul-main"
    assert second.position == "approve"
    assert decision.elector("seoul").reason is None
    assert decision.tally.approve == 1


@pytest.mark.parametrize("scopes", [{"projects:read"}, {"projects:read", "projects:contribute"}])
def test_only_who_speaks_for_a_member_takes_a_position(scopes: set[str]) -> None:
    scene = four()
    decision = scene.put()

    with pytest.raises(MissingScope):
        decision.take_position("approve", None, by=scene.as_("seoul", frozenset(scopes)), at=NOON)


def test_a_suspended_member_is_asked_but_says_nothing() -> None:
    scene = four()
    decision = scene.put()
    scene.inactive.add("seoul")

    with pytest.raises(MemberNotActive):
        scene.say(decision, "seoul")
    assert decision.tally.electorate == 4


def test_from_its_deadline_on_nothing_is_said_whether_or_not_anybody_has_noticed() -> None:
    scene = four()
    decision = scene.put()

    with pytest.raises(DecisionClosed):
        decision.take_position("approve", None, by=scene.as_("seoul"), at=CLOSES_AT)
    with pytest.raises(DecisionClosed):
        decision.withdraw("No", by=scene.as_("tokyo"), at=CLOSES_AT)
    assert decision.allowed_actions(scene.as_("tokyo"), CLOSES_AT) == []


@pytest.mark.parametrize(
    ("closes_on", "refusal"),
    [
        (date(2026, 5, 3), ClosesTooSoon),
        (date(2027, 5, 6), ClosesTooLate),
    ],
)
def test_a_question_can_be_answered_in_time(closes_on: date, refusal: type[Refusal]) -> None:
    scene = four()

    with pytest.raises(refusal):
        scene.put(closes_on=closes_on)


def test_silence_means_consent_only_after_three_working_days() -> None:
    scene = four()

    with pytest.raises(ClosesTooSoon) as refused:
        scene.put("silence", working_days=2)
    scene.put("unanimity", working_days=2)
    scene.put("silence", working_days=3)

    assert refused.value.members == {"members": ["delhi", "jakarta", "seoul"]}


def test_somebody_besides_the_proposer_is_asked() -> None:
    scene = working()

    with pytest.raises(NobodyToAsk):
        scene.put("unanimity", "tokyo")


def test_nothing_is_asked_in_a_project_that_is_over() -> None:
    scene = four()
    scene.project.cancel("No money", by=scene.as_("tokyo"), at=NOON)

    with pytest.raises(ProjectEnded):
        scene.put()


@pytest.mark.parametrize("member", ["paris", "berlin"])
def test_only_who_takes_part_asks(member: str) -> None:
    scene = four()

    with pytest.raises(NotParticipating):
        scene.project.ensure_can_be_asked_in(scene.as_(member))
    scene.project.ensure_can_be_asked_in(scene.as_("seoul"))


def test_the_proposer_closes_what_no_answer_can_turn_any_more() -> None:
    scene = four()
    decision = scene.put("two_thirds", proposer="seoul")
    scene.say(decision, "tokyo", "delhi")

    with pytest.raises(NotSettled):
        decision.ensure_settled(NOON)
    assert decision.allowed_actions(scene.as_("seoul"), NOON) == ["take_position", "withdraw"]
    scene.say(decision, "seoul")

    decision.ensure_settled(NOON)
    assert decision.allowed_actions(scene.as_("seoul"), NOON) == [
        "take_position",
        "close",
        "withdraw",
    ]
    with pytest.raises(NotProposer):
        decision.ensure_proposed_by(scene.as_("tokyo"))


def test_a_member_that_withdrew_is_counted_out_and_what_it_said_remains() -> None:
    scene = four()
    decision = scene.put("unanimity")
    scene.say(decision, "tokyo", "delhi", "jakarta")
    scene.say(decision, "seoul", position="object")

    decision.count_out("seoul", at=NOON)

    assert decision.tally == (3, 3, 0, 0, 0, 3)
    assert decision.elector("seoul").position == "object"
    assert decision.verdict(CLOSES_AT) == "adopted"
    with pytest.raises(CountedOut):
        scene.say(decision, "seoul")


MEMBERS = st.sampled_from(["tokyo", "seoul", "delhi", "jakarta", "paris", "berlin"])
POSITIONS = st.sampled_from(["approve", "object", "abstain"])


class Deciding(RuleBasedStateMachine):
    """Cities ask, answer, withdraw and let time pass, at random."""

    decisions = Bundle("decisions")

    @initialize()
    def begin(self) -> None:
        self.scene = four()
        self.now = NOON
        self.said: dict[tuple[Any, str], PositionTaken] = {}
        self.asked: dict[Any, frozenset[str]] = {}
        self.ended: dict[Any, str] = {}

    def attempt(self, act: Callable[[], object]) -> bool:
        before = [each.state() for each in self.scene.decisions]
        try:
            act()
        except Refusal:
            assert [each.state() for each in self.scene.decisions] == before
            return False
        return True

    def settle(self, decision: Decision) -> None:
        """What the use cases do after each change."""
        verdict = decision.verdict(self.now) if decision.status == "open" else None
        if verdict is not None:
            decision.close(verdict, at=self.now)

    @rule(
        target=decisions,
        proposer=MEMBERS,
        rule=st.sampled_from(["unanimity", "two_thirds", "simple_majority", "silence"]),
        days=st.integers(1, 5),
    )
    def ask(self, proposer: str, rule: DecisionRule, days: int) -> Decision | None:
        made: list[Decision] = []

        def act() -> None:
            self.scene.project.ensure_can_be_asked_in(self.scene.as_(proposer))
            closes_on = (self.now + timedelta(days=days)).date()
            made.append(self.scene.put(rule, proposer=proposer, closes_on=closes_on))

        if not self.attempt(act):
            return None
        [decision] = made
        self.asked[decision.id] = frozenset(each.member for each in decision.electorate)
        return decision

    @rule(decision=decisions, member=MEMBERS, position=POSITIONS)
    def say(self, decision: Decision | None, member: str, position: PositionTaken) -> None:
        if decision is None:
            return
        by = self.scene.as_(member)
        if self.attempt(lambda: decision.take_position(position, None, by=by, at=self.now)):
            assert member in self.asked[decision.id]
            assert self.now < decision.closes_at
            self.said[decision.id, member] = position
            self.settle(decision)

    @rule(decision=decisions, member=MEMBERS)
    def close(self, decision: Decision | None, member: str) -> None:
        if decision is None:
            return

        def act() -> None:
            decision.ensure_proposed_by(self.scene.as_(member))
            decision.ensure_settled(self.now)
            decision.close("adopted", at=self.now)

        offered = "close" in decision.allowed_actions(self.scene.as_(member), self.now)
        assert self.attempt(act) == offered

    @rule(decision=decisions, member=MEMBERS)
    def take_back(self, decision: Decision | None, member: str) -> None:
        if decision is None:
            return
        by = self.scene.as_(member)
        if self.attempt(lambda: decision.withdraw("No", by=by, at=self.now)):
            assert member == decision.proposer

    @rule(member=st.sampled_from(["seoul", "delhi", "jakarta"]))
    def leave(self, member: str) -> None:
        if not self.scene.as_("tokyo").takes_part(member):
            return
        self.scene.withdraw(member)
        for decision in self.scene.decisions:
            if decision.status == "open" and member in self.asked[decision.id]:
                decision.count_out(member, at=self.now)
                self.settle(decision)

    @rule(hours=st.integers(1, 40))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        for decision in self.scene.decisions:
            if decision.status == "open" and decision.closes_at <= self.now:
                self.settle(decision)

    @invariant()
    def the_electorate_never_changes(self) -> None:
        for decision in self.scene.decisions:
            members = frozenset(each.member for each in decision.electorate)
            assert members == self.asked[decision.id]

    @invariant()
    def every_member_said_what_it_said(self) -> None:
        for decision in self.scene.decisions:
            for each in decision.electorate:
                assert each.position == self.said.get((decision.id, each.member))

    @invariant()
    def what_is_closed_stays_as_it_is(self) -> None:
        for decision in self.scene.decisions:
            if decision.status != "open":
                assert self.ended.setdefault(decision.id, decision.status) == decision.status

    @invariant()
    def the_result_follows_from_the_positions(self) -> None:
        for decision in self.scene.decisions:
            if decision.status == "adopted":
                assert verdict_at_deadline(decision.rule, decision.tally) == "adopted"
            if decision.status == "lapsed":
                assert verdict_at_deadline(decision.rule, decision.tally) == "lapsed"
            if decision.status == "open":
                assert decision.closes_at > self.now


TestDeciding = Deciding.TestCase
TestDeciding.settings = settings(max_examples=60, stateful_step_count=30)
