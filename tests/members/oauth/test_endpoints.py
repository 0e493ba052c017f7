"""What a client asks beside tokens."""

import re
from typing import Any
from uuid import UUID

import pytest
from authlib.oidc.discovery import OpenIDProviderMetadata
from sqlalchemy import select, update

from services.members.model.authorization_request import AuthorizationRequest
from services.members.model.client import Client, new_secret, secret_hash_of
from services.members.model.official import Official
from services.members.model.token_family import TokenFamily
from services.members.use_cases.begin_authorization import PUSHED_LIFETIME
from shared.clock import utc_now
from shared.one_time import hash_of
from tests.members.network import OPENING, Network
from tests.members.oauth.browsing import Desk, answer_in, error_of
from tests.members.oauth.people import Person, application
from tests.web import ISSUER

PREFIX = "urn:ietf:params:oauth:request_uri:"


async def another(network: Network, desk: Desk, **fields: Any) -> Desk:
    """One more client with a secret."""
    secret = new_secret()
    row = application(**{"id": "tokyo-other", "secret_hash": secret_hash_of(secret)} | fields)
    async with network.database.sessions.begin() as session:
        session.add(row)
    return Desk(desk.http, row.id, secret)


async def machine_of(network: Network, desk: Desk, member: str) -> Desk:
    return await another(
        network, desk, member=member, id=f"{member}-machine", kind="machine", redirect_uris=()
    )


async def active(asker: Desk, token: str) -> bool:
    answer = await asker.post("/oauth/introspect", token=token)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["active"] or set(body) == {"active"}
    return bool(body["active"])


async def test_what_an_application_pushes_does_not_pass_through_the_browser(
    desk: Desk, network: Network
) -> None:
    answer = await desk.post("/oauth/par", **desk.asking(state="pushed"))
    request_uri = answer.json()["request_uri"]
    back = await desk.visit(
        "/oauth/authorize", client_id=desk.client_id, request_uri=request_uri, state="evil"
    )

    assert (answer.status_code, answer.json()["expires_in"]) == (201, 90)
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(PREFIX + r"[\w-]{43}", request_uri)
    assert answer_in(back)["state"] == "pushed"
    assert (await desk.redeem(answer_in(back)["code"])).status_code == 200
    async with network.database.sessions() as session:
        [row] = await session.scalars(select(AuthorizationRequest))
    assert row.handle_hash == hash_of(request_uri.removeprefix(PREFIX))
    assert "client_secret" not in row.parameters
    assert PUSHED_LIFETIME.total_seconds() == 90


@pytest.mark.parametrize("wrong", ["used", "another client", "expired"])
async def test_what_was_pushed_is_taken_up_once_by_who_pushed_it(
    desk: Desk, network: Network, wrong: str
) -> None:
    client_id = desk.client_id
    request_uri = (await desk.post("/oauth/par", **desk.asking())).json()["request_uri"]
    if wrong == "used":
        await desk.visit("/oauth/authorize", client_id=client_id, request_uri=request_uri)
    elif wrong == "expired":
        async with network.database.sessions.begin() as session:
            await session.execute(update(AuthorizationRequest).values(expires_at=utc_now()))
    else:
        client_id = (await another(network, desk)).client_id

    answer = await desk.visit("/oauth/authorize", client_id=client_id, request_uri=request_uri)

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"request_uri": "x"}, "invalid_request"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"code_challenge": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"request": "e30."}, "request_not_supported"),
        ({"resource": "https://other.example"}, "invalid_target"),
        ({"state": "x" * 17_000}, "invalid_request"),
    ],
    ids=str,
)
async def test_what_is_wrong_is_said_at_once(
    desk: Desk, wrong: dict[str, str | None], error: str
) -> None:
    answer = await desk.post("/oauth/par", **desk.asking(**wrong))

    assert "location" not in answer.headers
    assert (answer.is_client_error, error_of(answer)) == (True, error)


