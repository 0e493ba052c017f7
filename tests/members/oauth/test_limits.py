"""A client that guesses is stopped where it guesses, in the form that its kind of request has."""

from base64 import b64encode

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from sqlalchemy import func, select, update

from services.members.http.app import create_app
from services.members.model.authorization_request import AuthorizationRequest
from services.members.model.client import Client
from services.members.model.failed_guess import FailedGuess
from services.members.model.token_family import UsedIdentifier
from services.members.settings import MembersSettings
from tests.conftest import Database
from tests.members.network import Network
from tests.members.oauth.browsing import Desk, answer_in, error_of
from tests.members.oauth.keys import TOKEN, proof
from tests.web import ISSUER, environment, on

CITY, ELSEWHERE = "198.51.100.7", "203.0.113.9"
PATHS = ["/oauth/token", "/oauth/par", "/oauth/revoke", "/oauth/introspect"]
FORM = {"grant_type": "client_credentials", "token": "x", "response_type": "code"}


@pytest.fixture
async def app(database: Database) -> FastAPI:
    """Five failures from one address, three with one name; two logins that nobody ends."""
    given = {"guesses_per_source": 5, "guesses_per_name": 3, "unfinished_per_source": 2}
    return on(create_app(MembersSettings(**environment(database) | given)), database)


async def post(
    desk: Desk, path: str, client_id: str, secret: str, *, source: str = CITY
) -> Response:
    basic = b64encode(f"{client_id}:{secret}".encode()).decode()
    headers = {"Authorization": f"Basic {basic}", "X-Forwarded-For": source}
    return await desk.http.post(path, data=FORM, headers=headers)


async def guess(desk: Desk, *names: str, source: str = CITY) -> list[int]:
    return [
        (await post(desk, "/oauth/token", name, "wrong", source=source)).status_code
        for name in names
    ]


async def count(network: Network, kind: type[object]) -> int:
    async with network.database.sessions() as session:
        return int(await session.scalar(select(func.count()).select_from(kind)) or 0)


async def make_public(desk: Desk, network: Network) -> None:
    async with network.database.sessions.begin() as session:
        await session.execute(update(Client).values(authentication="none", secret_hash=None))
    desk.secret = None


@pytest.mark.parametrize("path", PATHS)
async def test_who_guesses_secrets_is_stopped_whatever_it_asks_for(desk: Desk, path: str) -> None:
    found = [await post(desk, path, desk.client_id, f"wrong-{number}") for number in range(5)]

    assert [answer.status_code for answer in found] == [401, 401, 401, 429, 429]
    assert error_of(found[3]) == "temporarily_unavailable"
    assert 595 <= int(found[3].headers["retry-after"]) <= 600


async def test_guesses_elsewhere_do_not_stop_the_owner(desk: Desk) -> None:
    stopped = await guess(desk, *[desk.client_id] * 5, source=ELSEWHERE)

    right = await post(desk, "/oauth/introspect", desk.client_id, str(desk.secret))

    assert stopped == [401, 401, 401, 429, 429]
    assert right.status_code == 200


async def test_where_it_was_guessed_the_right_secret_does_not_show(desk: Desk) -> None:
    await guess(desk, *[desk.client_id] * 3)

    right = await post(desk, "/oauth/introspect", desk.client_id, str(desk.secret))

    assert right.status_code == 429


async def test_a_neighbour_who_guesses_does_not_stop_who_has_proved_itself(desk: Desk) -> None:
    proved = await post(desk, "/oauth/introspect", desk.client_id, str(desk.secret))

    guesses = await guess(desk, "a", "b", "c", "d", "e", "f")
    right = await post(desk, "/oauth/introspect", desk.client_id, str(desk.secret))

    assert guesses == [401] * 5 + [429]
    assert (proved.status_code, right.status_code) == (200, 200)


@pytest.mark.parametrize("invented", ["1.2.3.4", "127.0.0.1", "x", ""])
async def test_inventing_addresses_does_not_help(desk: Desk, invented: str) -> None:
    found = await guess(desk, *[desk.client_id] * 4, source=f"{invented}, {CITY}")

    assert found == [401, 401, 401, 429]


async def test_what_succeeds_is_never_counted(desk: Desk, network: Network) -> None:
    found = [
        (await post(desk, "/oauth/introspect", desk.client_id, str(desk.secret))).status_code
        for _ in range(20)
    ]

    assert found == [200] * 20
    assert await count(network, FailedGuess) == 0


async def test_an_invented_name_may_be_of_any_length(desk: Desk, network: Network) -> None:
    names = ["n" * 5_000 + str(number) for number in range(4)]

    found = await guess(desk, *names)

    assert found == [401, 401, 401, 429]
    async with network.database.sessions() as session:
        keys = (await session.scalars(select(FailedGuess.key))).all()
    assert max(map(len, keys)) < 150


async def test_an_officials_refresh_token_that_ran_out_stops_no_server(desk: Desk) -> None:
    found = [(await desk.refresh("rkr_gone")).status_code for _ in range(20)]

    assert found == [400] * 20


