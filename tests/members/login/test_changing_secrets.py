"""A city changes the secret of its provider, and nobody is kept from logging in meanwhile."""

from typing import Any

import pytest
from sqlalchemy import select

from services.members.model.audit import AuditEntry
from services.members.model.identity_provider import IdentityProvider
from tests.members.login.provider import SECRET, Provider
from tests.members.login.seoul import PATH, Seoul, browser, is_in

NEW = "another secret of 2027"


async def shown(seoul: Seoul) -> dict[str, Any]:
    return dict(await seoul.network.get(f"{PATH}/{seoul.row['id']}", by="seoul"))


async def register_secret(seoul: Seoul, secret: str = NEW, **fields: Any) -> dict[str, Any]:
    """Let the city say what it will authenticate with from now on."""
    version = (await shown(seoul))["version"]
    response = await seoul.network.send(
        "PATCH",
        f"{PATH}/{seoul.row['id']}",
        {"client_secret": secret} | fields,
        by="seoul",
        version=version,
    )
    assert response.status_code == 200, response.text
    return dict(response.json())


async def try_out(seoul: Seoul) -> str | None:
    """Make a test login; give what somebody reads if it succeeded."""
    given = await seoul.network.send("POST", f"{PATH}/{seoul.row['id']}/test", by="seoul")
    async with browser(seoul.network.app) as client:
        page = await seoul.log_in(client, given.json()["url"])
    return page.text if page.status_code == 200 else None


async def can_log_in(seoul: Seoul) -> bool:
    async with browser(seoul.network.app) as client:
        await seoul.log_in(client)
        return is_in(client)


@pytest.fixture
async def invited(seoul: Seoul) -> Seoul:
    await seoul.prove()
    await seoul.invite()
    return seoul


async def test_the_former_secret_serves_until_the_new_one_has_been_tried(
    invited: Seoul, provider: Provider
) -> None:
    registered = await register_secret(invited)

    assert (registered["status"], registered["has_next_secret"]) == ("active", True)
    assert registered["is_tested"]
    assert provider.secrets == (SECRET,)
    assert await can_log_in(invited)


async def test_the_new_secret_takes_over_with_the_test_login(
    invited: Seoul, provider: Provider
) -> None:
    await register_secret(invited)
    provider.secrets = (SECRET, NEW)
    tried = await try_out(invited)
    provider.secrets = (NEW,)

    after = await shown(invited)

    assert tried is not None
    assert "The new secret is used from now on." in tried
    assert (after["status"], after["has_next_secret"], after["is_tested"]) == (
        "active",
        False,
        True,
    )
    assert await can_log_in(invited)
    async with invited.network.database.sessions() as session:
        [*_, entry] = await session.scalars(
            select(AuditEntry)
            .where(AuditEntry.action == "identity_provider.tested")
            .order_by(AuditEntry.position)
        )
    assert entry.details == {"secret_taken_over": True}


async def test_a_secret_that_does_not_work_does_not_take_over(
    invited: Seoul, provider: Provider
) -> None:
    await register_secret(invited, "mistyped")

    tried = await try_out(invited)

    assert tried is None
    assert (await shown(invited))["has_next_secret"]
    assert await can_log_in(invited)
    await register_secret(invited)
    provider.secrets = (SECRET, NEW)
    assert await try_out(invited)


async def test_a_login_under_way_survives_the_change_of_the_secret(
    invited: Seoul, provider: Provider
) -> None:
    await register_secret(invited)
    provider.secrets = (SECRET, NEW)

    async with browser(invited.network.app) as client:
        left = await client.get("/login/seoul")
        assert await try_out(invited)
        await client.get(provider.log_in(left.headers["location"]))
        came_in = is_in(client)

    assert came_in


async def test_a_secret_that_changes_with_something_else_needs_another_activation(
    invited: Seoul,
) -> None:
    changed = await register_secret(invited, scopes=["email"])

    assert (changed["status"], changed["has_next_secret"], changed["is_tested"]) == (
        "draft",
        False,
        False,
    )
    assert not await try_out(invited)


async def test_a_waiting_secret_is_the_one_of_a_draft(invited: Seoul, provider: Provider) -> None:
    await register_secret(invited)
    version = (await shown(invited))["version"]
    draft = await invited.network.send(
        "PATCH",
        f"{PATH}/{invited.row['id']}",
        {"scopes": ["email"]},
        by="seoul",
        version=version,
    )
    provider.secrets = (NEW,)

    await invited.activate()

    assert draft.json()["status"] == "draft"
    assert (await shown(invited))["has_next_secret"] is False
    assert await can_log_in(invited)


async def test_the_waiting_secret_lies_sealed(invited: Seoul) -> None:
    registered = await register_secret(invited)

    async with invited.network.database.sessions() as session:
        [row] = await session.scalars(select(IdentityProvider))
    assert row.sealed_next_secret is not None
    assert NEW not in row.sealed_next_secret
    assert NEW not in repr(row)
    assert NEW not in str(registered)
