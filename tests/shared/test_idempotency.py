"""The same request sent again has one effect and gets the same answer."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest
from httpx2 import AsyncClient, Response
from sqlalchemy import Connection, event, select, text
from sqlalchemy.orm import Session

from shared.messaging.outbox import after_each_announcement
from shared.messaging.tables import RememberedAnswer
from tests.shared.things import Place, Thing
from tests.shared.things_api import client_of, things_application
from tests.shared.waiting import becomes, eventually
from tests.web import api

KEY = {"Idempotency-Key": "0199c7a0"}


async def titles(place: Place) -> Sequence[str]:
    async with place.sessions() as session:
        return (await session.scalars(select(Thing.title).order_by(Thing.title))).all()


async def post(client: AsyncClient, title: str = "Pier", **headers: str) -> Response:
    return await client.post("/api/v1/things", json={"title": title}, headers=KEY | headers)


def same(first: Response, second: Response) -> bool:
    kept = ("content-type", "location", "etag")
    return (first.status_code, first.content, [first.headers.get(n) for n in kept]) == (
        second.status_code,
        second.content,
        [second.headers.get(n) for n in kept],
    )


async def test_a_success_is_answered_again_by_every_replica(place: Place) -> None:
    apps = things_application(place), things_application(place)
    async with api(apps[0], "seoul") as one, api(apps[1], "seoul") as other:
        first, second, third = await post(one), await post(one), await post(other)

    assert first.status_code == 201
    assert "idempotency-replayed" not in first.headers
    assert same(first, second)
    assert same(first, third)
    assert second.headers["idempotency-replayed"] == "true"
    assert await titles(place) == ["Pier"]
    assert len(await place.waiting_titles()) == 1


@pytest.mark.parametrize(
    "code", ["thing-unknown", "thing-forbidden", "thing-finished", "thing-contradictory"]
)
async def test_a_refusal_is_answered_again(place: Place, code: str) -> None:
    path = f"/api/v1/things/refusals/{code}"
    async with client_of(place) as client:
        first = await client.post(path, json={"title": "Pier"}, headers=KEY)
        second = await client.post(path, json={"title": "Pier"}, headers=KEY)

    assert first.json()["type"] == f"/problems/{code}"
    assert same(first, second)  # the problem names a thing that each attempt makes anew
    assert second.headers["idempotency-replayed"] == "true"
    assert await titles(place) == []
    assert await place.waiting_titles() == []


@pytest.mark.parametrize("code", ["thing-versionless", "thing-away"])
async def test_a_refusal_that_may_end_is_not_remembered(place: Place, code: str) -> None:
    path = f"/api/v1/things/refusals/{code}"
    async with client_of(place) as client:
        first = await client.post(path, json={"title": "Pier"}, headers=KEY)
        second = await client.post(path, json={"title": "Pier"}, headers=KEY)

    assert first.status_code == second.status_code
    assert "idempotency-replayed" not in second.headers
    assert first.json()["thing"] != second.json()["thing"]


async def test_what_could_not_be_read_is_not_remembered(place: Place) -> None:
    async with client_of(place) as client:
        bad = await client.post("/api/v1/things", json={"title": 5}, headers=KEY)
        good = await post(client)

    assert (bad.status_code, good.status_code) == (422, 201)


async def test_a_fault_is_not_remembered(place: Place) -> None:
    app = things_application(place)
    async with api(app, "seoul") as client:
        for _ in range(2):
            response = await client.post(
                "/api/v1/things/faults/bug", json={"title": "Pier"}, headers=KEY
            )
            assert response.status_code == 500

    assert app.state.begun == 2


@pytest.mark.parametrize(
    ("path", "title", "headers"),
    [
        ("/api/v1/things", "Other", {}),
        ("/api/v1/things", "Pier", {"If-Match": '"1"'}),
    ],
    ids=["body", "precondition"],
)
async def test_another_request_with_the_same_key_is_refused(
    place: Place, path: str, title: str, headers: dict[str, str]
) -> None:
    async with client_of(place) as client:
        await post(client)
        response = await client.post(path, json={"title": title}, headers=KEY | headers)

    assert response.status_code == 422
    assert response.json()["type"] == "/problems/idempotency-key-reused"
    assert await titles(place) == ["Pier"]


async def test_keys_belong_to_a_member_and_to_an_address(place: Place) -> None:
    app = things_application(place)
    async with api(app, "seoul") as seoul, api(app, "oslo") as oslo:
        first, second = await post(seoul), await post(oslo)
        elsewhere = await seoul.post("/api/v1/things/secrets", headers=KEY)

    assert first.json()["id"] != second.json()["id"]
    assert elsewhere.status_code == 201
    assert await titles(place) == ["Pier", "Pier", "secret"]


async def test_a_request_at_work_is_a_conflict_for_the_same_key(place: Place) -> None:
    app, other = things_application(place), things_application(place)
    path, body = "/api/v1/things/waits", {"title": "Pier"}
    async with api(app, "seoul") as client, api(other, "seoul") as at_replica:
        first = asyncio.create_task(client.post(path, json=body, headers=KEY))
        await eventually(lambda: has_begun(app, 1))
        meanwhile = [await each.post(path, json=body, headers=KEY) for each in (client, at_replica)]
        app.state.go_on.set()
        answer = await first
        after = await at_replica.post(path, json=body, headers=KEY)

    for response in meanwhile:
        assert response.status_code == 409
        assert response.json()["type"] == "/problems/idempotency-key-in-use"
        assert response.headers["retry-after"] == "1"
    assert answer.json() == {"begun": 1}
    assert same(answer, after)
    assert await titles(place) == ["Pier"]


async def has_begun(app: object, times: int) -> bool:
    return bool(app.state.begun == times)  # type: ignore[attr-defined]


async def test_of_many_at_once_one_has_an_effect(place: Place) -> None:
    app = things_application(place)
    async with api(app, "seoul") as client:
        responses = await asyncio.gather(*(post(client) for _ in range(12)))
        last = await post(client)

    assert {r.status_code for r in responses} <= {201, 409}
    assert {r.json()["id"] for r in [*responses, last] if r.status_code == 201} == {
        last.json()["id"]
    }
    assert await titles(place) == ["Pier"]


async def test_a_crash_before_the_commit_leaves_nothing_and_frees_the_key(place: Place) -> None:
    app = things_application(place)
    path, body = "/api/v1/things/waits", {"title": "Pier"}
    async with api(app, "seoul") as client:
        crashing = asyncio.create_task(client.post(path, json=body, headers=KEY))
        await eventually(lambda: has_begun(app, 1))
        crashing.cancel()
        await asyncio.gather(crashing, return_exceptions=True)
        assert await titles(place) == []

        app.state.go_on.set()
        await becomes(lambda: status_of_retry(client, path), 200)

    assert await titles(place) == ["Pier"]


async def status_of_retry(client: AsyncClient, path: str) -> int:
    return (await client.post(path, json={"title": "Pier"}, headers=KEY)).status_code


async def test_a_database_connection_that_dies_frees_the_key(place: Place) -> None:
    app = things_application(place)
    path, body = "/api/v1/things/waits", {"title": "Pier"}
    async with api(app, "seoul") as client:
        first = asyncio.create_task(client.post(path, json=body, headers=KEY))
        await eventually(lambda: has_begun(app, 1))
        async with place.sessions.begin() as session:
            await session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks"
                    " WHERE locktype = 'advisory' AND database ="
                    " (SELECT oid FROM pg_database WHERE datname = current_database())"
                )
            )
        app.state.go_on.set()
        lost = await first
        again = await client.post(path, json=body, headers=KEY)

    assert (lost.status_code, again.status_code) == (503, 200)
    assert await titles(place) == ["Pier"]


async def test_a_failed_commit_is_not_remembered(place: Place) -> None:
    def fail(_: Session) -> None:
        raise ConnectionError

    async with client_of(place) as client:
        event.listen(Session, "before_commit", fail)
        try:
            first = await post(client)
        finally:
            event.remove(Session, "before_commit", fail)
        second = await post(client)

    assert (first.status_code, second.status_code) == (503, 201)
    assert "idempotency-replayed" not in second.headers


@pytest.mark.parametrize("key", [b"", b"x" * 201, b"a b", b"\xe9", b"a\x01"])
async def test_a_key_that_is_none_is_refused(place: Place, key: bytes) -> None:
    async with client_of(place) as client:
        response = await client.post(
            "/api/v1/things", json={"title": "Pier"}, headers={b"idempotency-key": key}
        )

    assert response.status_code == 422
    assert await titles(place) == []


async def test_a_secret_is_answered_again_and_lies_sealed(place: Place) -> None:
    async with client_of(place) as client:
        first = await client.post("/api/v1/things/secrets", headers=KEY)
        second = await client.post("/api/v1/things/secrets", headers=KEY)

    assert first.json()["secret"].startswith("whsec_")
    assert same(first, second)
    async with place.sessions() as session:
        [remembered] = await session.scalars(select(RememberedAnswer))
    assert b"whsec_" not in remembered.body
    assert remembered.body.startswith(b"v1.k1.")


async def test_a_commit_with_a_key_wakes_the_relay_only_afterwards(place: Place) -> None:
    """The key's savepoint must not be taken for the commit."""
    order: list[str] = []
    end = after_each_announcement(lambda: order.append("told"))

    def committing(_: Connection) -> None:
        order.append("committed")

    engine = place.database.engine.sync_engine
    event.listen(engine, "commit", committing)
    try:
        async with client_of(place) as client:
            response = await client.post(
                "/api/v1/things",
                json={"title": "Pier"},
                headers={"Idempotency-Key": str(uuid4())},
            )
    finally:
        event.remove(engine, "commit", committing)
        end()

    assert response.status_code == 201
    assert order == ["committed", "told"]


async def test_the_same_bytes_in_another_encoding_are_another_request(place: Place) -> None:
    async with client_of(place) as client:
        answers = [
            await client.post(
                "/api/v1/things/refusals/thing-unknown",
                content=b'{"title": "Pier"}',
                headers=KEY | {"Content-Type": media_type},
            )
            for media_type in ("application/json", "application/problem+json; charset=utf-16")
        ]

    assert [answer.json()["type"] for answer in answers] == [
        "/problems/thing-unknown",
        "/problems/idempotency-key-reused",
    ]
