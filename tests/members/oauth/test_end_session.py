"""An application sends somebody here to log out."""

import pytest
from sqlalchemy import update

from services.members.http.login.cookies import SIGN_IN
from services.members.model.client import Client
from services.members.model.sign_in import SignIn
from tests.members.network import OPENING, Network
from tests.members.oauth.browsing import Desk, error_of
from tests.members.oauth.people import Person, log_in

OUT = "https://desk.example/out"
PATH = "/oauth/end_session"


@pytest.fixture
async def leaving(desk: Desk, network: Network) -> Desk:
    async with network.database.sessions.begin() as session:
        await session.execute(
            update(Client)
            .where(Client.id == desk.client_id)
            .values(post_logout_redirect_uris=(OUT,))
        )
    return desk


async def is_logged_in(network: Network, person: Person) -> bool:
    async with network.database.sessions() as session:
        return (await session.get_one(SignIn, person.sign_in.id)).ended_at is None


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_who_logs_out_in_an_application_is_logged_out_everywhere(
    leaving: Desk, coordinator: Person, network: Network, method: str
) -> None:
    other, tokens = await leaving.log_in(), await leaving.log_in()
    given = {
        "id_token_hint": tokens["id_token"],
        "post_logout_redirect_uri": OUT,
        "state": "s",
    }

    ask = leaving.visit if method == "GET" else leaving.send
    response = await ask(PATH, **given)

    assert (response.status_code, response.headers["location"]) == (303, f"{OUT}?state=s")
    assert not leaving.cookies[SIGN_IN].strip('"')
    assert not await is_logged_in(network, coordinator)
    assert await network.happened() == [*OPENING, "session.ended", "session.ended"]
    for each in (other, tokens):
        assert error_of(await leaving.refresh(each["refresh_token"])) == "invalid_grant"


async def test_in_the_browser_of_somebody_else_only_the_session_ends(
    leaving: Desk, coordinator: Person, network: Network
) -> None:
    tokens = await leaving.log_in()
    async with network.database.sessions.begin() as session:
        other = await log_in(session, "observer")
    leaving.be(other)

    response = await leaving.visit(PATH, id_token_hint=tokens["id_token"])

    assert (response.status_code, response.headers["location"]) == (303, "/login")
    assert await is_logged_in(network, coordinator)
    assert await is_logged_in(network, other)
    assert await network.happened() == [*OPENING, "session.ended"]


@pytest.mark.parametrize("hint", ["none", "access token", "nonsense", "changed"])
async def test_nobody_is_logged_out_by_a_link_of_anybody(
    leaving: Desk, coordinator: Person, network: Network, hint: str
) -> None:
    tokens = await leaving.log_in()
    head, _, signature = tokens["id_token"].split(".")
    hints = {
        "none": "",
        "access token": tokens["access_token"],
        "nonsense": "a.b.c",
        "changed": f"{head}.e30.{signature}",
    }

    response = await leaving.visit(
        PATH, id_token_hint=hints[hint], post_logout_redirect_uri="https://evil.example/"
    )

    assert (response.status_code, response.headers["location"]) == (303, "/login")
    assert await is_logged_in(network, coordinator)
    assert await network.happened() == OPENING


@pytest.mark.parametrize(
    "wrong",
    [
        {"post_logout_redirect_uri": "https://evil.example/"},
        {"post_logout_redirect_uri": f"{OUT}/"},
        {"client_id": "tokyo-other"},
    ],
    ids=str,
)
async def test_nobody_is_sent_where_the_application_does_not_belong(
    leaving: Desk, coordinator: Person, network: Network, wrong: dict[str, str]
) -> None:
    tokens = await leaving.log_in()

    response = await leaving.visit(PATH, id_token_hint=tokens["id_token"], **wrong)

    assert response.status_code == 400
    assert "location" not in response.headers
    assert await is_logged_in(network, coordinator)
    assert await network.happened() == OPENING
