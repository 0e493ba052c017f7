"""A fact leaves if, and only if, the transaction that made it true commits."""

import pytest
from sqlalchemy import select

from shared.contracts.event import Event
from shared.identifiers import new_id
from shared.messaging.outbox import (
    BODY_LIMIT_BYTES,
    EventTooLarge,
    after_each_announcement,
    announce,
)
from shared.messaging.tables import OutboxMessage
from shared.telemetry import span
from tests.shared.things import AT, SEOUL, Place, Thing, ThingState


class Undone(Exception):
    pass


async def test_a_committed_fact_waits_in_its_final_form(place: Place) -> None:
    event = place.event("Pier")

    await place.announce(event)

    async with place.sessions() as session:
        [waiting] = await session.scalars(select(OutboxMessage))
    assert waiting.event_id == event.id
    assert waiting.subject == f"evt.{place.publisher}.thing.{event.subject}.made.v1"
    assert waiting.body == event.wire_form()


async def test_a_transaction_that_is_rolled_back_leaves_neither_change_nor_fact(
    place: Place,
) -> None:
    async def change_mind() -> None:
        async with place.sessions.begin() as session:
            session.add(Thing(title="Pier"))
            announce(session, place.event())
            await session.flush()
            raise Undone

    with pytest.raises(Undone):
        await change_mind()

    async with place.sessions() as session:
        assert (await session.scalars(select(Thing))).all() == []
        assert (await session.scalars(select(OutboxMessage))).all() == []


async def test_a_savepoint_that_is_rolled_back_takes_its_fact_along(place: Place) -> None:
    async with place.sessions.begin() as session:
        announce(session, place.event("kept"))
        savepoint = await session.begin_nested()
        announce(session, place.event("undone"))
        await session.flush()
        await savepoint.rollback()

    assert await place.waiting_titles() == ["kept"]


async def test_facts_of_one_transaction_keep_their_order(place: Place) -> None:
    titles = [f"{number:03}" for number in range(50)]

    async with place.sessions.begin() as session:
        for title in titles:
            announce(session, place.event(title))

    assert await place.waiting_titles() == titles


async def test_a_fact_that_the_broker_would_not_take_is_refused_before_the_commit(
    place: Place,
) -> None:
    async def announce_too_much() -> None:
        async with place.sessions.begin() as session:
            session.add(Thing(title="Pier"))
            announce(session, place.event("x" * BODY_LIMIT_BYTES))

    with pytest.raises(EventTooLarge, match=f"may have {BODY_LIMIT_BYTES} bytes"):
        await announce_too_much()

    async with place.sessions() as session:
        assert (await session.scalars(select(Thing))).all() == []
    assert await place.waiting_titles() == []


@pytest.mark.parametrize("identifier", ["a.b", "a b", "*", ">", "", "a\r\nPUB x", "東京"])
async def test_an_identifier_cannot_change_the_subject(place: Place, identifier: str) -> None:
    class NamedState(ThingState):
        id: str  # type: ignore[assignment]

    class Named(Event[NamedState]):
        publisher, entity, happened = place.publisher, "thing", "made"

    event = Named.about(
        NamedState(id=identifier, title="Pier", version=1), by=SEOUL, at=AT, audience=["*"]
    )

    async with place.sessions() as session:
        with pytest.raises(ValueError, match="cannot stand in a NATS subject"):
            announce(session, event)


async def test_a_fact_belongs_to_the_trace_in_which_it_was_made(place: Place) -> None:
    with span("POST /things", kind="server", parent=f"00-{'a' * 32}-{'b' * 16}-01"):
        await place.announce(place.event())

    async with place.sessions() as session:
        [body] = await session.scalars(select(OutboxMessage.body))
    traceparent = place.any_event.model_validate_json(body).traceparent
    assert traceparent is not None
    assert traceparent.startswith(f"00-{'a' * 32}-")
    assert traceparent.endswith("-01")
    assert "b" * 16 not in traceparent


async def test_a_commit_is_told_once_and_only_after_it_is_done(place: Place) -> None:
    visible: list[bool] = []
    told: list[str] = []
    end = after_each_announcement(lambda: told.append("told"))
    try:
        async with place.sessions.begin() as session:
            async with session.begin_nested():
                announce(session, place.event())
            visible.append(bool(told))
        async with place.sessions.begin() as session:
            session.add(Thing(id=new_id(), title="silent"))
    finally:
        end()
    await place.announce(place.event())

    assert visible == [False]
    assert told == ["told"]
