"""The demo's identity providers, as the platform and its people see them."""

import base64
import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from dns.asyncresolver import Resolver
from dns.resolver import NXDOMAIN
from joserfc import jwt
from joserfc.jwk import KeySet

from deploy.demo.browser import Browser
from deploy.demo.providers.cities import KINDS, Provider, read_providers
from deploy.embedded.console import Console
from deploy.embedded.layout import DEMO_LOGINS, HOST, Ports, reserved_base_port
from deploy.embedded.node import DEMO_PROVIDERS, NodeProgram
from deploy.embedded.providers import DemoProviders
from tests.deploy.standin_platform import running

ISSUER = "http://127.0.0.1:1"
"""Of a platform that is not there: nobody follows the last redirect."""
VERIFIER = secrets.token_urlsafe(48)
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=")


@pytest.fixture
async def providers(tmp_path: Path) -> AsyncIterator[dict[str, Provider]]:
    assert DEMO_PROVIDERS.install(Console(quiet=True), os.environ)
    file = tmp_path / "providers.json"
    with reserved_base_port() as base:
        demo = DemoProviders(
            file=file,
            ports=Ports(base),
            secrets=dict.fromkeys(DEMO_LOGINS, "for-tests-only"),
            issuer=ISSUER,
        )
        async with running(*demo.programs(), log=tmp_path / "log"):
            yield {each.member: each for each in read_providers(file)}


async def test_a_person_of_each_kind_of_provider_logs_in_and_is_named(
    providers: dict[str, Provider],
) -> None:
    named = {}
    async with httpx2.AsyncClient(trust_env=False) as http:
        for member, provider in providers.items():
            if provider.is_own:
                named[member] = await log_in(http, provider, "coordinator")

    assert named == {
        member: (
            provider.issuer,
            f"{member}-coordinator",
            f"coordinator@{member}.example",
            True,
        )
        for member, provider in providers.items()
        if provider.is_own
    }
    assert {member: providers[member].kind for member in named} == KINDS


async def test_a_liaison_is_the_same_person_for_both_cities(providers: dict[str, Provider]) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        said = [
            await log_in(http, providers[member], "liaison") for member in ("singapore", "hanoi")
        ]

    assert said[0] == said[1]
    assert said[0][1:] == ("singapore-liaison", "liaison@singapore.example", True)
    assert providers["hanoi"].client_id != providers["singapore"].client_id


async def test_a_name_that_a_city_enters_is_found_in_the_dns(
    providers: dict[str, Provider],
) -> None:
    names = f"http://{HOST}:{providers['bangkok'].port}/records"
    resolver = Resolver(configure=False)
    resolver.nameservers, resolver.port = [HOST], Ports(providers["bangkok"].port - 6).demo_dns

    async with httpx2.AsyncClient(trust_env=False) as http:
        entered = await http.put(f"{names}/_renkei.seoul.example", content="proof=1")
        refused = await http.put(f"{names}/no%20name", content="proof=2")

    assert (entered.status_code, refused.status_code) == (204, 422)
    [found] = await resolver.resolve("_renkei.seoul.example", "TXT")
    assert found.strings == (b"proof=1",)
    with pytest.raises(NXDOMAIN):
        await resolver.resolve("_renkei.tokyo.example", "TXT")


async def test_the_file_of_the_providers_is_private(
    providers: dict[str, Provider], tmp_path: Path
) -> None:
    assert len(providers) == len(DEMO_LOGINS)
    assert (tmp_path / "providers.json").stat().st_mode & 0o777 == 0o600


def test_what_npm_cannot_fetch_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = replace(DEMO_PROVIDERS, place=tmp_path)
    nowhere = {
        "npm_config_registry": "http://127.0.0.1:9/",
        "npm_config_cache": str(tmp_path / "c"),
    }

    installed = program.install(Console(), os.environ | nowhere)

    _, reason, *more = capsys.readouterr().out.splitlines()
    assert (installed, more) == (False, [])
    assert reason.endswith("; all cities log in at the other kind.")
    assert "http://127.0.0.1:9/" in reason


def test_without_node_every_city_has_the_other_kind_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = {
        "file": tmp_path / "providers.json",
        "ports": Ports(10_000),
        "secrets": dict.fromkeys(DEMO_LOGINS, "for-tests-only"),
        "issuer": ISSUER,
    }
    monkeypatch.setattr(NodeProgram, "is_installed", lambda _: False)
    first = DemoProviders(**demo).programs()  # type: ignore[arg-type]

    monkeypatch.setattr(NodeProgram, "is_installed", lambda _: True)
    again = DemoProviders(**demo).programs()  # type: ignore[arg-type]

    assert [each.name for each in first] == ["demo-providers-mock"]
    assert [each.name for each in again] == ["demo-providers-mock"]
    issuers = {each.member: each.issuer for each in read_providers(tmp_path / "providers.json")}
    assert issuers["seoul"] == "http://localhost:10007"
    assert issuers["hanoi"] == issuers["singapore"] == "http://localhost:10008"


async def log_in(
    http: httpx2.AsyncClient, provider: Provider, role: str
) -> tuple[str, str, str, bool]:
    """Walk through a login as a browser and its platform do; gives what the provider says."""
    known = (await http.get(f"{provider.issuer}/.well-known/openid-configuration")).json()
    state, nonce = secrets.token_urlsafe(), secrets.token_urlsafe()
    question = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": provider.redirect_uri,
        "scope": "openid profile email",
        "state": state,
        "nonce": nonce,
        "code_challenge": CHALLENGE.decode(),
        "code_challenge_method": "S256",
    }
    async with Browser() as browser:
        page = await browser.log_in(
            f"{known['authorization_endpoint']}?{urlencode(question)}",
            until=provider.redirect_uri,
            person=provider.person(role).subject,
        )
    answer = dict(parse_qsl(urlsplit(page.url).query))
    assert answer["state"] == state
    token = await http.post(
        known["token_endpoint"],
        data={
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": provider.redirect_uri,
            "code_verifier": VERIFIER,
        },
        auth=(provider.client_id, provider.client_secret),
    )
    keys = KeySet.import_key_set((await http.get(known["jwks_uri"])).json())
    claims = jwt.decode(token.json()["id_token"], keys, algorithms=["RS256"]).claims
    assert claims["nonce"] == nonce
    bearer = {"Authorization": f"Bearer {token.json()['access_token']}"}
    info = (await http.get(known["userinfo_endpoint"], headers=bearer)).json()
    return claims["iss"], claims["sub"], info["email"], info["email_verified"]
