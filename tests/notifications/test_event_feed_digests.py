"""Digests: whoever pulled everything can compute them again, and what is missing shows."""

import asyncio
import hashlib
import json
import warnings
from base64 import urlsafe_b64decode
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import FastAPI
from httpx2 import AsyncClient
from joserfc import jws
from joserfc.jwk import OKPKey
from sqlalchemy import select, update

from services.notifications.model.event_feed import FeedDigest, FeedEnd, FeedEntry, FeedKey
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.sign_digests import sign_digests
from services.notifications.use_cases.tell_members import tell_members
from services.notifications.worker import forgetting_deliveries, signing_digests
from shared.clock import utc_now
from shared.identifiers import new_id
from shared.sealing import CannotOpen, Seals
from shared.timers import tick
from tests.conftest import Database
from tests.notifications.hearing import Ears, member, project
from tests.shared.waiting import eventually, somebody_waits_for_a_lock
from tests.web import ISSUER, MASTER_KEYS, api

PATH = "/api/v1/events"
TODAY = datetime.combine(utc_now().date(), time(), UTC)
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.fixture(autouse=True)
async def known(ears: Ears) -> None:
    await ears.hear(member("seoul"), only="members")


@pytest.fixture
def seoul(app: FastAPI) -> AsyncClient:
    return api(app, "seoul")


async def tell(database: Database, many: int, *, at: datetime) -> list[UUID]:
    """Let facts enter the feed of Seoul at a moment."""
    facts = [project(new_id(), audience=["seoul"]) for _ in range(many)]
    async with database.sessions.begin() as session:
        await tell_members(session, facts, now=at)
    return [fact.id for fact in facts]


async def sign_all(database: Database, settings: NotificationsSettings) -> None:
    while await tick(signing_digests(settings), database.sessions):
        pass


def read(part: str) -> Any:
    return json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))


async def pulled(client: AsyncClient) -> list[tuple[int, str, str]]:
    """Pull the whole feed, as a city would: sequence, day and event of each fact."""
    found: list[tuple[int, str, str]] = []
    after, end = 0, 1
    while after < end:
        answer = (await client.get(PATH, params={"after": after, "limit": 2})).json()
        found += [
            (item["sequence"], item["recorded_at"][:10], item["event_id"])
            for item in answer["items"]
        ]
        after, end = answer["next"], answer["end"]
    return found


async def checked(client: AsyncClient, has: list[tuple[int, str, str]]) -> list[str]:
    """Check what a city has against the digests, with nothing but their description.

    Returns:
        The days on which it has not everything.
    """
    keys = {
        key["kid"]: Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(key["x"] + "="))
        for key in (await client.get(f"{PATH}/jwks")).json()["keys"]
    }
    wrong = []
    previous: str | None = None
    for digest in (await client.get(f"{PATH}/digests")).json()["items"]:
        header, payload, signature = digest["signed"].split(".")
        keys[read(header)["kid"]].verify(
            urlsafe_b64decode(signature + "=="), f"{header}.{payload}".encode()
        )
        said = read(payload)
        before = None if previous is None else hashlib.sha256(previous.encode()).hexdigest()
        assert said["previous"] == before
        lines = "".join(
            f"{sequence} {event_id}\n" for sequence, day, event_id in has if day == said["day"]
        )
        if hashlib.sha256(lines.encode()).hexdigest() != said["sha256"]:
            wrong.append(said["day"])
        previous = digest["signed"]
    return wrong


async def test_whoever_pulled_everything_can_compute_them_again_and_a_gap_shows(
    database: Database, settings: NotificationsSettings, seoul: AsyncClient
) -> None:
    await tell(database, 3, at=TODAY - timedelta(days=3, hours=-1))
    await tell(database, 2, at=TODAY - timedelta(seconds=1))
    await tell(database, 1, at=TODAY)
    await sign_all(database, settings)

    has = await pulled(seoul)

    assert len(has) == 6
    assert await checked(seoul, has) == []
    missing = [each for each in has if each[0] != 2]
    assert await checked(seoul, missing) == [(TODAY - timedelta(days=3)).date().isoformat()]
    other = [(*each[:2], str(new_id())) if each[0] == 5 else each for each in has]
    assert await checked(seoul, other) == [(TODAY - timedelta(days=1)).date().isoformat()]


