"""Facts about who is to lead a project from now on."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.contracts.event import Event, State
from shared.contracts.projects.decision import DecisionRule

HandoverStatus = Literal["offered", "accepted", "declined", "withdrawn", "agreed", "refused"]


class HandoverState(State):
    """The lead of a project, offered to another member.

    Once `accepted`, the decision `decision_id` asks all who take part; then it is `agreed` or
    `refused`. The decision has the rule and the deadline that were offered.
    """

    id: UUID
    project_id: UUID
    lead: str
    candidate: str
    status: HandoverStatus
    note: str | None
    answer_note: str | None
    rule: DecisionRule
    closes_on: date
    time_zone: str
    decision_id: UUID | None
    offered_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    created_at: datetime
    updated_at: datetime


class HandoverEvent(Event[HandoverState]):
    publisher: ClassVar[str] = "projects"
    entity: ClassVar[str] = "handover"


class HandoverOffered(HandoverEvent):
    """The lead offered its place."""

    happened: ClassVar[str | None] = "offered"


class HandoverAccepted(HandoverEvent):
    """The candidate is ready to lead; now the others are asked."""

    happened: ClassVar[str | None] = "accepted"


class HandoverDeclined(HandoverEvent):
    """The candidate does not want to lead. Final."""

    happened: ClassVar[str | None] = "declined"


class HandoverWithdrawn(HandoverEvent):
    """The lead took the offer back, or the candidate left. Final."""

    happened: ClassVar[str | None] = "withdrawn"


class HandoverAgreed(HandoverEvent):
    """The members agreed: the candidate leads. Final."""

    happened: ClassVar[str | None] = "agreed"


class HandoverRefused(HandoverEvent):
    """The members did not agree. Final."""

    happened: ClassVar[str | None] = "refused"
