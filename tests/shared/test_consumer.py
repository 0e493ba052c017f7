"""Every fact takes effect once at every consumer, whatever is delivered, in any order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import permutations
from typing import Any
from unittest.mock import AsyncMock, patch
from uuid import UUID

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import NotFoundError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from shared.database import sessions_of
from shared.identifiers import new_id
from shared.messaging.broker import ensure_stream, stream_of
from shared.messaging.consumer import DatabaseAway, Delivery, Subscription
from shared.messaging.outbox import announce
from shared.messaging.patience import Patience, stop_if_cancelled
from shared.settings import Settings
from tests.servers import Servers
from tests.shared.outages import Gate
from tests.shared.things import KnownThing, Place, ThingEvent, ThingState, count
from tests.shared.waiting import becomes, eventually, running

ID = UUID("0199c7a0-0000-7000-8000-000000000001")
ACK, TERM = b"", b"+TERM"


@pytest.fixture
async def streaming(place: Place) -> Place:
    """The place with its stream, but without a relay."""
    await ensure_stream(place.jetstream, place.publisher, replicas=1)
    return place


async def publish(place: Place, *events: ThingEvent) -> None:
    for event in events:
        await place.jetstream.publish(event.nats_subject, event.wire_form())


def message(place: Place, event: ThingEvent | bytes, *, sequence: int = 1, attempt: int = 1) -> Msg:
    """A delivery that was not made by the broker, to see exactly what it is told."""
    body = event if isinstance(event, bytes) else event.wire_form()
    subject = (
        event.nats_subject
        if isinstance(event, ThingEvent)
        else f"evt.{place.publisher}.thing.{ID}.made.v1"
    )
    stream = stream_of(place.publisher)
    reply = f"$JS.ACK.{stream}.durable.{attempt}.{sequence}.{sequence}.0.0"
    return Msg(AsyncMock(spec=Client), subject, reply, body)


def told(delivered: Msg) -> list[bytes]:
    """What the broker was told about a delivery."""
    calls = delivered._client.publish.await_args_list  # type: ignore[attr-defined]
    return [call.args[1] if len(call.args) > 1 else ACK for call in calls]


def versions(place: Place, *numbers: int, id: UUID = ID) -> list[ThingEvent]:  # noqa: A002
    made = {number: place.event(f"wording {number}", number, id) for number in set(numbers)}
    return [made[number] for number in numbers]


# --- a read model -------------------------------------------------------------------------------


@pytest.mark.parametrize("order", sorted(set(permutations([1, 2, 2, 3]))), ids=str)
async def test_the_newest_state_wins_one_by_one_in_any_order(
    place: Place, order: tuple[int, ...]
) -> None:
    consumer = place.consumer(place.copy())

    for event in versions(place, *order):
        await consumer.receive([message(place, event)])

    [known] = await place.known()
    assert (known.id, known.version, known.title) == (ID, 3, "wording 3")


@pytest.mark.parametrize("order", sorted(set(permutations([1, 2, 2, 3]))), ids=str)
@pytest.mark.parametrize("cut", [0, 1, 2, 3])
async def test_the_newest_state_wins_in_batches_in_any_order(
    place: Place, order: tuple[int, ...], cut: int
) -> None:
    consumer = place.consumer(place.copy())
    other = versions(place, 2, 1, id=new_id())
    messages = [message(place, event) for event in [*versions(place, *order), *other]]

    await consumer.receive(messages[:cut])
    await consumer.receive(messages[cut:])

    assert {(known.id, known.version) for known in await place.known()} == {
        (ID, 3),
        (UUID(other[0].subject), 2),
    }


async def test_every_field_of_the_state_is_copied_exactly(place: Place) -> None:
    state = ThingState(
        id=ID,
        version=4,
        title="Ufer \"'\\ 東京 😀",
        note=None,
        tags=("a", 'b"c', ""),
        names={"ja": "埠頭", "en": "Pier"},
    )
    event = place.event(version=4, id=ID)
    event = event.model_copy(update={"data": event.data.model_copy(update={"state": state})})

    await place.consumer(place.copy()).receive([message(place, event)])

    [known] = await place.known()
    copied = {name: getattr(known, name) for name in ThingState.model_fields}
    assert ThingState.model_validate(copied) == state


async def test_a_column_that_is_no_field_of_the_state_is_left_alone(place: Place) -> None:
    consumer = place.consumer(place.copy())
    first, second = versions(place, 1, 2)
    await consumer.receive([message(place, first)])
    async with place.sessions.begin() as session:
        known = await session.get_one(KnownThing, ID)
        assert known.seen is False
        known.seen = True

    await consumer.receive([message(place, second)])

    [known] = await place.known()
    assert (known.version, known.seen) == (2, True)


async def test_a_kind_of_event_that_is_not_known_yet_is_read_as_its_entity(place: Place) -> None:
    event = place.event(version=3, id=ID)
    newer = event.model_copy(update={"type": "renkei.thing.painted.v1"})

    await place.consumer(place.copy()).receive([message(place, newer)])

    [known] = await place.known()
    assert known.version == 3


# --- an effect that must not happen twice -------------------------------------------------------


async def test_an_effect_happens_once_per_fact(place: Place) -> None:
    consumer = place.consumer(place.reaction())
    first, second = versions(place, 1, 2)

    await consumer.receive([message(place, first), message(place, second)])
    await consumer.receive([message(place, second), message(place, first)])
    await consumer.receive([message(place, first)])

    assert await place.tally() == {str(ID): 2}


async def test_two_consumers_each_have_their_effect(place: Place) -> None:
    event = place.event(id=ID)

    for durable in ("one", "two"):
        await place.consumer(place.reaction(durable=durable)).receive([message(place, event)])

    assert await place.tally() == {str(ID): 2}


async def test_replicas_that_get_the_same_batch_at_once_have_one_effect(place: Place) -> None:
    events = [place.event(str(number)) for number in range(30)]

    async def slow_count(session: AsyncSession, events: Sequence[ThingEvent]) -> None:
        await count(session, events)
        await session.execute(text("SELECT pg_sleep(0.05)"))

    subscription = place.reaction(slow_count)
    await asyncio.gather(
        *(
            place.consumer(subscription).receive([message(place, e) for e in order])
            for order in (events, events[::-1], events[10:] + events[:10])
        )
    )

    assert await place.tally() == {event.subject: 1 for event in events}


async def test_an_effect_and_its_memory_are_undone_together(place: Place) -> None:
    async def count_and_fail(session: AsyncSession, events: Sequence[ThingEvent]) -> None:
        await count(session, events)
        raise ValueError("cannot")

    event = place.event(id=ID)
    await place.consumer(place.reaction(count_and_fail)).receive([message(place, event)])
    assert await place.tally() == {}

    await place.consumer(place.reaction()).receive([message(place, event)])
    assert await place.tally() == {str(ID): 1}


async def test_a_reaction_can_announce_facts_of_its_own(place: Place) -> None:
    async def answer(session: AsyncSession, events: Sequence[ThingEvent]) -> None:
        for _ in events:
            announce(session, place.event("answer"))

    event = place.event("question").model_copy(
        update={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    )
    consumer = place.consumer(place.reaction(answer))

    await consumer.receive([message(place, event)])
    await consumer.receive([message(place, event)])

    assert await place.waiting_titles() == ["answer"]
    async with place.sessions() as session:
        body = await session.scalar(text("SELECT body FROM outbox"))
    traceparent = place.any_event.model_validate_json(body or b"").traceparent or ""
    assert traceparent.startswith(f"00-{'a' * 32}-")


# --- what the broker is told --------------------------------------------------------------------


async def test_a_delivery_is_acknowledged_after_its_effect_is_committed(place: Place) -> None:
    seen: list[dict[str, int]] = []

    async def look(*_: object) -> None:
        seen.append(await place.tally())

    delivered = message(place, place.event(id=ID))
    delivered._client.publish.side_effect = look  # type: ignore[attr-defined]

    await place.consumer(place.reaction()).receive([delivered])

    assert told(delivered) == [ACK]
    assert seen == [{str(ID): 1}]


async def test_no_message_of_a_batch_is_acknowledged_before_the_commit(place: Place) -> None:
    """A fetch may hold an event twice; either message would end it for good."""
    unanswered: list[list[bytes]] = []
    event = place.event(id=ID)
    twice = [message(place, event, attempt=1), message(place, event, attempt=2)]

    async def look(session: AsyncSession, events: Sequence[ThingEvent]) -> None:
        unanswered.extend(told(delivered) for delivered in twice)
        await count(session, events)

    await place.consumer(place.reaction(look)).receive(twice)

    assert unanswered == [[], []]
    assert [told(delivered) for delivered in twice] == [[ACK], [ACK]]
    assert await place.tally() == {str(ID): 1}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b"null",
        b"[" * 100_000,
        b'{"specversion": "1.0", "id": 5}',
        b'{"id": "\\ud800"}',
    ],
    ids=["empty", "no text", "no members", "null", "endless depth", "wrong", "surrogate"],
)
async def test_what_is_no_event_is_buried_at_once(place: Place, body: bytes) -> None:
    good, bad = message(place, place.event(id=ID)), message(place, body, sequence=7)

    await place.consumer(place.reaction()).receive([bad, good])

    assert (told(bad), told(good)) == ([TERM], [ACK])
    assert await place.tally() == {str(ID): 1}
    [letter] = await place.dead_letters()
    assert (letter.consumer, letter.stream) == ("tally", stream_of(place.publisher))
    assert (letter.stream_sequence, letter.attempts) == (7, 1)
    assert (letter.subject, letter.body) == (f"evt.{place.publisher}.thing.{ID}.made.v1", body)
    assert letter.reason.startswith("unreadable: ")
    assert letter.settled_at is None


async def test_the_reason_says_what_is_wrong_and_repeats_nothing_of_it(place: Place) -> None:
    body = place.event(id=ID).wire_form().replace(b'"version":', b'"version":"Ms Somebody","v":')

    await place.consumer(place.reaction()).receive([message(place, body)])

    [letter] = await place.dead_letters()
    assert letter.reason.startswith("unreadable: data/state/version: ")
    assert "Somebody" not in letter.reason


def refusing(title: str) -> Callable[[AsyncSession, Sequence[ThingEvent]], Awaitable[None]]:
    async def react(session: AsyncSession, events: Sequence[ThingEvent]) -> None:
        await count(session, events)
        if any(event.data.state.title == title for event in events):
            raise ValueError("cannot be handled\0")

    return react


async def test_one_bad_event_of_a_hundred_does_not_stop_the_others(place: Place) -> None:
    events = [place.event(str(number)) for number in range(100)]
    messages = [message(place, event, attempt=8) for event in events]

    await place.consumer(place.reaction(refusing("40"))).receive(messages)

    assert await place.tally() == {event.subject: 1 for event in events if event != events[40]}
    assert [told(delivered) for delivered in messages] == [
        [TERM] if number == 40 else [ACK] for number in range(100)
    ]
    [letter] = await place.dead_letters()
    assert (letter.reason, letter.attempts) == ("ValueError: cannot be handled", 8)
    assert letter.body == events[40].wire_form()


async def test_a_value_that_the_database_refuses_is_the_fault_of_one_event(place: Place) -> None:
    bad, good = place.event("a\0b"), place.event("good")
    messages = [message(place, event, attempt=8) for event in (bad, good)]

    await place.consumer(place.copy()).receive(messages)

    assert [told(delivered) for delivered in messages] == [[TERM], [ACK]]
    assert [known.title for known in await place.known()] == ["good"]
    [letter] = await place.dead_letters()
    assert letter.reason.startswith("DBAPIError: ")
    assert "a\\u0000b" not in letter.reason


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 1.0), (2, 2.0), (6, 32.0), (7, 64.0)], ids=str
)
async def test_a_failure_is_tried_again_after_growing_pauses(
    place: Place, attempt: int, seconds: float
) -> None:
    delivered = message(place, place.event("bad"), attempt=attempt)
    consumer = place.with_settings(retry_seconds=0.5).consumer(place.reaction(refusing("bad")))

    await consumer.receive([delivered])

    assert told(delivered) == [b'-NAK {"delay": %d}' % (seconds * 1_000_000_000)]
    assert await place.dead_letters() == []
    assert await place.tally() == {}


async def test_the_last_attempt_buries(place: Place) -> None:
    delivered = message(place, place.event("bad"), attempt=3)
    consumer = place.with_settings(consumer_attempts=3).consumer(place.reaction(refusing("bad")))

    await consumer.receive([delivered])

    assert told(delivered) == [TERM]
    [letter] = await place.dead_letters()
    assert letter.attempts == 3


async def test_what_is_buried_is_not_buried_again(place: Place) -> None:
    """The broker may not have heard that it should stop, or the stream was refilled."""
    consumer = place.consumer(place.reaction(refusing("bad")))
    event = place.event("bad")
    again = [message(place, event, sequence=n, attempt=8 + n) for n in range(1, 4)]
    unreadable = [message(place, b"{}", sequence=n) for n in range(4, 14)]

    for each in again:
        await consumer.receive([each])
    await asyncio.gather(*(consumer.receive([each]) for each in unreadable))

    assert [told(each) for each in (*again, *unreadable)] == [[TERM]] * 13
    assert [letter.attempts for letter in await place.dead_letters()] == [9, 1]


async def test_another_consumer_buries_for_itself(place: Place) -> None:
    event = place.event("bad")

    for durable in ("one", "two"):
        consumer = place.consumer(place.reaction(refusing("bad"), durable=durable))
        await consumer.receive([message(place, event, attempt=8)])

    assert [letter.consumer for letter in await place.dead_letters()] == ["one", "two"]


# --- with the broker ----------------------------------------------------------------------------


async def test_facts_reach_read_model_and_reaction(place: Place) -> None:
    events = [place.event(f"{number:03}") for number in range(250)]
    async with running(
        place.relay().run(),
        place.consumer(place.copy()).run(),
        place.consumer(place.reaction()).run(),
    ):
        await place.announce(*events)
        await becomes(place.tally, {event.subject: 1 for event in events})
        await eventually(lambda: knows(place, 250))

    assert [known.title for known in await place.known()] == [f"{n:03}" for n in range(250)]
    assert await place.dead_letters() == []


async def knows(place: Place, number: int) -> bool:
    return len(await place.known()) == number


async def settled(place: Place, subscription: Subscription[Any]) -> bool:
    """Whether the broker has nothing left to deliver, nor waits for an answer."""
    try:
        found = await place.jetstream.consumer_info(subscription.stream, subscription.durable)
    except NotFoundError:
        return False
    return (found.num_pending, found.num_ack_pending) == (0, 0)


async def test_replicas_that_die_between_commit_and_ack_have_one_effect(streaming: Place) -> None:
    place = streaming.with_settings(consumer_ack_seconds=0.3, consumer_batch=10)
    events = [place.event(str(number)) for number in range(120)]
    await publish(place, *events)
    subscription = place.reaction()
    deaths = 12
    settle = Delivery.settle

    async def die_instead(self: Delivery) -> None:
        nonlocal deaths
        if deaths:
            deaths -= 1
            raise asyncio.CancelledError
        await settle(self)

    async def replica() -> None:
        """Start anew whenever killed, as the supervisor does."""
        while True:
            try:
                await place.consumer(subscription).run()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise

    with patch.object(Delivery, "settle", die_instead):
        async with running(replica(), replica()):
            await becomes(place.tally, {event.subject: 1 for event in events})
            await eventually(lambda: settled(place, subscription))

    assert deaths == 0
    assert await place.tally() == {event.subject: 1 for event in events}


async def test_a_failing_event_is_delivered_again_until_it_is_buried(streaming: Place) -> None:
    place = streaming.with_settings(consumer_attempts=3, retry_seconds=0.01)
    bad, good = place.event("bad"), place.event("good")
    await publish(place, bad, good)
    subscription = place.reaction(refusing("bad"))

    async with running(place.consumer(subscription).run()):
        await eventually(lambda: settled(place, subscription))

    assert await place.tally() == {good.subject: 1}
    [letter] = await place.dead_letters()
    assert (letter.attempts, letter.body) == (3, bad.wire_form())


@asynccontextmanager
async def behind_a_gate(place: Place, servers: Servers) -> AsyncIterator[tuple[Place, Gate]]:
    """The place with a database that can be away."""
    gate = Gate(servers.postgres_port)
    await gate.open()
    url = place.database.url.replace(f":{servers.postgres_port}/", f":{gate.port}/")
    engine = create_async_engine(url, connect_args={"timeout": 2})
    database = replace(place.database, url=url, engine=engine, sessions=sessions_of(engine))
    yield replace(place, database=database), gate
    await engine.dispose()
    await gate.shut()


async def test_while_the_database_is_away_nothing_is_acknowledged_and_nothing_given_up(
    streaming: Place, servers: Servers
) -> None:
    impatient = streaming.with_settings(consumer_attempts=1)
    async with behind_a_gate(impatient, servers) as (place, gate):
        before, during = place.event("before"), [place.event(str(n)) for n in range(5)]
        subscription = place.reaction()
        async with running(place.consumer(subscription).run()):
            await publish(place, before)
            await becomes(streaming.tally, {before.subject: 1})
            await eventually(lambda: settled(place, subscription))

            await gate.shut()
            await publish(place, *during)
            await eventually(lambda: is_delivered(place, subscription, 2))
            found = await place.jetstream.consumer_info(subscription.stream, subscription.durable)
            assert found.ack_floor is not None
            assert found.ack_floor.stream_seq == 1
            await gate.open()
            await becomes(streaming.tally, {event.subject: 1 for event in (before, *during)})
            await eventually(lambda: settled(place, subscription))

    assert await streaming.dead_letters() == []


async def is_delivered(place: Place, subscription: Subscription[Any], sequence: int) -> bool:
    found = await place.jetstream.consumer_info(subscription.stream, subscription.durable)
    return found.delivered is not None and found.delivered.stream_seq >= sequence


async def test_a_database_that_goes_away_within_a_batch_costs_no_effect(
    streaming: Place, servers: Servers
) -> None:
    async with behind_a_gate(streaming, servers) as (place, gate):
        is_first = True

        async def break_down(session: AsyncSession, events: Sequence[ThingEvent]) -> None:
            nonlocal is_first
            if len(events) > 1:
                raise ValueError("one by one, please")
            await count(session, events)
            if events[0].data.state.title == "b" and is_first:
                is_first = False
                await gate.shut()

        events = [place.event(title) for title in "abc"]
        messages = [message(place, event, attempt=8) for event in events]
        consumer = place.consumer(place.reaction(break_down))
        patience = Noticing(place.settings)
        receiving = asyncio.create_task(consumer._receive_patiently(messages, patience))
        await patience.noticed.wait()
        assert [told(delivered) for delivered in messages] == [[ACK], [], []]
        await gate.open()
        await receiving

    assert [told(delivered) for delivered in messages] == [[ACK]] * 3
    assert await streaming.tally() == {event.subject: 1 for event in events}
    assert await streaming.dead_letters() == []


class Noticing(Patience):
    """Tells that something was found to be away."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.noticed = asyncio.Event()

    async def pause(self) -> None:
        self.noticed.set()
        await super().pause()


