"""Clients: registered, seen by few, changed, revoked."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from services.members.model.client import (
    Client,
    is_secret_of,
    new_client_id,
    new_secret,
    secret_hash_of,
)
from services.members.model.speaker import SpeakerUnknown
from services.members.queries.members import speaker_of
from services.members.use_cases.change_client import change_client
from services.members.use_cases.end_former_secret import end_former_secret
from services.members.use_cases.fields import ClientFields
from services.members.use_cases.register_client import register_client
from services.members.use_cases.replace_client_secret import replace_client_secret
from services.members.use_cases.revoke_client import revoke_client
from shared.actor import ANY_LOGIN, Actor
from shared.clock import utc_now
from shared.messaging.tables import OutboxMessage, RememberedAnswer
from tests.members.network import SECRETARIAT, Network, city, code_of

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Water desk", "seoul-water-desk-"),
        ("  Ünser Büro / 2 ", "seoul-unser-buro-2-"),
        ("東京", "seoul-"),
        ("x" * 300, f"seoul-{'x' * 32}-"),
    ],
)
def test_an_id_can_be_recognised(name: str, words: str) -> None:
    client_id = new_client_id("seoul", name)

    assert client_id.startswith(words)
    assert len(client_id) == len(words) + 8


def test_a_secret_is_known_by_its_hash_alone() -> None:
    secret = new_secret()
    client = Client(
        id="seoul-x",
        member="seoul",
        name="x",
        scopes=("members:read",),
        secret_hash=secret_hash_of(secret),
        created_at=None,  # type: ignore[arg-type]
        updated_at=None,  # type: ignore[arg-type]
    )

    assert secret.startswith("rks_")
    assert len(secret) == 47
    assert is_secret_of(client, secret, at=NOON)
    assert not is_secret_of(client, secret[:-1], at=NOON)
    assert not is_secret_of(None, secret, at=NOON)
    assert not is_secret_of(None, "", at=NOON)
    assert secret not in repr(client)


async def test_a_member_registers_a_client(network: Network) -> None:
    await network.join()

    response = await network.send(
        "POST",
        "/seoul/clients",
        {"name": "Water desk", "scopes": ["projects:read", "members:read"]},
        by="seoul",
    )

    assert response.status_code == 201
    client = response.json()
    assert response.headers["location"] == f"/api/v1/members/seoul/clients/{client['id']}"
    assert response.headers["etag"] == '"1"'
    assert client["scopes"] == ["members:read", "projects:read"]
    assert client["allowed_actions"] == ["change", "replace_secret", "revoke"]
    event = (await network.events())[-1]
    assert (event.type, event.subject) == ("renkei.client.registered.v1", client["id"])
    assert event.audience == ("seoul",)


async def test_the_secret_is_shown_once_and_kept_nowhere_in_clear(network: Network) -> None:
    await network.join()
    body = {"name": "Water desk", "scopes": ["members:read"]}
    answers = [
        await network.send("POST", "/seoul/clients", body, by="seoul", key="desk") for _ in range(2)
    ]
    client = answers[0].json()
    secret = client["secret"]

    shown = await network.get(f"/seoul/clients/{client['id']}", by="seoul")

    assert answers[1].json() == client
    assert answers[1].headers["idempotency-replayed"] == "true"
    assert "secret" not in shown
    async with network.database.sessions() as session:
        [row] = await session.scalars(select(Client).where(Client.member == "seoul"))
        remembered = list(await session.scalars(select(RememberedAnswer)))
        told = list(await session.scalars(select(OutboxMessage.body)))
    assert row.secret_hash == secret_hash_of(secret)
    assert len(remembered) == 1
    for kept in (row.secret_hash.encode(), *(answer.body for answer in remembered), *told):
        assert secret.encode() not in kept


async def test_a_key_with_another_body_is_refused(network: Network) -> None:
    await network.join()
    await network.send(
        "POST", "/seoul/clients", {"name": "a", "scopes": ["members:read"]}, by="seoul", key="k"
    )

    response = await network.send(
        "POST", "/seoul/clients", {"name": "b", "scopes": ["members:read"]}, by="seoul", key="k"
    )

    assert (response.status_code, code_of(response)) == (422, "idempotency-key-reused")


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": "members:read"},
        {"name": ""},
        {"name": "two\nlines"},
        {"id": "seoul-x"},
    ],
    ids=str,
)
async def test_a_client_that_makes_no_sense_is_refused(
    network: Network, wrong: dict[str, Any]
) -> None:
    await network.join()

    response = await network.send(
        "POST",
        "/seoul/clients",
        {"name": "Water desk", "scopes": ["members:read"]} | wrong,
        by="seoul",
    )

    assert (response.status_code, code_of(response)) == (422, "invalid-request")


async def test_the_secretariat_registers_the_first_client_and_no_other(network: Network) -> None:
    await network.invite()
    body = {"name": "First", "scopes": ["members:read", "members:write"]}

    first = await network.send("POST", "/seoul/clients", body)
    second = await network.send("POST", "/seoul/clients", body)

    assert first.status_code == 201
    assert (second.status_code, code_of(second)) == (403, "only-the-member-itself")
    assert len((await network.get("/seoul/clients"))["items"]) == 1


@pytest.mark.parametrize(
    ("member", "by", "scopes"),
    [
        ("seoul", "seoul", SECRETARIAT),
        ("seoul", "tokyo", SECRETARIAT),
        ("tokyo", "tokyo", "members:write"),
    ],
)
async def test_only_the_secretariat_gives_its_scope_and_only_to_itself(
    network: Network, member: str, by: str, scopes: str
) -> None:
    await network.join()
    before = await network.happened()

    response = await network.send(
        "POST",
        f"/{member}/clients",
        {"name": "Office", "scopes": ["network:write"]},
        by=by,
        scopes=scopes,
    )

    assert (response.status_code, code_of(response)) == (403, "scope-reserved")
    assert await network.happened() == before


async def test_the_secretariat_registers_another_office(network: Network) -> None:
    response = await network.send(
        "POST", "/tokyo/clients", {"name": "Office", "scopes": ["network:write"]}
    )

    assert (response.status_code, response.json()["scopes"]) == (201, ["network:write"])


async def test_other_members_see_no_clients(network: Network) -> None:
    await network.join()
    await network.join(city("busan"))
    client = await network.register()
    one = f"/seoul/clients/{client['id']}"

    for method, path, body in (
        ("GET", "/seoul/clients", None),
        ("GET", one, None),
        ("POST", "/seoul/clients", {"name": "x", "scopes": ["members:read"]}),
        ("PATCH", one, {"name": "x"}),
        ("DELETE", one, None),
    ):
        response = await network.send(method, path, body, by="busan", version=1)
        assert (response.status_code, code_of(response)) == (404, "client-not-found"), method
    assert (await network.get(one, by="seoul"))["version"] == 1


async def test_the_secretariat_sees_clients_but_leaves_them_alone(network: Network) -> None:
    await network.join()
    client = await network.register()
    one = f"/seoul/clients/{client['id']}"

    assert (await network.get(one))["allowed_actions"] == []
    for method, body in (("PATCH", {"name": "x"}), ("DELETE", None)):
        response = await network.send(method, one, body, version=1)
        assert (response.status_code, code_of(response)) == (403, "only-the-member-itself")
    assert (await network.get(one))["version"] == 1


async def test_a_stranger_sees_no_clients(network: Network) -> None:
    response = await network.send("GET", "/tokyo/clients", by=None, scopes="-")

    assert (response.status_code, code_of(response)) == (401, "unauthenticated")


async def test_clients_are_filtered(network: Network) -> None:
    await network.join()
    one, two = await network.register(), await network.register(name="Second")
    await network.send("DELETE", f"/seoul/clients/{one['id']}", by="seoul", version=1)

    async def ids(query: str) -> list[str]:
        listed = await network.get(f"/seoul/clients?{query}", by="seoul")
        return [item["id"] for item in listed["items"]]

    assert await ids("status=active") == [two["id"]]
    assert await ids("sort=-updated") == [one["id"], two["id"]]
    assert await ids(f"updated_since={two['updated_at']}&sort=-created") == [two["id"], one["id"]]


async def test_a_member_changes_a_client(network: Network) -> None:
    await network.join()
    client = await network.register()

    response = await network.send(
        "PATCH",
        f"/seoul/clients/{client['id']}",
        {"scopes": ["projects:write"]},
        by="seoul",
        version=1,
    )

    assert (response.status_code, response.headers["etag"]) == (200, '"2"')
    changed = response.json()
    assert (changed["name"], changed["scopes"]) == ("Water desk", ["projects:write"])
    event = (await network.events())[-1]
    assert (event.type, event.audience) == ("renkei.client.changed.v1", ("seoul",))
    assert event.data.previous["scopes"] == ["members:read", "projects:read"]


async def test_a_client_cannot_be_given_the_secretariats_scope_later(network: Network) -> None:
    await network.join()
    client = await network.register()

    response = await network.send(
        "PATCH",
        f"/seoul/clients/{client['id']}",
        {"scopes": ["network:write"]},
        by="seoul",
        version=1,
    )

    assert (response.status_code, code_of(response)) == (403, "scope-reserved")
    shown = await network.get(f"/seoul/clients/{client['id']}", by="seoul")
    assert shown["scopes"] == ["members:read", "projects:read"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("scopes", "version", "status", "code"),
    [
        ("members:read", 1, 403, "missing-scope"),
        ("members:write", None, 428, "version-required"),
        ("members:write", 4, 412, "version-stale"),
    ],
)
async def test_a_refused_change_of_a_client_changes_nothing(
    network: Network, method: str, scopes: str, version: int | None, status: int, code: str
) -> None:
    await network.join()
    client = await network.register()
    path = f"/seoul/clients/{client['id']}"
    body = {"name": "x"} if method == "PATCH" else None
    before = await network.happened()

    response = await network.send(method, path, body, by="seoul", scopes=scopes, version=version)

    assert (response.status_code, code_of(response)) == (status, code)
    assert (await network.get(path, by="seoul"))["version"] == 1
    assert await network.happened() == before


async def test_revoking_is_final_and_the_history_stays(network: Network) -> None:
    await network.join()
    client = await network.register()
    path = f"/seoul/clients/{client['id']}"

    revoked = await network.send("DELETE", path, by="seoul", version=1)
    again = await network.send("DELETE", path, by="seoul", version=2)
    changed = await network.send("PATCH", path, {"name": "x"}, by="seoul", version=2)

    assert (revoked.status_code, revoked.json()["status"]) == (200, "revoked")
    assert revoked.json()["allowed_actions"] == []
    for refused in (again, changed):
        assert (refused.status_code, code_of(refused)) == (409, "client-revoked")
    assert (await network.get(path, by="seoul"))["status"] == "revoked"
    assert (await network.happened())[-1] == "client.revoked"


async def test_a_client_that_is_being_revoked_makes_no_other_client(network: Network) -> None:
    await network.join()
    stolen = await network.register(scopes=["members:read", "members:write"])
    actor = Actor("seoul", client_id=stolen["id"], scopes=frozenset(stolen["scopes"]))
    there = f"/seoul/clients/{stolen['id']}"

    async with network.database.sessions() as session:
        speaker = await speaker_of(session, actor)
        await network.send("DELETE", there, by="seoul", version=1)
        with pytest.raises(SpeakerUnknown):
            await register_client(
                session,
                "seoul",
                ClientFields(name="Another", scopes=("members:write",)),
                speaker=speaker,
                login=ANY_LOGIN,
                now=utc_now(),
            )

    clients = (await network.get("/seoul/clients", by="seoul"))["items"]
    assert [(client["id"], client["status"]) for client in clients] == [(stolen["id"], "revoked")]


@pytest.mark.parametrize(
    "verb",
    [
        partial(change_client, fields={"name": "Another"}, login=ANY_LOGIN),
        partial(replace_client_secret, overlap=timedelta(), login=ANY_LOGIN),
        end_former_secret,
        revoke_client,
    ],
    ids=["change", "replace_secret", "end_former_secret", "revoke"],
)
async def test_a_client_that_is_being_revoked_touches_no_other_client(
    network: Network, verb: Callable[..., Any]
) -> None:
    await network.join()
    stolen = await network.register(scopes=["members:read", "members:write"])
    good_one = await replace(network, await network.register())
    actor = Actor("seoul", client_id=stolen["id"], scopes=frozenset(stolen["scopes"]))

    async with network.database.sessions() as session:
        speaker = await speaker_of(session, actor)
        await network.send("DELETE", f"/seoul/clients/{stolen['id']}", by="seoul", version=1)
        with pytest.raises(SpeakerUnknown):
            await verb(
                session,
                "seoul",
                good_one["id"],
                expected=good_one["version"],
                speaker=speaker,
                now=utc_now(),
            )
        await session.commit()

    shown = {name: value for name, value in good_one.items() if name != "secret"}
    assert await network.get(f"/seoul/clients/{good_one['id']}", by="seoul") == shown


async def replace(network: Network, client: dict[str, Any], body: Any = None) -> dict[str, Any]:
    """Give a client of Seoul another secret."""
    path = f"/seoul/clients/{client['id']}"
    version = (await network.get(path, by="seoul"))["version"]
    response = await network.send("POST", f"{path}/secret", body, by="seoul", version=version)
    assert response.status_code == 200, response.text
    return dict(response.json())


async def good(network: Network, client: dict[str, Any], *secrets: str, at: datetime) -> list[bool]:
    """Which of these secrets a client can prove itself by."""
    async with network.database.sessions() as session:
        row = await session.get_one(Client, client["id"])
    return [is_secret_of(row, secret, at=at) for secret in secrets]


async def test_a_secret_is_replaced_once_and_shown_again_to_who_repeats(network: Network) -> None:
    await network.join()
    client = await network.register()
    path = f"/seoul/clients/{client['id']}/secret"

    answers = [
        await network.send("POST", path, by="seoul", version=1, key="again") for _ in range(2)
    ]

    replaced = answers[0].json()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (replaced["version"], answers[0].headers["etag"]) == (2, '"2"')
    assert answers[1].json() == replaced
    assert await good(network, client, replaced["secret"], at=utc_now()) == [True]
    event = (await network.events())[-1]
    assert (event.type, event.audience) == ("renkei.client.changed.v1", ("seoul",))
    assert (await network.happened()).count("client.changed") == 1


async def test_the_former_secret_stays_good_for_a_day(network: Network) -> None:
    await network.join()
    client = await network.register()

    replaced = await replace(network, client)

    until = datetime.fromisoformat(replaced["former_secret_until"])
    assert until == datetime.fromisoformat(replaced["updated_at"]) + timedelta(hours=24)
    both = (client["secret"], replaced["secret"])
    assert await good(network, client, *both, at=until - timedelta(seconds=1)) == [True, True]
    assert await good(network, client, *both, at=until) == [False, True]
    assert "end_former_secret" in replaced["allowed_actions"]


@pytest.mark.parametrize(("seconds", "is_good"), [(0, False), (1, True), (604_800, True)])
async def test_a_member_says_how_long_the_former_secret_stays_good(
    network: Network, seconds: int, is_good: bool
) -> None:
    await network.join()
    client = await network.register()

    replaced = await replace(network, client, {"overlap_seconds": seconds})

    at = datetime.fromisoformat(replaced["updated_at"])
    assert await good(network, client, client["secret"], at=at) == [is_good]


@pytest.mark.parametrize("seconds", [-1, 604_801, 1.5, "60", None, True])
async def test_secrets_do_not_overlap_for_longer_than_a_week(
    network: Network, seconds: Any
) -> None:
    await network.join()
    client = await network.register()

    response = await network.send(
        "POST",
        f"/seoul/clients/{client['id']}/secret",
        {"overlap_seconds": seconds},
        by="seoul",
        version=1,
    )

    assert response.status_code == 422
    assert await good(network, client, client["secret"], at=utc_now()) == [True]


async def test_of_two_replacements_only_the_newest_former_secret_is_left(network: Network) -> None:
    await network.join()
    client = await network.register()

    second = await replace(network, client)
    third = await replace(network, client)

    secrets = (client["secret"], second["secret"], third["secret"])
    assert await good(network, client, *secrets, at=utc_now()) == [False, True, True]


async def test_a_former_secret_is_ended_at_once(network: Network) -> None:
    await network.join()
    client = await network.register()
    replaced = await replace(network, client)
    path = f"/seoul/clients/{client['id']}/former-secret"

    ended = await network.send("DELETE", path, by="seoul", version=2)
    again = await network.send("DELETE", path, by="seoul", version=3)
    foreign = await network.send("DELETE", path, by="tokyo", version=3)

    assert (ended.status_code, ended.json()["former_secret_until"]) == (200, None)
    assert (ended.headers["etag"], "end_former_secret" in ended.json()["allowed_actions"]) == (
        '"3"',
        False,
    )
    assert (again.status_code, code_of(again)) == (409, "no-former-secret")
    assert (foreign.status_code, code_of(foreign)) == (403, "only-the-member-itself")
    both = (client["secret"], replaced["secret"])
    assert await good(network, client, *both, at=utc_now()) == [False, True]


@pytest.mark.parametrize(
    ("by", "version", "status", "code"),
    [
        ("tokyo", 1, 403, "only-the-member-itself"),
        ("seoul", 4, 412, "version-stale"),
        ("seoul", None, 428, "version-required"),
    ],
)
async def test_a_secret_that_is_not_replaced_stays_good(
    network: Network, by: str, version: int | None, status: int, code: str
) -> None:
    await network.join()
    client = await network.register()

    response = await network.send(
        "POST", f"/seoul/clients/{client['id']}/secret", by=by, version=version
    )

    assert (response.status_code, code_of(response)) == (status, code)
    assert await good(network, client, client["secret"], at=utc_now()) == [True]


async def test_there_is_no_secret_to_replace_where_there_is_none(network: Network) -> None:
    body = {
        "name": "App",
        "kind": "application",
        "authentication": "none",
        "scopes": ["projects:read"],
        "redirect_uris": ["https://app.example/"],
    }
    client = (await network.send("POST", "/tokyo/clients", body)).json()

    response = await network.send("POST", f"/tokyo/clients/{client['id']}/secret", version=1)

    assert client["allowed_actions"] == ["change", "revoke"]
    assert (response.status_code, code_of(response)) == (409, "client-without-secret")
