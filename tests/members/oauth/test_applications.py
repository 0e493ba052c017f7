"""Applications: what officials log in to."""

from base64 import urlsafe_b64encode
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from sqlalchemy import func, select

from services.members.model.client import Client
from services.members.model.scopes import SCOPES
from services.members.use_cases.register_platform_application import (
    register_platform_application,
)
from shared.clock import utc_now
from tests.members.network import OPENING, Network, code_of

BACK = "https://desk.example/back"
DESK = {
    "name": "Water desk",
    "kind": "application",
    "scopes": ["projects:read"],
    "redirect_uris": [BACK, "http://127.0.0.1:8080/back"],
    "post_logout_redirect_uris": ["https://desk.example/"],
    "requires_dpop": True,
}
EC = ECKey.generate_key("P-256")
RSA = RSAKey.generate_key(2048)
SHORT = urlsafe_b64encode(b"\xff" * 128).rstrip(b"=").decode()
"""The modulus of a key of 1024 bits, which can be broken."""


async def test_a_member_registers_an_application(network: Network) -> None:
    response = await network.send("POST", "/tokyo/clients", DESK)

    assert response.status_code == 201, response.text
    client = response.json()
    assert {name: client[name] for name in DESK} == DESK
    assert client["secret"].startswith("rks_")
    assert (client["authentication"], client["keys"]) == ("client_secret", None)
    assert not client["serves_network"]
    assert not client["is_first_party"]


async def test_a_public_application_has_no_secret(network: Network) -> None:
    response = await network.send("POST", "/tokyo/clients", DESK | {"authentication": "none"})

    assert (response.status_code, response.json()["secret"]) == (201, None)


async def test_of_keys_only_what_is_public_and_needed_is_kept(network: Network) -> None:
    given = [
        EC.as_dict(private=False) | {"kid": "one", "use": "sig", "x5t": "x"},
        RSA.as_dict(private=False),
    ]

    response = await network.send(
        "POST",
        "/tokyo/clients",
        DESK | {"authentication": "private_key_jwt", "keys": {"keys": given}},
    )

    assert response.status_code == 201, response.text
    one, other = response.json()["keys"]["keys"]
    assert response.json()["secret"] is None
    assert set(one) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (one["kid"], one["alg"]) == ("one", "ES256")
    assert (other["kid"], other["alg"]) == (RSA.thumbprint(), "RS256")


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [EC.as_dict(private=True)],
        [EC.as_dict(private=False) | {"use": "enc"}],
        [EC.as_dict(private=False) | {"alg": "RS256"}],
        [EC.as_dict(private=False) | {"kid": "a\u0000b"}],
        [EC.as_dict(private=False), EC.as_dict(private=False)],
        [ECKey.generate_key("P-384").as_dict(private=False)],
        [OKPKey.generate_key("Ed25519").as_dict(private=False)],
        [OctKey.generate_key(256).as_dict(private=True)],
        [RSA.as_dict(private=False) | {"n": SHORT}],
        [{"kty": "EC"}],
        [{"kty": ["EC"]}],
        ["EC"],
        "EC",
        None,
    ],
)
async def test_other_keys_are_refused(network: Network, keys: Any) -> None:
    response = await network.send(
        "POST",
        "/tokyo/clients",
        DESK | {"authentication": "private_key_jwt", "keys": {"keys": keys}},
    )

    assert (response.status_code, code_of(response)) == (422, "invalid-request"), response.text
    assert await network.happened() == OPENING


@pytest.mark.parametrize(
    "address",
    [
        "http://desk.example/back",
        "https://desk.example/back#here",
        "https://desk.example\\@evil.example/",
        "https://me@desk.example/",
        "https://desk.example:0/",
        "https://desk.example:99999/",
        "https://desk.example/a b",
        "https://desk.example/\n",
        "https:///back",
        "https://[::1/back",
        "https://desk.example/\u6771",
        'https://desk.example/"',
        "http://127.0.0.1.evil.example/",
        "javascript:alert(1)",
        "desk:back",
        "/back",
        "",
        f"https://desk.example/{'x' * 500}",
    ],
)
async def test_an_address_that_is_not_safe_is_refused(network: Network, address: str) -> None:
    response = await network.send("POST", "/tokyo/clients", DESK | {"redirect_uris": [address]})

    assert (response.status_code, code_of(response)) == (422, "invalid-request")
    assert await network.happened() == OPENING


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "machine"},
        {"kind": "machine", "redirect_uris": []},
        {"redirect_uris": []},
        {"kind": "machine", "redirect_uris": [], "post_logout_redirect_uris": []}
        | {"authentication": "none"},
        {"authentication": "private_key_jwt"},
        {"keys": {"keys": [EC.as_dict(private=False)]}},
    ],
)
async def test_a_contradiction_is_refused(network: Network, wrong: dict[str, Any]) -> None:
    response = await network.send("POST", "/tokyo/clients", DESK | wrong)

    assert (response.status_code, code_of(response)) == (422, "client-contradictory")
    assert await network.happened() == OPENING


