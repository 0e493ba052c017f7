"""Who names a client and is not it, and what people let applications do, stands in the trail."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from services.members.model.audit import AuditEntry
from services.members.use_cases.change_over_signing_keys import change_over_signing_keys
from services.members.use_cases.read_signing_keys import read_signing_keys
from services.members.use_cases.rotate_signing_keys import rotate_signing_keys
from shared.clock import utc_now
from tests.members.network import Network
from tests.members.oauth.browsing import Desk
from tests.members.oauth.test_consent import form_in, other
from tests.members.test_rotating_keys import SEALS, TIMES

__all__ = ["other"]


async def told(network: Network, member: str, *kinds: str) -> list[Any]:
    """What a member's trail says about these, in its order."""
    async with network.database.sessions() as session:
        query = select(AuditEntry).where(AuditEntry.member == member).order_by(AuditEntry.position)
        return [
            (each.action, each.outcome, each.reason, each.subject, each.actor)
            for each in await session.scalars(query)
            if each.action.partition(".")[0] in kinds
        ]


async def ask(network: Network, client_id: str, secret: str) -> int:
    async with network.client(None) as client:
        form = {"grant_type": "client_credentials"}
        response = await client.post("/oauth/token", data=form, auth=(client_id, secret))
    return response.status_code


async def test_wrong_credentials_of_a_client_stand_in_the_trail_of_its_member(
    network: Network,
) -> None:
    await network.join()
    registered = await network.register()

    status = await ask(network, registered["id"], "wrong")

    assert status == 401
    subject = f"client:{registered['id']}"
    assert await told(network, "seoul", "client") == [
        ("client.registered", "done", None, subject, "client:seoul-main"),
        ("client.refused", "refused", "wrong-credentials", subject, None),
    ]


async def test_good_credentials_leave_nothing(network: Network) -> None:
    await network.join()
    registered = await network.register()

    status = await ask(network, registered["id"], registered["secret"])

    assert status == 200
    assert len(await told(network, "seoul", "client")) == 1


async def test_a_client_that_does_not_exist_leaves_nothing(network: Network) -> None:
    before = await told(network, "tokyo", "client")

    status = await ask(network, "tokyo-nothing-00000000", "wrong")

    assert status == 401
    assert await told(network, "tokyo", "client") == before


async def test_the_secret_of_a_revoked_client_is_refused_as_such(network: Network) -> None:
    await network.join()
    registered = await network.register()
    path = f"/seoul/clients/{registered['id']}"
    revoked = await network.send("DELETE", path, by="seoul", version=1)
    assert revoked.status_code == 200, revoked.text

    await ask(network, registered["id"], registered["secret"])

    [*_, last] = await told(network, "seoul", "client")
    assert last[:3] == ("client.refused", "refused", "client-revoked")


async def test_consent_and_the_session_that_follows_are_recorded(
    other: Desk,
    network: Network,
) -> None:
    page = await other.authorize()

    await other.send("/oauth/consent", **form_in(page.text), decision="allow")

    found = await told(network, "tokyo", "consent", "session")
    client = f"client:{other.client_id}"
    assert [(each[0], each[1], each[4] == found[0][4]) for each in found] == [
        ("consent.given", "done", True),
        ("session.began", "done", True),
    ]
    assert found[0][3] == client
    assert str(found[0][4]).startswith("official:")


async def test_consent_that_is_refused_is_recorded(
    other: Desk,
    network: Network,
) -> None:
    page = await other.authorize()

    await other.send("/oauth/consent", **form_in(page.text), decision="deny")

    [found] = await told(network, "tokyo", "consent", "session")
    assert found[:4] == (
        "consent.given",
        "refused",
        "refused-by-the-person",
        f"client:{other.client_id}",
    )


async def test_a_code_that_is_used_twice_ends_the_session_and_says_why(
    desk: Desk, network: Network
) -> None:
    code = await desk.code()
    await desk.redeem(code)

    await desk.redeem(code)

    [*_, last] = await told(network, "tokyo", "session")
    assert (last[0], last[2], last[4]) == (
        "session.ended",
        "used-twice",
        f"client:{desk.client_id}",
    )


async def test_the_rotation_of_keys_stands_in_the_trail_of_the_host(network: Network) -> None:
    began = utc_now()
    async with network.database.sessions.begin() as session:
        await read_signing_keys(session, seals=SEALS, now=began - timedelta(days=1))
    async with network.database.sessions.begin() as session:
        await rotate_signing_keys(session, seals=SEALS, at_once=None, now=began)

    for hours in (1, 20):
        async with network.database.sessions.begin() as session:
            await change_over_signing_keys(session, began + timedelta(hours=hours), times=TIMES)

    found = await told(network, "tokyo", "signing_key")
    assert [(each[0], each[4]) for each in found] == [
        ("signing_key.replaced", "operator"),
        ("signing_key.replaced", "operator"),
        ("signing_key.activated", "clock"),
        ("signing_key.activated", "clock"),
        ("signing_key.retired", "clock"),
        ("signing_key.retired", "clock"),
    ]
