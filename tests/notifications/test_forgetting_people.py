"""What webhooks keep of officials is gone once they have been erased."""

import json
from typing import Any

from sqlalchemy import select

from services.notifications.model.retrying import Answer
from services.notifications.model.webhook_delivery import WebhookMessage
from shared.clock import utc_now
from shared.contracts.members import OfficialErased, OfficialEvent
from shared.identifiers import new_id
from shared.messaging.tables import DeadLetter
from tests.conftest import Database
from tests.notifications.endpoints import attempts, claim, deliveries, make_endpoint, record
from tests.notifications.hearing import Ears, member, official

MIN, OTHER = new_id(), new_id()


def named(event: OfficialEvent, name: str) -> OfficialEvent:
    """The same fact, about somebody with a name and an address."""
    wire = json.loads(event.wire_form())
    wire["data"]["state"] |= {"name": name, "email": f"{name.lower()}@seoul.example"}
    return type(event).model_validate(wire)


async def bodies(database: Database) -> dict[str, Any]:
    async with database.sessions() as session:
        found = await session.scalars(select(WebhookMessage))
        return {str(message.event_id): json.loads(message.body) for message in found}


async def test_bodies_say_no_more_of_an_erased_official(ears: Ears, database: Database) -> None:
    await ears.hear(member("seoul"), only="members")
    await make_endpoint(database.sessions, member="seoul")
    appointed = named(official(MIN, "seoul", "coordinator"), "Min")
    other = named(official(OTHER, "seoul", "coordinator"), "Jun")
    erased = official(MIN, "seoul", scopes=(), status="erased", version=2, kind=OfficialErased)

    await ears.hear(appointed, other, erased, only="webhooks")

    found = await bodies(database)
    assert found[str(appointed.id)]["data"]["state"] == erased.data.state.model_dump(mode="json")
    assert found[str(appointed.id)]["id"] == str(appointed.id)
    assert found[str(appointed.id)]["type"] == "renkei.official.appointed.v1"
    assert found[str(other.id)] == json.loads(other.wire_form())
    assert found[str(erased.id)] == json.loads(erased.wire_form())
    assert "Min" not in json.dumps(found)
    assert len(await deliveries(database.sessions)) == 3


async def test_answers_that_repeat_what_was_said_of_them_are_forgotten_too(
    ears: Ears, database: Database
) -> None:
    await make_endpoint(database.sessions, member="seoul")
    appointed, other = official(MIN, "seoul"), official(OTHER, "seoul")
    await ears.hear(appointed, other, only="webhooks")
    async with database.sessions.begin() as session:
        [lane] = await claim(session)
        answer = Answer(utc_now(), 3, status=400, excerpt="No such person: Min")
        await record(
            session, *((lane, one, answer) for one in lane.deliveries), now=answer.started_at
        )

    erased = official(MIN, "seoul", scopes=(), status="erased", version=2, kind=OfficialErased)
    await ears.hear(erased, only="webhooks")

    assert [(one.status, one.excerpt) for one in await attempts(database.sessions)] == [
        (400, None),
        (400, "No such person: Min"),
    ]


async def test_dead_letters_tell_nothing_of_an_erased_official(
    ears: Ears, database: Database
) -> None:
    appointed, other = official(MIN, "seoul"), official(OTHER, "seoul")
    async with database.sessions.begin() as session:
        session.add_all(
            DeadLetter(
                consumer="notifications-officials",
                stream="EVT_MEMBERS",
                stream_sequence=1,
                subject=event.nats_subject,
                body=event.wire_form(),
                reason="unreadable",
                attempts=1,
            )
            for event in (appointed, other)
        )

    await ears.hear(
        official(MIN, "seoul", scopes=(), status="erased", version=2, kind=OfficialErased),
        only="webhooks",
    )

    async with database.sessions() as session:
        left = (await session.scalars(select(DeadLetter.subject))).all()
    assert left == [other.nats_subject]
