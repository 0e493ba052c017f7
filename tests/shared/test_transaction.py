"""One request, one transaction: committed before the answer leaves, or without a trace."""

from typing import Any
from uuid import uuid4

import pytest
from fastapi import APIRouter
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shared.http.application import web_application
from shared.messaging.tables import RememberedAnswer
from tests.shared.things import Place, Thing
from tests.shared.things_api import REFUSALS, client_of, things_application
from tests.web import api


async def traces(place: Place) -> dict[str, int]:
    """What is left of requests."""
    async with place.sessions() as session:
        return {
            "things": len((await session.scalars(select(Thing))).all()),
            "facts": len(await place.waiting_titles()),
            "answers": len((await session.scalars(select(RememberedAnswer))).all()),
        }


async def test_change_fact_and_remembered_answer_are_committed_together(place: Place) -> None:
    async with client_of(place) as client:
        response = await client.post(
            "/api/v1/things", json={"title": "Pier"}, headers={"Idempotency-Key": "k"}
        )

    assert response.status_code == 201
    assert await traces(place) == {"things": 1, "facts": 1, "answers": 1}


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["plain", "with key"])
@pytest.mark.parametrize(
    ("error", "status"), [(ConnectionError("went away"), 503), (RuntimeError("a bug"), 500)]
)
async def test_a_failed_commit_is_never_answered_with_success(
    place: Place, headers: dict[str, str], error: Exception, status: int
) -> None:
    def fail(_: Session) -> None:
        raise error

    app = things_application(place)
    event.listen(Session, "before_commit", fail)
    try:
        async with api(app, "seoul") as client:
            response = await client.post("/api/v1/things", json={"title": "Pier"}, headers=headers)
    finally:
        event.remove(Session, "before_commit", fail)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert await traces(place) == {"things": 0, "facts": 0, "answers": 0}


async def test_the_answer_begins_after_the_commit(place: Place) -> None:
    app = things_application(place)
    order: list[str] = []

    async def observed(scope: Any, receive: Any, send: Any) -> None:
        async def send_observed(message: Any) -> None:
            order.append(message["type"])
            await send(message)

        await app(scope, receive, send_observed)

    def committed(_: Session) -> None:
        order.append("committed")

    event.listen(Session, "after_commit", committed)
    try:
        async with api(observed, "seoul") as client:  # type: ignore[arg-type]
            await client.post("/api/v1/things", json={"title": "Pier"})
    finally:
        event.remove(Session, "after_commit", committed)

    assert order == ["committed", "http.response.start", "http.response.body"]


@pytest.mark.parametrize("code", sorted(REFUSALS))
async def test_a_refusal_leaves_no_trace(place: Place, code: str) -> None:
    async with client_of(place) as client:
        response = await client.post(f"/api/v1/things/refusals/{code}", json={"title": "Pier"})

    assert response.json()["type"] == f"/problems/{code}"
    assert await traces(place) == {"things": 0, "facts": 0, "answers": 0}


@pytest.mark.parametrize("kind", ["bug", "statement"])
async def test_a_fault_leaves_no_trace(place: Place, kind: str) -> None:
    async with client_of(place) as client:
        response = await client.post(
            f"/api/v1/things/faults/{kind}",
            json={"title": "Pier"},
            headers={"Idempotency-Key": "k"},
        )

    assert response.status_code >= 500
    assert await traces(place) == {"things": 0, "facts": 0, "answers": 0}


async def test_a_request_that_is_read_only_opens_no_transaction(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_transaction: list[bool] = []
    get = AsyncSession.get

    async def noting(self: AsyncSession, *arguments: Any, **options: Any) -> Any:
        found = await get(self, *arguments, **options)
        connection = await (await self.connection()).get_raw_connection()
        assert connection.driver_connection is not None
        in_transaction.append(connection.driver_connection.is_in_transaction())
        return found

    monkeypatch.setattr(AsyncSession, "get", noting)
    async with client_of(place) as client:
        response = await client.get(f"/api/v1/things/{uuid4()}")

    assert response.status_code == 404
    assert in_transaction == [False]


async def test_a_route_outside_a_transaction_stops_the_start(place: Place) -> None:
    router = APIRouter(prefix="/api/v1/things")

    @router.get("")
    async def get_things() -> None: ...

    with pytest.raises(TypeError, match="route_class=Route"):
        web_application("things", "Things", place.settings, [router])
