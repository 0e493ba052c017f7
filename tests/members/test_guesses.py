"""Who guesses is stopped, and nobody else."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text

from services.members.http.guesses import REMEMBERED, Guard, Guesses, TooManyGuesses
from services.members.model.failed_guess import Door, FailedGuess
from services.members.settings import MembersSettings
from services.members.worker import WORKER
from shared.database import Sessions, reading_sessions_of
from tests.conftest import Database
from tests.web import environment

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
CITY, ELSEWHERE = "198.51.100.7", "203.0.113.9"


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.fixture
def guesses(database: Database) -> Guesses:
    """One process: five failures from one address, two of them with one name, within a minute."""
    return process(database)


def process(database: Database) -> Guesses:
    given = {"guesses_per_source": 5, "guesses_per_name": 2, "guess_seconds": 60}
    return Guesses(MembersSettings(**environment(database) | given))


@pytest.fixture
def sessions(database: Database) -> Sessions:
    return reading_sessions_of(database.engine)


@pytest.fixture
def door(guesses: Guesses) -> Door:
    return guesses.doors["client"]


def waits(
    guesses: Guesses, door: Door, name: str | None, source: str = CITY, now: datetime = NOON
) -> int | None:
    """How long whoever comes now has to wait, if at all."""
    try:
        guesses.ensure_open(door, source, name, now=now)
    except TooManyGuesses as refusal:
        return refusal.seconds
    return None


async def fail(
    guesses: Guesses,
    sessions: Sessions,
    door: Door,
    *names: str | None,
    source: str = CITY,
    now: datetime = NOON,
) -> None:
    for name in names:
        await guesses.count(sessions, door, source, name, now=now)


async def test_a_name_is_closed_where_it_was_guessed_at_and_stays_open_elsewhere(
    guesses: Guesses, sessions: Sessions, door: Door
) -> None:
    await fail(guesses, sessions, door, "desk", "desk", now=later(10))

    assert waits(guesses, door, "desk", now=later(20)) == 50
    assert waits(guesses, door, "other", now=later(20)) is None
    assert waits(guesses, door, "desk", ELSEWHERE, later(20)) is None
    assert waits(guesses, guesses.doors["mail"], "desk", now=later(20)) is None


async def test_any_number_of_addresses_cannot_close_a_name_for_its_owner(
    guesses: Guesses, sessions: Sessions, door: Door
) -> None:
    for number in range(50):
        await fail(guesses, sessions, door, "desk", "desk", source=f"203.0.113.{number}")

    assert waits(guesses, door, "desk") is None


async def test_many_names_close_the_address(
    guesses: Guesses, sessions: Sessions, door: Door
) -> None:
    await fail(guesses, sessions, door, "a", "b", "c", "d")
    before = waits(guesses, door, "z")
    await fail(guesses, sessions, door, "e")

    assert before is None
    assert waits(guesses, door, "z") == 60
    assert waits(guesses, door, None) == 60
    assert waits(guesses, door, "z", ELSEWHERE) is None


async def test_who_has_proved_itself_does_not_suffer_for_its_neighbours(
    guesses: Guesses, sessions: Sessions, door: Door
) -> None:
    guesses.prove(door, "desk", now=NOON)

    await fail(guesses, sessions, door, "a", "b", "c", "d", "e")

    assert waits(guesses, door, "desk") is None
    assert waits(guesses, door, "z") == 60
    assert waits(guesses, door, "desk", now=later(59)) is None


async def test_having_proved_itself_is_no_licence_to_guess(
    guesses: Guesses, sessions: Sessions, door: Door
) -> None:
    guesses.prove(door, "desk", now=NOON)

    await fail(guesses, sessions, door, "desk", "desk")

    assert waits(guesses, door, "desk") == 60


async def test_it_opens_again_when_the_time_is_over_and_counts_from_one(
    guesses: Guesses, sessions: Sessions, door: Door
) -> None:
    await fail(guesses, sessions, door, "desk", "desk")

    opened = waits(guesses, door, "desk", now=later(60))
    await fail(guesses, sessions, door, "desk", now=later(61))
    once_more = waits(guesses, door, "desk", now=later(61))
    await fail(guesses, sessions, door, "desk", now=later(62))

    assert (opened, once_more) == (None, None)
    assert waits(guesses, door, "desk", now=later(62)) == 59


async def test_processes_count_together(
    database: Database, guesses: Guesses, sessions: Sessions, door: Door
) -> None:
    replica = process(database)
    await fail(guesses, sessions, door, "desk", "desk")

    before = waits(replica, door, "desk")
    await fail(replica, sessions, door, "desk")

    assert before is None
    assert waits(replica, door, "desk") == 60


async def test_what_fails_at_the_same_moment_is_counted_once_each(
    database: Database, guesses: Guesses, sessions: Sessions, door: Door
) -> None:
    await asyncio.gather(*(fail(guesses, sessions, door, "a", "b") for _ in range(15)))

    async with database.sessions() as session:
        rows = await session.scalars(select(FailedGuess))
        counts = {row.key: row.count for row in rows}
    assert counts == {f"client {CITY}": 30, f"client {CITY} a": 15, f"client {CITY} b": 15}


async def test_a_flood_costs_one_statement_for_each_guess_and_none_once_it_is_closed(
    database: Database, guesses: Guesses, door: Door
) -> None:
    asked: list[str] = []

    def note(*about: Any) -> None:
        asked.append(about[2])

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        await fail(guesses, reading_sessions_of(database.engine), door, "desk", "desk")
        waited = [waits(guesses, door, "desk") for _ in range(1_000)]
    finally:
        event.remove(engine, "before_cursor_execute", note)

    assert len(asked) == 2
    assert all(statement.startswith("INSERT INTO failed_guess") for statement in asked)
    assert set(waited) == {60}


async def test_what_ends_well_is_taken_off(
    database: Database, guesses: Guesses, sessions: Sessions
) -> None:
    guard = Guard(guesses, sessions, guesses.doors["unfinished"], CITY)
    await guard.failed()
    await guard.failed()

    await guard.ended_well()

    async with database.sessions() as session:
        counts = (await session.scalars(select(FailedGuess.count))).all()
    assert counts == [1]


async def test_logins_that_were_not_ended_are_looked_at_again_soon(
    database: Database, sessions: Sessions
) -> None:
    given = {"unfinished_per_source": 1, "guess_seconds": 60}
    guesses = Guesses(MembersSettings(**environment(database) | given))
    door = guesses.doors["unfinished"]

    await fail(guesses, sessions, door, None)

    assert waits(guesses, door, None) == 10
    assert waits(guesses, door, None, now=later(10)) is None


async def test_what_is_counted_no_longer_is_forgotten(
    database: Database, guesses: Guesses, sessions: Sessions, door: Door
) -> None:
    [forget] = [timer for timer in WORKER.timers if timer.name == "forget-guesses"]
    await fail(guesses, sessions, door, None)
    await fail(guesses, sessions, door, None, source=ELSEWHERE, now=later(30))

    async with database.sessions.begin() as session:
        await forget.run(session, later(61))

    async with database.sessions() as session:
        keys = (await session.scalars(select(FailedGuess.key))).all()
    assert keys == [f"client {ELSEWHERE}"]


async def test_a_flood_is_not_written_to_the_log_of_the_database(database: Database) -> None:
    async with database.sessions() as session:
        kind = await session.scalar(
            text("SELECT relpersistence::text FROM pg_class WHERE relname = 'failed_guess'")
        )

    assert kind == "u"


async def test_memory_is_bounded_whatever_is_invented(guesses: Guesses, door: Door) -> None:
    for number in range(REMEMBERED + 10):
        guesses.prove(door, f"invented-{number}", now=NOON)

    assert len(guesses._proved) == 10
