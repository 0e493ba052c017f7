"""Events of 1 KB about milestones, and an entity and a read model to go with them."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from shared.actor import Actor
from shared.clock import utc_now
from shared.contracts.projects import MilestoneEvent, MilestoneRescheduled, MilestoneState
from shared.database import NAMING, TYPES
from shared.identifiers import new_id

EVENT_BYTES: Final = 1024
AUDIENCE: Final = ("jakarta", "seoul", "tokyo")
ACTOR: Final = Actor(member="tokyo", client_id="tokyo-main-7f3a")


class Base(MappedAsDataclass, DeclarativeBase, eq=False):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = TYPES


class Milestone(Base, kw_only=True):
    """An entity as services write them: versioned, locked, with its public state."""

    __tablename__ = "milestone"

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    project_id: Mapped[UUID]
    title: Mapped[dict[str, str]]
    due_on: Mapped[date]
    time_zone: Mapped[str] = mapped_column(default="Asia/Tokyo")
    accountable: Mapped[str] = mapped_column(default="tokyo")
    status: Mapped[str] = mapped_column(default="planned")
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default_factory=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default_factory=utc_now)

    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012

    def reschedule(self, due_on: date, *, now: datetime) -> None:
        self.due_on = due_on
        self.version += 1
        self.updated_at = now

    def state(self) -> MilestoneState:
        return MilestoneState(
            id=self.id,
            version=self.version,
            project_id=self.project_id,
            title=self.title,
            description=None,
            due_on=self.due_on,
            time_zone=self.time_zone,
            due_at=self.updated_at,
            accountable=self.accountable,
            status="planned",
            is_overdue=False,
            completed_at=None,
            contributions=(),
            created_at=self.created_at,
            updated_at=self.updated_at,
        )


class KnownMilestone(Base, kw_only=True):
    """What another service keeps of it."""

    __tablename__ = "known_milestone"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID]
    title: Mapped[dict[str, str]]
    due_on: Mapped[date]
    time_zone: Mapped[str]
    accountable: Mapped[str]
    status: Mapped[str]
    version: Mapped[int]
    updated_at: Mapped[datetime]


def milestone_state(identifier: UUID, version: int, *, title: str = "") -> MilestoneState:
    return Milestone(
        id=identifier,
        project_id=identifier,
        title={"en": title},
        due_on=date(2026, 3, 31),
        version=version,
    ).state()


def rescheduled(identifier: UUID, version: int) -> MilestoneEvent:
    """An event whose body has exactly `EVENT_BYTES`."""
    bare = _rescheduled(milestone_state(identifier, version))
    missing = EVENT_BYTES - len(bare.wire_form())
    return _rescheduled(milestone_state(identifier, version, title="x" * missing))


def _rescheduled(state: MilestoneState) -> MilestoneEvent:
    now = utc_now().replace(microsecond=1)
    state = state.model_copy(update=dict.fromkeys(("due_at", "created_at", "updated_at"), now))
    return MilestoneRescheduled.about(state, by=ACTOR, at=now, audience=AUDIENCE)


def wire_forms(entities: int, versions: int) -> Iterator[tuple[UUID, str, bytes]]:
    """Ids, subjects and bodies of events about so many entities, version by version."""
    template = rescheduled(new_id(), 1)
    body = template.wire_form()
    entity_ids = [new_id() for _ in range(entities)]
    for version in range(1, versions + 1):
        for entity_id in entity_ids:
            event_id = new_id()
            yield (
                event_id,
                template.nats_subject.replace(template.subject, str(entity_id)),
                body.replace(str(template.id).encode(), str(event_id).encode())
                .replace(template.subject.encode(), str(entity_id).encode())
                .replace(b'"entityversion":1,', b'"entityversion":%d,' % version)
                .replace(b'"version":1,', b'"version":%d,' % version),
            )
