"""The demo's data, read from the files beside this module."""

from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter

from shared.contracts.members import MemberKind, Role
from shared.contracts.projects import (
    ContributionStatus,
    DecisionRule,
    DecisionStatus,
    MilestoneStatus,
    ParticipationRole,
    PositionTaken,
    Visibility,
)

T = TypeVar("T")

PLACE: Final = Path(__file__).parent

LIAISON: Final = ("Liaison", "連絡担当")
ROLE_NAMES: Final[dict[Role, tuple[str, str]]] = {
    "administrator": ("Administrator", "管理担当"),
    "coordinator": ("Coordinator", "調整担当"),
    "contributor": ("Contributor", "実務担当"),
}


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class City(_Record):
    """A member besides the host. `language` is what its officials read."""

    slug: str
    kind: MemberKind
    name: dict[str, str]
    local_name: str | None
    country: str
    subdivision: str | None = None
    time_zone: str
    latitude: float
    longitude: float
    language: str

    def facts(self) -> dict[str, Any]:
        """What the network keeps of it."""
        return self.model_dump(mode="json", exclude={"language"})


class Host(_Record):
    """The member that opens the network; `renkei init` reads the same file."""

    slug: str
    kind: MemberKind
    name: dict[str, str]
    local_name: str | None
    country: str
    time_zone: str
    latitude: float
    longitude: float
    member_since: date
    administrator: dict[str, Any]


class Belonging(_Record):
    """When a city belonged to the network."""

    member: str
    since: date
    until: date | None = None


class Project(_Record):
    """A joint project as it is known publicly."""

    slug: str
    title: dict[str, str]
    summary: dict[str, str]
    objectives: tuple[str, ...]
    lead: str
    participants: tuple[str, ...]


class Objective(_Record):
    """What the network strives for."""

    slug: str
    name: dict[str, str]


class Network(_Record):
    """The network that the demo opens, and what its members do together."""

    slug: str
    name: dict[str, str]
    founded_on: date
    memberships: tuple[Belonging, ...]
    objectives: tuple[Objective, ...]
    joint_projects: tuple[Project, ...]


class Withdrawal(_Record):
    """Notice that a city takes part no longer, so many days after the demo was loaded."""

    in_days: int
    note: str


class Answer(_Record):
    """What a city says to an invitation, where it is not a plain yes; null: nothing yet.

    `answer_by_in_days`: the last day to answer, counted from loading.
    """

    project: str
    member: str
    role: ParticipationRole = "participant"
    answer_by_in_days: int | None = None
    answer: Literal["accepted", "declined"] | None
    reservation: str | None = None
    note: str | None = None
    withdrawal: Withdrawal | None = None


class Contribution(_Record):
    """What a city owes to a milestone, and how far it is.

    `returned_because`: it was delivered once, given back for this reason, and, unless it is still
    `returned`, delivered again.
    """

    member: str
    description: str
    status: ContributionStatus
    returned_because: str | None = None
    links: tuple[str, ...] = ()

    @property
    def deeds(self) -> list[Literal["delivery", "return", "acceptance"]]:
        """What was done to it since it was asked for, in order."""
        deeds: list[Literal["delivery", "return", "acceptance"]] = []
        if self.returned_because is not None:
            deeds += ["delivery", "return"]
        if self.status in ("delivered", "accepted"):
            deeds += ["delivery"]
        if self.status == "accepted":
            deeds += ["acceptance"]
        return deeds


class Wait(_Record):
    """What a milestone of the same project waits for, and how many days longer."""

    milestone: str
    lag_days: int = 0


class Milestone(_Record):
    """A result owed so many days after the demo was loaded; before it, if negative."""

    slug: str
    title: dict[str, str]
    description: dict[str, str] | None = None
    due_in_days: int
    time_zone: str
    accountable: str
    status: MilestoneStatus
    cancelled_because: str | None = None
    progress_percent: int | None = None
    forecast_in_days: int | None = None
    waits_for: tuple[Wait, ...] = ()
    contributions: tuple[Contribution, ...]


class Plan(_Record):
    """What a project owes, and when it lasts, in days from the day of loading."""

    visibility: Visibility
    starts_in_days: int
    ends_in_days: int
    milestones: tuple[Milestone, ...]


class Answered(_Record):
    """What a city says to a question."""

    member: str
    position: PositionTaken
    reason: str | None = None


class Rescheduling(_Record):
    """A milestone that is to be due so many days after the demo was loaded."""

    milestone: str
    due_in_days: int


class Question(_Record):
    """A question to members of a project, what they said, and what it became."""

    project: str
    slug: str
    proposer: str
    title: dict[str, str]
    text: dict[str, str]
    rule: DecisionRule
    closes_in_days: int
    time_zone: str
    reschedules: Rescheduling | None = None
    amends_charter: dict[str, str] | None = None
    positions: tuple[Answered, ...]
    outcome: DecisionStatus


