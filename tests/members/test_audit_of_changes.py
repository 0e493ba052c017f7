"""What administrators change stands in the trail of their member, done by them; refusals do not."""

from typing import Any

from sqlalchemy import select

from services.members.model.audit import AuditEntry
from tests.members.network import COORDINATOR, Network, code_of
from tests.members.test_people import LoggedIn, someone


async def told(network: Network, *actions: str) -> list[AuditEntry]:
    """What Seoul's trail says about these, in its order."""
    async with network.database.sessions() as session:
        query = select(AuditEntry).where(AuditEntry.member == "seoul").order_by(AuditEntry.position)
        return [each for each in await session.scalars(query) if each.action in actions]


async def change(person: LoggedIn, official: dict[str, Any], **fields: Any) -> dict[str, Any]:
    path = f"/seoul/officials/{official['id']}"
    response = await person.send("PATCH", path, fields, version=official["version"])
    assert response.status_code == 200, response.text
    return dict(response.json())


async def test_a_change_of_roles_tells_who_when_and_what(network: Network) -> None:
    await network.join()
    min_ = await someone(network, "administrator")
    official = await network.appoint(COORDINATOR)

    await change(min_, official, roles=["observer"])

    [found] = await told(network, "official.role_changed")
    assert found.subject == f"official:{official['id']}"
    assert found.details == {"roles": ["observer"], "former_roles": ["coordinator"]}
    assert found.actor == f"official:{min_.official_id}"
    assert (found.actor_member, found.session_id) == ("seoul", min_.session_id)
    assert found.outcome == "done"


async def test_blocking_and_a_new_name_are_two_entries_without_the_name(network: Network) -> None:
    await network.join()
    min_ = await someone(network, "administrator")
    official = await network.appoint(COORDINATOR)

    blocked = await change(min_, official, status="blocked", name="Secret Name")
    await change(min_, blocked, status="active")

    found = await told(network, "official.blocked", "official.changed", "official.unblocked")
    assert [(each.action, each.details) for each in found] == [
        ("official.blocked", {}),
        ("official.changed", {"fields": ["name"]}),
        ("official.unblocked", {}),
    ]


async def test_a_change_that_changes_nothing_is_no_entry(network: Network) -> None:
    await network.join()
    min_ = await someone(network, "administrator")
    official = await network.appoint(COORDINATOR)

    await change(min_, official, roles=["coordinator"])

    assert await told(network, "official.role_changed", "official.changed") == []


async def test_what_is_refused_leaves_no_entry_that_it_was_done(network: Network) -> None:
    await network.join()
    min_ = await someone(network, "administrator")
    path = f"/seoul/officials/{min_.official_id}"

    refused = await min_.send("PATCH", path, {"roles": ["observer"]}, version=1)

    assert (refused.status_code, code_of(refused)) == (409, "last-administrator")
    assert await told(network, "official.role_changed") == []


async def test_the_same_request_sent_twice_is_one_entry(network: Network) -> None:
    await network.join()
    async with network.client("seoul") as client:
        for _ in range(2):
            response = await client.post(
                "/api/v1/members/seoul/officials",
                json=COORDINATOR,
                headers={"Idempotency-Key": "appoint-1"},
            )
            assert response.status_code == 201, response.text

    assert len(await told(network, "official.appointed")) == 1


async def test_a_remembered_refusal_leaves_no_entry(network: Network) -> None:
    await network.join()
    headers = {"Idempotency-Key": "revoke-1", "If-Match": '"1"'}
    official = await network.appoint()
    async with network.client("seoul") as client:
        path = f"/api/v1/members/seoul/officials/{official['id']}/erasure"

        refused = await client.post(path, headers=headers)

    assert (refused.status_code, code_of(refused)) == (409, "last-administrator")
    assert await told(network, "official.erased", "session.ended", "login.ended") == []


async def test_administrators_read_the_trail_and_other_officials_do_not(network: Network) -> None:
    await network.join()
    min_ = await someone(network, "administrator")
    jun = await someone(network, "coordinator", "contributor", "observer")

    read = await min_.send("GET", "/seoul/audit-entries")
    taken = await min_.send("GET", "/seoul/audit-entries/export")
    refused = await jun.send("GET", "/seoul/audit-entries")

    assert (read.status_code, taken.status_code) == (200, 200)
    assert (refused.status_code, code_of(refused)) == (403, "missing-scope")
