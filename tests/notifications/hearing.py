"""Facts of other services, and their way into this one through the real consumers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from unittest.mock import AsyncMock
from uuid import UUID

from nats.aio.client import Client
from nats.aio.msg import Msg

from services.notifications.worker import WORKER
from shared.actor import Actor
from shared.clock import utc_now
from shared.contracts.event import EVERYONE, Event
from shared.contracts.members import (
    ClientEvent,
    ClientRevoked,
    ClientState,
    MemberActivated,
    MemberEvent,
    MembershipStatus,
    MemberState,
    OfficialAppointed,
    OfficialEvent,
    OfficialState,
    OfficialStatus,
    Role,
    SessionEnded,
    SessionState,
)
from shared.contracts.projects import (
    CommentEvent,
    CommentPosted,
    CommentState,
    ContributionState,
    ContributionStatus,
    MilestoneEvent,
    MilestonePlanned,
    MilestoneState,
    ParticipationAccepted,
    ParticipationEvent,
    ParticipationRole,
    ParticipationState,
    ParticipationStatus,
    ProjectEvent,
    ProjectProposed,
    ProjectState,
    ProjectStatus,
    Visibility,
)
from shared.database import Sessions
from shared.identifiers import new_id
from shared.messaging.consumer import Consumer
from shared.settings import Settings

NOW: Final = utc_now().replace(microsecond=0)
COMMENT, COMMENTED = new_id(), new_id()
TOKYO_MACHINE: Final = Actor(member="tokyo", client_id="tokyo-main")


def at(minutes: int) -> datetime:
    """A moment of the story that the facts tell; all of them are in the recent past."""
    return NOW - timedelta(hours=12) + timedelta(minutes=minutes)


@dataclass
class Ears:
    """Hears facts with the service's own consumers; `answers` are what the broker was told."""

    sessions: Sessions
    settings: Settings
    answers: list[tuple[bytes, ...]] = field(default_factory=list)

    async def hear(self, *events: Event[Any], only: str = "") -> None:
        """Deliver facts to every consumer that listens for them, in one batch each."""
        for subscription in WORKER.subscriptions:
            if not subscription.durable.startswith(f"notifications-{only}"):
                continue
            heard = [event for event in events if isinstance(event, subscription.event)]
            if heard:
                await self.deliver(subscription.durable, heard)

    async def deliver(self, durable: str, events: Iterable[Event[Any]]) -> None:
        """Deliver facts to one consumer, as the broker would."""
        [subscription] = [one for one in WORKER.subscriptions if one.durable == durable]
        broker = AsyncMock(spec=Client)
        consumer = Consumer(subscription, self.sessions, self.settings, broker)
        reply = f"$JS.ACK.{subscription.stream}.{durable}.1.1.1.0.0"
        await consumer.receive(
            [Msg(broker, event.nats_subject, reply, event.wire_form()) for event in events]
        )
        self.answers += [call.args[1:] for call in broker.publish.await_args_list]


def member(
    slug: str,
    *,
    status: MembershipStatus = "active",
    version: int = 1,
    kind: type[MemberEvent] = MemberActivated,
) -> MemberEvent:
    state = MemberState(
        slug=slug,
        version=version,
        kind="city",
        name={"en": slug.capitalize()},
        local_name=None,
        country="JP",
        time_zone="Asia/Tokyo",
        latitude=0,
        longitude=0,
        is_host=slug == "tokyo",
        status=status,
        status_since=date(2026, 1, 1),
        created_at=at(0),
        updated_at=at(version),
    )
    return kind.about(state, by=TOKYO_MACHINE, at=at(version), audience=EVERYONE)


def official(
    official_id: UUID,
    slug: str,
    *roles: Role,
    scopes: tuple[str, ...] = ("notifications:read",),
    status: OfficialStatus = "active",
    version: int = 1,
    kind: type[OfficialEvent] = OfficialAppointed,
) -> OfficialEvent:
    state = OfficialState(
        id=official_id,
        version=version,
        member=slug,
        function={"en": f"Coordinator, {slug}"},
        name=None,
        email=None,
        language="en",
        roles=roles,
        scopes=scopes,
        status=status,
        created_at=at(0),
        updated_at=at(version),
    )
    return kind.about(state, by=TOKYO_MACHINE, at=at(version), audience=(slug,))


def ended_session(session_id: UUID, official_id: UUID, slug: str) -> SessionEnded:
    state = SessionState(
        id=session_id,
        version=1,
        member=slug,
        official_id=official_id,
        client_id="tokyo-portal",
        ended_at=at(0),
        good_until=at(10),
    )
    return SessionEnded.about(state, by=TOKYO_MACHINE, at=at(0), audience=(slug,))


def revoked_client(client_id: str, slug: str) -> ClientEvent:
    state = ClientState(
        id=client_id,
        version=2,
        member=slug,
        name="Main",
        scopes=("notifications:write",),
        status="revoked",
        created_at=at(0),
        updated_at=at(2),
    )
    return ClientRevoked.about(state, by=TOKYO_MACHINE, at=at(2), audience=(slug,))