class Offer(_Record):
    """The lead of a project, offered to a city that has accepted it; the others are being asked."""

    project: str
    candidate: str
    note: str
    answer_note: str
    rule: DecisionRule
    closes_in_days: int
    time_zone: str
    positions: tuple[Answered, ...]


class Remark(_Record):
    """What a city says, what it makes of it later, and to whom it speaks."""

    slug: str
    member: str
    text: dict[str, str]
    mentions: tuple[str, ...] = ()
    edited_to: dict[str, str] | None = None
    removed_because: str | None = None

    @property
    def says(self) -> dict[str, str] | None:
        """What is to be read of it now."""
        return None if self.removed_because else self.edited_to or self.text


class Discussion(Remark):
    """A remark about a milestone, a decision or else the whole project, and what is replied."""

    project: str
    milestone: str | None = None
    decision: str | None = None
    replies: tuple[Remark, ...] = ()


class Partnership(_Record):
    """A bilateral relation of the host."""

    members: tuple[str, str]
    signed_on: date
    fields: tuple[str, ...] = ()


class Story:
    """Everything that the demo tells."""

    @cached_property
    def host(self) -> Host:
        return _read("host.json", Host)

    @cached_property
    def cities(self) -> dict[str, City]:
        return {city.slug: city for city in _read("members.json", list[City])}

    @cached_property
    def network(self) -> Network:
        return _read("network.json", Network)

    @cached_property
    def answers(self) -> dict[tuple[str, str], Answer]:
        """By project and member."""
        return {(each.project, each.member): each for each in _read("answers.json", list[Answer])}

    @cached_property
    def plans(self) -> dict[str, Plan]:
        """By project."""
        return _read("milestones.json", dict[str, Plan])

    @cached_property
    def charters(self) -> dict[str, dict[str, str]]:
        """By project, as its lead wrote it."""
        return _read("charters.json", dict[str, dict[str, str]])

    @cached_property
    def questions(self) -> list[Question]:
        return _read("decisions.json", list[Question])

    @cached_property
    def offers(self) -> list[Offer]:
        return _read("handovers.json", list[Offer])

    @cached_property
    def discussions(self) -> list[Discussion]:
        return _read("discussions.json", list[Discussion])

    @cached_property
    def belonging(self) -> dict[str, Belonging]:
        """By member, without the host: those who ever belonged to the network."""
        return {
            each.member: each for each in self.network.memberships if each.member != self.host.slug
        }

    @property
    def active(self) -> list[str]:
        """Who belongs to the network today, besides the host."""
        return [slug for slug, each in self.belonging.items() if each.until is None]

    def invited_on(self, member: str, loaded_on: date) -> date:
        """The day to record as that of a member's invitation.

        Without history it is the day before loading: that day has come everywhere, also where it
        is not yet the day on which we load.
        """
        belonging = self.belonging.get(member)
        return belonging.since if belonging else loaded_on - timedelta(days=1)

    @cached_property
    def partnerships(self) -> dict[str, list[Partnership]]:
        """By kind of agreement."""
        return _read("partnerships.json", dict[str, list[Partnership]])

    def invited(self, project: Project) -> list[Answer]:
        """Whom the lead invites, with their answers."""
        others = [member for slug, member in self.answers if slug == project.slug]
        members = dict.fromkeys([*project.participants, *others])
        plain = {
            member: Answer(project=project.slug, member=member, answer="accepted")
            for member in members
        }
        return [self.answers.get((project.slug, member), plain[member]) for member in members]

    def taking_part(self, project: Project) -> list[str]:
        """Who works in a project: its lead, and the participants that have accepted."""
        return [
            project.lead,
            *(
                each.member
                for each in self.invited(project)
                if each.answer == "accepted" and each.role == "participant"
            ),
        ]

    def project(self, slug: str) -> Project:
        [found] = [each for each in self.network.joint_projects if each.slug == slug]
        return found

    def name_of(self, member: str) -> dict[str, str]:
        return self.host.name if member == self.host.slug else self.cities[member].name

    def language_of(self, member: str) -> str:
        if member == self.host.slug:
            return str(self.host.administrator["language"])
        return self.cities[member].language

    def official(self, member: str, role: Role) -> dict[str, Any]:
        """An official of a member, named by function."""
        return {
            "function": self._function(member, ROLE_NAMES[role]),
            "email": f"{role}@{member}.example",
            "language": self.language_of(member),
            "roles": [role],
        }

    def liaison(self, member: str, role: Role) -> dict[str, Any]:
        """Somebody who acts for this member and for another one; has one address in all."""
        return {"function": self._function(member, LIAISON), "roles": [role]}

    def _function(self, member: str, called: tuple[str, str]) -> dict[str, str]:
        name = self.name_of(member)
        return {"en": f"{called[0]}, {name['en']}", "ja": f"{called[1]}（{name['ja']}）"}


def day(loaded_on: date, offset: int) -> str:
    """The day so many days after the demo was loaded."""
    return (loaded_on + timedelta(days=offset)).isoformat()


def _read(name: str, kind: type[T]) -> T:
    return TypeAdapter(kind).validate_json((PLACE / name).read_text(encoding="utf-8"))
