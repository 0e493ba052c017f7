"""Erasing an official: nothing that tells who it was is left, and what they did stays."""

from typing import Any

import pytest
from sqlalchemy import func, select, text

from services.members.model.erasure import Erasure
from services.members.model.identity import Identity
from services.members.model.official import LastAdministrator, Official, OfficialErased
from services.members.model.sign_in import SignIn
from services.members.use_cases.purge_erased import purge_erased
from shared.clock import utc_now
from shared.messaging.partitions import create_partition
from shared.messaging.tables import LoggedEvent, RememberedAnswer
from tests.conftest import Database
from tests.members.network import ADMINISTRATOR, COORDINATOR, Network, code_of
from tests.members.oauth.people import log_in
from tests.members.test_officials import NOON, official

FORMER = {"en": "A former official of Seoul", "ja": "ソウル特別市の元職員"}
MIN = ADMINISTRATOR | {"name": "Min", "email": "min@seoul.example", "roles": ["coordinator"]}


def test_an_erased_official_tells_nothing_of_the_person() -> None:
    one, other = official(), official()
    one.name, one.email = "Min", "min@seoul.example"

    one.erase(former=FORMER, administrators={one.id, other.id}, at=NOON)

    assert {one.name, one.email, one.identity_id, one.bound_at} == {None}
    assert (one.function, one.roles, one.scopes) == (FORMER, (), ())
    assert (one.status, one.version) == ("erased", 2)


def test_the_last_administrator_is_not_erased() -> None:
    last = official()
    last.name = "Min"

    with pytest.raises(LastAdministrator):
        last.erase(former=FORMER, administrators={last.id}, at=NOON)

    assert (last.name, last.status, last.version) == ("Min", "active", 1)


def test_nobody_is_erased_twice() -> None:
    erased = official(status="erased")

    with pytest.raises(OfficialErased):
        erased.erase(former=FORMER, administrators=frozenset(), at=NOON)

    assert erased.version == 1


async def erase(
    network: Network, one: dict[str, Any], *, version: int | None = 1, by: str = "seoul"
) -> Any:
    return await network.send(
        "POST", f"/seoul/officials/{one['id']}/erasure", by=by, version=version
    )


async def test_a_member_erases_an_official(network: Network) -> None:
    await network.join()
    min_ = await network.appoint(MIN)

    response = await erase(network, min_)

    assert response.status_code == 200
    assert response.headers["etag"] == '"2"'
    erased = response.json()
    assert (erased["status"], erased["name"], erased["email"]) == ("erased", None, None)
    assert erased["function"] == FORMER
    assert erased["allowed_actions"] == []
    event = (await network.events())[-1]
    assert (event.type, event.subject) == ("renkei.official.erased.v1", min_["id"])
    assert event.data.previous == {}
    assert event.audience == ("seoul",)


async def test_what_still_waits_to_be_told_is_not_told(network: Network) -> None:
    await network.join()
    min_, other = await network.appoint(MIN), await network.appoint(ADMINISTRATOR)

    await erase(network, min_)

    told = [event for event in await network.events() if event.subject == min_["id"]]
    assert [event.type for event in told] == ["renkei.official.erased.v1"]
    assert [event.subject for event in await network.events()].count(other["id"]) == 1


async def test_logins_and_identity_of_the_erased_are_gone(
    network: Network, database: Database
) -> None:
    await network.join()
    async with database.sessions.begin() as session:
        person = await log_in(session, "coordinator", member="seoul")
        identity = Identity(
            issuer="https://login.seoul.example",
            subject="min",
            first_seen_at=utc_now(),
            seen_at=utc_now(),
        )
        session.add(identity)
        person.official.identity_id = identity.id
        person.sign_in.upstream_sid = "session-of-min"

    response = await erase(network, {"id": person.official.id})

    assert response.status_code == 200
    async with database.sessions() as session:
        sign_in = await session.get_one(SignIn, person.sign_in.id)
        assert await session.get(Identity, identity.id) is None
    assert sign_in.ended_because == "official erased"
    assert (sign_in.upstream_sid, sign_in.upstream_subject) == (None, "")


async def test_an_identity_stays_while_it_is_an_official_elsewhere(
    network: Network, database: Database
) -> None:
    await network.join()
    async with database.sessions.begin() as session:
        here = await log_in(session, "coordinator", member="seoul")
        elsewhere = await log_in(session, "coordinator", member="tokyo")
        identity = Identity(
            issuer="https://login.seoul.example",
            subject="min",
            first_seen_at=utc_now(),
            seen_at=utc_now(),
        )
        session.add(identity)
        here.official.identity_id = elsewhere.official.identity_id = identity.id

    await erase(network, {"id": here.official.id})

    async with database.sessions() as session:
        assert await session.get(Identity, identity.id) is not None
        official = await session.get_one(Official, elsewhere.official.id)
    assert official.identity_id == identity.id


