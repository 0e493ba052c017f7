"""Sessions of people in applications end, and everybody concerned learns of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from services.members.model.sign_in import SignIn
from services.members.model.token_family import LONGEST_TOKEN, TokenFamily
from services.members.use_cases.end_sessions import end_sessions_of
from services.members.use_cases.end_sign_in import end_sign_in
from shared.actor import Actor
from shared.clock import utc_now
from shared.contracts.members import SessionEnded
from tests.members.network import OPENING, Network
from tests.members.oauth.browsing import Desk
from tests.members.oauth.people import (
    Person,
    application,
    family_of,
    log_in,
    until_somebody_waits,
)

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


async def two_sessions_of_one_and_one_of_another(network: Network) -> list[TokenFamily]:
    async with network.database.sessions.begin() as session:
        client = application()
        session.add(client)
        one, other = await log_in(session, "observer"), await log_in(session, "coordinator")
        families = [family_of(one, client), family_of(one, client), family_of(other, client)]
        session.add_all(families)
    return families


async def test_all_sessions_of_an_official_end_and_each_is_announced_to_its_member(
    network: Network,
) -> None:
    first, second, other = await two_sessions_of_one_and_one_of_another(network)
    by = Actor(member="tokyo", client_id="tokyo-office")

    async with network.database.sessions.begin() as session:
        ended = await end_sessions_of(
            session, now=NOON, because="blocked", by=by, official_id=first.official_id
        )

    assert ended == 2
    events = (await network.events())[len(OPENING) :]
    assert [event.type for event in events] == [SessionEnded.type_name()] * 2
    assert {event.data.state.id for event in events} == {first.id, second.id}
    [event, _] = events
    assert (event.audience, event.actor, event.time) == (("tokyo",), "client:tokyo-office", NOON)
    assert event.data.state.official_id == first.official_id
    assert event.data.state.client_id == "tokyo-desk"
    assert event.data.state.good_until == NOON + LONGEST_TOKEN
    async with network.database.sessions() as session:
        kept = await session.get_one(TokenFamily, first.id)
        assert (kept.revoked_at, kept.revoked_because) == (NOON, "blocked")
        assert (await session.get_one(TokenFamily, other.id)).is_good(NOON)


@pytest.mark.parametrize("by", ["member", "client_id", "sign_in_id", "family_id"])
async def test_a_session_ends_with_what_it_belongs_to(network: Network, by: str) -> None:
    families = await two_sessions_of_one_and_one_of_another(network)
    given = {
        "member": {"member": "tokyo"},
        "client_id": {"client_id": "tokyo-desk"},
        "sign_in_id": {"sign_in_id": families[0].sign_in_id},
        "family_id": {"family_id": families[0].id},
    }

    async with network.database.sessions.begin() as session:
        ended = await end_sessions_of(session, now=NOON, because="left", **given[by])  # type: ignore[arg-type]

    assert ended == {"member": 3, "client_id": 3, "sign_in_id": 2, "family_id": 1}[by]


async def test_what_has_ended_does_not_end_again(network: Network) -> None:
    first, *_ = await two_sessions_of_one_and_one_of_another(network)
    async with network.database.sessions.begin() as session:
        await end_sessions_of(session, now=NOON, because="left", family_id=first.id)

    async with network.database.sessions.begin() as session:
        again = await end_sessions_of(
            session, now=NOON + timedelta(hours=1), because="again", family_id=first.id
        )
        unknown = await end_sessions_of(session, now=NOON, because="again", family_id=uuid4())

    assert (again, unknown) == (0, 0)
    assert len(await network.events()) == len(OPENING) + 1


async def test_nobody_ends_every_session_of_the_network(network: Network) -> None:
    await two_sessions_of_one_and_one_of_another(network)

    async with network.database.sessions() as session:
        with pytest.raises(ValueError, match="every session"):
            await end_sessions_of(session, now=NOON, because="mistake")

    assert len(await network.events()) == len(OPENING)


async def test_nothing_is_opened_from_a_browser_whose_session_ends_meanwhile(
    network: Network, desk: Desk, coordinator: Person
) -> None:
    async with network.database.sessions.begin() as ending:
        sign_in = await ending.get_one(SignIn, coordinator.sign_in.id, with_for_update=True)
        await end_sign_in(ending, sign_in, because="left everywhere", now=utc_now())
        await ending.flush()
        asked = asyncio.create_task(desk.authorize())
        await until_somebody_waits(network)
    response = await asked

    assert response.headers["location"].startswith("/login?authorization=")
    async with network.database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(TokenFamily)) == 0