async def test_every_day_that_is_over_has_its_digest_also_one_without_facts(
    database: Database, settings: NotificationsSettings, seoul: AsyncClient
) -> None:
    await tell(database, 3, at=TODAY - timedelta(days=3))
    await tell(database, 1, at=TODAY - timedelta(days=1))
    await sign_all(database, settings)

    listed = (await seoul.get(f"{PATH}/digests")).json()["items"]

    assert [(each["first_sequence"], each["last_sequence"], each["count"]) for each in listed] == [
        (1, 3, 3),
        (4, 3, 0),
        (4, 4, 1),
    ]
    assert [each["day"] for each in listed] == [
        (TODAY - timedelta(days=ago)).date().isoformat() for ago in (3, 2, 1)
    ]
    assert listed[1]["sha256"] == EMPTY
    for each in listed:
        said = read(each["signed"].split(".")[1])
        assert (said["iss"], said["sub"]) == (ISSUER, "seoul")
        assert said | {"signed": 0, "made_at": 0} == {
            **{name: said[name] for name in ("iss", "sub", "previous")},
            **each,
            "signed": 0,
            "made_at": 0,
        }


async def test_any_reader_of_jose_can_check_a_digest(
    database: Database, settings: NotificationsSettings, seoul: AsyncClient
) -> None:
    await tell(database, 1, at=TODAY - timedelta(days=1))
    await sign_all(database, settings)
    [digest] = (await seoul.get(f"{PATH}/digests")).json()["items"]
    keys = await seoul.get(f"{PATH}/jwks", headers={"Authorization": ""})
    [key] = keys.json()["keys"]

    with warnings.catch_warnings():
        # RFC 9864 would rather call it Ed25519; readers know the name of RFC 8037.
        warnings.simplefilter("ignore")
        found = jws.deserialize_compact(
            digest["signed"], OKPKey.import_key(key), algorithms=["EdDSA"]
        )

    assert json.loads(found.payload)["count"] == 1
    assert found.headers() == {"alg": "EdDSA", "typ": "feed-digest+jws", "kid": key["kid"]}
    assert keys.headers["cache-control"] == "public, max-age=300"
    assert "d" not in key


async def test_a_digest_that_was_tampered_with_shows(
    database: Database, settings: NotificationsSettings, seoul: AsyncClient
) -> None:
    await tell(database, 1, at=TODAY - timedelta(days=1))
    await sign_all(database, settings)
    async with database.sessions.begin() as session:
        [digest] = await session.scalars(select(FeedDigest))
        header, payload, signature = digest.signed.split(".")
        digest.signed = f"{header}.{payload[:-4]}AAAA.{signature}"

    with pytest.raises(InvalidSignature):
        await checked(seoul, [])


async def test_a_digest_is_made_once_by_several_replicas(
    database: Database, settings: NotificationsSettings
) -> None:
    await tell(database, 2, at=TODAY - timedelta(days=2))
    seals = Seals.read(MASTER_KEYS)

    async def sign() -> None:
        for _ in range(3):
            await tick(signing_digests(settings), database.sessions)

    await asyncio.gather(*(sign() for _ in range(4)))
    async with database.sessions.begin() as session:
        assert not await sign_digests(session, issuer=ISSUER, seals=seals, now=utc_now())

    async with database.sessions() as session:
        assert len((await session.scalars(select(FeedDigest))).all()) == 2
        assert len((await session.scalars(select(FeedKey))).all()) == 1


