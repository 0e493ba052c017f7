"""The first start."""

import json

import pytest
from pydantic import ValidationError
from sqlalchemy import func, select

from services.members.model.client import Client, secret_hash_of
from services.members.model.member import Member
from services.members.model.official import Official
from services.members.model.scopes import SCOPES
from services.members.queries.everything import all_states
from services.members.use_cases.open_network import HostFields, NetworkAlreadyOpen, open_network
from shared.clock import utc_now
from tests.conftest import Database
from tests.members.network import HOST, OPENING, Network


async def test_the_host_is_active_since_the_day_the_file_says(network: Network) -> None:
    tokyo = await network.get("/tokyo")

    assert (tokyo["status"], tokyo["status_since"]) == ("active", "2001-10-01")
    assert tokyo["is_host"] is True
    assert tokyo["name"] == {"en": "Tokyo", "ja": "東京都"}


async def test_the_host_has_an_administrator_and_a_client_with_every_scope(
    network: Network,
) -> None:
    opened = network.opened

    async with network.database.sessions() as session:
        official = await session.get_one(Official, opened.administrator_id)
        client = await session.get_one(Client, opened.client_id)

    assert (official.member, official.is_administrator) == ("tokyo", True)
    assert official.email == "administrator@tokyo.example"
    assert (client.member, client.scopes) == ("tokyo", SCOPES)
    assert client.secret_hash == secret_hash_of(opened.client_secret)


async def test_opening_announces_each_beginning_once(network: Network) -> None:
    assert await network.happened() == OPENING
    assert [event.audience for event in await network.events()] == [
        ("*",),
        ("tokyo",),
        ("tokyo",),
    ]


async def test_a_network_opens_once(network: Network) -> None:
    busan = HOST.model_copy(update={"slug": "busan"})

    with pytest.raises(NetworkAlreadyOpen):
        async with network.database.sessions.begin() as session:
            await open_network(session, host=busan, now=utc_now())

    async with network.database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Member)) == 1
    assert await network.happened() == OPENING


async def test_of_two_that_open_it_at_once_one_does(database: Database) -> None:
    busan = HOST.model_copy(update={"slug": "busan"})
    async with database.sessions() as first:
        await open_network(first, host=HOST, now=utc_now())
        await first.commit()
        with pytest.raises(NetworkAlreadyOpen):
            async with database.sessions.begin() as second:
                await open_network(second, host=busan, now=utc_now())


def test_a_file_with_an_unknown_zone_is_refused() -> None:
    text = json.dumps(HOST.model_dump(mode="json") | {"time_zone": "Asia/Edo"})

    with pytest.raises(ValidationError, match="IANA"):
        HostFields.model_validate_json(text)


async def test_everything_can_be_dumped_in_order(network: Network) -> None:
    await network.join()
    await network.appoint()

    async with network.database.sessions() as session:
        states = await all_states(session)

    assert {kind: len(found) for kind, found in states.items()} == {
        "member": 2,
        "official": 2,
        "client": 1,
        "session": 0,
    }
    assert [getattr(state, "slug", None) for state in states["member"]] == ["seoul", "tokyo"]
