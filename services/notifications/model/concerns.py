"""Who is concerned by a fact, and why.

Decided from the fact alone. Where it does not name the members, it says by which relation to the
project they are found.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal
from uuid import UUID

from shared.contracts.event import EVERYONE, Event
from shared.contracts.members import Role
from shared.contracts.notifications import (
    WebhookEndpointDisabled,
    WebhookEndpointEvent,
    WebhookEndpointFailing,
    WebhookEndpointRecovered,
)
from shared.contracts.projects import (
    CommentEdited,
    CommentEvent,
    CommentPosted,
    ContributionDelivered,
    ContributionRequested,
    ContributionReturned,
    ContributionState,
    DecisionEvent,
    DecisionOpened,
    HandoverAccepted,
    HandoverDeclined,
    HandoverEvent,
    HandoverOffered,
    HandoverWithdrawn,
    InvitationExtended,
    InvitationRevoked,
    MilestoneBecameOverdue,
    MilestoneEvent,
    MilestonePlanned,
    ParticipationAccepted,
    ParticipationDeclined,
    ParticipationEvent,
    ParticipationExpired,
    ParticipationInvited,
    ParticipationReminded,
    ParticipationWithdrawn,
    PositionStated,
    ProjectEvent,
    WithdrawalAnnounced,
    WithdrawalRetracted,
)

Reason = Literal[
    "invited",
    "mentioned",
    "position_wanted",
    "lead_offered",
    "contribution_returned",
    "contribution_due",
    "contribution_to_accept",
    "decided",
    "answered",
    "replied",
    "overdue",
    "accountable",
    "endpoint_disabled",
    "endpoint_failing",
    "endpoint_recovered",
    "participating",
]
STRENGTH: Final[tuple[Reason, ...]] = (
    "invited",
    "mentioned",
    "position_wanted",
    "lead_offered",
    "contribution_returned",
    "contribution_due",
    "contribution_to_accept",
    "decided",
    "answered",
    "replied",
    "overdue",
    "accountable",
    "endpoint_disabled",
    "endpoint_failing",
    "endpoint_recovered",
    "participating",
)
"""Strongest first: whoever is concerned for several reasons is told the strongest."""

SubjectKind = Literal[
    "project",
    "participation",
    "milestone",
    "decision",
    "handover",
    "comment",
    "webhook_endpoint",
]

COORDINATORS: Final[tuple[Role, ...]] = ("coordinator",)
THOSE_AT_WORK: Final[tuple[Role, ...]] = ("coordinator", "contributor")
ADMINISTRATORS: Final[tuple[Role, ...]] = ("administrator",)

INVITATIONS: Final = (
    ParticipationInvited,
    ParticipationReminded,
    InvitationExtended,
    InvitationRevoked,
)
ANSWERS: Final = (
    ParticipationAccepted,
    ParticipationDeclined,
    ParticipationExpired,
    WithdrawalAnnounced,
    WithdrawalRetracted,
    ParticipationWithdrawn,
)


@dataclass(frozen=True, slots=True)
class Concern:
    """Officials with one of `roles` in `members`, and in the project's lead or participants.

    Or the `officials` themselves, whatever their roles.
    """

    reason: Reason
    roles: tuple[Role, ...] = ()
    members: tuple[str, ...] = ()
    officials: tuple[UUID, ...] = ()
    found_by: Literal["name", "lead", "participation"] = "name"

    @property
    def needs_project(self) -> bool:
        """Whether nobody can be found before we know who leads the project."""
        return self.found_by != "name" and not self.members


def concerns(event: Event[Any]) -> list[Concern]:
    """Say who is concerned by a fact. Nobody, for kinds of facts that no rule speaks of."""
    if isinstance(event, MilestoneEvent):
        return _by_milestone(event)
    if isinstance(event, ParticipationEvent):
        return _by_participation(event)
    if isinstance(event, DecisionEvent):
        return _by_decision(event)
    if isinstance(event, HandoverEvent):
        return _by_handover(event)
    if isinstance(event, ProjectEvent):
        return [_participants(event, lead=event.data.state.lead)]
    if isinstance(event, CommentEvent):
        return _by_comment(event)
    if isinstance(event, WebhookEndpointEvent):
        return _by_endpoint(event)
    return []


def _by_endpoint(event: WebhookEndpointEvent) -> list[Concern]:
    """Tell those who can repair it what the platform found out, not what they did themselves."""
    reasons: dict[type[WebhookEndpointEvent], Reason] = {
        WebhookEndpointFailing: "endpoint_failing",
        WebhookEndpointDisabled: "endpoint_disabled",
        WebhookEndpointRecovered: "endpoint_recovered",
    }
    reason = reasons.get(type(event))
    return [] if reason is None else [Concern(reason, ADMINISTRATORS, (event.data.state.member,))]


def _by_participation(event: ParticipationEvent) -> list[Concern]:
    if isinstance(event, INVITATIONS):
        return [Concern("invited", COORDINATORS, (event.data.state.member,))]
    if isinstance(event, ANSWERS):
        return [Concern("answered", COORDINATORS, found_by="lead")]
    return []


def _by_comment(event: CommentEvent) -> list[Concern]:
    """Whom a comment speaks to, and did not before; the others read the discussion as they like."""
    state, before = event.data.state, event.data.previous
    members, officials = state.mentioned_members, state.mentioned_officials
    found = []
    if isinstance(event, CommentPosted) and state.in_reply_to_official_id is not None:
        found.append(Concern("replied", officials=(state.in_reply_to_official_id,)))
    elif isinstance(event, CommentPosted) and state.in_reply_to_member is not None:
        found.append(Concern("replied", COORDINATORS, (state.in_reply_to_member,)))
    elif isinstance(event, CommentEdited):
        known = before.get("mentioned_members", members)
        members = tuple(one for one in members if one not in known)
        known = before.get("mentioned_officials", [str(one) for one in officials])
        officials = tuple(one for one in officials if str(one) not in known)
    if members or officials:
        found.append(Concern("mentioned", COORDINATORS, members, officials))
    return found


def _by_milestone(event: MilestoneEvent) -> list[Concern]:
    state = event.data.state
    if isinstance(event, ContributionRequested):
        return [_contributors("contribution_due", _new_contributions(event))]
    if isinstance(event, ContributionReturned):
        return [_contributors("contribution_returned", _newly(event, "returned"))]
    if isinstance(event, ContributionDelivered):
        return [Concern("contribution_to_accept", COORDINATORS, (state.accountable,))]
    others = _participants(event)
    if isinstance(event, MilestonePlanned):
        return [
            Concern("accountable", COORDINATORS, (state.accountable,)),
            _contributors("contribution_due", _new_contributions(event)),
            others,
        ]
    if isinstance(event, MilestoneBecameOverdue):
        owed = [one for one in state.contributions if one.status != "accepted"]
        late = tuple(sorted({state.accountable, *(one.member for one in owed)}))
        return [Concern("overdue", THOSE_AT_WORK, late), others]
    return [others]


def _by_decision(event: DecisionEvent) -> list[Concern]:
    state = event.data.state
    asked = tuple(one.member for one in state.electorate if one.counted_out_at is None)
    if isinstance(event, DecisionOpened):
        silent = tuple(member for member in asked if member != state.proposer)
        return [Concern("position_wanted", COORDINATORS, silent), _participants(event)]
    if isinstance(event, PositionStated):
        return [Concern("answered", COORDINATORS, (state.proposer,))]
    if state.status == "open":
        return [_participants(event)]
    return [
        Concern("decided", COORDINATORS, tuple(sorted({*asked, state.proposer}))),
        _participants(event),
    ]


def _by_handover(event: HandoverEvent) -> list[Concern]:
    state = event.data.state
    if isinstance(event, HandoverOffered):
        return [Concern("lead_offered", COORDINATORS, (state.candidate,))]
    if isinstance(event, HandoverAccepted | HandoverDeclined):
        return [Concern("answered", COORDINATORS, (state.lead,))]
    if isinstance(event, HandoverWithdrawn):
        return [Concern("answered", COORDINATORS, (state.candidate,))]
    return [_participants(event)]


def _contributors(reason: Reason, contributions: list[ContributionState]) -> Concern:
    return Concern(reason, THOSE_AT_WORK, tuple(sorted({one.member for one in contributions})))


def _new_contributions(event: MilestoneEvent) -> list[ContributionState]:
    known = _former_statuses(event)
    return [one for one in event.data.state.contributions if str(one.id) not in known]


def _newly(event: MilestoneEvent, status: str) -> list[ContributionState]:
    known = _former_statuses(event)
    return [
        one
        for one in event.data.state.contributions
        if one.status == status and known.get(str(one.id)) != status
    ]


def _former_statuses(event: MilestoneEvent) -> dict[str, str]:
    return {one["id"]: one["status"] for one in event.data.previous.get("contributions") or []}


def _participants(event: Event[Any], *, lead: str | None = None) -> Concern:
    """Whom the publisher tells by name; of a fact for everyone, those who take part."""
    if event.audience == EVERYONE:
        known = () if lead is None else (lead,)
        return Concern("participating", COORDINATORS, known, found_by="participation")
    return Concern("participating", COORDINATORS, event.audience)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a fact is about, as an inbox shows it."""

    kind: SubjectKind
    id: UUID
    project_id: UUID | None
    title: dict[str, str] | None
    facts: dict[str, Any]


