"""Who guesses tokens of directories is stopped, and the directories next to them are not."""

import pytest
from fastapi import FastAPI
from httpx2 import Response

from services.members.http.app import create_app
from services.members.settings import MembersSettings
from tests.conftest import Database
from tests.members.scim.directory import ERROR, Directory
from tests.web import environment, on


@pytest.fixture
async def app(database: Database) -> FastAPI:
    """Five failures from one address, three of them with one token."""
    given = {"guesses_per_source": 5, "guesses_per_name": 3}
    return on(create_app(MembersSettings(**environment(database) | given)), database)


async def send(seoul: Directory, token: str, *, source: str = "198.51.100.7") -> Response:
    directory = Directory(seoul.network, "seoul", token)
    return await directory.send("GET", "/Users", headers={"X-Forwarded-For": source})


async def test_who_guesses_tokens_is_told_to_wait_in_the_words_of_scim(seoul: Directory) -> None:
    found = [await send(seoul, f"guessed-{number}") for number in range(6)]

    assert [answer.status_code for answer in found] == [401] * 5 + [429]
    assert found[-1].headers["content-type"] == "application/scim+json"
    assert found[-1].json()["schemas"] == [ERROR]
    assert found[-1].json()["status"] == "429"
    assert int(found[-1].headers["retry-after"]) > 0


async def test_a_directory_that_keeps_an_old_token_stops_itself_alone(seoul: Directory) -> None:
    found = [(await send(seoul, "old")).status_code for _ in range(20)]

    neighbour = await send(seoul, seoul.token)

    assert found == [401] * 3 + [429] * 17
    assert neighbour.status_code == 200


async def test_a_directory_that_works_goes_on_working_beside_who_guesses(seoul: Directory) -> None:
    await send(seoul, seoul.token)
    guesses = [(await send(seoul, f"guessed-{number}")).status_code for number in range(6)]

    mine = await send(seoul, seoul.token)
    elsewhere = await send(seoul, "guessed", source="203.0.113.9")

    assert guesses[-1] == 429
    assert mine.status_code == 200
    assert elsewhere.status_code == 401


async def test_a_directory_is_known_by_its_token_whatever_it_asked(seoul: Directory) -> None:
    source = {"X-Forwarded-For": "198.51.100.7"}
    unknown = await seoul.send("GET", "/Users/nobody", headers=source)
    for number in range(6):
        await send(seoul, f"guessed-{number}")

    mine = await send(seoul, seoul.token)

    assert (unknown.status_code, mine.status_code) == (404, 200)


async def test_a_token_is_not_proved_by_what_is_refused_before_it_is_looked_at(
    seoul: Directory,
) -> None:
    given = {"X-Forwarded-For": "198.51.100.7"}
    guess = Directory(seoul.network, "seoul", "guessed")
    refused = await guess.send("GET", "/Users?count=1&count=2", headers=given)
    for number in range(5):
        await send(seoul, f"guessed-{number}")

    again = await send(seoul, guess.token)

    assert (refused.status_code, again.status_code) == (400, 429)
