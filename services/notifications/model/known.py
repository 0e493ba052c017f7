"""What this service has heard of the members and projects services: copies, never changed here."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.model.base import Base
from shared.refusals import Forbidden, NotFound, Unauthenticated


class MemberNotActive(Forbidden):
    code = "member-not-active"
    title = "The member does not take part in the network at present"


class ClientRevoked(Unauthenticated):
    """The access token is genuine, but the client that it was issued to may not act any more."""


class OfficialMayNotAct(Unauthenticated):
    """The access token is genuine, but its member lets the person act for it no longer."""


class SessionOver(Unauthenticated):
    """The access token is genuine, but the session that it belongs to has ended."""


class OfficialNotFound(NotFound):
    code = "official-not-found"
    title = "There is no such official"


class KnownMember(Base, kw_only=True):
    """A member, with what decides whether it is told anything."""

    __tablename__ = "known_member"

    slug: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    name: Mapped[dict[str, str]]
    status: Mapped[str]
    time_zone: Mapped[str]


class KnownOfficial(Base, kw_only=True):
    """An official, without name and address: an inbox needs neither."""

    __tablename__ = "known_official"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    member: Mapped[str] = mapped_column(index=True)
    function: Mapped[dict[str, str]]
    language: Mapped[str]
    roles: Mapped[tuple[str, ...]]
    scopes: Mapped[tuple[str, ...]] = mapped_column(default=(), server_default="{}")
    status: Mapped[str]


class KnownClient(Base, kw_only=True):
    """A machine of a member, with what decides whether its tokens are still good."""

    __tablename__ = "known_client"

    id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    member: Mapped[str]
    status: Mapped[str]


class KnownSession(Base, kw_only=True):
    """The end of a person's session: tokens with this `sid` are good no longer."""

    __tablename__ = "known_session"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    ended_at: Mapped[datetime]
    good_until: Mapped[datetime] = mapped_column(index=True)


class KnownProject(Base, kw_only=True):
    """A joint project, with who leads it."""

    __tablename__ = "known_project"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    reference: Mapped[str]
    title: Mapped[dict[str, str]]
    lead: Mapped[str]
    visibility: Mapped[str]
    status: Mapped[str]


class KnownParticipation(Base, kw_only=True):
    """A member's place in a project."""

    __tablename__ = "known_participation"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    project_id: Mapped[UUID] = mapped_column(index=True)
    member: Mapped[str]
    role: Mapped[str]
    status: Mapped[str]


class KnownKeys(Base, kw_only=True):
    """The public keys that access tokens are checked with, as they were read last."""

    __tablename__ = "known_keys"

    address: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
    read_at: Mapped[datetime]
