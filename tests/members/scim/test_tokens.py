"""Tokens for a directory: made and revoked by its member, good for that member alone."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from services.members.model.scim import ScimToken, token_hash_of
from tests.conftest import Database
from tests.members.network import Network, city, code_of
from tests.members.scim.directory import ERROR, USER, Directory

PATH = "/seoul/scim-tokens"


async def make(network: Network, *, by: str = "seoul", **given: Any) -> Any:
    return await network.send("POST", PATH, {"name": "Entra"} | given, by=by)


async def test_a_token_is_shown_once_and_kept_as_a_hash(
    network: Network, database: Database
) -> None:
    await network.join()

    response = await network.send("POST", PATH, {"name": "Entra"}, by="seoul", key="k-1")
    again = await network.send("POST", PATH, {"name": "Entra"}, by="seoul", key="k-1")

    assert (response.status_code, response.headers["etag"]) == (201, '"1"')
    made = response.json()
    assert again.json() == made
    assert made["allowed_actions"] == ["revoke"]
    async with database.sessions() as session:
        [kept] = await session.scalars(select(ScimToken))
    assert kept.token_hash == token_hash_of(made["token"])
    shown = await network.get(f"{PATH}/{made['id']}", by="seoul")
    assert shown == {name: value for name, value in made.items() if name != "token"}
    directory = Directory(network, "seoul", made["token"])
    assert (await directory.get("/Users"))["totalResults"] == 0
    [seen] = (await network.get(PATH, by="seoul"))["items"]
    assert seen["used_at"] is not None


async def test_a_revoked_token_is_good_no_longer(network: Network) -> None:
    await network.join()
    made = (await make(network)).json()
    directory = Directory(network, "seoul", made["token"])
    known = await directory.create()

    stale = await network.send("DELETE", f"{PATH}/{made['id']}", by="seoul", version=2)
    revoked = await network.send("DELETE", f"{PATH}/{made['id']}", by="seoul", version=1)
    again = await network.send("DELETE", f"{PATH}/{made['id']}", by="seoul", version=2)

    assert (stale.status_code, revoked.status_code) == (412, 200)
    assert revoked.json()["allowed_actions"] == []
    assert (again.status_code, code_of(again)) == (409, "scim-token-revoked")
    for method in ("GET", "DELETE"):
        assert (await directory.send(method, f"/Users/{known['id']}")).status_code == 401
    assert (await directory.official(known))["status"] == "active"


async def test_nothing_is_done_with_a_token_that_is_being_revoked(
    network: Network, database: Database
) -> None:
    await network.join()
    made = (await make(network)).json()
    directory = Directory(network, "seoul", made["token"])
    async with database.sessions.begin() as session:
        token = await session.scalar(select(ScimToken).with_for_update())
        assert token is not None
        revoking = asyncio.create_task(
            network.send("DELETE", f"{PATH}/{made['id']}", by="seoul", version=1)
        )
        await waits_for_a_lock(database)  # it holds the member, and waits for the token
        creating = asyncio.create_task(
            directory.send("POST", "/Users", {"schemas": [USER], "userName": "late"})
        )
        await waits_for_a_lock(database, many=2)

    assert (await revoking).status_code == 200
    assert (await creating).status_code == 401


async def waits_for_a_lock(database: Database, *, many: int = 1) -> None:
    """Wait until so many ask for what another holds."""
    async with asyncio.timeout(20), database.engine.connect() as connection:
        waiting = 0
        while waiting < many:
            found = await connection.exec_driver_sql(
                "SELECT count(*) FROM pg_locks WHERE NOT granted"
            )
            waiting = found.scalar_one()


async def test_only_the_member_makes_and_sees_its_tokens(network: Network) -> None:
    await network.join()
    await network.join(city("busan"))
    made = (await make(network)).json()

    answers = [
        await make(network, by="busan"),
        await make(network, by="tokyo"),
        await network.send("GET", PATH, by="busan"),
        await network.send("GET", f"{PATH}/{made['id']}", by="tokyo"),
        await network.send("GET", f"/busan/scim-tokens/{made['id']}", by="busan"),
        await network.send("DELETE", f"{PATH}/{made['id']}", by="busan", version=1),
    ]
    reader = await network.send("POST", PATH, {"name": "x"}, by="seoul", scopes="members:read")

    assert [answer.status_code for answer in answers] == [404] * 6
    assert (reader.status_code, code_of(reader)) == (403, "missing-scope")
    assert len((await network.get(PATH, by="seoul"))["items"]) == 1


async def test_there_are_ten_tokens_at_most(network: Network) -> None:
    await network.join()
    made = [await make(network, name=f"Token {place}") for place in range(10)]

    one_more = await make(network)
    await network.send("DELETE", f"{PATH}/{made[0].json()['id']}", by="seoul", version=1)
    after = await make(network)

    assert {response.status_code for response in made} == {201}
    assert (one_more.status_code, code_of(one_more)) == (409, "too-many-scim-tokens")
    assert after.status_code == 201


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"name": ""}, "invalid-request"),
        ({"name": "x", "scopes": []}, "invalid-request"),
        ({"name": "x", "identity_provider_id": "a"}, "invalid-request"),
        (
            {"name": "x", "identity_provider_id": "0199aaaa-0000-7000-8000-000000000000"},
            "identity-provider-not-found",
        ),
    ],
    ids=str,
)
async def test_a_token_that_makes_no_sense_is_refused(
    network: Network, body: dict[str, Any], code: str
) -> None:
    await network.join()

    response = await network.send("POST", PATH, body, by="seoul")

    assert code_of(response) == code
    assert (await network.get(PATH, by="seoul"))["items"] == []


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer rkp_unknown",
        "Bearer rkp_\x00",
        "Bearer " + "x" * 5_000,
        "Bearer ünknown",
        "Basic {token}",
        "{token}",
        "DPoP {token}",
    ],
    ids=repr,
)
async def test_who_has_no_token_is_a_stranger(seoul: Directory, authorization: str | None) -> None:
    written = None if authorization is None else authorization.format(token=seoul.token)
    headers = {"Authorization": (written or "").encode("latin-1")}
    stranger = Directory(seoul.network, "seoul", "")

    answers = [
        await stranger.send(method, path, headers=headers)
        for method, path in (
            ("GET", "/Users"),
            ("POST", "/Users"),
            ("GET", "/ServiceProviderConfig"),
            ("DELETE", "/Users/0199aaaa-0000-7000-8000-000000000000"),
        )
    ]

    for answer in answers:
        assert answer.status_code == 401
        assert answer.json()["schemas"] == [ERROR]
        assert answer.headers["www-authenticate"] == 'Bearer realm="SCIM"'
        assert answer.headers["content-type"] == "application/scim+json"


async def test_an_access_token_opens_no_directory_and_a_directorys_token_no_api(
    seoul: Directory,
) -> None:
    network = seoul.network
    async with network.client("seoul") as client:
        with_access_token = await client.get("/scim/v2/Users")
        with_scim_token = await client.get(
            "/api/v1/members", headers={"Authorization": f"Bearer {seoul.token}"}
        )

    assert (with_access_token.status_code, with_scim_token.status_code) == (401, 401)
