"""A service knows the keys of access tokens also when the authorization server is away."""

import json
from collections.abc import Callable

import pytest
from joserfc.jwk import ECKey
from sqlalchemy import text

from services.projects.model.known import KnownKeys
from shared.http.identity import AccessTokens, JsonWebKeys, KeysAway
from shared.http.kept_keys import KeptKeys
from shared.refusals import Unauthenticated
from tests.conftest import Database, DatabaseOf
from tests.shared.test_identity import HEADER, Issuer, signed
from tests.shared.waiting import eventually, running
from tests.web import ISSUER, KEY

ADDRESS = f"{ISSUER}/oauth/jwks"
BELIEVED_SECONDS = 3600


@pytest.fixture
async def database(database_of: DatabaseOf) -> Database:
    return await database_of("projects")


class Service:
    """A service that has just started, and keeps the keys it reads."""

    def __init__(self, database: Database, issuer: Issuer, *, address: str = ADDRESS) -> None:
        self.database = database
        self.keys = JsonWebKeys(
            issuer,
            lifetime_seconds=300,
            kept=KeptKeys(database.sessions, KnownKeys, address),
            believed_seconds=BELIEVED_SECONDS,
        )
        self.tokens = AccessTokens(
            self.keys, issuer=ISSUER, audience=f"{ISSUER}/api/v1", leeway_seconds=5
        )

    async def knows(self, token: str) -> bool:
        return (await self.tokens.actor(token)).member == "seoul"

    async def kept(self) -> list[str]:
        async with self.database.sessions() as session:
            documents = await session.scalars(text("SELECT document FROM known_keys"))
        return [json.dumps(document) for document in documents]


async def stopped_after_reading(database: Database, issuer: Issuer) -> None:
    """Let a service read the keys, before the authorization server goes away."""
    service = Service(database, issuer)
    await service.knows(signed())

    async def is_kept() -> bool:
        return len(await service.kept()) == 1

    await eventually(is_kept)
    issuer.away = True


async def read_ago(database: Database, seconds: int) -> None:
    async with database.sessions.begin() as session:
        await session.execute(
            text("UPDATE known_keys SET read_at = now() - make_interval(secs => :seconds)"),
            {"seconds": seconds},
        )


async def test_a_service_that_starts_during_an_outage_knows_the_keys(database: Database) -> None:
    issuer = Issuer(KEY)
    await stopped_after_reading(database, issuer)

    started = Service(database, issuer)

    assert await started.knows(signed())


async def test_a_service_that_has_never_read_keys_says_that_it_is_not_the_clients_fault(
    database: Database,
) -> None:
    issuer = Issuer(KEY)
    issuer.away = True

    with pytest.raises(KeysAway):
        await Service(database, issuer).knows(signed())


@pytest.mark.parametrize("seconds", [BELIEVED_SECONDS + 60, -BELIEVED_SECONDS - 60])
async def test_an_old_set_such_as_one_of_a_backup_is_not_believed(
    database: Database, seconds: int
) -> None:
    issuer = Issuer(KEY)
    await stopped_after_reading(database, issuer)
    await read_ago(database, seconds)

    with pytest.raises(KeysAway):
        await Service(database, issuer).knows(signed())


async def test_a_kept_set_is_believed_no_longer_than_one_that_was_never_kept(
    database: Database, later: Callable[[float], None]
) -> None:
    issuer = Issuer(KEY)
    await stopped_after_reading(database, issuer)
    await read_ago(database, BELIEVED_SECONDS - 100)
    started = Service(database, issuer)
    assert await started.knows(signed())

    await read_ago(database, BELIEVED_SECONDS + 100)
    later(200)

    with pytest.raises(KeysAway):
        await started.keys.key(str(KEY.kid))


async def test_keys_that_were_read_elsewhere_are_not_believed(database: Database) -> None:
    issuer = Issuer(KEY)
    await stopped_after_reading(database, issuer)

    moved = Service(database, issuer, address="https://new.example/oauth/jwks")

    with pytest.raises(KeysAway):
        await moved.knows(signed())


