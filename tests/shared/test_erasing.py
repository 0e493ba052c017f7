"""What is said of a person can be taken out of history, and does not come back."""

from sqlalchemy import select, text

from shared.messaging.broker import stream_of
from shared.messaging.erasing import (
    forget_buried,
    forget_logged,
    forget_streamed,
    forget_waiting,
)
from shared.messaging.tables import DeadLetter, LoggedEvent
from tests.shared.things import Place
from tests.shared.waiting import becomes, running


async def test_facts_are_forgotten_in_the_log_and_on_the_stream_but_for_the_last_kind(
    place: Place,
) -> None:
    person, other = place.event("Min"), place.event("Jun")
    again = place.event("Min again", 2, person.data.state.id)
    subjects = f"evt.{place.publisher}.thing.{person.subject}.>"
    kept = person.nats_subject.replace(".made.", ".erased.")
    async with running(place.relay().run()):
        await place.announce(person, other, again)
        await becomes(place.waiting_titles, [])
    await place.jetstream.publish(kept, b"{}")

    async with place.sessions.begin() as session:
        logged = await forget_logged(session, subjects, kept=kept)
    streamed = await forget_streamed(place.jetstream, place.publisher, subjects, kept=kept)
    once_more = await forget_streamed(place.jetstream, place.publisher, subjects, kept=kept)

    async with place.sessions() as session:
        left = (await session.scalars(select(LoggedEvent.event_id))).all()
    assert (logged, streamed, once_more) == (2, 2, 0)
    assert left == [other.id]
    info = await place.jetstream.stream_info(stream_of(place.publisher), ">")
    assert info.state.subjects == {other.nats_subject: 1, kept: 1}


async def test_a_stream_that_is_lost_is_refilled_without_the_forgotten(place: Place) -> None:
    person, other = place.event("Min"), place.event("Jun")
    subjects = f"evt.{place.publisher}.thing.{person.subject}.>"
    async with running(place.relay().run()):
        await place.announce(person, other)
        await becomes(place.waiting_titles, [])
    async with place.sessions.begin() as session:
        await forget_logged(session, subjects, kept="")

    await place.jetstream.delete_stream(stream_of(place.publisher))
    async with running(place.relay().run()):
        await becomes(place.has_stream, True)
        await becomes(place.stream_count, 1)

    assert [message.subject for message in await place.streamed()] == [other.nats_subject]


async def test_what_waits_does_not_leave(place: Place) -> None:
    person, other = place.event("Min"), place.event("Jun")
    await place.announce(person, other)

    async with place.sessions.begin() as session:
        await forget_waiting(session, f"evt.{place.publisher}.thing.{person.subject}.>")

    assert await place.waiting_titles() == ["Jun"]


async def test_dead_letters_are_forgotten_too(place: Place) -> None:
    person, other = place.event("Min"), place.event("Jun")
    async with place.sessions.begin() as session:
        session.add_all(
            DeadLetter(
                consumer="known-things",
                stream=stream_of(place.publisher),
                stream_sequence=1,
                subject=event.nats_subject,
                body=event.wire_form(),
                reason="unreadable",
                attempts=1,
            )
            for event in (person, other)
        )

    async with place.sessions.begin() as session:
        await forget_buried(
            session, f"evt.{place.publisher}.thing.{person.subject}.>", kept="evt.other"
        )

    async with place.sessions() as session:
        left = (await session.scalars(text("SELECT subject FROM dead_letter"))).all()
    assert left == [other.nats_subject]
