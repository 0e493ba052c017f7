"""Every committed fact enters the stream, once and in the order of its entity."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import asyncpg
import pytest
from nats.errors import NoRespondersError
from nats.js.api import Header
from sqlalchemy import func, select, text

from shared.database import PlainConnection, asyncpg_dsn
from shared.identifiers import new_id
from shared.messaging.broker import connected, stream_of
from shared.messaging.outbox import announce
from shared.messaging.partitions import ensure_partitions
from shared.messaging.relay import NotPublished, Relay
from shared.messaging.tables import LoggedEvent, OutboxMessage
from shared.telemetry import OUTBOX_PENDING
from tests.shared.outages import OwnNats
from tests.shared.things import Place, Thing
from tests.shared.waiting import becomes, eventually, running


async def test_a_fact_enters_the_stream_with_its_identity_and_its_bytes(place: Place) -> None:
    event = place.event("Pier")

    async with running(place.relay().run()):
        await place.announce(event)
        await becomes(place.waiting_titles, [])

    [message] = await place.streamed()
    assert message.subject == f"evt.{place.publisher}.thing.{event.subject}.made.v1"
    assert message.headers is not None
    assert message.headers[Header.MSG_ID] == str(event.id)
    assert message.data == event.wire_form()


async def test_what_was_sent_is_kept_in_the_event_log(place: Place) -> None:
    events = [place.event(title) for title in ("a", "b", "c", "d", "e", "f")]

    async with running(place.relay().run()):
        await place.announce(*events)
        await becomes(place.waiting_titles, [])

    async with place.sessions() as session:
        logged = (await session.scalars(select(LoggedEvent).order_by(LoggedEvent.position))).all()
    assert [row.event_id for row in logged] == [event.id for event in events]
    assert [row.body for row in logged] == [event.wire_form() for event in events]


async def test_facts_of_one_entity_keep_their_order_with_sixteen_writers(place: Place) -> None:
    things = [Thing(title="hot", version=1) for _ in range(5)]
    async with place.sessions.begin() as session:
        session.add_all(things)
    chance = random.Random(7)

    async def write(number: int) -> None:
        for _ in range(12):
            async with place.sessions.begin() as session:
                thing = await session.get_one(Thing, chance.choice(things).id, with_for_update=True)
                thing.version += 1
                thing.title = f"writer {number}"
                announce(session, place.event(thing.title, thing.version, thing.id))
                await session.flush()
                if chance.random() < 0.1:
                    # Held open, so that positions commit out of order.
                    await session.execute(text("SELECT pg_sleep(0.005)"))

    async with running(place.with_settings(relay_batch=7).relay().run()):
        await asyncio.gather(*(write(number) for number in range(16)))
        await becomes(place.stream_count, 16 * 12)

    versions = defaultdict(list)
    for message in await place.streamed():
        event = place.any_event.model_validate_json(message.data or b"")
        versions[event.subject].append(event.entityversion)
    for found in versions.values():
        assert found == list(range(2, len(found) + 2))


@pytest.mark.parametrize(("count", "batches"), [(1, 0), (4, 0), (5, 1), (300, 3)])
async def test_a_batch_of_any_size_arrives_in_order_and_a_large_one_as_a_whole(
    place: Place, count: int, batches: int
) -> None:
    titles = [f"{number:03}" for number in range(count)]
    async with place.sessions.begin() as session:
        for title in titles:
            announce(session, place.event(title))

    async with running(place.with_settings(relay_batch=120).relay().run()):
        await becomes(place.waiting_titles, [])

    assert await place.streamed_titles() == titles
    found = {(message.headers or {}).get(Header.BATCH_ID) for message in await place.streamed()}
    assert len(found - {None}) == batches


async def test_large_events_travel_in_smaller_batches(place: Place) -> None:
    sizes: list[int] = []
    publish = Relay.publish

    async def noted(self: Relay, rows: Sequence[Any]) -> None:
        sizes.append(len(rows))
        await publish(self, rows)

    async with place.sessions.begin() as session:
        for _ in range(12):
            announce(session, place.event("x" * 800_000))
    with patch.object(Relay, "publish", noted):
        async with running(place.relay().run()):
            await becomes(place.waiting_titles, [])

    assert sizes == [10, 2]
    assert await place.stream_count() == 12


async def test_a_batch_with_an_event_that_the_stream_has_is_sent_one_by_one(place: Place) -> None:
    events = [place.event(title) for title in "abcdefg"]
    async with running(place.relay().run()):
        await becomes(place.has_stream, True)
        await place.jetstream.publish(
            events[3].nats_subject,
            events[3].wire_form(),
            headers={Header.MSG_ID: str(events[3].id)},
        )
        async with place.sessions.begin() as session:
            for event in events:
                announce(session, event)
        await becomes(place.waiting_titles, [])

    assert await place.streamed_titles() == ["d", "a", "b", "c", "e", "f", "g"]


@pytest.mark.parametrize(
    "trouble",
    [
        ConnectionResetError(),
        asyncpg.AdminShutdownError(),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("another operation (2) is in progress"),
        NoRespondersError(),
        NotPublished(),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
async def test_a_relay_goes_on_after_any_trouble_with_a_server(
    place: Place, trouble: Exception
) -> None:
    troubles = [trouble, trouble]
    publish = Relay.publish

    async def publish_after_trouble(self: Relay, rows: Sequence[Any]) -> None:
        if troubles:
            raise troubles.pop()
        await publish(self, rows)

    await place.announce(place.event("Pier"))
    with patch.object(Relay, "publish", publish_after_trouble):
        async with running(place.relay().run()):
            await becomes(place.waiting_titles, [])

    assert await place.streamed_titles() == ["Pier"]


@pytest.mark.parametrize("count", [1, 3, 20])
async def test_a_crash_between_confirmation_and_commit_leaves_no_duplicate(
    place: Place, count: int
) -> None:
    crashes = 2
    publish = Relay.publish

    async def publish_and_die(self: Relay, rows: Sequence[Any]) -> None:
        nonlocal crashes
        await publish(self, rows)
        if crashes:
            crashes -= 1
            raise ConnectionError("died after the confirmation")

    titles = [f"{number:02}" for number in range(count)]
    async with place.sessions.begin() as session:
        for title in titles:
            announce(session, place.event(title))
    with patch.object(Relay, "publish", publish_and_die):
        async with running(place.relay().run()):
            await becomes(place.waiting_titles, [])

    assert crashes == 0
    assert await place.streamed_titles() == titles


async def test_what_the_broker_has_not_confirmed_goes_on_waiting(place: Place) -> None:
    async def refuse(*_: object) -> None:
        raise NotPublished

    await place.announce(place.event("Pier"))
    connection = await asyncpg.connect(asyncpg_dsn(place.settings))
    await ensure_partitions(connection, datetime.now(UTC))
    with patch.object(Relay, "publish", refuse), pytest.raises(NotPublished):
        await place.relay().send_waiting(connection)
    await connection.close()

    assert await place.waiting_titles() == ["Pier"]
    async with place.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(LoggedEvent)) == 0


async def test_nothing_is_published_before_it_is_committed(place: Place) -> None:
    async with running(place.relay().run()):
        await becomes(place.has_stream, True)
        async with place.sessions.begin() as session:
            announce(session, place.event("open"))
            await session.flush()
            await place.announce(place.event("committed"))
            await becomes(place.stream_count, 1)
            assert await place.streamed_titles() == ["committed"]
        await becomes(place.stream_count, 2)

    assert await place.streamed_titles() == ["committed", "open"]


async def test_one_relay_is_active_and_another_takes_over_when_its_connection_dies(
    place: Place,
) -> None:
    first_active, second_active = asyncio.Event(), asyncio.Event()
    first = place.with_settings(retry_seconds=5, retry_seconds_max=5)
    async with running(first.relay().run(on_active=first_active)):
        await asyncio.wait_for(first_active.wait(), 5)
        async with running(place.relay().run(on_active=second_active)):
            await place.announce(place.event("a"))
            await becomes(place.stream_count, 1)
            assert not second_active.is_set()

            async with place.sessions.begin() as session:
                await session.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_locks"
                        " WHERE locktype = 'advisory' AND granted AND database ="
                        " (SELECT oid FROM pg_database WHERE datname = current_database())"
                    )
                )
            await asyncio.wait_for(second_active.wait(), 5)
            await place.announce(place.event("b"))
            await becomes(place.stream_count, 2)

    assert await place.streamed_titles() == ["a", "b"]


async def test_a_lost_stream_is_refilled_before_what_waits(place: Place) -> None:
    async with running(place.relay().run()):
        await place.announce(*(place.event(title) for title in "abcdefg"))
        await becomes(place.waiting_titles, [])
        await place.jetstream.delete_stream(stream_of(place.publisher))
        await place.announce(place.event("h"), place.event("i"))
        await becomes(place.waiting_titles, [])

    assert await place.streamed_titles() == list("abcdefghi")


async def test_a_lost_stream_is_refilled_though_nothing_waits(place: Place) -> None:
    async with running(place.relay().run()):
        await place.announce(*(place.event(title) for title in "abc"))
        await becomes(place.waiting_titles, [])
        await place.jetstream.delete_stream(stream_of(place.publisher))
        await becomes(place.stream_count, 3)

    assert await place.streamed_titles() == ["a", "b", "c"]


async def test_a_refill_leaves_out_nothing_that_overtook_what_waits(place: Place) -> None:
    """Positions are drawn before the commit, so a lower one may become visible later."""
    async with running(place.relay().run()):
        await becomes(place.has_stream, True)
        async with place.sessions.begin() as slow:
            announce(slow, place.event("drawn first"))
            await slow.flush()
            await place.announce(place.event("committed first"))
            await becomes(place.stream_count, 1)
            await place.jetstream.delete_stream(stream_of(place.publisher))
        await becomes(place.waiting_titles, [])
        await becomes(place.stream_count, 2)

    assert sorted(await place.streamed_titles()) == ["committed first", "drawn first"]


async def test_writing_goes_on_while_the_broker_is_away_and_all_arrives_afterwards(
    place: Place, own_nats: OwnNats
) -> None:
    settings = place.settings.model_copy(update={"nats_url": own_nats.url, "publish_seconds": 0.3})
    async with connected(settings, name="tests") as nats:
        at_own = Place(place.publisher, place.database, settings, nats)
        async with running(at_own.relay().run()):
            await at_own.announce(at_own.event("before"))
            await becomes(at_own.waiting_titles, [])
            await own_nats.pause()
            titles = [f"{number:02}" for number in range(20)]
            await at_own.announce(*(at_own.event(title) for title in titles))
            await eventually(lambda: is_measured(20))
            assert await at_own.waiting_titles() == titles
            own_nats.resume()
            await becomes(at_own.waiting_titles, [])
        assert await at_own.streamed_titles() == ["before", *titles]


async def is_measured(pending: int) -> bool:
    return bool(OUTBOX_PENDING._value.get() == pending)


async def test_a_relay_that_was_started_without_a_broker_sends_once_there_is_one(
    place: Place, own_nats: OwnNats
) -> None:
    settings = place.settings.model_copy(update={"nats_url": own_nats.url})
    await own_nats.pause()
    await place.announce(place.event("Pier"))

    async def connect_and_send() -> None:
        async with connected(settings, name="tests") as nats:
            await Relay(place.publisher, settings, nats).run()

    async with running(connect_and_send()):
        own_nats.resume()
        await becomes(place.waiting_titles, [])


async def test_a_hint_makes_sending_prompt(place: Place) -> None:
    active = asyncio.Event()
    patient = place.with_settings(relay_poll_seconds=60)
    async with running(patient.relay().run(on_active=active)):
        await becomes(place.has_stream, True)
        for number in range(3):
            await place.announce(place.event(str(number)))
            await place.nats.publish(f"wake.{place.publisher}")
            await becomes(place.stream_count, number + 1, within=2)


@pytest.fixture
async def log_connection(place: Place) -> Any:
    connection = await asyncpg.connect(asyncpg_dsn(place.settings))
    transaction = connection.transaction()
    await transaction.start()
    for name in await partitions(connection):
        await connection.execute(f"DROP TABLE {name}")
    yield connection
    await transaction.rollback()
    await connection.close()


async def partitions(connection: PlainConnection) -> list[str]:
    rows = await connection.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
        " WHERE inhparent = 'event_log'::regclass ORDER BY 1"
    )
    return [row["name"] for row in rows]


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-04-15T12:00:00Z", ["event_log_2026_04", "event_log_2026_05"]),
        ("2026-12-31T23:59:59Z", ["event_log_2026_12", "event_log_2027_01"]),
        ("2027-01-01T00:00:00Z", ["event_log_2027_01", "event_log_2027_02"]),
        ("2028-02-29T00:00:00Z", ["event_log_2028_02", "event_log_2028_03"]),
    ],
)
async def test_this_and_the_next_month_have_a_place_in_the_log(
    log_connection: PlainConnection, now: str, expected: list[str]
) -> None:
    await ensure_partitions(log_connection, datetime.fromisoformat(now))
    await ensure_partitions(log_connection, datetime.fromisoformat(now))

    assert await partitions(log_connection) == expected


async def test_the_month_of_the_oldest_waiting_event_has_a_place_too(
    log_connection: PlainConnection,
) -> None:
    await log_connection.execute(
        "INSERT INTO outbox (event_id, subject, body, recorded_at) VALUES ($1, 'evt', '', $2)",
        new_id(),
        datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC),
    )

    await ensure_partitions(log_connection, datetime(2027, 1, 15, tzinfo=UTC))

    assert await partitions(log_connection) == [
        "event_log_2026_11",
        "event_log_2026_12",
        "event_log_2027_01",
        "event_log_2027_02",
    ]


async def test_an_outbox_that_waited_over_new_year_is_sent(place: Place) -> None:
    await place.announce(place.event("old"), place.event("new"))
    async with place.sessions.begin() as session:
        oldest = await session.scalar(select(func.min(OutboxMessage.position)))
        await session.execute(
            text("UPDATE outbox SET recorded_at = '2024-12-31T23:59:59Z' WHERE position = :oldest"),
            {"oldest": oldest},
        )

    async with running(place.relay().run()):
        await becomes(place.waiting_titles, [])

    assert await place.streamed_titles() == ["old", "new"]
