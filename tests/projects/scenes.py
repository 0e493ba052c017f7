"""Projects in any state, made by the rules themselves; without a database until they are stored."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Final, Literal, TypeVar

from services.projects.model.contribution import Contribution
from services.projects.model.decision import Decision, Question
from services.projects.model.known import KnownMember
from services.projects.model.milestone import Milestone
from services.projects.model.participation import Participation
from services.projects.model.plan import Dependency, Plan
from services.projects.model.project import Project
from services.projects.model.standing import Place, Standing
from services.projects.model.topic import Objective, Theme
from shared.actor import Actor
from shared.contracts.projects import DecisionRule, Effect, PositionTaken, Visibility
from shared.database import Sessions

T = TypeVar("T", Objective, Theme)

NOON: Final = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LATER: Final = date(2099, 12, 31)  # for what is stored and used by the real clock
SCOPES: Final = frozenset({"projects:read", "projects:contribute", "projects:write"})
ZONES: Final = {
    "tokyo": "Asia/Tokyo",
    "seoul": "Asia/Seoul",
    "paris": "Europe/Paris",
    "berlin": "Europe/Berlin",
    "delhi": "Asia/Kolkata",
    "jakarta": "Asia/Jakarta",
}


def known(member: str, status: str = "active") -> KnownMember:
    return KnownMember(
        slug=member,
        version=1,
        name={"en": member.title()},
        status=status,
        time_zone=ZONES[member],
        country="JP",
        is_host=member == "tokyo",
    )


def listed(kind: type[T], slug: str) -> T:
    """An entry of one of the network's lists."""
    title = {"en": slug.replace("-", " ").capitalize()}
    return kind(slug=slug, title=title, created_at=NOON, updated_at=NOON)


def actor(member: str, scopes: frozenset[str] = SCOPES) -> Actor:
    return Actor(member, client_id=f"{member}-main", scopes=scopes)


