"""When a replay has told everything."""

from types import SimpleNamespace
from typing import Any
from unittest.mock import AsyncMock, Mock

import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from deploy.operations.replaying import until_quiet
from services.projects.consumers.members import SUBSCRIPTIONS
from shared.messaging.consumer import Copy


def info(delivered: int, pending: int = 0, unanswered: int = 0) -> Any:
    return SimpleNamespace(
        delivered=SimpleNamespace(consumer_seq=delivered),
        num_pending=pending,
        num_ack_pending=unanswered,
    )


JUST_MADE, WAITING, AT_WORK, DONE = info(0), info(0, 3), info(3, 0, 3), info(3)


@pytest.mark.parametrize(
    ("subjects", "answers"),
    [
        ({"evt.members.member.seoul.changed.v1": 1}, [JUST_MADE, WAITING, AT_WORK, DONE]),
        ({"evt.members.member.seoul.changed.v1": 1}, [NotFoundError(), JUST_MADE, DONE]),
        (None, [JUST_MADE]),
    ],
    ids=["seems quiet first", "is made by another first", "nothing was ever said"],
)
async def test_a_consumer_that_is_just_being_made_is_not_done(
    subjects: dict[str, int] | None, answers: list[Any]
) -> None:
    copy = SUBSCRIPTIONS[0]
    assert isinstance(copy, Copy)
    consumer_info = AsyncMock(side_effect=answers)
    said = SimpleNamespace(state=SimpleNamespace(subjects=subjects))
    jetstream = Mock(consumer_info=consumer_info, stream_info=AsyncMock(return_value=said))

    await until_quiet(copy, Mock(Client, jetstream=lambda **_: jetstream))

    assert consumer_info.await_count == len(answers)
