"""Applications hear that a session in them has ended, once, soon, and only where they may be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import delete, select

from services.members.consumers.logout_teller import LogoutTeller
from services.members.gateways.logout_http import READ_LIMIT_BYTES, LogoutClient
from services.members.model.audit import AuditEntry
from services.members.model.logout_notice import (
    LEASE,
    LONGEST_PAUSE,
    TRIED_FOR,
    LogoutNotice,
)
from services.members.model.logout_token import EVENT
from services.members.model.token_family import TokenFamily
from services.members.settings import MembersSettings
from services.members.use_cases.claim_notices import PER_CLIENT, ClaimedNotice, claim_notices
from services.members.use_cases.end_sessions import end_sessions_of
from services.members.use_cases.read_signing_keys import read_signing_keys
from services.members.use_cases.settle_notice import settle_notice
from shared.clock import utc_now
from shared.sealing import Seals
from tests.members.network import Network, code_of
from tests.members.oauth.people import Person, application, family_of, log_in
from tests.web import ISSUER, MASTER_KEYS, environment

PATIENCE = 10


@dataclass
class Application:
    """An application of Tokyo, at an address on this machine."""

    status: int = 200
    body: bytes = b""
    hangs: bool = False
    tokens: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}/backchannel-logout"

    async def answer(self, request: web.Request) -> web.Response:
        self.paths.append(request.path)
        self.tokens.append(str((await request.post()).get("logout_token")))
        self.asked.set()
        if self.hangs:
            await self.released.wait()
        return web.Response(
            status=self.status, body=self.body, headers={"Location": f"{self.uri}/elsewhere"}
        )


@pytest.fixture
async def desk() -> AsyncIterator[Application]:
    found = Application()
    server = web.Application()
    server.router.add_route("*", "/{path:.*}", found.answer)
    runner = web.AppRunner(server, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.port = runner.addresses[0][1]
    yield found
    found.released.set()
    await runner.cleanup()


async def person_at(network: Network, uri: str | None, *, sessions: int = 1) -> Person:
    """Let somebody use an application that is told of logouts at `uri`."""
    async with network.database.sessions.begin() as session:
        client = application(backchannel_logout_uri=uri)
        session.add(client)
        person = await log_in(session, "coordinator")
        session.add_all(family_of(person, client) for _ in range(sessions))
    return person


async def leave(network: Network, person: Person) -> None:
    async with network.database.sessions.begin() as session:
        await end_sessions_of(
            session, now=utc_now(), because="left", official_id=person.official.id
        )


async def waiting(network: Network) -> list[LogoutNotice]:
    async with network.database.sessions() as session:
        return list(await session.scalars(select(LogoutNotice).order_by(LogoutNotice.id)))


def settings_of(network: Network, **fields: Any) -> MembersSettings:
    return MembersSettings(**environment(network.database) | {"logout_seconds": 2} | fields)


@asynccontextmanager
async def teller(
    network: Network, *, allow_private: bool = True, seconds: float = 2
) -> AsyncIterator[LogoutTeller]:
    async with LogoutClient(allow_private=allow_private, seconds=seconds) as client:
        yield LogoutTeller(network.database.sessions, settings_of(network), client)


async def look(network: Network, **fields: Any) -> bool:
    """Look once for what is due, and see it through."""
    async with teller(network, **fields) as telling, asyncio.TaskGroup() as group:
        return await telling.look(group.create_task)


async def claimed_one(network: Network) -> ClaimedNotice:
    async with network.database.sessions.begin() as session:
        [claimed] = await claim_notices(session, at_work={}, limit=10, now=utc_now())
    return claimed


async def test_an_application_hears_who_has_left_it(network: Network, desk: Application) -> None:
    person = await person_at(network, desk.uri)
    await leave(network, person)

    assert await look(network)

    [token] = desk.tokens
    async with network.database.sessions.begin() as session:
        seals = Seals.read(MASTER_KEYS)
        keys = await read_signing_keys(session, seals=seals, now=utc_now())
        [family] = await session.scalars(select(TokenFamily))
    decoded = jwt.decode(token, KeySet(list(keys.published)), algorithms=["RS256"])
    assert decoded.header == {"alg": "RS256", "typ": "logout+jwt", "kid": keys.identity.kid}
    claims = dict(decoded.claims)
    assert claims.pop("exp") - claims.pop("iat") == 120
    assert claims.pop("jti")
    assert claims == {
        "iss": ISSUER,
        "aud": "tokyo-desk",
        "sub": str(person.official.id),
        "sid": str(family.id),
        "events": {EVENT: {}},
    }
    assert await waiting(network) == []
    assert not await look(network)


async def test_nothing_is_said_of_a_session_that_did_not_end_after_all(network: Network) -> None:
    person = await person_at(network, "https://desk.example/logout")

    async with network.database.sessions() as session:
        await end_sessions_of(
            session, now=utc_now(), because="left", official_id=person.official.id
        )
        await session.rollback()

    assert await waiting(network) == []


async def test_an_application_that_does_not_want_to_know_is_not_told(network: Network) -> None:
    person = await person_at(network, None)

    await leave(network, person)

    assert await waiting(network) == []


async def test_what_an_application_does_not_take_is_tried_again_with_growing_pauses(
    network: Network, desk: Application
) -> None:
    desk.status = 500
    await leave(network, await person_at(network, desk.uri))
    [notice] = await waiting(network)
    pauses = []
    for _ in range(10):
        async with network.database.sessions.begin() as session:
            (await session.get_one(LogoutNotice, notice.id)).due_at = notice.made_at
        before = utc_now()
        assert await look(network)
        [left] = await waiting(network)
        pauses.append((left.due_at - before).total_seconds())

    assert [round(pause / 5) for pause in pauses] == [1, 2, 4, 8, 16, 32, 64, 120, 120, 120]
    assert left.attempts == 10
    assert len(set(desk.tokens)) == 10


def test_pauses_end_with_the_time_for_which_it_is_tried() -> None:
    made_at = utc_now()
    notice = LogoutNotice(
        client_id="x",
        session_id=None,  # type: ignore[arg-type]
        official_id=None,  # type: ignore[arg-type]
        made_at=made_at,
        due_at=made_at,
        attempts=10_000,
    )

    last = made_at + TRIED_FOR

    assert notice.put_off(at=last - timedelta(seconds=1))
    assert notice.due_at == last - timedelta(seconds=1) + LONGEST_PAUSE
    assert not notice.put_off(at=last)


async def test_what_is_given_up_stands_in_the_trail_of_the_applications_member(
    network: Network, desk: Application
) -> None:
    desk.status = 400
    await leave(network, await person_at(network, desk.uri))
    async with network.database.sessions.begin() as session:
        [notice] = await session.scalars(select(LogoutNotice))
        notice.made_at -= TRIED_FOR

    await look(network)

    assert await waiting(network) == []
    async with network.database.sessions() as session:
        [entry] = await session.scalars(
            select(AuditEntry).where(AuditEntry.action == "client.not_told")
        )
    assert (entry.member, entry.subject, entry.outcome) == ("tokyo", "client:tokyo-desk", "refused")
    assert entry.reason == "answered-400"


async def test_no_redirect_is_followed(network: Network, desk: Application) -> None:
    desk.status = 307
    await leave(network, await person_at(network, desk.uri))

    await look(network)

    assert desk.paths == ["/backchannel-logout"]
    assert len(await waiting(network)) == 1


async def test_an_answer_may_be_as_long_as_it_likes_and_is_not_read_to_its_end(
    network: Network, desk: Application
) -> None:
    desk.body = b"x" * (READ_LIMIT_BYTES * 200)
    await leave(network, await person_at(network, desk.uri))

    await look(network)

    assert await waiting(network) == []


async def test_an_application_that_hangs_is_left_alone_until_later(
    network: Network, desk: Application
) -> None:
    desk.hangs = True
    await leave(network, await person_at(network, desk.uri))

    await look(network, seconds=0.2)

    [notice] = await waiting(network)
    assert (notice.attempts, len(desk.tokens)) == (1, 1)
    assert notice.due_at > notice.made_at


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::1]"])
async def test_nothing_is_sent_to_an_address_that_is_not_public(
    network: Network, desk: Application, host: str
) -> None:
    uri = f"https://{host}:{desk.port}/logout"
    await leave(network, await person_at(network, uri))

    await look(network, allow_private=False)

    assert desk.tokens == []
    assert [notice.attempts for notice in await waiting(network)] == [1]


async def test_no_transaction_is_open_while_an_application_is_asked(
    network: Network, desk: Application
) -> None:
    desk.hangs = True
    await leave(network, await person_at(network, desk.uri))
    async with teller(network, seconds=PATIENCE) as telling, asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[None]] = []

        await telling.look(lambda work: tasks.append(group.create_task(work)))

        async with asyncio.timeout(PATIENCE):
            await desk.asked.wait()
        assert network.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        for task in tasks:
            task.cancel()


async def test_of_many_tellers_one_takes_each_notice(network: Network, desk: Application) -> None:
    await leave(network, await person_at(network, desk.uri, sessions=12))

    async def until_done() -> None:
        while await look(network):
            pass

    await asyncio.gather(*(until_done() for _ in range(4)))
    async with asyncio.timeout(PATIENCE):
        while await waiting(network):
            await look(network)

    assert len(desk.tokens) == 12


async def test_an_application_that_hangs_does_not_hold_up_others(
    network: Network, desk: Application
) -> None:
    person = await person_at(network, "https://slow.example/logout", sessions=PER_CLIENT + 3)
    async with network.database.sessions.begin() as session:
        other = application(id="tokyo-other", backchannel_logout_uri=desk.uri)
        session.add(other)
        await session.flush()
        session.add(family_of(person, other))
    await leave(network, person)

    async with network.database.sessions.begin() as session:
        first = await claim_notices(session, at_work={}, limit=PER_CLIENT + 2, now=utc_now())
        at_work = {"tokyo-desk": len(first)}
        second = await claim_notices(session, at_work=at_work, limit=2, now=utc_now())

    assert {claim.client_id for claim in first} == {"tokyo-desk"}
    assert len(first) == PER_CLIENT
    assert [claim.client_id for claim in second] == ["tokyo-other"]


async def test_a_claim_runs_out_and_what_the_former_sender_says_then_counts_no_more(
    network: Network, desk: Application
) -> None:
    await leave(network, await person_at(network, desk.uri))
    former = await claimed_one(network)
    async with network.database.sessions.begin() as session:
        none = await claim_notices(session, at_work={}, limit=10, now=utc_now())
        later = utc_now() + LEASE + timedelta(seconds=1)
        [taken] = await claim_notices(session, at_work={}, limit=10, now=later)

    async with network.database.sessions.begin() as session:
        await settle_notice(session, former, hindrance=None, now=utc_now())

    assert none == []
    assert (taken.id, taken.attempt) == (former.id, 2)
    assert len(await waiting(network)) == 1


async def test_a_notice_that_nobody_wants_any_more_is_dropped(
    network: Network, desk: Application
) -> None:
    await leave(network, await person_at(network, desk.uri))
    async with network.database.sessions.begin() as session:
        await session.execute(delete(TokenFamily))
        notice = (await session.scalars(select(LogoutNotice))).one()
        client = await session.get_one(type(application()), notice.client_id)
        client.backchannel_logout_uri = None
        client.note_change(utc_now())

    assert not await look(network)

    assert await waiting(network) == []
    assert desk.tokens == []


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("https://127.0.0.1/logout", "logout-address-not-allowed"),
        ("https://10.1.2.3/logout", "logout-address-not-allowed"),
        ("https://desk.internal/logout", "logout-address-not-allowed"),
        ("http://127.0.0.1/logout", "logout-address-not-allowed"),
        ("http://desk.example/logout", "invalid-request"),
        ("https://user@desk.example/logout", "invalid-request"),
        ("https://desk.example/logout#here", "invalid-request"),
    ],
)
async def test_an_application_cannot_be_told_at_every_address(
    network: Network, uri: str, code: str
) -> None:
    body = {
        "name": "App",
        "kind": "application",
        "scopes": ["projects:read"],
        "redirect_uris": ["https://app.example/"],
    }
    good = {"backchannel_logout_uri": "https://app.example/logout"}
    client = (await network.send("POST", "/tokyo/clients", body | good)).json()
    path = f"/tokyo/clients/{client['id']}"

    made = await network.send("POST", "/tokyo/clients", body | {"backchannel_logout_uri": uri})
    changed = await network.send("PATCH", path, {"backchannel_logout_uri": uri}, version=1)

    assert (made.status_code, changed.status_code) == (422, 422)
    assert {code_of(made), code_of(changed)} == {code}
    assert (await network.get(path))["backchannel_logout_uri"] == "https://app.example/logout"


async def test_nobody_logs_in_to_a_machine_that_would_hear_of_a_logout(network: Network) -> None:
    body = {
        "name": "Machine",
        "scopes": ["projects:read"],
        "backchannel_logout_uri": "https://app.example/logout",
    }

    response = await network.send("POST", "/tokyo/clients", body)

    assert (response.status_code, code_of(response)) == (422, "client-contradictory")


async def test_the_sessions_in_a_client_end_with_it_and_it_is_told(
    network: Network, desk: Application
) -> None:
    await person_at(network, desk.uri)

    response = await network.send("DELETE", "/tokyo/clients/tokyo-desk", version=1)

    assert response.status_code == 200
    assert (await network.happened())[-2:] == ["client.revoked", "session.ended"]
    async with network.database.sessions() as session:
        [family] = await session.scalars(select(TokenFamily))
    assert family.revoked_because == "client revoked"
    assert await look(network)
    assert len(desk.tokens) == 1
