"""Use case: what happened is noted in the audit trail of a member.

An entry is kept if, and only if, the transaction commits in which it was recorded. It gets its
place in the chain at the very end of that transaction: the end of the trail is the last row that is
locked, and only while the commit takes. So nobody waits for long, and no two who wait for each
other's rows have a trail locked.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import event as on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from services.members.model.audit import JSON, AuditEntry, Outcome
from services.members.queries.audit import head_for_change
from services.members.queries.members import host_of
from shared.actor import Actor
from shared.contracts.event import State

WAITING: Final = "audit entries"


@dataclass(slots=True)
class Waiting:
    """Entries of a transaction; at first all of them wait for their place in the chain."""

    entries: list[AuditEntry] = field(default_factory=list)
    placed: int = 0
    before: dict[SessionTransaction, tuple[int, int]] = field(default_factory=dict)
    """How many entries there were when a savepoint began, and how many of them had their place."""


async def record(
    session: AsyncSession,
    *,
    member: str,
    action: str,
    subject: str,
    actor: Actor | None,
    at: datetime,
    outcome: Outcome = "done",
    reason: str | None = None,
    details: Mapping[str, JSON] | None = None,
) -> None:
    """Note in the trail of a member what happened; also in that of the actor's, if it is another.

    Nothing in an entry may tell who a person is: no name, no address, no text that people write.

    Args:
        session: whose transaction did it.
        member: whose trail it is.
        action: such as `login.refused` or `official.role_changed`.
        subject: what it was done to, by its id, such as `official:0199…` or `client:seoul-main`.
        actor: who did it; nobody where it is not known yet.
        at: when.
        outcome: whether it was done or refused.
        reason: a code that says why.
        details: more of it, by ids and codes.
    """
    record_at_once(
        session.sync_session,
        member=member,
        action=action,
        subject=subject,
        actor=actor,
        at=at,
        outcome=outcome,
        reason=reason,
        details=details,
    )


async def record_for_network(
    session: AsyncSession, *, action: str, subject: str, is_operator: bool, at: datetime
) -> None:
    """Note in the host's trail what happened to the whole network; before it is open, nowhere."""
    host = await host_of(session)
    if host is not None:
        by = Actor(member=host) if is_operator else Actor.CLOCK
        await record(session, member=host, action=action, subject=subject, actor=by, at=at)


def record_at_once(
    session: Session,
    *,
    member: str,
    action: str,
    subject: str,
    actor: Actor | None,
    at: datetime,
    outcome: Outcome = "done",
    reason: str | None = None,
    details: Mapping[str, JSON] | None = None,
) -> None:
    """Do the same without `await`, as Authlib asks."""
    acting = None if actor is None else actor.member or None
    for trail in dict.fromkeys((member, acting or member)):
        _waiting(session).entries.append(
            AuditEntry(
                member=trail,
                at=at,
                action=action,
                outcome=outcome,
                reason=reason,
                subject=subject,
                actor=None if actor is None else _name(actor),
                actor_member=acting,
                client_id=None if actor is None else actor.client_id,
                session_id=None if actor is None else actor.session_id,
                details=dict(details or {}),
            )
        )


def different(before: State, after: State) -> list[str]:
    """Name what a change has made different."""
    names = type(before).model_fields.keys() - {"version", "updated_at"}
    return sorted(name for name in names if getattr(before, name) != getattr(after, name))


def _name(actor: Actor) -> str:
    return actor.reference or ("operator" if actor.member else "clock")


def _waiting(session: Session) -> Waiting:
    found: Waiting = session.info.setdefault(WAITING, Waiting())
    return found


@on.listens_for(Session, "before_commit")
def append_recorded(session: Session) -> None:
    """Give what was recorded its place; trails in the order of their members, against deadlocks.

    It is called for savepoints too, and cannot tell them from the whole.
    """
    waiting: Waiting | None = session.info.get(WAITING)
    if waiting is None or waiting.placed == len(waiting.entries):
        return
    session.flush()
    entries = waiting.entries[waiting.placed :]
    for member in sorted({entry.member for entry in entries}):
        head = head_for_change(session, member)
        for entry in entries:
            if entry.member == member:
                head.append(entry)
                session.add(entry)
    waiting.placed = len(waiting.entries)


@on.listens_for(Session, "after_transaction_create")
def note_savepoint(session: Session, transaction: SessionTransaction) -> None:
    """Remember what was recorded before a savepoint."""
    if transaction.nested:
        waiting = _waiting(session)
        waiting.before[transaction] = len(waiting.entries), waiting.placed


@on.listens_for(Session, "after_soft_rollback")
def forget_undone(session: Session, transaction: SessionTransaction) -> None:
    """Forget what was recorded since a savepoint; what got its place since then waits again."""
    waiting: Waiting | None = session.info.get(WAITING)
    if waiting is not None and transaction in waiting.before:
        count, placed = waiting.before[transaction]
        del waiting.entries[count:]
        waiting.placed = min(waiting.placed, placed)


@on.listens_for(Session, "after_transaction_end")
def begin_anew(session: Session, transaction: SessionTransaction) -> None:
    """Forget everything once the whole transaction is over."""
    if transaction.parent is None:
        session.info.pop(WAITING, None)
