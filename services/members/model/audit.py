"""The audit trail of a member: who did what and when, in a chain that shows where it was touched.

Each entry carries a hash over itself and the hash before it, so that nothing in the middle can be
changed, left out, put in or moved without all that follows being another chain. What the trail
cannot show by itself is a tail that somebody wrote anew who may write to the database at will:
whoever keeps the hash of a head elsewhere can.

Entries name officials, clients and others by their ids alone. So a person can be forgotten and the
trail stays as it is.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias, get_args
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base

JSON: TypeAlias = "str | int | bool | Sequence[JSON] | Mapping[str, JSON] | None"
"""What details are made of: nothing that is written in two ways, as fractions are."""

Outcome = Literal["done", "refused"]

BEGINNING: Final = "0" * 64
"""Stands in place of the hash before the first entry."""


class AuditHead(Base, kw_only=True):
    """The end of a member's trail, locked by whoever appends to it."""

    __tablename__ = "audit_head"

    member: Mapped[str] = mapped_column(primary_key=True)
    length: Mapped[int] = mapped_column(default=0)
    hash: Mapped[str] = mapped_column(default=BEGINNING)

    def append(self, entry: "AuditEntry") -> None:
        """Make an entry the next one of this trail."""
        entry.position = self.length + 1
        entry.previous_hash = self.hash
        entry.hash = entry.computed_hash()
        self.length, self.hash = entry.position, entry.hash


class AuditEntry(Base, kw_only=True):
    """Something that happened to a member, or that somebody did for it.

    No other table is referred to: the trail outlives what it is about.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (
        CheckConstraint(f"outcome IN {get_args(Outcome)}", name="outcome"),
        Index("ix_audit_entry_member_action_position", "member", "action", "position"),
        Index("ix_audit_entry_member_actor_position", "member", "actor", "position"),
        Index("ix_audit_entry_member_at_position", "member", "at", "position"),
    )

    member: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, init=False, autoincrement=False)
    at: Mapped[datetime]
    action: Mapped[str]
    outcome: Mapped[Outcome] = mapped_column(Text)
    reason: Mapped[str | None]
    subject: Mapped[str]
    actor: Mapped[str | None]
    """`official:…`, `client:…`, `operator` or `clock`; nothing where nobody was known yet."""
    actor_member: Mapped[str | None]
    client_id: Mapped[str | None]
    """The application that a person came through."""
    session_id: Mapped[UUID | None]
    details: Mapped[dict[str, Any]]
    previous_hash: Mapped[str] = mapped_column(init=False)
    hash: Mapped[str] = mapped_column(init=False)

    def facts(self) -> dict[str, JSON]:
        """Give what the hash is about."""
        return {
            "member": self.member,
            "position": self.position,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "action": self.action,
            "outcome": self.outcome,
            "reason": self.reason,
            "subject": self.subject,
            "actor": self.actor,
            "actor_member": self.actor_member,
            "client_id": self.client_id,
            "session_id": None if self.session_id is None else str(self.session_id),
            "details": self.details,
        }

    def computed_hash(self) -> str:
        """Compute the hash that an entry with these facts has after the entry before it."""
        return hash_after(self.previous_hash, self.facts())


def hash_after(previous_hash: str, facts: Mapping[str, JSON]) -> str:
    """Compute SHA-256 over the hash before, as it is written, and the facts as canonical JSON.

    Source: RFC 8785 for what is canonical; all names are ASCII and all numbers whole.
    """
    canonical = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(previous_hash.encode() + canonical.encode()).hexdigest()
