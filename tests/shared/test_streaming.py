"""Answers that are sent while they are made: in pieces, for as long as they move, a few at once."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from fastapi import APIRouter, Request, Response

from shared.http.application import web_application
from shared.http.streaming import (
    Patience,
    Room,
    Streamed,
    TooManyAtOnce,
    Turn,
    Turns,
    patience_of,
)
from shared.http.transaction import Route
from tests.shared.served import served
from tests.shared.things import Place


class Client:
    """Takes what is sent, and goes away after so many pieces."""

    def __init__(self, goes_after: int | None = None) -> None:
        self.took: list[Any] = []
        self.goes_after = goes_after
        self.is_gone = asyncio.Event()

    async def receive(self) -> Any:
        await self.is_gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.took.append(message.get("body", message.get("status")))
        if len(self.took) == self.goes_after:
            self.is_gone.set()
            await asyncio.Event().wait()  # what is sent to nobody may never arrive


class Made:
    """Three pieces, and whether their making has ended."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at = fails_at
        self.has_ended = False

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        try:
            for number, piece in enumerate((b"a", b"b", b"c")):
                if number == self.fails_at:
                    raise ValueError(number)
                yield piece
        finally:
            self.has_ended = True


async def answer(made: Made, client: Client, turns: Turns) -> None:
    async with asyncio.timeout(10) as timeout:
        patience = Patience(timeout, pause_seconds=10, whole_seconds=10)
        streamed = Streamed(
            made.pieces(), turns=turns, patience=patience, media_type="text/plain", headers={}
        )
        await streamed({"type": "http"}, client.receive, client.send)


async def test_an_answer_is_sent_piece_by_piece() -> None:
    made, client = Made(), Client()

    await answer(made, client, Turns(1))

    assert client.took == [200, b"a", b"b", b"c", b""]
    assert made.has_ended


@pytest.mark.parametrize(("fails_at", "took"), [(0, []), (2, [200, b"a", b"b"])])
async def test_what_fails_first_has_sent_nothing_and_what_fails_later_is_cut_off(
    fails_at: int, took: list[Any]
) -> None:
    made, client = Made(fails_at), Client()

    with pytest.raises(ValueError, match=str(fails_at)):
        await answer(made, client, Turns(1))

    assert client.took == took
    assert made.has_ended


async def test_who_goes_away_gets_no_more_and_frees_the_turn() -> None:
    made, client, turns = Made(), Client(goes_after=2), Turns(1)

    await answer(made, client, turns)

    assert client.took == [200, b"a"]
    assert made.has_ended
    with turns.one():
        pass


async def test_only_so_many_are_made_at_once() -> None:
    made, client, turns = Made(), Client(), Turns(1)

    with turns.one(), pytest.raises(TooManyAtOnce):
        await answer(made, client, turns)

    assert client.took == []


async def test_what_moves_has_its_time_again_but_not_for_ever() -> None:
    began = asyncio.get_running_loop().time()
    async with asyncio.timeout(10) as timeout:  # noqa: ASYNC100 -- never waits
        Patience(timeout, pause_seconds=1000, whole_seconds=3000).moved()
        longer = timeout.when()
        Patience(timeout, pause_seconds=1000, whole_seconds=50).moved()
        at_last = timeout.when()

    assert longer is not None
    assert at_last is not None
    assert 999 < longer - began < 1050  # clocks are not exact to the last bit
    assert 49 < at_last - began < 100


async def test_a_client_sees_that_an_answer_was_cut_off(place: Place) -> None:
    router = APIRouter(prefix="/api/v1/things", route_class=Route)

    @router.get("/{fails_at}")
    async def get_pieces(fails_at: int, request: Request) -> Response:
        return Streamed(
            Made(fails_at).pieces(),
            turns=Turns(1),
            patience=patience_of(request),
            media_type="text/plain",
            headers={},
        )

    async def read(port: int, fails_at: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        address = f"GET /api/v1/things/{fails_at} HTTP/1.1\r\n"
        writer.write(f"{address}Host: things\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(30):
            answer = await reader.read()
        writer.close()
        return answer

    async with served(web_application("things", "Things", place.settings, [router])) as port:
        whole, cut_off = await read(port, 9), await read(port, 2)

    assert whole.endswith(b"\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n")
    assert cut_off.endswith(b"\r\n1\r\na\r\n1\r\nb\r\n")


async def test_a_request_that_rests_leaves_its_turn_and_takes_one_for_what_it_does() -> None:
    room = Room(1)
    room.present = 1
    turn = Turn(room)
    async with asyncio.timeout(10) as timeout, turn:
        patience = Patience(timeout, pause_seconds=10, whole_seconds=10, turn=turn)
        assert room.turns.locked()

        await patience.rest(pause_seconds=1000, whole_seconds=3000)

        assert (room.turns.locked(), room.present) == (False, 0)
        assert (timeout.when() or 0) - asyncio.get_running_loop().time() > 900
        async with patience.at_work():
            assert room.turns.locked()
        assert not room.turns.locked()
        patience.wakes()
    assert (room.turns.locked(), room.present) == (False, 1)


async def test_a_request_that_is_given_up_while_it_waits_for_a_turn_holds_none() -> None:
    room = Room(1)
    is_at_rest = asyncio.Event()

    async def rest() -> None:
        turn = Turn(room)
        async with asyncio.timeout(10) as timeout, turn:
            patience = Patience(timeout, pause_seconds=10, whole_seconds=10, turn=turn)
            await patience.rest(pause_seconds=10, whole_seconds=10)
            is_at_rest.set()
            await asyncio.sleep(0)
            async with patience.at_work():
                raise AssertionError("somebody else has the turn")

    resting = asyncio.create_task(rest())
    await is_at_rest.wait()
    async with Turn(room):
        await asyncio.sleep(0.01)
        resting.cancel()
        await asyncio.gather(resting, return_exceptions=True)
        assert resting.cancelled()
        assert room.turns.locked()
    assert not room.turns.locked()