def subject_of(event: Event[Any]) -> Subject:
    """Say what a fact is about, with the little that is needed to render it."""
    by = {"actor_member": event.actormember}
    if isinstance(event, MilestoneEvent):
        milestone = event.data.state
        shown = milestone.model_dump(
            mode="json", include={"status", "due_on", "time_zone", "accountable", "is_overdue"}
        )
        return Subject("milestone", milestone.id, milestone.project_id, milestone.title, by | shown)
    if isinstance(event, ParticipationEvent):
        place = event.data.state
        shown = place.model_dump(
            mode="json",
            include={"member", "role", "status", "answer_by_on", "time_zone", "withdraws_on"},
        )
        return Subject("participation", place.id, place.project_id, None, by | shown)
    if isinstance(event, DecisionEvent):
        decision = event.data.state
        shown = decision.model_dump(
            mode="json", include={"status", "rule", "closes_on", "time_zone", "proposer"}
        )
        return Subject("decision", decision.id, decision.project_id, decision.title, by | shown)
    if isinstance(event, HandoverEvent):
        handover = event.data.state
        shown = handover.model_dump(mode="json", include={"status", "lead", "candidate"})
        return Subject("handover", handover.id, handover.project_id, None, by | shown)
    if isinstance(event, ProjectEvent):
        project = event.data.state
        shown = project.model_dump(mode="json", include={"status", "reference", "lead"})
        return Subject("project", project.id, project.id, project.title, by | shown)
    if isinstance(event, CommentEvent):
        comment = event.data.state
        # Never what it says: that can be taken back.
        shown = comment.model_dump(
            mode="json", include={"member", "subject_kind", "subject_id", "in_reply_to"}
        )
        return Subject("comment", comment.id, comment.project_id, comment.subject_title, by | shown)
    if isinstance(event, WebhookEndpointEvent):
        endpoint = event.data.state
        shown = endpoint.model_dump(
            mode="json",
            include={"url", "status", "status_reason", "failing_since", "disables_at"},
        )
        return Subject("webhook_endpoint", endpoint.id, None, None, by | shown)
    raise TypeError(f"{event.type} is no subject of an inbox")


def acting_official(event: Event[Any]) -> UUID | None:
    """Who did it, if a person did: they need not be told."""
    kind, _, written = (event.actor or "").partition(":")
    return UUID(written) if kind == "official" else None
