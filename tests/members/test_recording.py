"""Entries of the audit trail get their place in the chain, or leave nothing."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.members.model.audit import BEGINNING, AuditEntry, AuditHead
from services.members.use_cases.record import record
from shared.actor import Actor
from tests.conftest import Database

AT = datetime(2026, 11, 23, 9, 0, 0, 123456, tzinfo=UTC)
MACHINE = Actor(member="seoul", client_id="seoul-main")


async def note(session: AsyncSession, action: str, *, member: str = "seoul") -> None:
    await record(
        session, member=member, action=action, subject=f"member:{member}", actor=None, at=AT
    )


async def trail(database: Database, member: str = "seoul") -> list[AuditEntry]:
    async with database.sessions() as session:
        query = select(AuditEntry).where(AuditEntry.member == member).order_by(AuditEntry.position)
        return list(await session.scalars(query))


async def test_entries_follow_each_other_in_the_order_of_recording(database: Database) -> None:
    async with database.sessions.begin() as session:
        await note(session, "first.done")
        await note(session, "second.done")
    async with database.sessions.begin() as session:
        await note(session, "third.done")

    first, second, third = await trail(database)
    assert [first.action, second.action, third.action] == [
        "first.done",
        "second.done",
        "third.done",
    ]
    assert [first.position, second.position, third.position] == [1, 2, 3]
    assert [first.previous_hash, second.previous_hash, third.previous_hash] == [
        BEGINNING,
        first.hash,
        second.hash,
    ]
    assert [entry.computed_hash() for entry in (first, second, third)] == [
        first.hash,
        second.hash,
        third.hash,
    ]
    async with database.sessions() as session:
        head = await session.get_one(AuditHead, "seoul")
    assert (head.length, head.hash) == (3, third.hash)


async def test_what_is_rolled_back_leaves_no_entry(database: Database) -> None:
    async def fail() -> None:
        async with database.sessions.begin() as session:
            await note(session, "undone.done")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        await fail()

    assert await trail(database) == []


async def test_a_savepoint_that_is_rolled_back_takes_its_entries_with_it(
    database: Database,
) -> None:
    async with database.sessions.begin() as session:
        await note(session, "before.done")
        savepoint = await session.begin_nested()
        await note(session, "undone.done")
        async with session.begin_nested():
            await note(session, "written.done")
        await savepoint.rollback()
        await note(session, "after.done")

    assert [entry.action for entry in await trail(database)] == ["before.done", "after.done"]


async def test_a_savepoint_that_is_still_open_keeps_its_entries(database: Database) -> None:
    async with database.sessions.begin() as session:
        await session.begin_nested()
        await note(session, "inside.done")

    assert [entry.action for entry in await trail(database)] == ["inside.done"]


async def test_what_one_member_does_to_another_stands_in_both_trails(database: Database) -> None:
    async with database.sessions.begin() as session:
        await record(
            session,
            member="busan",
            action="member.invited",
            subject="member:busan",
            actor=MACHINE,
            at=AT,
        )

    [there] = await trail(database, "busan")
    [here] = await trail(database, "seoul")
    assert [there.actor, there.actor_member] == ["client:seoul-main", "seoul"]
    assert {**there.facts(), "member": "seoul"} == here.facts()
