"""Trails in the database: many write them at once, and who touches one is found."""

import asyncio
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.operations.auditing import read_heads, verify
from services.members.queries.audit import first_break_of, head_of
from services.members.use_cases.record import record
from shared.actor import Actor
from shared.clock import utc_now
from tests.conftest import Database
from tests.web import ISSUER, MASTER_KEYS

MEMBERS: Final = ("seoul", "busan", "tokyo")


@pytest.fixture(autouse=True)
def operator(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of somebody who runs commands on this database."""
    for name, value in {
        "MEMBERS_DATABASE_URL": database.url,
        "NATS_URL": "nats://127.0.0.1:1",
        "ISSUER": ISSUER,
        "JWKS_URL": f"{ISSUER}/oauth/jwks",
        "MASTER_KEYS": MASTER_KEYS,
    }.items():
        monkeypatch.setenv(f"RENKEI_{name}", value)


async def note(session: AsyncSession, number: int, *, member: str, by: str | None = None) -> None:
    await record(
        session,
        member=member,
        action="official.changed",
        subject=f"official:{number}",
        actor=Actor(member=by or member, client_id=f"{by or member}-main"),
        at=utc_now(),
    )


async def write(database: Database, count: int, *, member: str = "seoul") -> None:
    for number in range(1, count + 1):
        async with database.sessions.begin() as session:
            await note(session, number, member=member)


async def as_superuser(database: Database, statement: str) -> None:
    """Do what the triggers refuse."""
    async with database.engine.begin() as connection:
        await connection.execute(text("SET LOCAL session_replication_role = replica"))
        await connection.execute(text(statement))


async def head(database: Database, member: str = "seoul") -> tuple[int, str]:
    async with database.sessions() as session:
        found = await head_of(session, member)
        return found.length, found.hash


WRITERS = st.lists(
    st.tuples(
        st.sampled_from(MEMBERS),
        st.sampled_from(MEMBERS),
        st.integers(1, 3),
        st.sampled_from(["commit", "rollback", "undo the last"]),
    ),
    min_size=2,
    max_size=12,
)


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(writers=WRITERS)
async def test_trails_hold_whatever_many_write_at_once(
    database: Database, writers: list[tuple[str, str, int, str]]
) -> None:
    written = dict.fromkeys(MEMBERS, 0)
    lengths = {member: (await head(database, member))[0] for member in MEMBERS}

    async def work(member: str, by: str, count: int, how: str) -> None:
        async with database.sessions() as session:
            for number in range(count):
                await note(session, number, member=member, by=by)
                await session.flush()
            if how == "undo the last":
                savepoint = await session.begin_nested()
                await note(session, count, member=member, by=by)
                await savepoint.rollback()
            if how == "rollback":
                await session.rollback()
            else:
                await session.commit()
        if how != "rollback":
            for trail in {member, by}:
                written[trail] += count

    await asyncio.gather(*(work(*writer) for writer in writers))

    for member in MEMBERS:
        async with database.sessions() as session:
            found = await head_of(session, member)
            assert found.length == lengths[member] + written[member]
            assert await first_break_of(session, found, kept={}) is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET subject = 'official:9'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry",
        "DELETE FROM audit_head",
        "TRUNCATE audit_head",
        "UPDATE audit_head SET length = length - 1",
        "UPDATE audit_head SET hash = 'other'",
        "UPDATE audit_head SET member = 'busan', length = length + 1",
    ],
)
async def test_the_database_refuses_to_touch_what_was_written(
    database: Database, statement: str
) -> None:
    await write(database, 2)
    before = await head(database)

    with pytest.raises(DBAPIError, match="audit trail"):
        async with database.engine.begin() as connection:
            await connection.execute(text(statement))

    assert await head(database) == before
    assert await verify([], {}) == 0


async def test_verifying_prints_the_heads(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await write(database, 2)
    await write(database, 1, member="busan")

    code = await verify([], {})

    assert code == 0
    assert capsys.readouterr().out.splitlines() == [
        f"busan 1 {(await head(database, 'busan'))[1]}",
        f"seoul 2 {(await head(database))[1]}",
    ]


async def test_what_is_written_meanwhile_is_no_break(database: Database) -> None:
    await write(database, 1)
    writing = asyncio.gather(*(write(database, 40, member=member) for member in MEMBERS * 2))

    codes = []
    while not writing.done():
        codes.append(await verify([], {}))
    await writing

    assert set(codes) == {0}


async def test_a_trail_longer_than_a_batch_is_followed_to_its_end(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    async with database.sessions.begin() as session:
        for number in range(1001):
            await note(session, number, member="seoul")

    code = await verify(["seoul"], {})

    assert code == 0
    assert capsys.readouterr().out.startswith("seoul 1001 ")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE audit_entry SET details = '{\"a\": 1}' WHERE position = 3",
            "seoul: entry 3 is not what was written (changed)",
        ),
        (
            "DELETE FROM audit_entry WHERE position = 3",
            "seoul: entry 3 is missing (missing)",
        ),
        (
            "DELETE FROM audit_entry WHERE position > 3",
            "seoul: entry 4 is missing (missing)",
        ),
        (
            """UPDATE audit_entry SET position = CASE position WHEN 2 THEN 104 ELSE 102 END
            WHERE position IN (2, 4);
            UPDATE audit_entry SET position = position - 100 WHERE position > 100""",
            "seoul: entry 2 is another one, which was moved there (moved)",
        ),
        (
            """INSERT INTO audit_entry SELECT member, 6, at, action, outcome, reason, subject,
            actor, actor_member, client_id, session_id, details, hash, hash
            FROM audit_entry WHERE position = 5""",
            "seoul: entry 6 was put in (inserted)",
        ),
        ("DELETE FROM audit_head WHERE member = 'seoul'", "seoul: entry 1 was put in (inserted)"),
    ],
)
async def test_the_first_bad_entry_is_named(
    database: Database, statement: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await write(database, 5)
    await write(database, 1, member="busan")

    for each in statement.split(";"):
        await as_superuser(database, each)

    code = await verify([], {})

    shown = capsys.readouterr()
    assert code == 1
    assert shown.err.splitlines() == [said]
    assert [line.partition(" ")[0] for line in shown.out.splitlines()] == ["busan"]


async def test_a_tail_written_anew_is_told_by_a_head_that_was_kept(
    database: Database, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    await write(database, 5)
    await verify([], {})
    (tmp_path / "heads").write_text(capsys.readouterr().out)
    await as_superuser(database, "DELETE FROM audit_entry WHERE position > 2")
    await as_superuser(
        database,
        "UPDATE audit_head SET length = 2,"
        " hash = (SELECT hash FROM audit_entry WHERE position = 2)",
    )
    await write(database, 4)

    without = await verify([], {})
    code = await verify([], read_heads(tmp_path / "heads"))

    assert (without, code) == (0, 1)
    assert capsys.readouterr().err.splitlines() == [
        "seoul: entry 5 is not the one whose hash was kept (replaced)"
    ]


async def test_a_tail_cut_off_with_its_head_is_told_by_a_head_that_was_kept(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await write(database, 5)
    length, kept = await head(database)
    await as_superuser(database, "TRUNCATE audit_entry, audit_head")

    code = await verify([], {"seoul": {length: kept}})

    assert code == 1
    assert capsys.readouterr().err.splitlines() == ["seoul: entry 1 is missing (missing)"]


async def test_a_member_without_a_trail_is_no_good_news(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await write(database, 1)

    code = await verify(["soul"], {})

    assert code == 1
    assert capsys.readouterr() == ("", "soul: there is no trail\n")


async def test_a_file_that_holds_no_heads_is_refused(tmp_path: Path) -> None:
    (tmp_path / "heads").write_text("seoul 5 abc\n\nseoul five abc\n")

    with pytest.raises(ValueError, match="Line 3"):
        read_heads(tmp_path / "heads")
