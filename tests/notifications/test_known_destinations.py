"""What a sender knows of endpoints is limited, and never less than it needs."""

import pytest

from services.notifications.consumers import sender as sending
from services.notifications.consumers.sender import KnownDestinations
from shared.identifiers import new_id
from shared.sealing import Seals
from tests.conftest import Database
from tests.notifications.endpoints import claim, make_endpoint
from tests.notifications.hearing import Ears, project
from tests.web import MASTER_KEYS


async def test_what_was_known_long_ago_is_kept_while_it_is_used(
    ears: Ears, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "KNOWN_MAX", 3)
    for city in ("delhi", "osaka", "seoul", "tokyo"):
        await make_endpoint(database.sessions, f"https://hooks.{city}.example/", member=city)
    await ears.hear(project(new_id()), only="webhooks")
    known = KnownDestinations(Seals.read(MASTER_KEYS))

    async with database.sessions() as session:
        lanes = await claim(session)
        for part in (lanes[:3], [lanes[0], lanes[3]]):
            await known.learn(session, part)

    for lane in (lanes[0], *lanes[2:]):
        destination = known.of(lane)
        assert destination is not None
        assert destination.url == f"https://hooks.{lane.member}.example/"
    with pytest.raises(KeyError):
        known.of(lanes[1])