@pytest.mark.parametrize("path", ["par", "revoke", "introspect"])
async def test_only_a_client_that_proves_itself_is_heard(desk: Desk, path: str) -> None:
    form = desk.asking() | {"token": "x"}

    wrong = await Desk(desk.http, desk.client_id, "rks_wrong").post(f"/oauth/{path}", **form)
    none = await Desk(desk.http, desk.client_id).post(f"/oauth/{path}", **form)

    for answer in (wrong, none):
        assert (answer.status_code, error_of(answer)) == (401, "invalid_client")


@pytest.mark.parametrize("path", ["par", "revoke", "introspect"])
@pytest.mark.parametrize("body", [b"", b"token", b"token=%00", b"token=a&token=b", b"\xff"])
async def test_a_form_that_cannot_be_read_is_refused(desk: Desk, path: str, body: bytes) -> None:
    answer = await desk.http.post(
        f"/oauth/{path}",
        content=body,
        headers={"content-type": "application/x-www-form-urlencoded"},
    )

    assert (answer.status_code, error_of(answer)) == (400, "invalid_request")


@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
@pytest.mark.parametrize("hint", [None, "refresh_token", "nonsense"])
async def test_an_application_ends_its_session_with_any_of_its_tokens(
    desk: Desk, network: Network, kind: str, hint: str | None
) -> None:
    tokens = await desk.log_in()

    answer = await desk.post("/oauth/revoke", token=tokens[kind], token_type_hint=hint)
    again = await desk.post("/oauth/revoke", token=tokens[kind])

    assert (answer.status_code, again.status_code) == (200, 200)
    assert await network.happened() == [*OPENING, "session.ended"]
    sid = (await desk.claims(tokens["access_token"]))["sid"]
    assert (await network.events())[-1].subject == sid
    assert error_of(await desk.refresh(tokens["refresh_token"])) == "invalid_grant"
    assert not await active(desk, tokens["access_token"])
    async with network.database.sessions() as session:
        assert (await session.get_one(TokenFamily, UUID(sid))).revoked_because == "revoked"


@pytest.mark.parametrize("token", ["x", "rkr_unknown", "a.b.c", "x" * 9_000, "-"])
async def test_an_unknown_token_is_as_good_as_revoked(
    desk: Desk, network: Network, token: str
) -> None:
    answer = await desk.post("/oauth/revoke", token=token)

    assert answer.status_code == 200
    assert not await active(desk, token)
    assert await network.happened() == OPENING


async def test_no_client_ends_the_session_of_another(desk: Desk, network: Network) -> None:
    tokens = await desk.log_in()
    other = await another(network, desk)

    answers = [
        await other.post("/oauth/revoke", token=tokens[kind])
        for kind in ("refresh_token", "access_token")
    ]

    for answer in answers:
        assert (answer.status_code, error_of(answer)) == (400, "invalid_grant")
    assert await network.happened() == OPENING
    assert await active(desk, tokens["refresh_token"])


async def test_a_client_learns_what_a_token_is_good_for(desk: Desk, coordinator: Person) -> None:
    tokens = await desk.log_in()

    access = (await desk.post("/oauth/introspect", token=tokens["access_token"])).json()
    refresh = (await desk.post("/oauth/introspect", token=tokens["refresh_token"])).json()

    claims = await desk.claims(tokens["access_token"])
    assert access == claims | {"active": True, "token_type": "Bearer"}
    assert refresh["active"]
    assert refresh["sub"] == str(coordinator.official.id)
    assert refresh["exp"] == int(coordinator.sign_in.ends_at.timestamp())


async def test_a_token_is_shown_to_its_client_and_its_member_alone(
    desk: Desk, network: Network
) -> None:
    await network.join()
    tokens = await desk.log_in()
    own = await machine_of(network, desk, "tokyo")
    foreign = await machine_of(network, desk, "seoul")

    assert await active(own, tokens["access_token"])
    assert not await active(own, tokens["refresh_token"])
    assert not await active(foreign, tokens["access_token"])
    assert not await active(foreign, tokens["refresh_token"])


async def test_a_machines_token_is_known(desk: Desk, network: Network) -> None:
    machine = await machine_of(network, desk, "tokyo")
    answer = await machine.post("/oauth/token", grant_type="client_credentials")
    token = answer.json()["access_token"]

    assert await active(machine, token)
    assert (await machine.post("/oauth/revoke", token=token)).status_code == 200
    async with network.database.sessions.begin() as session:
        await session.execute(
            update(Client).where(Client.id == machine.client_id).values(status="revoked")
        )
    assert not await active(desk, token)


