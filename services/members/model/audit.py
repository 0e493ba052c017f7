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
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final, Literal, TypeAlias, get_args
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base
from services.members.model.speaker import Speaker
from shared.refusals import NotFound

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


class AuditTrailNotFound(NotFound):
    code = "audit-trail-not-found"
    title = "There is no such audit trail"


class AuditEntryNotFound(NotFound):
    code = "audit-entry-not-found"
    title = "There is no such entry in the audit trail"


def ensure_sees_trail_of(member: str, speaker: Speaker) -> None:
    """Refuse whoever may not read the trail of `member`: all but its own administrators.

    Raises:
        AuditTrailNotFound: for this speaker there is none, whether or not there is such a member.
        MissingScope: the token does not cover the member's own affairs.
    """
    if speaker.member != member:
        raise AuditTrailNotFound("A member sees its own audit trail only.")
    speaker.actor.ensure_may("members:write")


BreakKind = Literal["changed", "missing", "inserted", "moved", "replaced"]


@dataclass(frozen=True, slots=True)
class Break:
    """The first place where a trail is not what was written.

    Attributes:
        position: of the first bad entry.
        kind: `changed` in itself; `missing` where one was; `inserted` where none was; `moved` to
            another place; `replaced`, with all before it or after it, by what is another trail.
    """

    position: int
    kind: BreakKind


@dataclass(slots=True)
class Walk:
    """Follows a trail, entry by entry, from its beginning or from an entry that is known."""

    position: int = 0
    hash: str = BEGINNING

    def follows(self, entry: AuditEntry) -> bool:
        """Take one step; nothing happens if this entry does not follow."""
        if (
            entry.position != self.position + 1
            or entry.previous_hash != self.hash
            or entry.hash != entry.computed_hash()
        ):
            return False
        self.position, self.hash = entry.position, entry.hash
        return True


def break_at(walk: Walk, rest: Sequence[AuditEntry], head: AuditHead) -> Break | None:
    """Tell what is wrong where a walk has come to its end.

    Args:
        walk: as far as the entries follow each other.
        rest: all entries behind it, in their order, the first of which does not follow.
        head: what the end of the trail is said to be.

    Returns:
        Nothing if the walk has come to the head.
    """
    expected = walk.position + 1
    if head.length < walk.position:
        return Break(head.length + 1, "inserted")
    if not rest:
        if head.length > walk.position:
            return Break(expected, "missing")
        return None if head.hash == walk.hash else Break(walk.position, "changed")
    first, *others = rest
    if first.position > expected:
        return Break(expected, "missing")
    written_at = _position_when_written(first, expected, head.length)
    if expected > head.length:
        return Break(min(written_at or expected, expected), "inserted")
    if written_at == expected:
        # It is genuine as far as it goes, but it was written after another entry than stands there.
        is_alone = bool(others) and others[0].previous_hash != first.hash
        return Break(expected if is_alone or walk.position == 0 else walk.position, "changed")
    if written_at is None:
        belongs = bool(others) and _follows_at(others[0], expected, walk.hash)
        return Break(expected, "inserted" if belongs else "changed")
    if written_at < expected:
        return Break(written_at, "inserted")
    stands_behind = any(_follows_at(entry, expected, walk.hash) for entry in others)
    return Break(expected, "moved" if stands_behind else "missing")


def _follows_at(entry: AuditEntry, position: int, previous_hash: str) -> bool:
    """Tell whether an entry was written at this place, after this hash."""
    return entry.previous_hash == previous_hash and _was_written_at(entry, position)


def _was_written_at(entry: AuditEntry, position: int) -> bool:
    facts = entry.facts() | {"position": position}
    return hash_after(entry.previous_hash, facts) == entry.hash


def _position_when_written(entry: AuditEntry, expected: int, length: int) -> int | None:
    """Find the place that an entry was written at; nothing if it is not what was written."""
    positions = (expected, *range(1, length + 1))
    return next((place for place in positions if _was_written_at(entry, place)), None)
