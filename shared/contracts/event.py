"""The form that every event has on the wire.

CloudEvents 1.0 in structured JSON mode. The extensions `entityversion`, `audience`, `actor`,
`actormember`, `traceparent`, `causationid` and `hops` are ours (`traceparent` by the CloudEvents
extension for distributed tracing); `timestamp` repeats `time`, so that the same body
is a valid Standard Webhooks payload.

An event carries state: `data.state` is the whole public state of the entity after the change,
`data.previous` the former values of the fields that the change touched. Whoever reads it needs no
second question, keeps the newest `entityversion`, and may meet events twice or out of order.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Generic, Self, TypeVar
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    WithJsonSchema,
)

from shared.actor import Actor
from shared.identifiers import new_id

EVERYONE: Final = ("*",)
"""The audience of what every member of the network may learn."""

OPTIONAL_ATTRIBUTES: Final = ("actor", "actormember", "traceparent", "causationid", "hops")

Audience = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: tuple(value.split()) if isinstance(value, str) else value),
    PlainSerializer(" ".join, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(\*|[a-z0-9-]+( [a-z0-9-]+)*)$"}),
]
"""Members that may learn of the event; on the wire one string, as CloudEvents knows no lists."""


class State(BaseModel):
    """Public state of one entity. `version` rises by one with each change of the entity."""

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)

    key: ClassVar[str] = "id"
    """Name of the field that identifies the entity."""

    version: int = Field(ge=1)


S = TypeVar("S", bound=State)


class Fact(BaseModel, Generic[S]):
    """What an event says: the state now, and the former values of what changed."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: S
    previous: dict[str, Any] = {}


class Event(BaseModel, Generic[S]):
    """A fact about one entity; leaves only once the transaction that made it true has committed.

    A class per entity (`MilestoneEvent`) names the state; its subclasses name what happened. To
    read all facts about an entity, validate with the class of the entity.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    publisher: ClassVar[str]
    entity: ClassVar[str]
    happened: ClassVar[str | None] = None
    revision: ClassVar[int] = 1

    specversion: str = "1.0"
    id: UUID = Field(default_factory=new_id)
    type: str
    source: str
    subject: str = Field(description="Identifies the entity.")
    time: AwareDatetime
    timestamp: AwareDatetime
    datacontenttype: str = "application/json"
    entityversion: int = Field(ge=1, description="Rises by one with each change of the entity.")
    audience: Audience
    actor: str | None = Field(default=None, description="Who did it; absent when time did.")
    actormember: str | None = Field(default=None, description="On whose behalf it was done.")
    traceparent: str | None = None
    causationid: UUID | None = Field(
        default=None, description="The event whose webhook led to this one, where that is known."
    )
    hops: int | None = Field(
        default=None, ge=1, description="How many webhooks led, one after the other, to this one."
    )
    data: Fact[S]

    _received: bytes | None = PrivateAttr(default=None)

    @classmethod
    def received(cls, body: bytes) -> Self:
        """Read an event off the wire, and keep what came with it that we do not know.

        Raises:
            ValidationError: it is no such event.
        """
        event = cls.model_validate_json(body)
        event._received = body  # noqa: SLF001 -- our own
        return event

    @classmethod
    def about(
        cls,
        state: S,
        *,
        by: Actor,
        at: datetime,
        audience: Iterable[str],
        before: S | None = None,
    ) -> Self:
        """State that this happened to the entity whose state is now `state`.

        Args:
            state: the whole public state after the change.
            by: who did it; `Actor.CLOCK` when the time did.
            at: when it was done.
            audience: members that may learn of it, or `EVERYONE`.
            before: the state before the change; nothing for a new entity.
        """
        return cls(
            type=cls.type_name(),
            source=f"/{cls.publisher}",
            subject=str(getattr(state, state.key)),
            time=at,
            timestamp=at,
            entityversion=state.version,
            audience=tuple(sorted(set(audience))),
            actor=by.reference,
            actormember=by.member or None,
            data=Fact(state=state, previous=_former_values(before, state)),
        )

    @classmethod
    def type_name(cls) -> str:
        """`renkei.milestone.completed.v1`."""
        return f"renkei.{cls.entity}.{cls.happened}.v{cls.revision}"

    @property
    def nats_subject(self) -> str:
        """`evt.projects.milestone.<id>.completed.v1`."""
        _, entity, happened, revision = self.type.split(".")
        return f"evt.{self.publisher}.{entity}.{self.subject}.{happened}.{revision}"

    def wire_form(self) -> bytes:
        """The event as it goes out. An attribute without a value is left out; a state never is.

        What was received goes out again byte for byte.
        """
        if self._received is not None:
            return self._received
        absent = {name for name in OPTIONAL_ATTRIBUTES if getattr(self, name) is None}
        return self.model_dump_json(exclude=absent).encode()

    @classmethod
    def nats_filter(cls) -> str:
        """Match this fact, or every fact about the entity, about any entity of the kind."""
        return f"evt.{cls.publisher}.{cls.entity}.*.{cls.happened or '*'}.v{cls.revision}"

    @classmethod
    def state_type(cls) -> Any:
        """The class of `data.state`."""
        fact = cls.model_fields["data"].annotation
        return fact.model_fields["state"].annotation  # type: ignore[union-attr]

    def concerns(self, member: str) -> bool:
        """Tell whether `member` may learn of this."""
        return self.audience == EVERYONE or member in self.audience


def _former_values(before: State | None, after: State) -> dict[str, Any]:
    if before is None:
        return {}
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    return {name: old[name] for name in old if old[name] != new.get(name) and name != "version"}


CATALOGUE: Final[dict[str, type[Event[Any]]]] = {}
"""Every published event by its type, such as `renkei.milestone.completed.v1`."""


def happens(*kinds: type[Event[Any]]) -> None:
    """Enter events into the catalogue. Called once at the end of each publisher's module."""
    for kind in kinds:
        CATALOGUE[kind.type_name()] = kind
