"""Signing keys are replaced while tokens stay good."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from services.members.http.app import create_app
from services.members.model.signing_key import RotationTimes, RotationUnderWay
from services.members.queries.signing_keys import keys_in_use
from services.members.settings import MembersSettings
from services.members.use_cases.change_over_signing_keys import change_over_signing_keys
from services.members.use_cases.open_network import OpenedNetwork
from services.members.use_cases.read_signing_keys import read_signing_keys
from services.members.use_cases.rotate_signing_keys import rotate_signing_keys
from services.members.worker import changing_over, rotation_times
from shared.clock import utc_now
from shared.http.application import audience_of
from shared.http.identity import AccessTokens, JsonWebKeys
from shared.sealing import Seals
from shared.timers import tick
from tests.conftest import Database
from tests.web import ISSUER, MASTER_KEYS, environment, on

SEALS = Seals.read(MASTER_KEYS)
TIMES = RotationTimes(
    before=timedelta(minutes=7),
    before_at_once=timedelta(minutes=2),
    after={"ES256": timedelta(minutes=8), "RS256": timedelta(hours=11)},
)


class Issuer:
    """The authorization server, whose processes read the keys anew each time."""

    def __init__(self, database: Database, opened: OpenedNetwork) -> None:
        settings = MembersSettings(**environment(database), signing_keys_seconds=0.000001)
        self.app: FastAPI = on(create_app(settings), database)
        self.database = database
        self.credentials = (opened.client_id, opened.client_secret)
        self.began = utc_now() - timedelta(days=1)

    def http(self) -> AsyncClient:
        return AsyncClient(transport=ASGITransport(self.app), base_url=ISSUER)

    async def token(self) -> str:
        async with self.http() as http:
            answer = await http.post(
                "/oauth/token", data={"grant_type": "client_credentials"}, auth=self.credentials
            )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def keys(self) -> Any:
        async with self.http() as http:
            return (await http.get("/oauth/jwks")).json()

    async def rotate(
        self, *, at_once: timedelta | None = None, minutes_ago: float | None = None
    ) -> None:
        """Begin a rotation a day ago, if it is not said when."""
        now = self.began
        if minutes_ago is not None:
            now = utc_now() - timedelta(minutes=minutes_ago)
        async with self.database.sessions.begin() as session:
            await rotate_signing_keys(session, seals=SEALS, at_once=at_once, now=now)

    async def after(self, **passed: float) -> None:
        """Let time take the steps that are due then."""
        async with self.database.sessions.begin() as session:
            await change_over_signing_keys(session, self.began + timedelta(**passed), times=TIMES)

    async def statuses(self, algorithm: str) -> list[str]:
        """Of the keys in use, newest first."""
        async with self.database.sessions() as session:
            rows = await keys_in_use(session)
        return [row.status for row in rows if row.algorithm == algorithm]


@pytest.fixture
async def issuer(database: Database, opened: OpenedNetwork) -> Issuer:
    """With keys that have signed for an hour when a rotation begins, a day ago."""
    async with database.sessions.begin() as session:
        await read_signing_keys(session, seals=SEALS, now=utc_now() - timedelta(hours=25))
    return Issuer(database, opened)


def key_of(token: str) -> str:
    return str(extract_compact(token.encode()).headers()["kid"])


async def service_that_knows(issuer: Issuer) -> AccessTokens:
    """A service that has just read the keys, and reads them never again."""
    known = await issuer.keys()
    asked: list[datetime] = []

    async def fetch() -> Any:
        assert not asked, "it had to read the keys again"
        asked.append(utc_now())
        return known

    service = AccessTokens(
        JsonWebKeys(fetch, lifetime_seconds=3600),
        issuer=ISSUER,
        audience=audience_of(issuer.app.state.settings),
        leeway_seconds=5,
    )
    await service.actor(await issuer.token())
    return service


async def test_tokens_are_good_at_every_step_of_a_rotation(issuer: Issuer) -> None:
    former = await issuer.token()

    await issuer.rotate()
    published = await issuer.token()
    service = await service_that_knows(issuer)
    await issuer.after(minutes=6)
    before_its_time = await issuer.token()
    await issuer.after(minutes=7)
    latter = await issuer.token()
    await issuer.after(minutes=14)
    while_both = await issuer.keys()

    assert key_of(former) == key_of(published) == key_of(before_its_time)
    assert key_of(latter) != key_of(former)
    for token in (former, published, before_its_time, latter):
        assert (await service.actor(token)).member == "tokyo"
        jwt.decode(token, KeySet.import_key_set(while_both), ["ES256"])


async def test_a_former_key_goes_once_nothing_that_it_signed_is_good(issuer: Issuer) -> None:
    former = await issuer.token()
    await issuer.rotate()
    await issuer.after(minutes=7)
    latter = await issuer.token()

    await issuer.after(minutes=14.9)
    almost = await issuer.statuses("ES256")
    await issuer.after(minutes=15)

    assert almost == ["active", "active"]
    assert await issuer.statuses("ES256") == ["active"]
    assert await issuer.statuses("RS256") == ["active", "active"]
    published = [key["kid"] for key in (await issuer.keys())["keys"]]
    assert key_of(latter) in published
    assert key_of(former) not in published
    await issuer.after(hours=11, minutes=7)
    assert await issuer.statuses("RS256") == ["active"]


async def test_a_worker_that_was_away_retires_no_key_too_early(issuer: Issuer) -> None:
    await issuer.rotate()

    await issuer.after(hours=5)
    at_first = await issuer.statuses("ES256")
    await issuer.after(hours=5, minutes=8)

    assert at_first == ["active", "active"]
    assert await issuer.statuses("ES256") == ["active"]


async def test_at_once_the_new_key_signs_as_soon_as_everybody_can_ask_for_it(
    issuer: Issuer,
) -> None:
    former = await issuer.token()

    await issuer.rotate(at_once=TIMES.before_at_once, minutes_ago=1.9)
    service = await service_that_knows(issuer)
    before_its_time = await issuer.token()

    assert key_of(before_its_time) == key_of(former)
    published = [key["kid"] for key in (await issuer.keys())["keys"]]
    assert len(published) == 4
    assert (await service.actor(former)).member == "tokyo"


async def test_at_once_the_former_key_is_still_known(issuer: Issuer) -> None:
    former = await issuer.token()
    await issuer.rotate(at_once=TIMES.before_at_once, minutes_ago=2.1)

    latter = await issuer.token()

    service = await service_that_knows(issuer)
    assert key_of(latter) != key_of(former)
    for token in (former, latter):
        assert (await service.actor(token)).member == "tokyo"


async def test_a_key_that_signs_at_once_lets_the_former_go_in_time(issuer: Issuer) -> None:
    await issuer.rotate(at_once=TIMES.before_at_once)

    await issuer.after(minutes=9.9)
    almost = await issuer.statuses("ES256")
    await issuer.after(minutes=10)

    assert almost == ["active", "active"]
    assert await issuer.statuses("ES256") == ["active"]


async def test_a_rotation_under_way_is_not_begun_again_but_can_be_hastened(
    issuer: Issuer,
) -> None:
    former = await issuer.token()
    await issuer.rotate(minutes_ago=3)

    with pytest.raises(RotationUnderWay):
        await issuer.rotate()
    before = await issuer.statuses("ES256")
    await issuer.rotate(at_once=TIMES.before_at_once, minutes_ago=2.1)

    assert before == ["next", "active"]
    assert await issuer.statuses("ES256") == ["active", "active"]
    assert key_of(await issuer.token()) != key_of(former)


async def test_where_nothing_has_signed_yet_the_first_key_signs(database: Database) -> None:
    async with database.sessions.begin() as session:
        made = await rotate_signing_keys(session, seals=SEALS, at_once=None, now=utc_now())

    assert [key.status for key in made] == ["active", "active"]


async def test_without_a_rotation_nothing_changes(issuer: Issuer) -> None:
    settings: MembersSettings = issuer.app.state.settings

    more = await tick(changing_over(settings), issuer.database.sessions)

    assert more is False
    assert await issuer.statuses("ES256") == ["active"]


def test_keys_are_published_for_longer_than_anybody_relies_on_what_they_have_read() -> None:
    times = rotation_times(MembersSettings(**environment()))

    assert times.before == timedelta(seconds=300 + 60 + 5 + 60)
    assert times.before_at_once == timedelta(seconds=60 + 5 + 60)
    assert times.after["ES256"] == timedelta(seconds=300 + 60 + 5 + 60)
    assert times.after["RS256"] == timedelta(seconds=36_000 + 60 + 5 + 60)
