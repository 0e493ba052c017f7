"""Whatever members try, in any order: no member is ever spoken for by another one."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from services.projects.model.contribution import Contribution
from services.projects.model.milestone import Milestone
from services.projects.model.participation import Participation
from services.projects.model.project import Progress
from shared.refusals import Refusal
from tests.projects.scenes import NOON, ZONES, Scene

MEMBERS = st.sampled_from(sorted(ZONES))

Seen = dict[str, Any]


class Cooperation(RuleBasedStateMachine):
    """Every member tries everything; what changes must be its own to change."""

    participations = Bundle("participations")
    milestones = Bundle("milestones")
    contributions = Bundle("contributions")

    @initialize()
    def begin(self) -> None:
        self.scene = Scene().propose()
        self.invitations: list[Participation] = []
        self.owed: list[tuple[Milestone, Contribution]] = []

    def snapshot(self) -> tuple[Any, ...]:
        return (
            self.scene.project.state(),
            *(each.state() for each in self.invitations),
            *(each.state() for each in self.scene.milestones),
        )

    def attempt(self, act: Callable[[], Any], spoken_for: str) -> bool:
        """Let the actor act; a refusal leaves no trace, success is for its own member alone."""
        before = self.snapshot()
        try:
            act()
        except Refusal:
            assert self.snapshot() == before
            return False
        assert self.actor == spoken_for
        return True

    @rule(target=participations, actor=MEMBERS, member=MEMBERS)
    def invite(self, actor: str, member: str) -> Participation | None:
        self.actor = actor
        scene, made = self.scene, []
        as_actor = scene.as_(actor)

        def act() -> None:
            before = scene.as_
            scene.as_ = lambda *_: as_actor  # type: ignore[method-assign]
            try:
                made.append(scene.invite(member))
            finally:
                scene.as_ = before  # type: ignore[method-assign]

        if self.attempt(act, spoken_for="tokyo"):
            self.invitations.append(made[0])
            return made[0]
        return None

    @rule(participation=participations, actor=MEMBERS, accept=st.booleans())
    def answer(self, participation: Participation | None, actor: str, accept: bool) -> None:
        if participation is None:
            return
        self.actor = actor
        by = self.scene.as_(actor)

        def act() -> None:
            if accept:
                participation.accept(reservation=None, note=None, by=by, at=NOON)
            else:
                participation.decline(note=None, by=by, at=NOON)
            self.scene.note(participation)

        self.attempt(act, spoken_for=participation.member)

    @rule(participation=participations, actor=MEMBERS)
    def withdraw(self, participation: Participation | None, actor: str) -> None:
        if participation is None:
            return
        self.actor = actor

        def act() -> None:
            participation.withdraw(on=None, note="Bye", by=self.scene.as_(actor), at=NOON)
            self.scene.note(participation)

        self.attempt(act, spoken_for=participation.member)

    @rule(actor=MEMBERS, step=st.sampled_from(["activate", "suspend", "resume", "complete"]))
    def lead(self, actor: str, step: str) -> None:
        self.actor = actor
        project, by = self.scene.project, self.scene.as_(actor)
        progress = Progress(
            sum(each.status in {"planned", "in_progress"} for each in self.scene.milestones),
            sum(each.status == "completed" for each in self.scene.milestones),
        )
        steps: dict[str, Callable[[], None]] = {
            "activate": lambda: project.activate(by=by, at=NOON),
            "suspend": lambda: project.suspend("Rest", by=by, at=NOON),
            "resume": lambda: project.resume(by=by, at=NOON),
            "complete": lambda: project.complete(progress, by=by, at=NOON),
        }
        self.attempt(steps[step], spoken_for="tokyo")

    @rule(target=milestones, actor=MEMBERS, accountable=MEMBERS)
    def plan(self, actor: str, accountable: str) -> Milestone | None:
        self.actor = actor
        by, made = self.scene.as_(actor), []

        def act() -> None:
            made.append(
                Milestone.plan(
                    self.scene.project,
                    title={"en": "Report"},
                    description=None,
                    due_on=date(2026, 9, 30),
                    time_zone="Asia/Tokyo",
                    accountable=accountable,
                    by=by,
                    at=NOON,
                )
            )

        if self.attempt(act, spoken_for="tokyo"):
            self.scene.milestones.append(made[0])
            return made[0]
        return None

    @rule(
        milestone=milestones, actor=MEMBERS, step=st.sampled_from(["start", "complete", "complete"])
    )
    def work(self, milestone: Milestone | None, actor: str, step: str) -> None:
        if milestone is None:
            return
        self.actor = actor
        by = self.scene.as_(actor)
        steps = self.scene.plan_now.steps
        milestone.knows([steps[needed.milestone_id] for needed in milestone.dependencies])
        self.attempt(
            lambda: getattr(milestone, step)(by=by, at=NOON), spoken_for=milestone.accountable
        )

    @rule(milestone=milestones, actor=MEMBERS, step=st.sampled_from(["cancel", "reschedule"]))
    def move(self, milestone: Milestone | None, actor: str, step: str) -> None:
        if milestone is None:
            return
        self.actor = actor
        by = self.scene.as_(actor)
        others = set(milestone.others_with_a_stake(by))

        def act() -> None:
            if step == "cancel":
                milestone.cancel("No", by=by, at=NOON)
            else:
                self.scene.reschedule(milestone, milestone.due_on + timedelta(days=1), by=actor)

        if self.attempt(act, spoken_for="tokyo"):
            assert not others

    @rule(milestone=milestones, needed=milestones, actor=MEMBERS, lag_days=st.integers(0, 3))
    def depend(
        self, milestone: Milestone | None, needed: Milestone | None, actor: str, lag_days: int
    ) -> None:
        if milestone is None or needed is None:
            return
        self.actor = actor
        lead, accountable = self.scene.project.lead, milestone.accountable

        def act() -> None:
            self.scene.wait(milestone, needed, lag_days=lag_days, by=actor)

        if self.attempt(act, spoken_for=actor if actor in {lead, accountable} else lead):
            assert actor == accountable or not self.scene.as_(lead).takes_part(accountable)

    @rule(target=contributions, milestone=milestones, actor=MEMBERS, member=MEMBERS)
    def ask(
        self, milestone: Milestone | None, actor: str, member: str
    ) -> tuple[Milestone, Contribution] | None:
        if milestone is None:
            return None
        self.actor = actor
        by = self.scene.as_(actor)
        made: list[Contribution] = []
        asks = actor if actor in {"tokyo", milestone.accountable} else "tokyo"
        if self.attempt(
            lambda: made.append(
                milestone.request_contribution(member=member, description="Data", by=by, at=NOON)
            ),
            spoken_for=asks,
        ):
            self.owed.append((milestone, made[0]))
            return milestone, made[0]
        return None

    @rule(owed=contributions, actor=MEMBERS)
    def deliver(self, owed: tuple[Milestone, Contribution] | None, actor: str) -> None:
        if owed is None:
            return
        self.actor = actor
        milestone, contribution = owed
        by = self.scene.as_(actor)
        self.attempt(
            lambda: milestone.deliver(contribution, "data", by=by, at=NOON),
            spoken_for=contribution.member,
        )

    @rule(owed=contributions, actor=MEMBERS, accept=st.booleans())
    def decide(self, owed: tuple[Milestone, Contribution] | None, actor: str, accept: bool) -> None:
        if owed is None:
            return
        self.actor = actor
        milestone, contribution = owed
        by = self.scene.as_(actor)

        def act() -> None:
            if accept:
                milestone.accept(contribution, by=by, at=NOON)
            else:
                milestone.give_back(contribution, "Again", by=by, at=NOON)

        self.attempt(act, spoken_for=milestone.accountable)

    @invariant()
    def what_is_completed_lacks_nothing(self) -> None:
        for milestone in self.scene.milestones:
            if milestone.status == "completed":
                assert {owed.status for owed in milestone.contributions} <= {"accepted"}
                assert milestone.completed_at == NOON

    @invariant()
    def nothing_waits_for_itself(self) -> None:
        plan = self.scene.plan_now
        assert len(plan.outlook()) == sum(
            each.status != "cancelled" for each in self.scene.milestones
        )

    @invariant()
    def what_is_completed_had_to_wait_no_more(self) -> None:
        by_id = {each.id: each for each in self.scene.milestones}
        for milestone in self.scene.milestones:
            if milestone.status == "completed":
                needed = [by_id[one.milestone_id] for one in milestone.dependencies]
                assert {each.status for each in needed} <= {"completed", "cancelled"}

    @invariant()
    def a_completed_project_owes_nothing(self) -> None:
        if self.scene.project.status == "completed":
            assert {each.status for each in self.scene.milestones} <= {"completed", "cancelled"}

    @invariant()
    def what_is_offered_is_what_succeeds(self) -> None:
        for milestone in self.scene.milestones:
            offered = milestone.allowed_actions(self.scene.as_(milestone.accountable), NOON)
            open_parts = [owed for owed in milestone.contributions if owed.status != "accepted"]
            assert ("complete" in offered) <= (not open_parts)


TestCooperation = Cooperation.TestCase
TestCooperation.settings = settings(max_examples=60, stateful_step_count=40)