async def test_an_application_is_changed_and_keeps_an_address_to_go_back_to(
    network: Network,
) -> None:
    client = (await network.send("POST", "/tokyo/clients", DESK)).json()
    path = f"/tokyo/clients/{client['id']}"

    moved = await network.send("PATCH", path, {"redirect_uris": [BACK]}, version=1)
    emptied = await network.send("PATCH", path, {"redirect_uris": []}, version=2)

    assert (moved.status_code, moved.json()["redirect_uris"]) == (200, [BACK])
    assert (emptied.status_code, code_of(emptied)) == (422, "client-contradictory")
    assert (await network.get(path))["redirect_uris"] == [BACK]


async def test_only_the_secretariat_lets_an_application_serve_everybody(network: Network) -> None:
    await network.join()
    body = DESK | {"serves_network": True}

    ours = await network.send("POST", "/tokyo/clients", body)
    not_the_office = await network.send("POST", "/tokyo/clients", body, scopes="members:write")
    another = await network.send("POST", "/seoul/clients", body, by="seoul")

    assert (ours.status_code, ours.json()["serves_network"]) == (201, True)
    assert (not_the_office.status_code, code_of(not_the_office)) == (403, "missing-scope")
    assert (another.status_code, code_of(another)) == (403, "only-the-secretariat")


async def test_nobody_makes_an_application_a_part_of_the_platform(network: Network) -> None:
    response = await network.send("POST", "/tokyo/clients", DESK | {"is_first_party": True})

    assert (response.status_code, code_of(response)) == (422, "invalid-request")


async def test_the_host_cannot_send_browsers_of_the_portal_elsewhere(network: Network) -> None:
    keys = {"keys": [EC.as_dict(private=False)]}
    async with network.database.sessions.begin() as session:
        portal = await register_platform_application(
            session, name="portal", redirect_uris=[BACK], keys=keys, now=utc_now()
        )
    one = f"/tokyo/clients/{portal.client.id}"
    before = await network.happened()

    answers = [
        await network.send(
            "PATCH", one, {"redirect_uris": ["https://evil.example/back"]}, version=1
        ),
        await network.send(
            "PATCH", one, {"keys": {"keys": [RSA.as_dict(private=False)]}}, version=1
        ),
        await network.send("DELETE", one, version=1),
    ]

    assert [(each.status_code, code_of(each)) for each in answers] == [
        (403, "client-of-the-platform")
    ] * 3
    kept = await network.get(one)
    assert (kept["redirect_uris"], kept["status"], kept["allowed_actions"]) == (
        [BACK],
        "active",
        [],
    )
    assert await network.happened() == before


async def test_an_operator_registers_the_portal_once_and_moves_it(network: Network) -> None:
    keys = {"keys": [EC.as_dict(private=False)]}
    async with network.database.sessions.begin() as session:
        made = await register_platform_application(
            session, name="portal", redirect_uris=[BACK], keys=keys, now=utc_now()
        )
    async with network.database.sessions.begin() as session:
        again = await register_platform_application(
            session, name="portal", redirect_uris=[BACK], keys=keys, now=utc_now()
        )
        moved = await register_platform_application(
            session, name="portal", redirect_uris=[f"{BACK}/2"], keys=keys, now=utc_now()
        )

    assert made.client.id == again.client.id == moved.client.id
    async with network.database.sessions() as session:
        assert await session.scalar(select(func.count()).where(Client.is_first_party)) == 1
        client = await session.get_one(Client, made.client.id)
    assert (client.member, client.scopes, client.version) == ("tokyo", SCOPES, 2)
    assert client.serves_network
    assert client.redirect_uris == (f"{BACK}/2",)
    assert await network.happened() == [*OPENING, "client.registered", "client.changed"]
