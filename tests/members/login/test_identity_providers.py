"""Where officials log in: registered, seen by the member alone, tested, active, retired."""

from typing import Any, Final

import pytest
from httpx2 import Response
from sqlalchemy import select

from services.members.model.identity_provider import IdentityProvider
from shared.messaging.tables import RememberedAnswer
from shared.sealing import Seals
from tests.members.network import SECRETARIAT, Network, city, code_of
from tests.web import ISSUER, MASTER_KEYS

LOGIN: Final[dict[str, Any]] = {
    "name": "City login",
    "issuer": "https://login.seoul.example/realms/city",
    "client_id": "renkei",
    "client_secret": "what only the two of us know",
}
PATH: Final = "/seoul/identity-providers"


@pytest.fixture
def allow_private() -> bool:
    return False


async def registered(network: Network, **fields: Any) -> dict[str, Any]:
    response = await network.send("POST", PATH, LOGIN | fields, by="seoul")
    assert response.status_code == 201, response.text
    return dict(response.json())


async def prove(network: Network, provider: dict[str, Any]) -> None:
    """As a test login that succeeded would leave it."""
    async with network.database.sessions.begin() as session:
        row = await session.get_one(IdentityProvider, provider["id"])
        row.tested_fingerprint = row.fingerprint


async def step(network: Network, provider: dict[str, Any], word: str, version: int) -> Response:
    return await network.send(
        "POST", f"{PATH}/{provider['id']}/{word}", by="seoul", version=version
    )


async def test_a_member_registers_its_provider(network: Network) -> None:
    await network.join()

    response = await network.send("POST", PATH, LOGIN, by="seoul", key="once")

    assert response.status_code == 201
    provider = response.json()
    assert response.headers["location"] == f"/api/v1/members{PATH}/{provider['id']}"
    assert response.headers["etag"] == '"1"'
    assert (provider["status"], provider["is_tested"]) == ("draft", False)
    assert provider["scopes"] == ["openid", "profile", "email"]
    assert provider["algorithms"] == ["RS256"]
    assert provider["unknown_people"] == "refuse"
    assert provider["callback_url"] == f"{ISSUER}/login/seoul/callback"
    assert provider["allowed_actions"] == ["change", "test", "retire"]
    assert await network.get(f"{PATH}/{provider['id']}", by="seoul") == provider
    assert (await network.get(PATH, by="seoul"))["items"] == [provider]


async def test_its_secret_is_shown_to_nobody_and_lies_sealed(network: Network) -> None:
    await network.join()

    response = await network.send("POST", PATH, LOGIN, by="seoul", key="once")

    assert LOGIN["client_secret"] not in response.text
    async with network.database.sessions() as session:
        [row] = await session.scalars(select(IdentityProvider))
        [answer] = await session.scalars(select(RememberedAnswer))
    assert row.sealed_secret is not None
    assert LOGIN["client_secret"].encode() not in answer.body
    seals = Seals.read(MASTER_KEYS)
    opened = seals.open(row.sealed_secret, place=IdentityProvider.place(row.id))
    assert opened.decode() == LOGIN["client_secret"]


@pytest.mark.parametrize(
    "issuer",
    [
        "https://login.microsoftonline.com/common/v2.0",
        "https://login.microsoftonline.com/organizations/v2.0",
        "https://login.microsoftonline.com/Consumers/v2.0",
        "https://login.microsoftonline.com/{tenantid}/v2.0",
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        "https://sts.windows.net/common/",
        "https://login.microsoftonline.us/",
    ],
)
async def test_an_issuer_for_everyone_is_refused_with_an_explanation(
    network: Network, issuer: str
) -> None:
    await network.join()

    response = await network.send("POST", PATH, LOGIN | {"issuer": issuer}, by="seoul")

    assert (response.status_code, code_of(response)) == (422, "issuer-serves-everyone")
    assert "TENANT-ID" in response.json()["detail"]
    assert (await network.get(PATH, by="seoul"))["items"] == []


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.seoul.example",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest",
        "https://login.internal",
        "https://user:word@login.seoul.example",
        "https://login.seoul.example/?tenant=1",
        "https://login.seoul.example/#x",
        "login.seoul.example",
    ],
)
async def test_an_issuer_that_we_must_not_ask_is_refused(network: Network, issuer: str) -> None:
    await network.join()

    response = await network.send("POST", PATH, LOGIN | {"issuer": issuer}, by="seoul")

    assert (response.status_code, code_of(response)) == (422, "issuer-not-allowed")


@pytest.mark.parametrize(
    "wrong",
    [
        {"algorithms": ["none"]},
        {"algorithms": ["HS256"]},
        {"algorithms": []},
        {"authentication": "none"},
        {"client_id": "with space"},
        {"client_secret": ""},
        {"client_secret": None},
        {"scopes": ["two words"]},
        {"role_of_group": {"staff": "owner"}},
        {"subject_claim": "email"},
        {"name": "a\nb"},
        {"status": "active"},
        {"tested_at": "2026-01-01T00:00:00Z"},
    ],
    ids=str,
)
async def test_a_provider_that_makes_no_sense_is_refused(
    network: Network, wrong: dict[str, Any]
) -> None:
    await network.join()

    response = await network.send("POST", PATH, LOGIN | wrong, by="seoul")

    assert (response.status_code, code_of(response)) == (422, "invalid-request")