async def test_who_only_says_a_name_cannot_guess_at_codes_for_ever(
    desk: Desk, network: Network
) -> None:
    await make_public(desk, network)

    found = [(await desk.redeem(f"rkc_{number}", proof=proof(TOKEN))) for number in range(52)]

    assert [answer.status_code for answer in found] == [400] * 50 + [429] * 2
    assert error_of(found[-1]) == "temporarily_unavailable"
    assert await count(network, UsedIdentifier) == 50


async def test_addresses_that_lead_nowhere_are_not_tried_for_ever(desk: Desk) -> None:
    desk.be(None)
    wrong = [await desk.authorize(redirect_uri="https://evil.example/") for _ in range(4)]
    right = await desk.authorize()

    assert [answer.status_code for answer in wrong] == [400, 400, 400, 429]
    assert int(wrong[-1].headers["retry-after"]) > 0
    assert right.status_code == 302
    assert right.headers["location"].startswith("/login")


@pytest.mark.parametrize(
    ("language", "words"), [("en", "Please wait a little"), ("ja", "しばらくお待ちください")]
)
async def test_a_person_is_asked_to_wait_with_a_page(desk: Desk, language: str, words: str) -> None:
    headers = {"Accept-Language": language}
    wrong = desk.asking(client_id="nobody")

    found = [
        await desk.http.get("/oauth/authorize", params=wrong, headers=headers) for _ in range(4)
    ]

    page = found[-1]
    assert page.status_code == 429
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-language"] == language
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert words in page.text


async def test_handles_of_others_are_not_guessed_for_ever(desk: Desk) -> None:
    found = [
        (
            await desk.visit(
                "/oauth/authorize",
                client_id=desk.client_id,
                request_uri=f"urn:ietf:params:oauth:request_uri:{number}",
            )
        ).status_code
        for number in range(6)
    ]

    assert found == [400] * 5 + [429]


async def test_what_a_neighbour_invents_stops_nobody_who_has_begun(
    desk: Desk, network: Network
) -> None:
    person = desk.cookies.copy()
    desk.be(None)
    begun = await desk.authorize()
    waiting = begun.headers["location"].partition("authorization=")[2]
    pushed = (await desk.post("/oauth/par", **desk.asking())).json()["request_uri"]
    async with AsyncClient(
        transport=ASGITransport(network.app, raise_app_exceptions=False), base_url=ISSUER
    ) as neighbour:
        invented = [
            (await neighbour.get("/oauth/authorize", params={"client_id": f"invented-{number}"}))
            for number in range(6)
        ]

    desk.cookies |= person
    gone_on = await desk.visit("/oauth/authorize", **{"continue": waiting})
    taken_up = await desk.visit("/oauth/authorize", client_id=desk.client_id, request_uri=pushed)

    assert [answer.status_code for answer in invented] == [400] * 5 + [429]
    assert "code" in answer_in(gone_on)
    assert "code" in answer_in(taken_up)


async def test_a_visitor_leaves_only_so_much_behind(desk: Desk, network: Network) -> None:
    desk.be(None)

    found = [(await desk.authorize()).status_code for _ in range(4)]

    assert found == [302, 302, 429, 429]
    assert await count(network, AuthorizationRequest) == 2


async def test_who_is_logged_in_is_not_stopped_by_what_others_leave_behind(desk: Desk) -> None:
    person = desk.cookies.copy()
    desk.be(None)
    for _ in range(3):
        await desk.authorize()

    desk.cookies |= person
    found = await desk.authorize()

    assert "code" in answer_in(found)


async def test_an_authorization_that_is_answered_is_counted_no_longer(
    desk: Desk, network: Network
) -> None:
    async with network.database.sessions.begin() as session:
        await session.execute(update(Client).values(is_first_party=False))

    found = []
    for _ in range(4):
        page = await desk.authorize()
        fields = dict(
            part.split('" value="')
            for part in page.text.replace('">', "\n").split('name="')[1:]
            for part in [part.partition("\n")[0]]
            if part.startswith(("authorization", "ticket"))
        )
        answer = await desk.send("/oauth/consent", **fields, decision="deny")
        found.append((page.status_code, answer.status_code))

    assert found == [(200, 303)] * 4
    async with network.database.sessions() as session:
        assert (await session.scalars(select(FailedGuess.count))).all() == [0]


async def test_what_a_public_application_pushes_is_counted_until_it_is_taken_up(
    desk: Desk, network: Network
) -> None:
    await make_public(desk, network)
    taken = []
    for _ in range(4):
        pushed = await desk.post("/oauth/par", **desk.asking())
        assert pushed.status_code == 201, pushed.text
        back = await desk.visit(
            "/oauth/authorize",
            client_id=desk.client_id,
            request_uri=pushed.json()["request_uri"],
        )
        taken.append("code" in answer_in(back))

    left = [(await desk.post("/oauth/par", **desk.asking())).status_code for _ in range(4)]

    assert taken == [True] * 4
    assert left == [201, 201, 429, 429]
