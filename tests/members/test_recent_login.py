"""Who changes who gets in has logged in just now, unless it is a machine."""

from dataclasses import replace
from typing import Final
from uuid import UUID

import pytest

from services.members.http.app import create_app
from services.members.settings import MembersSettings
from shared.contracts.members import Role
from tests.conftest import Database
from tests.members.governing import ENDING, SENSITIVE, City, Request, city_of
from tests.members.network import Network, city, code_of
from tests.members.oauth.people import application
from tests.members.test_people import someone
from tests.web import environment, on

HOURS: Final = 3 * 3600
CHALLENGE: Final = (
    'Bearer realm="renkei", error="insufficient_user_authentication",'
    ' max_age="900", error_description="This needs a login that is at most 900 seconds old."'
)
PLAIN: Final = ENDING | {
    "read": Request("GET", "/seoul/clients"),
    "correct an administrator": Request(
        "PATCH", "/seoul/officials/{administrator}", {"function": {"en": "Head"}}, version=1
    ),
}
NOWHERE: Final = {"name": "Entra", "identity_provider_id": str(UUID(int=1))}
FORBIDDEN: Final = {
    "scope-reserved": Request(
        "PATCH", "/seoul/clients/{client}", {"scopes": ["network:write"]}, version=1
    ),
    "only-the-secretariat": Request(
        "PATCH", "/seoul/clients/{client}", {"serves_network": True}, version=1
    ),
    "client-of-the-platform": Request(
        "PATCH", "/seoul/clients/{part}", {"name": "Other"}, version=1
    ),
    "identity-provider-not-found": Request("POST", "/seoul/scim-tokens", NOWHERE),
}


@pytest.fixture
async def seoul(network: Network) -> City:
    return await city_of(network)


@pytest.mark.parametrize("request_", SENSITIVE.values(), ids=SENSITIVE.keys())
async def test_an_old_login_is_challenged_and_changes_nothing(
    seoul: City, request_: Request
) -> None:
    before = await seoul.traces()

    response = await seoul.ask(request_, replace(seoul.administrator, seconds_ago=HOURS))

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == CHALLENGE
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "/problems/insufficient-user-authentication",
        "title": "A new login is needed",
        "status": 401,
        "detail": "This needs a login that is at most 900 seconds old.",
        "instance": f"/api/v1/members{request_.of(seoul).path}",
        "max_age": 900,
    }
    assert await seoul.traces() == before


@pytest.mark.parametrize("request_", SENSITIVE.values(), ids=SENSITIVE.keys())
async def test_a_recent_login_will_do(seoul: City, request_: Request) -> None:
    before = await seoul.traces()

    response = await seoul.ask(request_, replace(seoul.administrator, seconds_ago=880))

    assert response.is_success, response.text
    assert await seoul.traces() != before


@pytest.mark.parametrize("request_", PLAIN.values(), ids=PLAIN.keys())
async def test_everything_else_needs_none(seoul: City, request_: Request) -> None:
    response = await seoul.ask(request_, replace(seoul.administrator, seconds_ago=HOURS))

    assert response.is_success, response.text


@pytest.mark.parametrize("request_", SENSITIVE.values(), ids=SENSITIVE.keys())
@pytest.mark.parametrize(("member", "role"), [("seoul", "coordinator"), ("busan", "administrator")])
async def test_who_has_no_right_is_refused_and_not_sent_to_log_in(
    seoul: City, request_: Request, member: str, role: Role
) -> None:
    if member == "busan":
        await seoul.network.join(city("busan"))
    person = await someone(seoul.network, role, member=member)
    before = await seoul.traces()

    response = await seoul.ask(request_, replace(person, seconds_ago=HOURS))

    assert response.status_code in {403, 404}
    assert "www-authenticate" not in response.headers
    assert await seoul.traces() == before


@pytest.mark.parametrize(("code", "request_"), FORBIDDEN.items(), ids=FORBIDDEN.keys())
async def test_what_nobody_there_may_do_is_refused_before_anybody_is_sent_to_log_in(
    seoul: City, code: str, request_: Request
) -> None:
    async with seoul.network.database.sessions.begin() as session:
        session.add(application("seoul", id="seoul-part", is_first_party=True))
    seoul.things["part"] = "seoul-part"
    before = await seoul.traces()

    response = await seoul.ask(request_, replace(seoul.administrator, seconds_ago=HOURS))

    assert (response.status_code in {403, 404}, code_of(response)) == (True, code)
    assert await seoul.traces() == before


@pytest.mark.parametrize("body", [{}, {"name": "Water desk"}], ids=str)
async def test_a_change_of_a_client_that_changes_nothing_needs_no_login(
    seoul: City, body: dict[str, str]
) -> None:
    same = Request("PATCH", "/seoul/clients/{client}", body, version=1)

    response = await seoul.ask(same, replace(seoul.administrator, seconds_ago=HOURS))

    assert (response.status_code, response.headers["etag"]) == (200, '"1"')


async def test_who_has_not_seen_it_as_it_is_is_told_so_first(seoul: City) -> None:
    old = replace(seoul.administrator, seconds_ago=HOURS)

    answers = [
        await seoul.ask(replace(request, version=9), old)
        for request in SENSITIVE.values()
        if request.version is not None
    ]

    assert {(answer.status_code, code_of(answer)) for answer in answers} == {(412, "version-stale")}


async def test_what_somebody_may_do_does_not_depend_on_when_they_logged_in(seoul: City) -> None:
    path = f"/seoul/clients/{seoul.things['client']}"

    recent = await seoul.administrator.send("GET", path)
    old = await replace(seoul.administrator, seconds_ago=HOURS).send("GET", path)

    assert old.json() == recent.json()
    assert old.json()["allowed_actions"] == ["change", "replace_secret", "revoke"]


async def test_a_challenge_is_not_the_answer_to_a_key_for_good(seoul: City) -> None:
    request = SENSITIVE["issue a token for the directory"]

    first = await seoul.ask(request, replace(seoul.administrator, seconds_ago=HOURS), "k-1")
    second = await seoul.ask(request, seoul.administrator, "k-1")

    assert (first.status_code, second.status_code) == (401, 201)


async def test_a_network_may_ask_for_a_kind_of_login(seoul: City, database: Database) -> None:
    given = environment(database) | {"recent_login_acr_values": "urn:renkei:mfa"}
    app = on(create_app(MembersSettings(**given)), database)
    network = replace(seoul.network, app=app)
    weak = replace(seoul.administrator, network=network)
    request = SENSITIVE["register a client"]

    refused = await seoul.ask(request, weak)
    taken = await seoul.ask(request, replace(weak, acr="urn:renkei:mfa"))

    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == (
        'Bearer realm="renkei", error="insufficient_user_authentication",'
        ' max_age="900", acr_values="urn:renkei:mfa", error_description="This needs a login that is'
        ' at most 900 seconds old and of the kind urn:renkei:mfa."'
    )
    assert (refused.json()["max_age"], refused.json()["acr_values"]) == (900, "urn:renkei:mfa")
    assert taken.status_code == 201