@pytest.mark.parametrize(
    "policy",
    [
        {"unknown_people": "with_role"},
        {"unknown_people": "refuse", "unknown_role": "observer"},
        {"unknown_people": "with_role", "unknown_role": "administrator"},
    ],
    ids=str,
)
async def test_a_policy_for_unknown_people_is_consistent(
    network: Network, policy: dict[str, str]
) -> None:
    await network.join()

    response = await network.send("POST", PATH, LOGIN | policy, by="seoul")

    assert (response.status_code, code_of(response)) == (422, "unknown-role-contradictory")


async def test_nobody_else_sees_or_changes_it(network: Network) -> None:
    await network.join()
    await network.join(city("busan"))
    provider = await registered(network)
    one = f"{PATH}/{provider['id']}"

    for by in ("busan", "tokyo"):
        for method, path, body, version in (
            ("GET", PATH, None, None),
            ("GET", one, None, None),
            ("POST", PATH, LOGIN, None),
            ("PATCH", one, {"name": "x"}, 1),
            ("POST", f"{one}/test", None, None),
            ("POST", f"{one}/activation", None, 1),
            ("POST", f"{one}/retirement", None, 1),
        ):
            response = await network.send(
                method, path, body, by=by, scopes=SECRETARIAT, version=version
            )
            assert response.status_code == 404, (by, method, path)
            assert code_of(response) == "identity-provider-not-found"

    assert (await network.get(PATH, by="seoul"))["items"] == [provider]


async def test_reading_and_writing_need_their_scopes(network: Network) -> None:
    await network.join()

    read = await network.send("GET", PATH, by="seoul", scopes="members:write")
    write = await network.send("POST", PATH, LOGIN, by="seoul", scopes="members:read")

    assert [code_of(read), code_of(write)] == ["missing-scope"] * 2


async def test_it_serves_nobody_before_a_test_login(network: Network) -> None:
    await network.join()
    provider = await registered(network)

    refused = await step(network, provider, "activation", 1)
    await prove(network, provider)
    active = await step(network, provider, "activation", 1)
    again = await step(network, provider, "activation", 2)

    assert (refused.status_code, code_of(refused)) == (409, "identity-provider-not-tested")
    assert (active.status_code, active.json()["status"]) == (200, "active")
    assert (again.status_code, code_of(again)) == (409, "identity-provider-active")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "Another"}, "active"),
        ({"role_of_group": {"staff": "observer"}}, "active"),
        ({"unknown_people": "with_role", "unknown_role": "observer"}, "active"),
        ({"client_secret": "another"}, "active"),
        ({"issuer": "https://login.seoul.example/realms/other"}, "draft"),
        ({"scopes": ["email"]}, "draft"),
        ({"algorithms": ["ES256", "RS256"]}, "draft"),
        ({"subject_claim": "oid"}, "draft"),
        ({"roles_claim": "groups"}, "draft"),
    ],
    ids=str,
)
async def test_a_change_of_what_was_tested_needs_another_test(
    network: Network, change: dict[str, Any], status: str
) -> None:
    await network.join()
    provider = await registered(network)
    await prove(network, provider)
    await step(network, provider, "activation", 1)

    response = await network.send(
        "PATCH", f"{PATH}/{provider['id']}", change, by="seoul", version=2
    )

    assert response.status_code == 200, response.text
    changed = response.json()
    assert (changed["status"], changed["version"]) == (status, 3)
    again = await step(network, provider, "activation", 3)
    assert again.status_code == 409


async def test_a_stale_change_changes_nothing(network: Network) -> None:
    await network.join()
    provider = await registered(network)

    response = await network.send(
        "PATCH", f"{PATH}/{provider['id']}", {"name": "x"}, by="seoul", version=7
    )

    assert (response.status_code, code_of(response)) == (412, "version-stale")
    assert response.json()["current"]["name"] == "City login"
    assert (await network.get(f"{PATH}/{provider['id']}", by="seoul"))["name"] == "City login"


async def test_a_client_is_registered_once_at_an_issuer_until_it_is_retired(
    network: Network,
) -> None:
    await network.join()
    provider = await registered(network)

    twice = await network.send("POST", PATH, LOGIN, by="seoul")
    retired = await step(network, provider, "retirement", 1)
    anew = await network.send("POST", PATH, LOGIN, by="seoul")
    changed = await network.send(
        "PATCH", f"{PATH}/{provider['id']}", {"name": "x"}, by="seoul", version=2
    )

    assert (twice.status_code, code_of(twice)) == (409, "identity-provider-exists")
    assert (retired.json()["status"], retired.json()["allowed_actions"]) == ("retired", [])
    assert anew.status_code == 201
    assert (changed.status_code, code_of(changed)) == (409, "identity-provider-retired")


async def test_a_suspended_member_changes_nothing(network: Network) -> None:
    await network.join()
    provider = await registered(network)
    await network.step("seoul", "suspended", by="tokyo", reason="fees")

    response = await step(network, provider, "retirement", 1)

    assert (response.status_code, code_of(response)) == (403, "member-not-active")


async def test_a_test_login_has_an_address_for_a_quarter_of_an_hour(network: Network) -> None:
    await network.join()
    provider = await registered(network)

    response = await network.send("POST", f"{PATH}/{provider['id']}/test", by="seoul")

    assert response.status_code == 201
    assert response.json()["url"].startswith(f"{ISSUER}/login/seoul/test/v1.k1.")
    await step(network, provider, "retirement", 1)
    refused = await network.send("POST", f"{PATH}/{provider['id']}/test", by="seoul")
    assert (refused.status_code, code_of(refused)) == (409, "identity-provider-retired")
