"""What is read past the session is the same as what a session reads."""

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import Text, Uuid, bindparam, func, inspect, literal, select, text
from sqlalchemy.orm.exc import DetachedInstanceError, UnmappedInstanceError

from shared.database import connect, is_outage
from shared.identifiers import new_id
from shared.reading import Question, Reading
from tests.servers import Servers
from tests.shared.outages import Gate
from tests.shared.things import AT, KnownThing, Place, Thing

TITLE = bindparam("title", type_=Text())
ENDED = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a connection raises that has ended; which one depends on the moment."""
TITLED = Question(select(Thing).where(Thing.title == TITLE))


def values_of(thing: KnownThing) -> dict[str, object]:
    return {key: getattr(thing, key) for key in inspect(KnownThing).columns.keys()}  # noqa: SIM118 -- no dictionary


async def add(place: Place, *titles: str) -> None:
    async with place.sessions.begin() as session:
        session.add_all(Thing(title=title) for title in titles)


async def test_an_entity_is_the_one_that_a_session_reads(place: Place) -> None:
    pier = KnownThing(
        id=new_id(),
        version=3,
        title="Pier",
        note=None,
        tags=("sea", "port"),
        names={"ja": "桟橋"},
        changed_at=AT,
        seen=True,
    )
    async with place.sessions.begin() as session:
        session.add(pier)
    reading = Reading(place.database.engine)

    found = await reading.rows(Question(select(KnownThing, func.count().over())), {})

    await reading.end()
    [by_session] = await place.known()
    [(thing, count)] = found
    assert values_of(thing) == values_of(by_session)
    assert [type(value) for value in (thing.tags, thing.names, thing.seen)] == [tuple, dict, bool]
    assert count == 1


async def test_what_is_done_to_an_entity_is_stored_nowhere(place: Place) -> None:
    await add(place, "Pier")
    async with place.sessions.begin() as session:
        [(thing,)] = await TITLED.asked_in(session, {"title": "Pier"})
        thing.title = "Tower"

    async with place.sessions() as session:
        assert (await session.scalars(select(Thing.title))).all() == ["Pier"]


async def test_no_session_takes_an_entity(place: Place) -> None:
    await add(place, "Pier")
    async with place.sessions() as session:
        [(thing,)] = await TITLED.asked_in(session, {"title": "Pier"})

        with pytest.raises(UnmappedInstanceError):
            session.add(thing)


async def test_what_was_not_read_is_not_taken_for_empty(place: Place) -> None:
    await add(place, "Pier")
    async with place.sessions() as session:
        [(thing,)] = await TITLED.asked_in(session, {"title": "Pier"})
    del thing.title

    with pytest.raises(DetachedInstanceError, match="'title' of Thing was not read"):
        thing.title  # noqa: B018 -- asking is enough


async def test_a_question_in_a_session_sees_what_its_transaction_did(place: Place) -> None:
    async with place.sessions.begin() as session:
        session.add(Thing(title="Pier"))
        await session.flush()

        inside = await TITLED.asked_in(session, {"title": "Pier"})
        reading = Reading(place.database.engine)
        outside = await reading.rows(TITLED, {"title": "Pier"})
        await reading.end()

    assert (len(inside), len(outside)) == (1, 0)


async def test_values_that_belong_to_the_question_need_not_be_given(place: Place) -> None:
    await add(place, "Pier", "Tower", "Gate")
    among = Question(
        select(Thing.title)
        .where(Thing.title.in_([literal("Pier"), literal("Gate")]))
        .order_by(Thing.title)
    )
    reading = Reading(place.database.engine)

    found = await reading.rows(among, {})

    await reading.end()
    assert found == [("Gate",), ("Pier",)]


async def test_the_connection_is_held_until_the_end_and_only_so_long(place: Place) -> None:
    pool = place.database.engine.sync_engine.pool
    reading = Reading(place.database.engine)
    before = pool.checkedout()  # type: ignore[attr-defined]

    held = []
    for _ in range(2):
        await reading.rows(TITLED, {"title": "Pier"})
        held.append(pool.checkedout() - before)  # type: ignore[attr-defined]
    await reading.end()

    assert held == [1, 1]
    assert pool.checkedout() == before  # type: ignore[attr-defined]


async def test_a_value_that_cannot_be_sent_leaves_no_lock(place: Place) -> None:
    reading = Reading(place.database.engine)
    identified = Question(select(Thing).where(Thing.id == bindparam("id", type_=Uuid())))

    with pytest.raises(asyncpg.DataError):
        await reading.rows(identified, {"id": object()})

    await reading.end()
    async with place.sessions.begin() as session:
        await session.execute(text("SET LOCAL lock_timeout = '1s'"))
        await session.execute(text("LOCK TABLE thing IN ACCESS EXCLUSIVE MODE"))


async def test_a_connection_that_the_database_ended_is_an_outage_and_comes_back(
    place: Place,
) -> None:
    engine = connect(place.settings, application="reading")
    reading = Reading(engine)
    [(process,)] = await reading.rows(Question(select(func.pg_backend_pid())), {})
    async with place.sessions.begin() as session:
        await session.execute(select(func.pg_terminate_backend(process)))

    with pytest.raises(ENDED) as raised:
        await reading.rows(TITLED, {"title": "Pier"})
    await reading.end()

    assert is_outage(raised.value)
    again = Reading(engine)
    assert await again.rows(TITLED, {"title": "Pier"}) == []
    await again.end()
    await engine.dispose()


async def test_a_database_that_lets_nobody_in_is_an_outage(place: Place, servers: Servers) -> None:
    gate = Gate(servers.postgres_port)
    await gate.open()
    url = place.database.url.replace(f":{servers.postgres_port}/", f":{gate.port}/")
    settings = place.settings.model_copy(update={"database_url": SecretStr(url)})
    engine = connect(settings, application="reading")
    reading = Reading(engine)
    await reading.rows(TITLED, {"title": "Pier"})
    await reading.end()
    await gate.shut()

    raised = []
    for _ in range(3):
        reading = Reading(engine)
        with pytest.raises(Exception) as error:  # noqa: PT011 -- which one depends on the moment
            await reading.rows(TITLED, {"title": "Pier"})
        await reading.end()
        raised.append(error.value)

    await engine.dispose()
    assert [is_outage(error) for error in raised] == [True, True, True]


async def test_what_the_driver_says_while_it_connects_is_understood(
    monkeypatch: pytest.MonkeyPatch, place: Place
) -> None:
    async def starting_up(*_: object, **__: object) -> None:
        raise asyncpg.CannotConnectNowError("the database system is starting up")

    monkeypatch.setattr(asyncpg, "connect", starting_up)
    engine = connect(place.settings, application="reading")

    with pytest.raises(Exception) as raised:  # noqa: PT011 -- wrapped by the driver's adapter
        await Reading(engine).rows(TITLED, {"title": "Pier"})

    await engine.dispose()
    assert is_outage(raised.value)
