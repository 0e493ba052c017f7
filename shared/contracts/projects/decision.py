"""Facts about what the members of a project decide together."""

from datetime import date, datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.event import Event, State

DecisionRule = Literal["unanimity", "two_thirds", "simple_majority", "silence"]
DecisionStatus = Literal["open", "adopted", "rejected", "lapsed", "withdrawn"]
PositionTaken = Literal["approve", "object", "abstain"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)


class RescheduleMilestone(_Part):
    """The milestone is due at the end of another day, and what waits for it no earlier than it."""

    kind: Literal["reschedule_milestone"] = "reschedule_milestone"
    milestone_id: UUID
    due_on: date
    time_zone: str


class CancelMilestone(_Part):
    """The milestone is owed no longer."""

    kind: Literal["cancel_milestone"] = "cancel_milestone"
    milestone_id: UUID
    reason: str


class AdmitMember(_Part):
    """The member is invited; whether it takes part it answers itself."""

    kind: Literal["admit_member"] = "admit_member"
    member: str
    role: Literal["participant", "observer"] = "participant"


class ChangeLead(_Part):
    """The member leads the project, as it has agreed to."""

    kind: Literal["change_lead"] = "change_lead"
    member: str
    handover_id: UUID


class AmendCharter(_Part):
    """The project has another charter."""

    kind: Literal["amend_charter"] = "amend_charter"
    charter: dict[str, str]


class CloseProject(_Part):
    """The project ends."""

    kind: Literal["close_project"] = "close_project"
    status: Literal["completed", "cancelled"]
    reason: str


Effect = Annotated[
    RescheduleMilestone | CancelMilestone | AdmitMember | ChangeLead | AmendCharter | CloseProject,
    Field(discriminator="kind"),
]
"""What an adopted decision does, in the same transaction."""


class ElectorState(_Part):
    """A member that is asked, and what it says now.

    Once `counted_out_at` is set it is counted no longer: it has withdrawn.
    """

    member: str
    position: PositionTaken | None
    reason: str | None
    taken_at: datetime | None
    counted_out_at: datetime | None


class TallyState(_Part):
    """The positions, counted. `needed` are the approvals that the rule asks for.

    Under unanimity whoever abstains counts as if it approved; under silence none are needed.
    """

    electorate: int
    approve: int
    object: int
    abstain: int
    silent: int
    needed: int


class DecisionState(State):
    """A question put to members of a project. It closes at the end of `closes_on` in `time_zone`.

    `electorate` is fixed when it opens. `hindrance` is the code of the problem because of which an
    adopted decision could not have its effect; the decision stands, and nothing was changed.
    """

    id: UUID
    project_id: UUID
    title: dict[str, str]
    text: dict[str, str]
    rule: DecisionRule
    closes_on: date
    time_zone: str
    closes_at: datetime
    effect: Effect | None
    proposer: str
    electorate: tuple[ElectorState, ...]
    tally: TallyState
    status: DecisionStatus
    status_reason: str | None
    hindrance: str | None
    opened_at: datetime
    closed_at: datetime | None
    created_at: datetime
    updated_at: datetime


class DecisionEvent(Event[DecisionState]):
    publisher: ClassVar[str] = "projects"
    entity: ClassVar[str] = "decision"


class DecisionOpened(DecisionEvent):
    """A member put a question; those asked are fixed from here on."""

    happened: ClassVar[str | None] = "opened"


class PositionStated(DecisionEvent):
    """A member said what it thinks, for the first time or differently."""

    happened: ClassVar[str | None] = "position_taken"


class ElectorCountedOut(DecisionEvent):
    """A member that was asked has withdrawn, and is counted no longer."""

    happened: ClassVar[str | None] = "elector_counted_out"


class DecisionAdopted(DecisionEvent):
    """The rule is met, and the effect has happened unless `hindrance` says why not. Final."""

    happened: ClassVar[str | None] = "adopted"


class DecisionRejected(DecisionEvent):
    """The rule can be met no longer. Final."""

    happened: ClassVar[str | None] = "rejected"


class DecisionLapsed(DecisionEvent):
    """The time is over, or the project, and the rule is not met. Final."""

    happened: ClassVar[str | None] = "lapsed"


class DecisionWithdrawn(DecisionEvent):
    """The proposer took the question back. Final."""

    happened: ClassVar[str | None] = "withdrawn"