async def test_what_is_being_entered_as_the_day_is_signed_belongs_to_one_day(
    database: Database, settings: NotificationsSettings, seoul: AsyncClient
) -> None:
    late = TODAY - timedelta(seconds=1)
    await tell(database, 1, at=late)

    async with database.sessions.begin() as entering:
        await tell_members(entering, [project(new_id(), audience=["seoul"])], now=late)
        signing = asyncio.create_task(sign_all(database, settings))
        await eventually(lambda: somebody_waits_for_a_lock(database.sessions))
    await signing
    await tell(database, 1, at=late)  # by a clock that is behind

    [digest] = (await seoul.get(f"{PATH}/digests")).json()["items"]
    assert (digest["first_sequence"], digest["last_sequence"]) == (1, 2)
    assert await checked(seoul, await pulled(seoul)) == []
    async with database.sessions() as session:
        moments = list(
            await session.scalars(select(FeedEntry.recorded_at).order_by(FeedEntry.sequence))
        )
    assert moments == [late, late, TODAY]


async def test_a_day_is_not_signed_before_it_is_over(
    database: Database, settings: NotificationsSettings
) -> None:
    await tell(database, 1, at=TODAY)

    await sign_all(database, settings)

    async with database.sessions() as session:
        assert (await session.scalars(select(FeedDigest))).all() == []


async def test_nothing_is_forgotten_before_its_day_is_signed(
    database: Database, settings: NotificationsSettings
) -> None:
    long_ago = TODAY - timedelta(days=100)
    await tell(database, 2, at=long_ago)
    forgetting = forgetting_deliveries(settings)

    await tick(forgetting, database.sessions)
    async with database.sessions() as session:
        kept = list(await session.scalars(select(FeedEntry.sequence)))
    await sign_all(database, settings)
    await tick(forgetting, database.sessions)

    assert sorted(kept) == [1, 2]
    async with database.sessions() as session:
        assert list(await session.scalars(select(FeedEntry.sequence))) == []
        assert list(await session.scalars(select(FeedEnd.sequence))) == [2]


async def test_digests_are_listed_by_day_and_only_to_their_member(
    database: Database,
    settings: NotificationsSettings,
    seoul: AsyncClient,
    app: FastAPI,
    ears: Ears,
) -> None:
    await tell(database, 1, at=TODAY - timedelta(days=4))
    await sign_all(database, settings)
    days = [(TODAY - timedelta(days=ago)).date().isoformat() for ago in (4, 3, 2, 1)]

    async def listed(**query: Any) -> list[str]:
        response = await seoul.get(f"{PATH}/digests", params=query)
        return [each["day"] for each in response.json()["items"]]

    assert await listed() == days
    assert await listed(sort="-day", limit=3) == days[:0:-1]
    assert await listed(since=days[1], until=days[2]) == days[1:3]
    first = await seoul.get(f"{PATH}/digests", params={"limit": 3})
    second = await seoul.get(first.json()["next"])
    assert [each["day"] for each in second.json()["items"]] == days[3:]
    await ears.hear(member("delhi"), only="members")
    assert (await api(app, "delhi").get(f"{PATH}/digests")).json() == {"items": [], "next": None}
    assert (await seoul.get(f"{PATH}/digests?since=now")).status_code == 422
    blind = api(app, "seoul", "projects:read")
    assert (await blind.get(f"{PATH}/digests")).status_code == 403


async def test_a_key_that_cannot_be_opened_signs_nothing(
    database: Database, settings: NotificationsSettings
) -> None:
    await tell(database, 1, at=TODAY - timedelta(days=1))
    await sign_all(database, settings)
    async with database.sessions.begin() as session:
        await session.execute(update(FeedKey).values(sealed="v1.k9.AAAA"))
        await session.execute(update(FeedDigest).values(day=(TODAY - timedelta(days=2)).date()))

    with pytest.raises(CannotOpen):
        await sign_all(database, settings)

    async with database.sessions() as session:
        assert len((await session.scalars(select(FeedDigest))).all()) == 1