def project(
    project_id: UUID,
    *,
    lead: str = "tokyo",
    visibility: Visibility = "network",
    version: int = 1,
    status: ProjectStatus = "proposed",
    audience: Iterable[str] = EVERYONE,
    by: Actor = TOKYO_MACHINE,
    kind: type[ProjectEvent] = ProjectProposed,
) -> ProjectEvent:
    state = ProjectState(
        id=project_id,
        version=version,
        reference="REN-7",
        title={"en": "Cleaner harbours"},
        summary={"en": "Less waste in the water."},
        objectives=(),
        lead=lead,
        visibility=visibility,
        status=status,
        status_reason=None,
        starts_on=None,
        ends_on=None,
        created_at=at(0),
        updated_at=at(version),
    )
    return kind.about(state, by=by, at=at(version), audience=audience)


def participation(
    project_id: UUID,
    slug: str,
    *,
    role: ParticipationRole = "participant",
    status: ParticipationStatus = "accepted",
    version: int = 1,
    participation_id: UUID | None = None,
    audience: Iterable[str] = EVERYONE,
    by: Actor = TOKYO_MACHINE,
    kind: type[ParticipationEvent] = ParticipationAccepted,
) -> ParticipationEvent:
    state = ParticipationState(
        id=participation_id or new_id(),
        version=version,
        project_id=project_id,
        member=slug,
        role=role,
        status=status,
        reservation=None,
        note=None,
        invited_at=at(0),
        answered_at=None,
        withdrawn_on=None,
        created_at=at(0),
        updated_at=at(version),
    )
    return kind.about(state, by=by, at=at(version), audience=audience)


def contribution(
    slug: str, status: ContributionStatus = "pending", *, contribution_id: UUID | None = None
) -> ContributionState:
    return ContributionState(
        id=contribution_id or new_id(),
        member=slug,
        description="Readings of the harbour",
        status=status,
        evidence=None,
        reason=None,
        delivered_at=None,
        decided_at=None,
    )


def milestone(
    project_id: UUID,
    milestone_id: UUID,
    *contributions: ContributionState,
    accountable: str = "tokyo",
    version: int = 1,
    before: Iterable[ContributionState] | None = None,
    audience: Iterable[str] = EVERYONE,
    by: Actor = TOKYO_MACHINE,
    kind: type[MilestoneEvent] = MilestonePlanned,
) -> MilestoneEvent:
    """A fact about a milestone whose contributions were `before`, if it existed."""

    def state(found: Iterable[ContributionState], number: int) -> MilestoneState:
        return MilestoneState(
            id=milestone_id,
            version=number,
            project_id=project_id,
            title={"en": f"First readings, wording {number}"},
            description=None,
            due_on=date(2026, 12, 31),
            time_zone="Asia/Tokyo",
            due_at=datetime(2026, 12, 31, 15, tzinfo=UTC),
            accountable=accountable,
            status="planned",
            is_overdue=False,
            completed_at=None,
            contributions=tuple(found),
            created_at=at(0),
            updated_at=at(number),
        )

    return kind.about(
        state(contributions, version),
        by=by,
        at=at(version),
        audience=audience,
        before=None if before is None else state(before, version - 1),
    )


def comment(
    project_id: UUID,
    slug: str,
    *,
    comment_id: UUID | None = None,
    by: Actor | None = None,
    to: tuple[str, UUID | None] | None = None,
    members: tuple[str, ...] = (),
    officials: tuple[UUID, ...] = (),
    before: tuple[tuple[str, ...], tuple[UUID, ...]] | None = None,
    version: int = 1,
    audience: Iterable[str] = EVERYONE,
    kind: type[CommentEvent] = CommentPosted,
) -> CommentEvent:
    """A fact about a comment on a milestone, perhaps a reply `to` somebody.

    `before` names the members and officials that it mentioned before it was edited.
    """

    def state(number: int, named: tuple[str, ...], persons: tuple[UUID, ...]) -> CommentState:
        return CommentState(
            id=comment_id or COMMENT,
            version=number,
            project_id=project_id,
            subject_kind="milestone",
            subject_id=COMMENTED,
            subject_title={"en": "First readings"},
            member=slug,
            official_id=None if by is None else by.official_id,
            in_reply_to=None if to is None else COMMENT,
            in_reply_to_member=None if to is None else to[0],
            in_reply_to_official_id=None if to is None else to[1],
            text={"en": "Kim has the numbers."},
            visibility="participants",
            mentioned_members=named,
            mentioned_officials=persons,
            edited_at=None if number == 1 else at(number),
            edited_by_official_id=None,
            removed_at=None,
            removed_by_official_id=None,
            removed_reason=None,
            created_at=at(0),
            updated_at=at(number),
        )

    return kind.about(
        state(version, members, officials),
        by=by or Actor(member=slug, client_id=f"{slug}-main"),
        at=at(version),
        audience=audience,
        before=None if before is None else state(version - 1, *before),
    )
