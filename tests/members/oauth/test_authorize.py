"""What a browser may bring for an application, and what becomes of it."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

import pytest
from httpx2 import Response
from sqlalchemy import func, select, update

from services.members.http.oauth.authorize import AUTHORIZATION
from services.members.model.authorization_request import AuthorizationRequest
from services.members.model.client import Client
from services.members.model.sign_in import SignIn
from services.members.model.token_family import TokenFamily
from services.members.use_cases.begin_authorization import LIFETIME
from shared.clock import utc_now
from shared.one_time import hash_of
from tests.members.network import OPENING, Network
from tests.members.oauth.browsing import BACK, Desk, answer_in
from tests.members.oauth.people import Person, application, log_in
from tests.web import ISSUER


async def families(network: Network) -> int:
    async with network.database.sessions() as session:
        found = await session.scalar(select(func.count()).select_from(TokenFamily))
    return int(found or 0)


def login_in(response: Response, path: str = "/login") -> UUID:
    """The authorization that a login goes on with."""
    assert response.status_code == 302, response.text
    address = urlsplit(response.headers["location"])
    assert (address.scheme, address.netloc, address.path) == ("", "", path)
    [(name, value)] = parse_qsl(address.query)
    assert name == "authorization"
    return UUID(value)


async def come_back(network: Network, authorization: UUID, person: Person, desk: Desk) -> Response:
    """Do what the login does once the person has proved who they are."""
    async with network.database.sessions.begin() as session:
        await session.execute(
            update(AuthorizationRequest)
            .where(AuthorizationRequest.id == authorization)
            .values(reauthenticated_at=utc_now(), reauthenticated_by=person.sign_in.id)
        )
    desk.be(person)
    return await desk.visit("/oauth/authorize", **{"continue": str(authorization)})


async def test_a_stranger_logs_in_first_and_goes_on(
    desk: Desk, coordinator: Person, network: Network
) -> None:
    desk.be(None)

    authorization = login_in(await desk.authorize())
    back = answer_in(await come_back(network, authorization, coordinator, desk))

    assert (await desk.redeem(back["code"])).status_code == 200
    assert (back["state"], back["iss"]) == ("s", ISSUER)
    async with network.database.sessions() as session:
        kept = await session.get_one(AuthorizationRequest, authorization)
    assert kept.browser_hash == hash_of(desk.cookies[AUTHORIZATION])
    assert kept.used_at is not None


async def test_an_authorization_goes_on_once_and_in_its_own_browser(
    desk: Desk, coordinator: Person, network: Network
) -> None:
    desk.be(None)
    authorization = login_in(await desk.authorize())
    cookie = desk.cookies.pop(AUTHORIZATION)

    without = await come_back(network, authorization, coordinator, desk)
    desk.cookies[AUTHORIZATION] = "another"
    elsewhere = await come_back(network, authorization, coordinator, desk)
    desk.cookies[AUTHORIZATION] = cookie
    right = await come_back(network, authorization, coordinator, desk)
    again = await come_back(network, authorization, coordinator, desk)

    assert "code" in answer_in(right)
    for refused in (without, elsewhere, again):
        assert refused.status_code == 400
        assert refused.headers["content-type"] == "text/html; charset=utf-8"
    assert await families(network) == 1


async def test_an_authorization_that_took_too_long_is_over(
    desk: Desk, coordinator: Person, network: Network
) -> None:
    desk.be(None)
    authorization = login_in(await desk.authorize())
    async with network.database.sessions.begin() as session:
        await session.execute(
            update(AuthorizationRequest).values(expires_at=utc_now() - timedelta(seconds=1))
        )

    response = await come_back(network, authorization, coordinator, desk)

    assert response.status_code == 400
    assert timedelta(minutes=15) == LIFETIME


async def test_two_tabs_do_not_disturb_each_other(
    desk: Desk, coordinator: Person, network: Network
) -> None:
    desk.be(None)
    one = login_in(await desk.authorize(state="one"))
    other = login_in(await desk.authorize(state="other"))

    first = answer_in(await come_back(network, one, coordinator, desk))
    second = answer_in(await come_back(network, other, coordinator, desk))

    assert (first["state"], second["state"]) == ("one", "other")


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"prompt": "login"}, "/login/tokyo"),
        ({"prompt": "select_account"}, "/login"),
        ({"max_age": "0"}, "/login/tokyo"),
        ({"max_age": "30"}, "/login/tokyo"),
        ({"acr_values": "urn:renkei:mfa"}, "/login/tokyo"),
    ],
    ids=str,
)
async def test_who_has_logged_in_does_so_again_where_that_is_asked_for(
    desk: Desk, coordinator: Person, network: Network, asked: dict[str, str], path: str
) -> None:
    authorization = login_in(await desk.authorize(**asked), path)
    async with network.database.sessions.begin() as session:
        await session.execute(update(SignIn).values(acr="urn:renkei:mfa"))

    back = answer_in(await come_back(network, authorization, coordinator, desk))

    assert "code" in back


async def test_the_proof_of_somebody_elsewhere_counts_for_nobody_here(
    desk: Desk, network: Network
) -> None:
    async with network.database.sessions.begin() as session:
        elsewhere = await log_in(session, "coordinator")
    authorization = login_in(await desk.authorize(prompt="login"), "/login/tokyo")

    async with network.database.sessions.begin() as session:
        kept = await session.get_one(AuthorizationRequest, authorization)
        kept.reauthenticated_at, kept.reauthenticated_by = utc_now(), elsewhere.sign_in.id
    back = answer_in(await desk.visit("/oauth/authorize", **{"continue": str(authorization)}))

    assert back["error"] == "access_denied"


async def test_who_has_logged_in_recently_is_not_asked_again(desk: Desk) -> None:
    assert "code" in answer_in(await desk.authorize(max_age="3600"))


async def test_a_login_that_was_not_strong_enough_is_said(
    desk: Desk, coordinator: Person, network: Network
) -> None:
    authorization = login_in(await desk.authorize(acr_values="urn:renkei:mfa"), "/login/tokyo")

    back = answer_in(await come_back(network, authorization, coordinator, desk))

    assert back["error"] == "unmet_authentication_requirements"
    assert await families(network) == 0


async def test_a_silent_question_is_answered_without_any_page(desk: Desk) -> None:
    good = answer_in(await desk.authorize(prompt="none"))
    old = answer_in(await desk.authorize(prompt="none", max_age="1"))
    desk.be(None)
    stranger = answer_in(await desk.authorize(prompt="none"))

    assert "code" in good
    for refused in (old, stranger):
        assert refused["error"] == "login_required"
        assert (refused["iss"], refused["state"]) == (ISSUER, "s")


async def test_the_application_may_say_whose_officials_it_means(
    desk: Desk, coordinator: Person, network: Network
) -> None:
    own = answer_in(await desk.authorize(login_hint="tokyo"))
    login_in(await desk.authorize(login_hint="seoul"), "/login/seoul")
    authorization = login_in(await desk.authorize(login_hint="seoul"), "/login/seoul")
    mail = answer_in(await desk.authorize(login_hint="min@seoul.example"))

    wrong = answer_in(await come_back(network, authorization, coordinator, desk))

    assert "code" in own
    assert "code" in mail
    assert wrong["error"] == "access_denied"


async def test_an_application_is_for_its_own_member_unless_it_serves_all(
    desk: Desk, network: Network
) -> None:
    await network.join()
    async with network.database.sessions.begin() as session:
        desk.be(await log_in(session, "coordinator", member="seoul"))

    closed = answer_in(await desk.authorize())
    async with network.database.sessions.begin() as session:
        await session.execute(
            update(Client).where(Client.id == desk.client_id).values(serves_network=True)
        )
    open_to_all = await desk.log_in()

    assert closed["error"] == "access_denied"
    assert (await desk.claims(open_to_all["access_token"]))["member"] == "seoul"


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": 'c"ode'}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"scope": "members:write"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"request": "e30."}, "request_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
        ({"claims": "{}"}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "form_post"}, "invalid_request"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"prompt": " "}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "1e3"}, "invalid_request"),
        ({"max_age": "9" * 400}, "invalid_request"),
        ({"dpop_jkt": "x"}, "invalid_request"),
    ],
    ids=str,
)
async def test_the_application_learns_what_is_wrong(
    desk: Desk, network: Network, wrong: dict[str, Any], error: str
) -> None:
    back = answer_in(await desk.authorize(**wrong))

    assert (back["error"], back["state"], back["iss"]) == (error, "s", ISSUER)
    assert await families(network) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_id": None},
        {"client_id": "tokyo-none"},
        {"client_id": 'x"y'},
        {"client_id": "x\u0000y"},
        {"redirect_uri": None},
        {"redirect_uri": f"{BACK}/"},
        {"redirect_uri": f"{BACK}?x=1"},
        {"redirect_uri": 'https://evil.example/"'},
        {"redirect_uri": "javascript:alert(1)"},
        {"state": "\u6771"},
        {"state": "\u0000"},
        {"response_type": "token", "redirect_uri": "https://evil.example/"},
        {"request_uri": "urn:ietf:params:oauth:request_uri:none"},
        {"request_uri": "https://evil.example/request"},
        {"continue": "x"},
        {"continue": str(uuid4())},
        {"padding": "x" * 17_000},
    ],
)
async def test_the_browser_is_sent_nowhere_that_is_not_known(
    desk: Desk, network: Network, wrong: dict[str, Any]
) -> None:
    response = await desk.authorize(**wrong)

    assert response.status_code == 400
    assert "location" not in response.headers
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["referrer-policy"] == "same-origin"
    assert "<script" not in response.text
    assert await families(network) == 0


@pytest.mark.parametrize(
    "query", ["%", "a=%zz", "state=1&state=2", "a", "\xff", "&".join(f"p{n}=1" for n in range(200))]
)
async def test_a_query_that_cannot_be_read_is_refused(desk: Desk, query: str) -> None:
    response = await desk.http.get(f"/oauth/authorize?{query}")

    assert response.status_code == 400


async def test_a_machine_sends_no_browsers(desk: Desk, network: Network) -> None:
    response = await desk.authorize(client_id=network.opened.client_id)

    assert response.status_code == 400


async def test_a_revoked_application_gets_nobody(desk: Desk, network: Network) -> None:
    async with network.database.sessions.begin() as session:
        await session.execute(
            update(Client).where(Client.id == desk.client_id).values(status="revoked")
        )

    response = await desk.authorize()

    assert response.status_code == 400
    assert await network.happened() == OPENING


async def test_a_page_of_refusal_speaks_the_language_of_the_browser(desk: Desk) -> None:
    japanese = await desk.http.get("/oauth/authorize", headers={"Accept-Language": "ja,en;q=0.5"})
    english = await desk.http.get("/oauth/authorize")

    assert '<html lang="ja">' in japanese.text
    assert '<html lang="en">' in english.text


async def test_the_address_of_another_application_is_not_taken(
    desk: Desk, network: Network
) -> None:
    other = application(id="tokyo-other", redirect_uris=("https://other.example/",))
    async with network.database.sessions.begin() as session:
        session.add(other)

    response = await desk.authorize(redirect_uri="https://other.example/")

    assert response.status_code == 400
