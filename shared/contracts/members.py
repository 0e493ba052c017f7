"""Facts published by the members service: who belongs to the network and who acts for whom.

A member is identified by its slug, everywhere. Names and addresses of officials travel in
`official` events alone, whose subject is the official's id, so that erasure can purge them.
"""

from datetime import date, datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.contracts.event import Event, State, happens

MemberKind = Literal["city", "state", "national_government", "international_organisation"]
MembershipStatus = Literal["invited", "active", "suspended", "withdrawn"]
Role = Literal["administrator", "coordinator", "contributor", "observer"]
OfficialStatus = Literal["active", "blocked", "erased"]
ClientStatus = Literal["active", "revoked"]
ClientKind = Literal["machine", "application"]
ClientAuthentication = Literal["client_secret", "private_key_jwt", "none"]


class MemberState(State):
    """A member of the network as everyone may know it."""

    key: ClassVar[str] = "slug"

    slug: str
    kind: MemberKind
    name: dict[str, str]
    local_name: str | None
    country: str
    subdivision: str | None = None
    """ISO 3166-2 without the country, where public holidays differ by it."""
    time_zone: str
    latitude: float
    longitude: float
    is_host: bool
    status: MembershipStatus
    status_since: date
    created_at: datetime
    updated_at: datetime


class MemberEvent(Event[MemberState]):
    publisher: ClassVar[str] = "members"
    entity: ClassVar[str] = "member"


class MemberInvited(MemberEvent):
    """The secretariat entered an organisation that may join."""

    happened: ClassVar[str | None] = "invited"


class MemberChanged(MemberEvent):
    """Names, place or time zone of a member are different now."""

    happened: ClassVar[str | None] = "changed"


class MemberActivated(MemberEvent):
    """The member belongs to the network from `status_since` on."""

    happened: ClassVar[str | None] = "activated"


class MemberSuspended(MemberEvent):
    """The secretariat stopped the member's writing, until it is reinstated."""

    happened: ClassVar[str | None] = "suspended"


class MemberReinstated(MemberEvent):
    """The suspension is over."""

    happened: ClassVar[str | None] = "reinstated"


class MemberWithdrawn(MemberEvent):
    """The member left the network; what it did stays."""

    happened: ClassVar[str | None] = "withdrawn"


class OfficialState(State):
    """A person acting for one member. Erasure leaves neither name nor address."""

    id: UUID
    member: str
    function: dict[str, str]
    name: str | None
    email: str | None
    language: str
    roles: tuple[Role, ...]
    scopes: tuple[str, ...] = ()
    """What the roles cover now: nothing for an official who may not act."""
    status: OfficialStatus
    created_at: datetime
    updated_at: datetime


class OfficialEvent(Event[OfficialState]):
    publisher: ClassVar[str] = "members"
    entity: ClassVar[str] = "official"


class OfficialAppointed(OfficialEvent):
    """A member made somebody its official."""

    happened: ClassVar[str | None] = "appointed"


class OfficialChanged(OfficialEvent):
    """Function, name, address, language or roles of an official are different now."""

    happened: ClassVar[str | None] = "changed"


class OfficialBlocked(OfficialEvent):
    """The official may no longer act."""

    happened: ClassVar[str | None] = "blocked"


class OfficialUnblocked(OfficialEvent):
    """The official may act again."""

    happened: ClassVar[str | None] = "unblocked"


class OfficialErased(OfficialEvent):
    """Nothing that tells who the official was is left; what they did stays."""

    happened: ClassVar[str | None] = "erased"


class SessionState(State):
    """The end of a person's session in one application: its tokens are good no longer.

    Only endings are told. `id` is the `sid` of the tokens; after `good_until` none of them could
    be good anyway.
    """

    id: UUID
    member: str
    official_id: UUID
    client_id: str
    ended_at: datetime
    good_until: datetime


class SessionEvent(Event[SessionState]):
    publisher: ClassVar[str] = "members"
    entity: ClassVar[str] = "session"


class SessionEnded(SessionEvent):
    """The person left, or was made to leave."""

    happened: ClassVar[str | None] = "ended"


class ClientState(State):
    """A machine or an application of a member. Its secret is nobody's business but its own."""

    id: str
    member: str
    name: str
    kind: ClientKind = "machine"
    authentication: ClientAuthentication = "client_secret"
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    serves_network: bool = False
    requires_dpop: bool = False
    scopes: tuple[str, ...]
    status: ClientStatus
    created_at: datetime
    updated_at: datetime


class ClientEvent(Event[ClientState]):
    publisher: ClassVar[str] = "members"
    entity: ClassVar[str] = "client"


class ClientRegistered(ClientEvent):
    """A member let one of its machines act for it."""

    happened: ClassVar[str | None] = "registered"


class ClientChanged(ClientEvent):
    """Name or scopes of a client are different now."""

    happened: ClassVar[str | None] = "changed"


class ClientRevoked(ClientEvent):
    """The machine may no longer act, also not with tokens that it holds."""

    happened: ClassVar[str | None] = "revoked"


happens(
    MemberInvited,
    MemberChanged,
    MemberActivated,
    MemberSuspended,
    MemberReinstated,
    MemberWithdrawn,
    OfficialAppointed,
    OfficialChanged,
    OfficialBlocked,
    OfficialUnblocked,
    OfficialErased,
    SessionEnded,
    ClientRegistered,
    ClientChanged,
    ClientRevoked,
)