@pytest.mark.parametrize("change", [{"status": "blocked"}, {"roles": ("observer",)}], ids=str)
async def test_a_token_is_as_good_as_its_official_is_now(
    desk: Desk, network: Network, change: dict[str, Any]
) -> None:
    tokens = await desk.log_in()
    async with network.database.sessions.begin() as session:
        await session.execute(update(Official).values(**change))

    body = (await desk.post("/oauth/introspect", token=tokens["access_token"])).json()

    assert body.get("scope") == (None if "status" in change else "openid projects:read")
    assert body["active"] == ("status" not in change)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("scope", "more"),
    [
        ("openid", {}),
        ("openid profile", {"name": "Min Kim", "locale": "en"}),
        ("openid email", {"email": "min@seoul.example"}),
    ],
)
async def test_a_token_says_who_somebody_is_as_far_as_it_covers_it(
    desk: Desk, coordinator: Person, method: str, scope: str, more: dict[str, str]
) -> None:
    token = (await desk.log_in(scope=scope))["access_token"]

    answer = await desk.http.request(
        method, "/oauth/userinfo", headers={"Authorization": f"Bearer {token}"}
    )

    assert answer.status_code == 200
    assert answer.json() == {"sub": str(coordinator.official.id)} | more
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("header", "status", "challenge"),
    [
        (None, 401, "Bearer"),
        ("Bearer x", 401, 'Bearer error="invalid_token"'),
        ("Bearer ", 401, 'Bearer error="invalid_token"'),
        ("Bearer a.b.c", 401, 'Bearer error="invalid_token"'),
        ("Basic x", 400, 'Bearer error="invalid_request"'),
        (f"Bearer {'x' * 9_000}", 401, 'Bearer error="invalid_token"'),
    ],
)
async def test_nobody_learns_who_somebody_is_without_a_token(
    desk: Desk, header: str | None, status: int, challenge: str
) -> None:
    headers = {} if header is None else {"Authorization": header}

    answer = await desk.http.get("/oauth/userinfo", headers=headers)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (status, challenge)


async def test_a_token_for_something_else_says_nothing_of_the_person(
    desk: Desk, network: Network
) -> None:
    tokens = await desk.log_in(scope="projects:read")
    machine = await machine_of(network, desk, "tokyo")
    other = await machine.post("/oauth/token", grant_type="client_credentials")

    for token in (tokens["access_token"], other.json()["access_token"]):
        answer = await desk.http.get(
            "/oauth/userinfo", headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 403
        assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'


async def test_an_id_token_is_no_access_token(desk: Desk) -> None:
    token = (await desk.log_in())["id_token"]

    answer = await desk.http.get("/oauth/userinfo", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 401
    assert not await active(desk, token)


@pytest.mark.parametrize("document", ["oauth-authorization-server", "openid-configuration"])
async def test_the_server_describes_itself(desk: Desk, document: str) -> None:
    answer = await desk.http.get(f"/.well-known/{document}")

    described = answer.json()
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert described["issuer"] == ISSUER
    assert described["token_endpoint"] == f"{ISSUER}/oauth/token"
    assert described["code_challenge_methods_supported"] == ["S256"]
    assert described["authorization_response_iss_parameter_supported"]
    assert described["grant_types_supported"] == [
        *("authorization_code", "refresh_token", "client_credentials")
    ]
    for name, address in described.items():
        if name.endswith(("_endpoint", "_uri")):
            path = address.removeprefix(ISSUER)
            answers = [await desk.http.request(how, path) for how in ("GET", "POST")]
            assert {each.status_code for each in answers} != {404}, name


async def test_what_it_says_is_what_openid_wants(desk: Desk) -> None:
    described = (await desk.http.get("/.well-known/openid-configuration")).json()

    OpenIDProviderMetadata(described).validate()

    assert described["userinfo_endpoint"] == f"{ISSUER}/oauth/userinfo"
    assert described["id_token_signing_alg_values_supported"] == ["RS256"]
