"""What this service knows of the members service: copies that follow its facts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from services.projects.model.base import Base


class KnownMember(Base, kw_only=True):
    """A member of the network, as far as projects need it."""

    __tablename__ = "known_member"

    slug: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    name: Mapped[dict[str, str]]
    status: Mapped[str]
    time_zone: Mapped[str]
    country: Mapped[str]
    subdivision: Mapped[str | None] = mapped_column(default=None)
    is_host: Mapped[bool]


class KnownOfficial(Base, kw_only=True):
    """An official without name and address, which stay where they can be erased."""

    __tablename__ = "known_official"
    __table_args__ = (Index("ix_known_official_member", "member"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    member: Mapped[str]
    function: Mapped[dict[str, str]]
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


class KnownKeys(Base, kw_only=True):
    """The public keys that access tokens are checked with, as they were read last."""

    __tablename__ = "known_keys"

    address: Mapped[str] = mapped_column(primary_key=True)
    document: Mapped[dict[str, Any]]
    read_at: Mapped[datetime]
