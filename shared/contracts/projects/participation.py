"""Facts about the places of members in projects."""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.contracts.event import Event, State

ParticipationRole = Literal["lead", "participant", "observer"]
ParticipationStatus = Literal["invited", "accepted", "declined", "expired", "withdrawn"]
WithdrawnBy = Literal["member", "lead", "network"]


class ParticipationState(State):
    """A member's place in a project.

    It can be answered until `answer_by_at`, the end of the day `answer_by_on` in `time_zone`.
    `accepted_on`, `withdraws_on` and `withdrawn_on` are days where the member is: it takes part
    from the first on, and from the last on no longer. `withdraws_on` is the day of which it has
    given notice. A place is withdrawn by the member itself, by the lead while nobody has answered,
    or because the member left the network.
    """

    id: UUID
    project_id: UUID
    member: str
    role: ParticipationRole
    status: ParticipationStatus
    reservation: str | None
    note: str | None
    invited_at: datetime
    answered_at: datetime | None
    withdrawn_on: date | None
    created_at: datetime
    updated_at: datetime
    answer_by_on: date | None = None
    time_zone: str | None = None
    answer_by_at: datetime | None = None
    reminded_at: datetime | None = None
    accepted_on: date | None = None
    withdraws_on: date | None = None
    withdraws_at: datetime | None = None
    withdrawn_by: WithdrawnBy | None = None


class ParticipationEvent(Event[ParticipationState]):
    publisher: ClassVar[str] = "projects"
    entity: ClassVar[str] = "participation"


class ParticipationInvited(ParticipationEvent):
    """The lead asked a member to take part."""

    happened: ClassVar[str | None] = "invited"


class InvitationExtended(ParticipationEvent):
    """The lead lets the member answer until a later day."""

    happened: ClassVar[str | None] = "invitation_extended"


class InvitationRevoked(ParticipationEvent):
    """The lead took back an invitation that nobody had answered."""

    happened: ClassVar[str | None] = "invitation_revoked"


class ParticipationReminded(ParticipationEvent):
    """The invitation has not been answered, and the time for it is running out."""

    happened: ClassVar[str | None] = "reminded"


class ParticipationExpired(ParticipationEvent):
    """The invitation was not answered in time. Final: the lead may invite again."""

    happened: ClassVar[str | None] = "expired"


class ParticipationAccepted(ParticipationEvent):
    """The member takes part; `reservation` says what it does not agree to, if anything."""

    happened: ClassVar[str | None] = "accepted"


class ParticipationDeclined(ParticipationEvent):
    """The member does not take part."""

    happened: ClassVar[str | None] = "declined"


class WithdrawalAnnounced(ParticipationEvent):
    """The member will take part no longer from `withdraws_on` on; until then nothing changes."""

    happened: ClassVar[str | None] = "withdrawal_announced"


class WithdrawalRetracted(ParticipationEvent):
    """The member stays: it took back what it had announced."""

    happened: ClassVar[str | None] = "withdrawal_retracted"


class ParticipationWithdrawn(ParticipationEvent):
    """The member no longer takes part, from `withdrawn_on` on."""

    happened: ClassVar[str | None] = "withdrawn"


class ParticipationRoleChanged(ParticipationEvent):
    """The member leads the project now, or has handed it over."""

    happened: ClassVar[str | None] = "role_changed"
