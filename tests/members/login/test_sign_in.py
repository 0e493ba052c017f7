"""A person's session in a browser: found by its cookie, kept by use, ended."""

from datetime import timedelta

import pytest
from sqlalchemy import update
from starlette.requests import Request

from services.members.http.login.cookies import SIGN_IN, sign_in_of
from services.members.model.member import Member
from services.members.model.official import Official
from services.members.model.sign_in import SignIn
from services.members.model.token_family import TokenFamily
from services.members.use_cases.end_sign_in import end_sign_in
from services.members.use_cases.open_sign_in import Proof, open_sign_in
from shared.clock import utc_now
from shared.one_time import hash_of
from shared.sealing import Seals
from tests.members.network import OPENING, Network
from tests.members.oauth.people import Person, application, family_of, log_in
from tests.web import MASTER_KEYS

SEALS = Seals.read(MASTER_KEYS)
PROOF = Proof(
    subject="2",
    session_id="upstream-session",
    id_token="header.claims.signature",
    acr=None,
    authenticated_at=utc_now(),
)


def browser(network: Network, cookie: str | None) -> Request:
    headers = [(b"cookie", f"{SIGN_IN}={cookie}".encode())] if cookie else []
    return Request({"type": "http", "headers": headers, "app": network.app})


async def seen(network: Network, cookie: str | None, *, minutes_later: int = 0) -> SignIn | None:
    now = utc_now() + timedelta(minutes=minutes_later)
    async with network.database.sessions.begin() as session:
        return await sign_in_of(browser(network, cookie), session, now=now)


async def logged_in(network: Network) -> Person:
    async with network.database.sessions.begin() as session:
        return await log_in(session, "coordinator")


async def test_a_browser_is_known_by_its_cookie(network: Network) -> None:
    person = await logged_in(network)

    found = await seen(network, person.cookie)

    assert found is not None
    assert found.id == person.sign_in.id


@pytest.mark.parametrize("cookie", [None, "another", "x" * 5_000, "caf\u00e9", '"'])
async def test_a_stranger_is_not(network: Network, cookie: str | None) -> None:
    await logged_in(network)

    assert await seen(network, cookie) is None


async def test_a_session_lasts_while_it_is_used_and_no_longer_than_its_end(
    network: Network,
) -> None:
    person = await logged_in(network)

    used = [await seen(network, person.cookie, minutes_later=50 * n) for n in range(1, 13)]

    assert [found is not None for found in used] == [True] * 11 + [False]


async def test_a_session_that_rests_ends(network: Network) -> None:
    person = await logged_in(network)

    assert await seen(network, person.cookie, minutes_later=61) is None


async def test_a_look_within_a_minute_is_not_written(network: Network) -> None:
    person = await logged_in(network)

    await seen(network, person.cookie)

    async with network.database.sessions() as session:
        kept = await session.get_one(SignIn, person.sign_in.id)
    assert kept.seen_at == person.sign_in.seen_at


async def test_nobody_is_known_who_may_not_act(network: Network) -> None:
    person = await logged_in(network)
    async with network.database.sessions.begin() as session:
        await session.execute(
            update(Official).where(Official.id == person.official.id).values(status="blocked")
        )

    assert await seen(network, person.cookie) is None


async def test_nobody_is_known_whose_member_has_left(network: Network) -> None:
    person = await logged_in(network)
    async with network.database.sessions.begin() as session:
        await session.execute(update(Member).values(status="withdrawn"))

    assert await seen(network, person.cookie) is None


async def test_an_end_closes_what_was_opened_from_the_browser(network: Network) -> None:
    person = await logged_in(network)
    client = application()
    family = family_of(person, client)
    async with network.database.sessions.begin() as session:
        session.add(client)
        await session.flush()
        session.add(family)

    async with network.database.sessions.begin() as session:
        sign_in = await session.get_one(SignIn, person.sign_in.id)
        await end_sign_in(session, sign_in, because="logged out", now=utc_now())

    assert await seen(network, person.cookie) is None
    assert (await network.happened())[len(OPENING) :] == ["session.ended"]
    async with network.database.sessions() as session:
        assert (await session.get_one(TokenFamily, family.id)).revoked_because == "logged out"


async def opened_by(
    network: Network, official: Official, person: Person, *, cookie: str | None
) -> tuple[SignIn, str]:
    async with network.database.sessions.begin() as session:
        return await open_sign_in(
            session,
            official,
            provider_id=person.sign_in.provider_id,
            proof=PROOF,
            former_cookie=cookie,
            lasts=timedelta(hours=10),
            seals=SEALS,
            now=utc_now(),
        )


async def test_the_same_person_goes_on_under_a_new_cookie(network: Network) -> None:
    person = await logged_in(network)

    sign_in, cookie = await opened_by(network, person.official, person, cookie=person.cookie)

    assert sign_in.id == person.sign_in.id
    assert cookie != person.cookie
    assert await seen(network, person.cookie) is None
    found = await seen(network, cookie)
    assert found is not None
    assert (found.upstream_sid, found.upstream_subject) == ("upstream-session", "2")
    assert found.cookie_hash == hash_of(cookie)
    opened = SEALS.open(found.sealed_id_token, place=SignIn.place(found.id))
    assert opened == b"header.claims.signature"


async def test_somebody_else_ends_what_was_there(network: Network) -> None:
    person, other = await logged_in(network), await logged_in(network)

    sign_in, cookie = await opened_by(network, other.official, other, cookie=person.cookie)

    assert await seen(network, person.cookie) is None
    found = await seen(network, cookie)
    assert found is not None
    assert found.official_id == other.official.id
    assert sign_in.id not in (person.sign_in.id, other.sign_in.id)
    async with network.database.sessions() as session:
        ended = await session.get_one(SignIn, person.sign_in.id)
    assert ended.ended_because == "somebody else logged in"
