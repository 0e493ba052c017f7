"""A service that exists only in these tests: one kind of thing, and all that a service has of it.

Each test publishes under a name of its own, because the broker is shared by all of them.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar, cast
from uuid import UUID

from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError
from pydantic import Field
from sqlalchemy import BigInteger, MetaData, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from shared.actor import Actor
from shared.contracts.event import Event, State
from shared.database import NAMING, TYPES, Sessions
from shared.identifiers import new_id
from shared.messaging.broker import stream_of
from shared.messaging.consumer import Consumer, Copy, Reaction, Subscription
from shared.messaging.outbox import announce
from shared.messaging.relay import Relay
from shared.messaging.tables import DeadLetter, KnownStream, OutboxMessage
from shared.settings import Settings
from tests.conftest import Database

AT = datetime(2026, 4, 1, 9, 30, tzinfo=UTC)
SEOUL = Actor(member="seoul", client_id="seoul-main", scopes=frozenset({"things:write"}))


class ThingState(State):
    id: UUID
    title: str
    note: str | None = None
    tags: tuple[str, ...] = ()
    names: dict[str, str] = Field(default_factory=dict)
    changed_at: datetime = AT


class ThingEvent(Event[ThingState]):
    publisher: ClassVar[str] = "things"
    entity: ClassVar[str] = "thing"


class ThingMade(ThingEvent):
    """A thing came to be."""

    happened: ClassVar[str | None] = "made"


class ThingChanged(ThingEvent):
    """A thing is different now."""

    happened: ClassVar[str | None] = "changed"


E = TypeVar("E", bound=ThingEvent)


def published_by(publisher: str, kind: type[E]) -> type[E]:
    """The same kind of event, published under another name."""
    return cast(type[E], type(kind.__name__, (kind,), {"publisher": publisher}))


class Base(MappedAsDataclass, DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = TYPES


class Thing(Base, kw_only=True):
    """The owner's table."""

    __tablename__ = "thing"

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    title: Mapped[str]
    note: Mapped[str | None] = mapped_column(default=None)
    version: Mapped[int] = mapped_column(default=1)
    made_at: Mapped[datetime] = mapped_column(default=AT)

    def state(self) -> ThingState:
        return ThingState(id=self.id, title=self.title, note=self.note, version=self.version)


class KnownThing(Base, kw_only=True):
    """A read model; `seen` is its own and no field of the state."""

    __tablename__ = "known_thing"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    title: Mapped[str]
    note: Mapped[str | None]
    tags: Mapped[tuple[str, ...]]
    names: Mapped[dict[str, str]]
    changed_at: Mapped[datetime]
    seen: Mapped[bool] = mapped_column(server_default=text("false"))


class Tally(Base, kw_only=True):
    """Counts facts: an effect that shows each repetition."""

    __tablename__ = "tally"

    subject: Mapped[str] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


async def count(session: AsyncSession, events: Sequence[ThingEvent]) -> None:
    for event in events:
        await session.execute(
            text(
                "INSERT INTO tally (subject, count) VALUES (:subject, 1)"
                " ON CONFLICT (subject) DO UPDATE SET count = tally.count + 1"
            ),
            {"subject": event.subject},
        )


React = Callable[[AsyncSession, Sequence[Any]], Awaitable[None]]


@dataclass(frozen=True)
class Place:
    """The service of one test, with its database and its name at the broker."""

    publisher: str
    database: Database
    settings: Settings
    nats: Client
    made: type[ThingMade] = field(init=False)
    changed: type[ThingChanged] = field(init=False)
    any_event: type[ThingEvent] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "made", published_by(self.publisher, ThingMade))
        object.__setattr__(self, "changed", published_by(self.publisher, ThingChanged))
        object.__setattr__(self, "any_event", published_by(self.publisher, ThingEvent))

    @property
    def sessions(self) -> Sessions:
        return self.database.sessions

    @property
    def jetstream(self) -> JetStreamContext:
        return self.nats.jetstream(timeout=5)

    def with_settings(self, **changes: Any) -> "Place":
        return replace(self, settings=self.settings.model_copy(update=changes))

    def relay(self) -> Relay:
        return Relay(self.publisher, self.settings, self.nats)

    def consumer(self, subscription: Subscription[Any]) -> Consumer:
        return Consumer(subscription, self.sessions, self.settings, self.nats)

    def copy(self, durable: str = "known-things") -> Copy[Any]:
        return Copy(durable, self.any_event, table=KnownThing)

    def reaction(self, react: React = count, durable: str = "tally") -> Reaction[Any]:
        return Reaction(durable, self.any_event, react)

    async def announce(self, *events: ThingEvent) -> None:
        """Announce each in a transaction of its own."""
        for event in events:
            async with self.sessions.begin() as session:
                announce(session, event)

    def event(self, title: str = "Pier", version: int = 1, id: UUID | None = None) -> ThingEvent:  # noqa: A002
        state = ThingState(id=id or new_id(), title=title, version=version)
        kind = self.made if version == 1 else self.changed
        return kind.about(state, by=SEOUL, at=AT, audience=["seoul"])

    async def streamed(self) -> list[RawStreamMsg]:
        """All messages of the stream, in order."""
        jetstream, stream = self.jetstream, stream_of(self.publisher)
        state = (await jetstream.stream_info(stream)).state
        return [
            await jetstream.get_msg(stream, number)
            for number in range(state.first_seq, state.last_seq + 1)
        ]

    async def streamed_titles(self) -> list[str]:
        return [
            self.any_event.model_validate_json(message.data or b"").data.state.title
            for message in await self.streamed()
        ]

    async def stream_count(self) -> int:
        try:
            return (await self.jetstream.stream_info(stream_of(self.publisher))).state.messages
        except NotFoundError:
            return 0

    async def has_stream(self) -> bool:
        """Whether the relay has made the stream."""
        async with self.sessions() as session:
            return await session.get(KnownStream, stream_of(self.publisher)) is not None

    async def waiting_titles(self) -> list[str]:
        async with self.sessions() as session:
            bodies = await session.scalars(
                select(OutboxMessage.body).order_by(OutboxMessage.position)
            )
            return [self.any_event.model_validate_json(b).data.state.title for b in bodies]

    async def known(self) -> list[KnownThing]:
        async with self.sessions() as session:
            return list(await session.scalars(select(KnownThing).order_by(KnownThing.title)))

    async def tally(self) -> dict[str, int]:
        async with self.sessions() as session:
            return {row.subject: row.count for row in await session.scalars(select(Tally))}

    async def dead_letters(self) -> list[DeadLetter]:
        async with self.sessions() as session:
            return list(await session.scalars(select(DeadLetter).order_by(DeadLetter.id)))
