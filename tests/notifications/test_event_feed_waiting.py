"""Waiting for news: woken at once, cheap for many, and no longer than one may."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from pydantic import SecretStr
from sqlalchemy import event as on_event

from services.notifications.http.app import create_app
from services.notifications.http.feed_watch import FeedWatch
from services.notifications.settings import NotificationsSettings
from shared.contracts.members import MemberSuspended
from shared.contracts.projects import ProjectDrafted
from shared.health import Health
from shared.http.application import wake_relay
from shared.identifiers import new_id
from tests.conftest import Database
from tests.notifications.hearing import (
    Ears,
    ended_session,
    member,
    milestone,
    official,
    project,
    revoked_client,
)
from tests.servers import Servers
from tests.shared.served import served
from tests.shared.waiting import eventually
from tests.web import api, on, person_token, token

PATH = "/api/v1/events"
HARBOUR = new_id()


@pytest.fixture(autouse=True)
async def known(ears: Ears) -> None:
    await ears.hear(member("seoul"), member("tokyo"), only="members")


@pytest.fixture
def quick(settings: NotificationsSettings, database: Database) -> FastAPI:
    """An application that looks often, as nobody tells it of anything."""
    return with_settings(settings, database, feed_poll_seconds=0.03)


def with_settings(settings: NotificationsSettings, database: Database, **changes: Any) -> FastAPI:
    return on(create_app(settings.model_copy(update=changes)), database)


def watch_of(app: FastAPI) -> FeedWatch:
    found: FeedWatch = app.state.feed_watch
    return found


def waiting(client: AsyncClient, query: str = "wait=20", **also: Any) -> asyncio.Task[Response]:
    return asyncio.create_task(client.get(f"{PATH}?{query}", **also))


def waiters(app: FastAPI) -> int:
    return len(watch_of(app)._waiters)


def are_waiting(app: FastAPI, many: int) -> Callable[[], Awaitable[bool]]:
    async def are() -> bool:
        return waiters(app) == many

    return are


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


async def test_who_waits_is_answered_when_something_comes(quick: FastAPI, ears: Ears) -> None:
    asked = waiting(api(quick, "seoul"))
    await eventually(are_waiting(quick, 1))
    assert not asked.done()

    fact = project(HARBOUR)
    await ears.hear(fact, only="webhooks")

    response = await asked
    assert [item["event_id"] for item in response.json()["items"]] == [str(fact.id)]
    assert (response.json()["next"], response.json()["end"]) == (1, 1)
    await eventually(are_waiting(quick, 0))


async def test_who_waits_in_vain_is_answered_with_nothing(quick: FastAPI) -> None:
    began = time.monotonic()

    response = await api(quick, "seoul").get(f"{PATH}?wait=1")

    assert response.json() == {"items": [], "next": 0, "end": 0}
    assert 1 <= time.monotonic() - began < 5


async def test_who_finds_something_does_not_wait(quick: FastAPI, ears: Ears) -> None:
    await ears.hear(project(HARBOUR), only="webhooks")

    async with asyncio.timeout(5):
        response = await api(quick, "seoul").get(f"{PATH}?wait=25")

    assert len(response.json()["items"]) == 1


async def test_what_another_process_commits_wakes_at_once(
    settings: NotificationsSettings, database: Database, servers: Servers, ears: Ears
) -> None:
    app = with_settings(
        settings, database, feed_poll_seconds=300, nats_url=SecretStr(servers.nats_url)
    )
    health = Health("test")
    told = asyncio.create_task(
        wake_relay("notifications", app.state.settings, health, woken=watch_of(app).wake)
    )
    try:
        await eventually(lambda: true(health.useful["nats"]()))
        asked = waiting(api(app, "seoul"))
        await eventually(are_waiting(app, 1))
        await asyncio.sleep(0.05)  # the look with which each who waits begins is over
        began = time.monotonic()

        await ears.hear(project(HARBOUR), only="webhooks")

        response = await asked
    finally:
        told.cancel()
        await asyncio.gather(told, return_exceptions=True)
    assert len(response.json()["items"]) == 1
    assert time.monotonic() - began < 5


async def test_what_is_for_others_wakes_nobody(quick: FastAPI, ears: Ears) -> None:
    asked = waiting(api(quick, "seoul"), "wait=1")
    await eventually(are_waiting(quick, 1))

    await ears.hear(project(HARBOUR, audience=["tokyo"], kind=ProjectDrafted), only="webhooks")

    assert (await asked).json() == {"items": [], "next": 0, "end": 0}


async def test_who_waits_with_a_filter_goes_on_waiting_for_what_matches(
    quick: FastAPI, ears: Ears
) -> None:
    asked = waiting(api(quick, "seoul"), "wait=20&types=renkei.milestone.*")
    await eventually(are_waiting(quick, 1))
    await ears.hear(project(HARBOUR), only="webhooks")
    await asyncio.sleep(0.2)
    assert not asked.done()

    await ears.hear(milestone(HARBOUR, new_id()), only="webhooks")

    response = await asked
    assert [item["sequence"] for item in response.json()["items"]] == [2]


@pytest.mark.parametrize("how", ["suspended", "revoked", "session", "blocked", "scope"])
async def test_who_loses_the_right_waits_no_longer(quick: FastAPI, ears: Ears, how: str) -> None:
    person, session_id = new_id(), new_id()
    await ears.hear(official(person, "seoul", "observer"), only="officials")
    machine = bearer(token("seoul", client_id="seoul-main"))
    human = bearer(person_token("seoul", person, session_id=session_id))
    headers = machine if how in {"suspended", "revoked"} else human
    asked = waiting(api(quick), headers=headers)
    await eventually(are_waiting(quick, 1))

    if how == "suspended":
        await ears.hear(member("seoul", status="suspended", version=2, kind=MemberSuspended))
    elif how == "revoked":
        await ears.hear(revoked_client("seoul-main", "seoul"), only="clients")
    elif how == "session":
        await ears.hear(ended_session(session_id, person, "seoul"), only="sessions")
    elif how == "blocked":
        await ears.hear(official(person, "seoul", status="blocked", version=2), only="officials")
    else:
        await ears.hear(
            official(person, "seoul", "observer", scopes=("projects:read",), version=2),
            only="officials",
        )

    async with asyncio.timeout(5):
        response = await asked
    assert response.status_code == (403 if how in {"suspended", "scope"} else 401)


async def test_many_wait_without_connections_and_turns_and_one_question_serves_all(
    settings: NotificationsSettings, database: Database, ears: Ears
) -> None:
    app = with_settings(
        settings,
        database,
        feed_poll_seconds=0.05,
        in_flight_limit=2,
        waiting_limit=3,
    )
    seoul, tokyo = api(app, "seoul"), api(app, "tokyo")
    asked = []
    for number in range(40):
        asked.append(waiting(seoul if number % 2 else tokyo))
        await eventually(are_waiting(app, number + 1))
    # That of the one who looks for all of them, at the most.
    assert database.engine.pool.checkedout() <= 1  # type: ignore[attr-defined]

    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    on_event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        await asyncio.sleep(0.5)
        looks = [each for each in statements if "known_session" in each]
        assert 1 <= len(looks) <= 12
        assert len(looks) == len(statements)
        # Others are answered meanwhile, although two are at work at most, and three may wait.
        assert (await seoul.get(PATH)).status_code == 200
        statements.clear()
        await ears.hear(project(HARBOUR), only="webhooks")
        answers = await asyncio.gather(*asked)
    finally:
        on_event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    assert {len(answer.json()["items"]) for answer in answers} == {1}
    # What many ask for in the same moment is read once, or a few times as turns are few.
    assert len([each for each in statements if "looked_at" in each]) < 40


async def test_only_so_many_of_a_member_and_of_a_process_wait(
    settings: NotificationsSettings, database: Database, ears: Ears
) -> None:
    await ears.hear(member("delhi"), only="members")
    app = with_settings(settings, database, feed_waiting=3, feed_waiting_of_member=2)
    seoul = api(app, "seoul")
    asked = [waiting(seoul), waiting(seoul), waiting(api(app, "tokyo"))]
    await eventually(are_waiting(app, 3))

    own = await seoul.get(f"{PATH}?wait=5")
    all_of_them = await api(app, "delhi").get(f"{PATH}?wait=5")
    stream = await seoul.get(PATH, headers={"Accept": "text/event-stream"})

    assert (own.status_code, own.json()["type"]) == (429, "/problems/too-many-of-member-wait")
    assert own.headers["retry-after"] == "5"
    assert (all_of_them.status_code, all_of_them.json()["type"]) == (
        503,
        "/problems/too-many-wait",
    )
    assert "retry-after" in all_of_them.headers
    assert (stream.status_code, stream.headers["content-type"]) == (
        429,
        "application/problem+json",
    )
    assert (await seoul.get(PATH)).status_code == 200
    await ears.hear(project(HARBOUR), only="webhooks")
    assert {(await each).status_code for each in asked} == {200}


async def test_a_process_that_ends_keeps_nobody_waiting(quick: FastAPI) -> None:
    asked = waiting(api(quick, "seoul"))
    await eventually(are_waiting(quick, 1))

    quick.state.health.stopping = True

    async with asyncio.timeout(5):
        assert (await asked).json()["items"] == []
        assert (await api(quick, "seoul").get(f"{PATH}?wait=25")).json()["items"] == []


async def test_an_outage_of_the_database_only_lets_them_wait_on(quick: FastAPI, ears: Ears) -> None:
    sessions = quick.state.reading_sessions
    asked = waiting(api(quick, "seoul"))
    await eventually(are_waiting(quick, 1))
    failed: list[None] = []

    def away() -> Any:
        failed.append(None)
        raise OSError("away")

    quick.state.reading_sessions = away
    await eventually(lambda: true(len(failed) > 2))
    quick.state.reading_sessions = sessions

    await ears.hear(project(HARBOUR), only="webhooks")

    assert len((await asked).json()["items"]) == 1


async def true(value: bool) -> bool:
    return value


@dataclass
class Stream:
    """What comes over a real socket, until it ends."""

    status: int
    headers: dict[str, str]
    reader: asyncio.StreamReader
    text: str = ""
    is_over: bool = False
    events: list[dict[str, str]] = field(default_factory=list)

    async def until(self, text: str, *, within: float = 5) -> str:
        async with asyncio.timeout(within):
            while text not in self.text:
                await self.more()
        return self.text

    async def end(self, *, within: float = 5) -> str:
        async with asyncio.timeout(within):
            while not self.is_over:
                await self.more()
        return self.text

    async def more(self) -> None:
        assert not self.is_over, self.text
        size = int((await self.reader.readline()).strip() or b"0", 16)
        if not size:
            self.is_over = True
            return
        self.text += (await self.reader.readexactly(size)).decode()
        await self.reader.readline()

    def said(self) -> list[dict[str, str]]:
        """The events that a browser would be told."""
        return [
            dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            for block in self.text.split("\n\n")
            if "data: " in block
        ]


@asynccontextmanager
async def streaming(
    port: int, query: str = "", *, auth: str | None = None, **headers: str
) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sent = {
        "Host": "localhost",
        "Accept": "text/event-stream",
        "Authorization": f"Bearer {auth or token('seoul')}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    writer.write(f"GET {PATH}?{query} HTTP/1.1\r\n{lines}\r\n".encode())
    try:
        async with asyncio.timeout(5):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        found = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        yield Stream(int(head[0].split()[1]), found, reader)
    finally:
        writer.close()


@pytest.fixture
async def port(quick: FastAPI) -> AsyncIterator[int]:
    async with served(quick) as port:
        yield port


async def test_a_stream_tells_what_there_is_and_what_comes(port: int, ears: Ears) -> None:
    first, second = project(HARBOUR), milestone(HARBOUR, new_id())
    await ears.hear(first, only="webhooks")

    async with streaming(port) as stream:
        await stream.until(str(first.id))
        await ears.hear(second, only="webhooks")
        await stream.until(str(second.id))

    assert stream.status == 200
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert stream.headers["cache-control"] == "no-store"
    assert stream.text.startswith("retry: 2000\n\n")
    assert stream.said() == [
        {"id": "1", "event": first.type, "data": first.wire_form().decode()},
        {"id": "2", "event": second.type, "data": second.wire_form().decode()},
    ]


async def test_a_stream_goes_on_after_the_last_event_that_was_heard(port: int, ears: Ears) -> None:
    await ears.hear(*(project(HARBOUR, version=each + 1) for each in range(5)), only="webhooks")

    # As a browser does it: by the address that it began with.
    async with streaming(port, "after=1", Last_Event_ID="3") as stream:
        await stream.until("id: 5\n")

    assert [each["id"] for each in stream.said()] == ["4", "5"]


async def test_a_stream_says_how_far_it_has_looked_even_if_it_tells_nothing(
    port: int, ears: Ears
) -> None:
    await ears.hear(*(project(HARBOUR, version=each + 1) for each in range(3)), only="webhooks")

    async with streaming(port, "types=renkei.theme.*") as stream:
        await stream.until("id: 3\n\n")

    assert stream.said() == []


async def test_a_stream_names_what_is_withheld(port: int, ears: Ears) -> None:
    fact = project(HARBOUR)
    await ears.hear(fact, only="webhooks")

    async with streaming(port, auth=token("seoul", "notifications:read")) as stream:
        await stream.until("id: 1\n")
        await stream.until("withheld")

    [told] = stream.said()
    assert told["event"] == "withheld"
    assert told["data"] == f'{{"event_id":"{fact.id}","withheld":"missing_scope"}}'


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("after=1", {}, 409),
        ("after=x", {}, 422),
        ("", {"Last_Event_ID": "7"}, 409),
        ("", {"Last_Event_ID": "-1"}, 422),
        ("", {"Last_Event_ID": "x"}, 422),
        ("", {"Last_Event_ID": "9" * 16}, 409),
        ("", {"Last_Event_ID": "9" * 17}, 422),
        ("types=renkei.milestone.never.v1", {}, 422),
        ("", {"auth": "nonsense"}, 401),
    ],
)
async def test_a_stream_that_cannot_begin_is_a_problem(
    port: int, query: str, headers: dict[str, str], status: int
) -> None:
    async with streaming(port, query, **headers) as stream:
        assert stream.status == status
        assert stream.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("speaker", [("seoul", "projects:read"), ("delhi",)])
async def test_who_may_not_read_gets_no_stream(port: int, speaker: tuple[str, ...]) -> None:
    async with streaming(port, auth=token(*speaker)) as stream:
        assert stream.status == 403
        assert stream.headers["content-type"] == "application/problem+json"


async def test_a_stream_ends_at_once_when_its_member_is_suspended(port: int, ears: Ears) -> None:
    async with streaming(port) as stream:
        await stream.until("retry")
        await ears.hear(member("seoul", status="suspended", version=2, kind=MemberSuspended))
        await stream.end()
    assert stream.text.endswith(": over\n\n")

    async with streaming(port) as again:
        assert again.status == 403


async def test_a_stream_shows_that_it_lives_and_ends_after_a_while(
    settings: NotificationsSettings, database: Database
) -> None:
    app = with_settings(settings, database, feed_stream_seconds=1, feed_heartbeat_seconds=0.1)
    async with served(app) as port, streaming(port) as stream:
        await stream.end()

    beats = stream.text.count("\n: \n")
    assert 4 <= beats <= 14
    assert stream.text.endswith(": over\n\n")


async def test_a_stream_outlives_the_patience_with_requests_and_takes_no_turn(
    settings: NotificationsSettings, database: Database, ears: Ears
) -> None:
    app = with_settings(
        settings,
        database,
        feed_poll_seconds=0.03,
        feed_heartbeat_seconds=0.2,
        request_seconds=0.5,
        streaming_seconds=0.5,
        in_flight_limit=1,
        waiting_limit=1,
    )
    async with (
        served(app) as port,
        streaming(port) as first,
        streaming(port) as second,
        streaming(port) as third,
    ):
        for stream in (first, second, third):
            await stream.until("retry")
        await asyncio.sleep(1.2)
        await ears.hear(project(HARBOUR), only="webhooks")
        for stream in (first, second, third):
            await stream.until("id: 1\n")


async def test_whoever_goes_away_leaves_their_place(quick: FastAPI, port: int) -> None:
    places = watch_of(quick)._present
    async with streaming(port) as stream:
        await stream.until("retry")
        assert places["seoul"] == 1
    await eventually(lambda: true(not places))
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"GET {PATH}?wait=25 HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {token('seoul')}\r\n\r\n".encode()
    )
    await eventually(are_waiting(quick, 1))

    writer.close()

    await eventually(lambda: true(not places))
    assert waiters(quick) == 0