async def test_the_request_that_appointed_them_appoints_nobody_again(
    network: Network, database: Database
) -> None:
    await network.join()
    appointed = await network.send("POST", "/seoul/officials", MIN, by="seoul", key="min")
    await erase(network, appointed.json())

    again = await network.send("POST", "/seoul/officials", MIN, by="seoul", key="min")

    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.json()["id"], again.json()["status"]) == (appointed.json()["id"], "erased")
    async with database.sessions() as session:
        bodies = (await session.scalars(select(RememberedAnswer.body))).all()
    assert not [body for body in bodies if b"min@seoul.example" in body]


@pytest.mark.parametrize(
    ("by", "version", "code"),
    [
        ("tokyo", 1, "only-the-member-itself"),
        ("seoul", None, "version-required"),
        ("seoul", 7, "version-stale"),
    ],
)
async def test_a_refused_erasure_changes_nothing(
    network: Network, by: str, version: int | None, code: str
) -> None:
    await network.join()
    min_ = await network.appoint(MIN)
    before = await network.happened()

    response = await erase(network, min_, version=version, by=by)

    assert code_of(response) == code
    kept = await network.get(f"/seoul/officials/{min_['id']}", by="seoul")
    assert (kept["name"], kept["status"]) == ("Min", "active")
    assert await network.happened() == before


async def test_the_last_administrator_cannot_be_erased_and_is_not_offered(
    network: Network,
) -> None:
    await network.join()
    last = await network.appoint(ADMINISTRATOR)

    response = await erase(network, last)

    assert (response.status_code, code_of(response)) == (409, "last-administrator")
    assert "erase" not in last["allowed_actions"]


class Stream:
    """Stands in for the broker: fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.asked: list[tuple[str, str]] = []

    async def forget(self, subjects: str, *, kept: str) -> int:
        self.asked.append((subjects, kept))
        if len(self.asked) <= self.failures:
            raise TimeoutError
        return 1


async def logged(database: Database) -> list[str]:
    """What is in the log, once the relay has moved there what waited."""
    async with database.sessions() as session:
        return list(await session.scalars(select(LoggedEvent.subject)))


async def relayed(database: Database) -> None:
    """Move what waits into the log, as the relay does."""
    async with database.sessions.begin() as session:
        await session.execute(text(create_partition(utc_now().date().replace(day=1))))
        await session.execute(
            text(
                "INSERT INTO event_log (recorded_at, position, event_id, subject, body)"
                " SELECT recorded_at, position, event_id, subject, body FROM outbox"
            )
        )
        await session.execute(text("DELETE FROM outbox"))


async def purge(database: Database, stream: Stream) -> bool:
    async with database.sessions.begin() as session:
        return await purge_erased(session, forget_streamed=stream.forget)


async def test_history_forgets_the_erased_first_in_the_log_and_then_on_the_stream(
    network: Network, database: Database
) -> None:
    await network.join()
    min_, other = await network.appoint(MIN), await network.appoint(COORDINATOR)
    await relayed(database)
    await erase(network, min_)
    await relayed(database)
    stream = Stream()

    first = await purge(database, stream)
    asked_by_then = list(stream.asked)
    second = await purge(database, stream)
    third = await purge(database, stream)

    here = f"evt.members.official.{min_['id']}"
    subjects = [each for each in await logged(database) if min_["id"] in each]
    assert (first, second, third) == (True, True, False)
    assert asked_by_then == []
    assert stream.asked == [(f"{here}.>", f"{here}.erased.v1")]
    assert subjects == [f"{here}.erased.v1"]
    assert [each for each in await logged(database) if other["id"] in each] != []


async def test_a_purge_that_ends_in_the_middle_begins_again(
    network: Network, database: Database
) -> None:
    await network.join()
    min_ = await network.appoint(MIN)
    await relayed(database)
    await erase(network, min_)
    stream = Stream(failures=1)
    await purge(database, stream)

    with pytest.raises(TimeoutError):
        await purge(database, stream)
    async with database.sessions() as session:
        left = await session.scalar(select(func.count()).select_from(Erasure))
    await purge(database, stream)

    async with database.sessions() as session:
        done = await session.scalar(select(func.count()).select_from(Erasure))
    assert (left, done) == (1, 0)
    assert len(stream.asked) == 2