@dataclass
class Scene:
    """One project led by Tokyo, with what belongs to it."""

    visibility: Visibility = "participants"
    reference: str = "clean-air"
    project: Project = field(init=False)
    places: dict[str, Place] = field(default_factory=dict)
    participations: dict[str, Participation] = field(default_factory=dict)
    milestones: list[Milestone] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    inactive: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.project = Project.draft(
            by=self.as_("tokyo"),
            at=NOON,
            reference=self.reference,
            title={"en": "Clean air"},
            summary={"en": "What cities do against dust."},
            objectives=("common-issues",),
            visibility=self.visibility,
        )

    def as_(self, member: str, scopes: frozenset[str] = SCOPES) -> Standing:
        """How `member` stands to the project now."""
        status = "suspended" if member in self.inactive else "active"
        return Standing(
            actor(member, scopes), status, ZONES[member], dict(self.places), member == "tokyo"
        )

    def propose(self) -> "Scene":
        self.project.propose(by=self.as_("tokyo"), at=NOON)
        return self

    def invite(
        self, member: str, role: Literal["participant", "observer"] = "participant"
    ) -> Participation:
        participation = Participation.invite(
            self.project,
            member=member,
            known=known(member),
            role=role,
            note=None,
            answer_by_on=LATER,
            by=self.as_("tokyo"),
            at=NOON,
        )
        return self.note(participation)

    def accept(
        self, member: str, role: Literal["participant", "observer"] = "participant"
    ) -> Participation:
        participation = self.invite(member, role)
        participation.accept(reservation=None, note=None, by=self.as_(member), at=NOON)
        return self.note(participation)

    def decline(self, member: str) -> Participation:
        participation = self.invite(member)
        participation.decline(note=None, by=self.as_(member), at=NOON)
        return self.note(participation)

    def withdraw(self, member: str) -> Participation:
        participation = self.participations[member]
        participation.withdraw(on=None, note="Other duties.", by=self.as_(member), at=NOON)
        return self.note(participation)

    def announce(self, member: str, on: date) -> Participation:
        """Let a member give notice."""
        participation = self.participations[member]
        participation.withdraw(on=on, note="Other duties.", by=self.as_(member), at=NOON)
        return self.note(participation)

    def note(self, participation: Participation) -> Participation:
        """Follow what an invitation became."""
        self.participations[participation.member] = participation
        self.places.pop(participation.member, None)
        if participation.place is not None:
            self.places[participation.member] = participation.place
        return participation

    def activate(self) -> "Scene":
        self.project.activate(by=self.as_("tokyo"), at=NOON)
        return self

    def plan(
        self,
        accountable: str = "tokyo",
        due_on: date = date(2026, 9, 30),
        time_zone: str = "Asia/Tokyo",
    ) -> Milestone:
        milestone = Milestone.plan(
            self.project,
            title={"en": "Sensors placed"},
            description=None,
            due_on=due_on,
            time_zone=time_zone,
            accountable=accountable,
            by=self.as_("tokyo"),
            at=NOON,
        )
        self.milestones.append(milestone)
        return milestone

    @property
    def plan_now(self) -> Plan:
        return Plan(milestone.step for milestone in self.milestones)

    def reschedule(
        self, milestone: Milestone, due_on: date, time_zone: str = "Asia/Tokyo", by: str = "tokyo"
    ) -> None:
        """Move a deadline, and what waits for it."""
        moved = milestone.reschedule(
            due_on, time_zone, plan=self.plan_now, by=self.as_(by), at=NOON
        )
        for each in self.milestones:
            if each.id in moved:
                each.give_way(moved[each.id], at=NOON)

    def wait(
        self, milestone: Milestone, *needed: Milestone, lag_days: int = 0, by: str | None = None
    ) -> None:
        """Let a milestone wait for others."""
        milestone.wait_for(
            [Dependency(each.id, lag_days) for each in needed],
            plan=self.plan_now,
            by=self.as_(by or milestone.accountable),
            at=NOON,
        )

    def begin(self, accountable: str = "tokyo") -> Milestone:
        milestone = self.plan(accountable)
        milestone.start(by=self.as_(accountable), at=NOON)
        return milestone

    def ask(self, milestone: Milestone, member: str) -> Contribution:
        return milestone.request_contribution(
            member=member, description="Sensor data", by=self.as_("tokyo"), at=NOON
        )

    def deliver(self, milestone: Milestone, contribution: Contribution) -> None:
        milestone.deliver(contribution, "data/1", by=self.as_(contribution.member), at=NOON)

    def put(
        self,
        rule: DecisionRule = "unanimity",
        *electorate: str,
        proposer: str = "tokyo",
        closes_on: date = date(2026, 6, 1),
        effect: Effect | None = None,
        working_days: int = 10,
    ) -> Decision:
        """Put a question; to all who take part, if nobody is named."""
        asked = electorate or self.project.those_who_take_part(self.as_(proposer))
        decision = Decision.open(
            self.project,
            Question(
                {"en": "Go on?"}, {"en": "As planned."}, rule, closes_on, "Asia/Tokyo", effect
            ),
            electorate=asked,
            working_days=dict.fromkeys(asked, working_days),
            proposer=proposer,
            at=NOON,
        )
        self.decisions.append(decision)
        return decision

    def say(self, decision: Decision, *members: str, position: PositionTaken = "approve") -> None:
        for member in members:
            decision.take_position(position, None, by=self.as_(member), at=NOON)

    async def store(self, sessions: Sessions) -> "Scene":
        async with sessions.begin() as session:
            session.add(self.project)
            session.add_all(self.participations.values())
            session.add_all(self.milestones)
            session.add_all(self.decisions)
        return self


def working(visibility: Visibility = "participants") -> Scene:
    """Active; Seoul takes part, Paris is invited, Berlin declined, Delhi is a stranger."""
    scene = Scene(visibility=visibility).propose()
    scene.accept("seoul")
    scene.invite("paris")
    scene.decline("berlin")
    return scene.activate()