async def test_what_cannot_be_read_waits_too_while_the_database_is_away(
    streaming: Place, servers: Servers
) -> None:
    async with behind_a_gate(streaming, servers) as (place, gate):
        await gate.shut()
        bad = message(place, b"{}")
        with pytest.raises(DatabaseAway):
            await place.consumer(place.reaction()).receive([bad])
        await gate.open()

    assert told(bad) == []


async def test_a_consumer_that_was_deleted_is_made_again(streaming: Place) -> None:
    place, subscription = streaming, streaming.reaction()
    first, second = place.event("first"), place.event("second")
    async with running(place.consumer(subscription).run()):
        await publish(place, first)
        await becomes(place.tally, {first.subject: 1})
        await place.jetstream.delete_consumer(subscription.stream, subscription.durable)
        await publish(place, second)
        await becomes(place.tally, {first.subject: 1, second.subject: 1})
        await eventually(lambda: settled(place, subscription))

    assert await place.tally() == {first.subject: 1, second.subject: 1}


async def test_a_stream_that_was_replaced_is_read_from_its_beginning(place: Place) -> None:
    subscription = place.reaction()
    first, second = place.event("first"), place.event("second")
    async with running(place.relay().run(), place.consumer(subscription).run()):
        await place.announce(first)
        await becomes(place.tally, {first.subject: 1})
        await place.jetstream.delete_stream(subscription.stream)
        await place.announce(second)
        await becomes(place.tally, {first.subject: 1, second.subject: 1})
        await eventually(lambda: settled(place, subscription))

    assert await place.streamed_titles() == ["first", "second"]
    assert await place.tally() == {first.subject: 1, second.subject: 1}


async def test_a_consumer_may_be_started_before_its_publisher(place: Place) -> None:
    event = place.event("early")
    async with running(place.consumer(place.reaction()).run()):
        await place.announce(event)
        async with running(place.relay().run()):
            await becomes(place.tally, {event.subject: 1})


async def test_the_broker_never_gives_up_by_itself(streaming: Place) -> None:
    place, subscription, event = streaming, streaming.reaction(), streaming.event()
    await publish(place, event)

    async with running(place.consumer(subscription).run()):
        await becomes(place.tally, {event.subject: 1})

    found = await place.jetstream.consumer_info(subscription.stream, subscription.durable)
    assert found.config.max_deliver == -1


async def test_a_cancellation_that_a_library_swallowed_is_obeyed() -> None:
    async def swallow_once_and_go_on() -> None:
        while True:
            stop_if_cancelled()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()

    task = asyncio.create_task(swallow_once_and_go_on())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task}, timeout=5)

    assert task.cancelled()