async def test_a_key_that_has_been_withdrawn_is_not_kept(database: Database) -> None:
    issuer, new = Issuer(KEY), ECKey.generate_key("P-256", {"kid": "new"})
    await stopped_after_reading(database, issuer)
    renewing, by_new = Service(database, issuer), signed(header=HEADER | {"kid": "new"}, key=new)
    issuer.away, issuer.document = False, Issuer(new).document
    await renewing.knows(by_new)

    async def is_replaced() -> bool:
        return '"new"' in "".join(await renewing.kept())

    await eventually(is_replaced)
    issuer.away = True
    started = Service(database, issuer)

    assert await started.knows(by_new)
    with pytest.raises(KeysAway):
        await started.knows(signed())


async def test_the_server_is_asked_before_what_is_kept(database: Database) -> None:
    issuer, new = Issuer(KEY), ECKey.generate_key("P-256", {"kid": "new"})
    await stopped_after_reading(database, issuer)
    issuer.away, issuer.document = False, Issuer(new).document

    with pytest.raises(Unauthenticated):
        await Service(database, issuer).knows(signed())


async def test_only_public_keys_are_kept(database: Database) -> None:
    issuer, private = Issuer(KEY), ECKey.generate_key("P-256", {"kid": "private"})
    symmetric = {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"}
    issuer.document["keys"] += [private.as_dict(private=True), symmetric]

    await stopped_after_reading(database, issuer)

    [kept] = await Service(database, issuer).kept()
    assert [key["kid"] for key in json.loads(kept)["keys"]] == [KEY.kid]
    assert '"d"' not in kept


async def test_keys_that_cannot_be_kept_are_good_all_the_same(database: Database) -> None:
    service = Service(database, Issuer(KEY))
    async with database.sessions.begin() as session:
        await session.execute(text("ALTER TABLE known_keys RENAME TO lost_keys"))
    try:
        assert await service.knows(signed())
    finally:
        async with database.sessions.begin() as session:
            await session.execute(text("ALTER TABLE lost_keys RENAME TO known_keys"))


async def test_keys_that_nobody_confirms_are_good_no_longer(
    later: Callable[[float], None],
) -> None:
    issuer = Issuer(KEY)
    keys = JsonWebKeys(issuer, lifetime_seconds=300, believed_seconds=BELIEVED_SECONDS)
    await keys.key(str(KEY.kid))
    issuer.away = True

    later(BELIEVED_SECONDS - 10)
    before = await keys.key(str(KEY.kid))
    later(20)
    with pytest.raises(KeysAway):
        await keys.key(str(KEY.kid))
    issuer.away = False
    later(2)
    after = await keys.key(str(KEY.kid))

    assert before.kid == after.kid == KEY.kid


async def test_a_key_that_may_be_new_is_not_refused_while_nobody_can_say(
    later: Callable[[float], None],
) -> None:
    issuer = Issuer(KEY)
    keys = JsonWebKeys(issuer, lifetime_seconds=300)
    await keys.key(str(KEY.kid))
    issuer.away = True
    later(11)

    with pytest.raises(KeysAway):
        await keys.key("perhaps new")
    issuer.away = False
    later(11)
    with pytest.raises(Unauthenticated):
        await keys.key("perhaps new")


async def test_keys_are_renewed_although_nobody_asks() -> None:
    issuer, new = Issuer(KEY), ECKey.generate_key("P-256", {"kid": "new"})
    keys = JsonWebKeys(issuer, lifetime_seconds=0.01)
    await keys.key(str(KEY.kid))
    issuer.document = Issuer(new).document

    async def asked_again() -> bool:
        return issuer.asked >= 3

    async with running(keys.keep_fresh()):
        await eventually(asked_again)

    assert (await keys.key("new")).kid == "new"
