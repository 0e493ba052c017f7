"""Events that an operator publishes again do not hide newer ones."""

from unittest.mock import AsyncMock, Mock

from nats.aio.client import Client
from sqlalchemy import text

from deploy.operations.reconciling import publish_again
from deploy.operations.services import Service
from services.members.model.base import Base
from services.members.queries.everything import all_states
from services.members.settings import MembersSettings
from services.members.worker import WORKER
from shared.clock import utc_now
from shared.identifiers import new_id
from shared.messaging.partitions import create_partition
from tests.conftest import Database, DatabaseOf
from tests.web import environment

SEOUL, DELHI = "evt.members.member.seoul.changed.v1", "evt.members.member.delhi.changed.v1"


async def test_what_is_published_late_is_followed_by_the_newest_of_its_subject(
    database_of: DatabaseOf,
) -> None:
    database = await database_of("members")
    service = Service(
        "members", MembersSettings(**environment(database)), WORKER, Base.metadata, all_states
    )
    ids = [new_id() for _ in range(4)]
    logged = [(ids[0], SEOUL, b"1"), (ids[1], SEOUL, b"2"), (ids[2], DELHI, b"3")]
    await log(database, [*logged, (ids[3], SEOUL, b"4")])
    publish = AsyncMock()
    nats = Mock(Client, jetstream=lambda **_: Mock(publish=publish))

    count = await publish_again(service, [ids[1]], nats)

    assert count == 1
    assert [call.args for call in publish.await_args_list] == [(SEOUL, b"2"), (SEOUL, b"4")]


async def log(database: Database, events: list[tuple[object, str, bytes]]) -> None:
    async with database.sessions.begin() as session:
        await session.execute(text(create_partition(utc_now().date().replace(day=1))))
        for position, (event_id, subject, body) in enumerate(events):
            await session.execute(
                text("INSERT INTO event_log VALUES (now(), :position, :id, :subject, :body)"),
                {"position": position, "id": event_id, "subject": subject, "body": body},
            )
