"""The portal becomes an application of the platform, and stays the one it was."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from deploy.embedded.environment import Environments
from deploy.embedded.layout import REPOSITORY, Ports, Secrets
from deploy.operations.applications import register_portal
from deploy.operations.opening import open_from_text
from services.members.model.client import Client
from tests.conftest import Database, DatabaseOf

HOST = (REPOSITORY / "deploy" / "demo" / "host.json").read_text(encoding="utf-8")
URL = "http://127.0.0.1:8400"


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets.load_or_create(tmp_path / "secrets.json")


@pytest.fixture
async def members(
    database_of: DatabaseOf, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """The members service's database, and the environment of the operator's command."""
    database = await database_of("members")
    environments = Environments(ports=Ports(8400), secrets=secrets, jwks_url="", caller={})
    for name, value in environments.of_operator().items():
        if name.startswith("RENKEI_"):
            monkeypatch.setenv(name, value)
    monkeypatch.setenv("RENKEI_MEMBERS_DATABASE_URL", database.url)
    return database


async def portals(members: Database) -> list[dict[str, Any]]:
    async with members.sessions() as session:
        found = await session.scalars(select(Client).where(Client.name == "portal"))
        return [
            {
                "id": each.id,
                "authentication": each.authentication,
                "is_first_party": each.is_first_party,
                "addresses": (
                    *each.redirect_uris,
                    *each.post_logout_redirect_uris,
                    each.backchannel_logout_uri,
                ),
                "key": {name for key in (each.keys or {})["keys"] for name in key},
            }
            for each in found
        ]


def registered(client_id: str, url: str) -> list[dict[str, Any]]:
    below = f"{url}/session"
    return [
        {
            "id": client_id,
            "authentication": "private_key_jwt",
            "is_first_party": True,
            "addresses": (
                f"{below}/callback",
                f"{below}/logged-out",
                f"{below}/backchannel-logout",
            ),
            "key": {"kty", "crv", "x", "y", "kid", "use", "alg"},
        }
    ]


async def test_who_opens_the_network_registers_its_portal(
    members: Database, secrets: Secrets, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await open_from_text(HOST, as_json=True) == 0

    assert await portals(members) == registered(secrets.portal["client_id"], URL)
    printed = json.loads(capsys.readouterr().out)
    assert printed.keys() == {"member", "administrator", "client_id", "client_secret"}


async def test_a_portal_at_another_address_stays_the_same_application(
    members: Database, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_from_text(HOST, as_json=True)
    monkeypatch.setenv("RENKEI_PORTAL_URL", "https://pages.example")

    codes = [await register_portal(if_open=False) for _ in range(2)]

    assert codes == [0, 0]
    assert await portals(members) == registered(
        secrets.portal["client_id"], "https://pages.example"
    )


async def test_without_a_network_no_portal_is_registered(
    members: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = await register_portal(if_open=True), await register_portal(if_open=False)

    assert codes == (0, 1)
    assert await portals(members) == []
    assert capsys.readouterr().err == "Open the network first, with `renkei init`.\n"


async def test_a_portal_with_another_name_is_told_by_which_it_is_known(
    members: Database,
    secrets: Secrets,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    await open_from_text(HOST, as_json=True)
    monkeypatch.setenv("RENKEI_PORTAL_CLIENT_ID", "portal-other")

    code = await register_portal(if_open=False)

    assert code == 1
    assert f"RENKEI_PORTAL_CLIENT_ID={secrets.portal['client_id']}" in capsys.readouterr().err
    assert [each["id"] for each in await portals(members)] == [secrets.portal["client_id"]]


async def test_a_network_without_a_portal_can_be_opened(
    members: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RENKEI_PORTAL_CLIENT_ID")

    assert await open_from_text(HOST, as_json=True) == 0

    assert await portals(members) == []
