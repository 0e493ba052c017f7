"""The authorization server: who gets which token, and what the API makes of it."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import event, func, select

from services.members.model.scopes import SCOPES
from services.members.model.signing_key import SigningKey
from services.members.use_cases.read_signing_keys import new_signing_key, read_signing_keys
from shared.clock import utc_now
from shared.http.application import audience_of
from shared.http.identity import AccessTokens, JsonWebKeys
from shared.sealing import Seals
from tests.conftest import Database
from tests.members.network import Network, city, code_of
from tests.web import ISSUER, MASTER_KEYS

AUDIENCE = f"{ISSUER}/api/v1"
GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
async def http(network: Network) -> AsyncIterator[AsyncClient]:
    """The whole application, which checks tokens with the keys that it publishes itself."""
    app = network.app
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url=ISSUER) as client:

        async def fetch_keys() -> Any:
            return (await client.get("/oauth/jwks")).raise_for_status().json()

        app.state.access_tokens = AccessTokens(
            JsonWebKeys(fetch_keys, lifetime_seconds=300),
            issuer=ISSUER,
            audience=audience_of(app.state.settings),
            leeway_seconds=5,
        )
        yield client


def host(network: Network) -> tuple[str, str]:
    return network.opened.client_id, network.opened.client_secret


async def bearer(http: AsyncClient, credentials: tuple[str, str], **form: str) -> dict[str, str]:
    answer = await http.post("/oauth/token", data=GRANT | form, auth=credentials)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def invite(http: AsyncClient, network: Network) -> tuple[str, str]:
    """Let Seoul be invited and get its first client, through the API with real tokens."""
    office = await bearer(http, host(network))
    await http.post(
        "/api/v1/members", json=city("seoul") | {"invited_on": "2001-09-01"}, headers=office
    )
    client = await http.post(
        "/api/v1/members/seoul/clients",
        json={"name": "First", "scopes": ["members:read", "members:write"]},
        headers=office,
    )
    assert client.status_code == 201, client.text
    return client.json()["id"], client.json()["secret"]


async def step(http: AsyncClient, headers: dict[str, str], status: str) -> Response:
    return await http.post(
        "/api/v1/members/seoul/membership-transitions",
        json={"status": status, "reason": "a reason"},
        headers=headers | {"If-Match": "*"},
    )


def error_of(answer: Response) -> str:
    """The error of RFC 6749 that an answer names."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert "access_token" not in answer.json()
    return str(answer.json()["error"])


@pytest.mark.parametrize("method", ["basic", "post"])
async def test_a_client_gets_a_token_for_its_secret(
    http: AsyncClient, network: Network, method: str
) -> None:
    client_id, secret = host(network)
    if method == "basic":
        answer = await http.post("/oauth/token", data=GRANT, auth=(client_id, secret))
    else:
        form = GRANT | {"client_id": client_id, "client_secret": secret}
        answer = await http.post("/oauth/token", data=form)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    body = answer.json()
    assert set(body) == {"token_type", "access_token", "expires_in", "scope"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 300)
    assert body["scope"] == " ".join(SCOPES)


async def test_a_token_says_what_the_standard_wants_and_whom_it_acts_for(
    http: AsyncClient, network: Network
) -> None:
    keys = KeySet.import_key_set((await http.get("/oauth/jwks")).json())
    headers = await bearer(http, host(network), scope="members:read")

    token = jwt.decode(headers["Authorization"].removeprefix("Bearer "), keys, ["ES256"])

    [key] = [key for key in keys.keys if key.kid == token.header["kid"]]
    assert token.header == {"typ": "at+jwt", "alg": "ES256", "kid": key.thumbprint()}
    assert set(token.claims) == {
        *("iss", "sub", "client_id", "aud", "exp", "iat", "jti", "scope", "member")
    }
    assert token.claims["iss"] == ISSUER
    assert token.claims["sub"] == token.claims["client_id"] == network.opened.client_id
    assert (token.claims["aud"], token.claims["member"]) == (AUDIENCE, "tokyo")
    assert token.claims["exp"] - token.claims["iat"] == 300
    assert token.claims["scope"] == "members:read"


async def test_no_two_tokens_have_the_same_id(http: AsyncClient, network: Network) -> None:
    keys = KeySet.import_key_set((await http.get("/oauth/jwks")).json())

    ids = {
        jwt.decode(
            (await bearer(http, host(network)))["Authorization"].removeprefix("Bearer "), keys
        ).claims["jti"]
        for _ in range(3)
    }

    assert len(ids) == 3


async def test_the_api_knows_who_asks_by_the_token(http: AsyncClient, network: Network) -> None:
    credentials = await invite(http, network)

    answer = await http.get("/api/v1/members/seoul", headers=await bearer(http, credentials))

    assert answer.status_code == 200
    assert "accept" in answer.json()["allowed_actions"]


async def test_a_token_covers_no_more_than_was_asked_for(
    http: AsyncClient, network: Network
) -> None:
    headers = await bearer(http, host(network), scope="projects:read")

    answer = await http.get("/api/v1/members", headers=headers)

    assert (answer.status_code, code_of(answer)) == (403, "missing-scope")


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("members:write members:read members:read", "members:read members:write"),
        ("members:read", "members:read"),
    ],
)
async def test_scopes_are_given_once_and_in_order(
    http: AsyncClient, network: Network, asked: str, given: str
) -> None:
    answer = await http.post("/oauth/token", data=GRANT | {"scope": asked}, auth=host(network))

    assert answer.json()["scope"] == given


@pytest.mark.parametrize("scope", ["network:write", "members:read everything", " ", "a  b"])
async def test_a_scope_that_the_client_has_not_is_refused(
    http: AsyncClient, network: Network, scope: str
) -> None:
    credentials = await invite(http, network)

    answer = await http.post("/oauth/token", data=GRANT | {"scope": scope}, auth=credentials)

    assert (answer.status_code, error_of(answer)) == (400, "invalid_scope")


async def test_a_token_is_for_this_api_only(http: AsyncClient, network: Network) -> None:
    ours = await http.post("/oauth/token", data=GRANT | {"resource": AUDIENCE}, auth=host(network))
    other = await http.post(
        "/oauth/token", data=GRANT | {"resource": "https://other.example"}, auth=host(network)
    )

    assert ours.status_code == 200
    assert (other.status_code, error_of(other)) == (400, "invalid_target")


async def test_nobody_learns_whether_a_client_exists(http: AsyncClient, network: Network) -> None:
    client_id, _ = host(network)

    wrong = await http.post("/oauth/token", data=GRANT, auth=(client_id, "rks_wrong"))
    unknown = await http.post("/oauth/token", data=GRANT, auth=("seoul-none", "rks_wrong"))

    for answer in (wrong, unknown):
        assert (answer.status_code, error_of(answer)) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
    assert wrong.json() == unknown.json()


async def test_the_client_and_its_member_are_found_in_one_query(
    http: AsyncClient, network: Network, database: Database
) -> None:
    await bearer(http, host(network))
    statements: list[str] = []

    def note(_c: Any, _u: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        await bearer(http, host(network))
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)

    assert len(statements) == 1


async def test_a_member_keeps_its_tokens_until_it_withdraws(
    http: AsyncClient, network: Network
) -> None:
    credentials = await invite(http, network)
    office = await bearer(http, host(network))

    accepted = await step(http, await bearer(http, credentials), "active")
    suspended = await step(http, office, "suspended")
    withdrawn = await step(http, await bearer(http, credentials), "withdrawn")
    answer = await http.post("/oauth/token", data=GRANT, auth=credentials)

    assert [accepted.status_code, suspended.status_code, withdrawn.status_code] == [200] * 3
    assert (answer.status_code, error_of(answer)) == (401, "invalid_client")


async def test_both_secrets_get_tokens_while_one_replaces_the_other(
    http: AsyncClient, network: Network
) -> None:
    client_id, former = await invite(http, network)
    held = await bearer(http, (client_id, former))
    path = f"/api/v1/members/seoul/clients/{client_id}"

    replaced = await http.post(f"{path}/secret", headers=held | {"If-Match": '"1"'})
    secret = replaced.json()["secret"]
    both = [
        (await http.post("/oauth/token", data=GRANT, auth=(client_id, given))).status_code
        for given in (former, secret)
    ]
    ended = await http.delete(f"{path}/former-secret", headers=held | {"If-Match": '"2"'})
    after = [
        (await http.post("/oauth/token", data=GRANT, auth=(client_id, given))).status_code
        for given in (former, secret)
    ]

    assert (replaced.status_code, ended.status_code) == (200, 200)
    assert (both, after) == ([200, 200], [401, 200])


async def test_a_revoked_client_acts_no_more_even_with_tokens_that_it_holds(
    http: AsyncClient, network: Network
) -> None:
    credentials = await invite(http, network)
    held = await bearer(http, credentials)
    clients = "/api/v1/members/seoul/clients"
    other = {"name": "Other", "scopes": ["members:read"]}
    keyed = held | {"Idempotency-Key": "other"}
    assert (await http.post(clients, json=other, headers=keyed)).status_code == 201

    revoked = await http.delete(f"{clients}/{credentials[0]}", headers=held | {"If-Match": '"1"'})
    reading = await http.get("/api/v1/members", headers=held)
    repeating = await http.post(clients, json=other, headers=keyed)
    asking = await http.post("/oauth/token", data=GRANT, auth=credentials)

    assert (revoked.status_code, revoked.json()["status"]) == (200, "revoked")
    for refused in (reading, repeating):
        assert (refused.status_code, code_of(refused)) == (401, "unauthenticated")
    assert (asking.status_code, error_of(asking)) == (401, "invalid_client")


def basic(text: str | bytes) -> str:
    raw = text.encode() if isinstance(text, str) else text
    return f"Basic {base64.b64encode(raw).decode()}"


FORM = "application/x-www-form-urlencoded"
GOOD = b"grant_type=client_credentials"
POST = GOOD + b"&client_id=tokyo-x&client_secret=rks_x"

HOSTILE: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "no body": (b"", {}, 400, "invalid_request"),
    "no grant": (b"client_id=a&client_secret=b", {}, 400, "invalid_request"),
    "blank grant": (b"grant_type=&client_id=a&client_secret=b", {}, 400, "invalid_request"),
    "unknown grant": (
        b"grant_type=pass%22word&client_id=a&client_secret=b",
        {},
        400,
        "unsupported_grant_type",
    ),
    "grant for people": (
        b"grant_type=password&client_id=a&client_secret=b",
        {},
        400,
        "unsupported_grant_type",
    ),
    "JSON": (b'{"grant_type":"x"}', {"content-type": "application/json"}, 400, "invalid_request"),
    "multipart": (
        b"--x\r\n",
        {"content-type": "multipart/form-data; boundary=x"},
        400,
        "invalid_request",
    ),
    "no credentials": (GOOD, {}, 401, "invalid_client"),
    "id without secret": (GOOD + b"&client_id=tokyo-x", {}, 401, "invalid_client"),
    "secret without id": (GOOD + b"&client_secret=x", {}, 401, "invalid_client"),
    "repeated": (GOOD + b"&" + POST, {}, 400, "invalid_request"),
    "repeated scope": (POST + b"&scope=a&scope=b", {}, 400, "invalid_request"),
    "repeated unknown": (POST + b"&x=1&x=2", {}, 400, "invalid_request"),
    "NUL": (GOOD + b"&client_id=a%00b&client_secret=x", {}, 400, "invalid_request"),
    "NUL in a scope": (POST + b"&scope=a%00", {}, 400, "invalid_request"),
    "newline": (GOOD + b"&client_id=a%0Ab&client_secret=x", {}, 400, "invalid_request"),
    "not ASCII": (
        "grant_type=client_credentials&client_id=東京".encode(),
        {},
        400,
        "invalid_request",
    ),
    "beyond ASCII": (GOOD + b"&client_id=%E6%9D%B1&client_secret=x", {}, 400, "invalid_request"),
    "not UTF-8": (GOOD + b"&client_id=%FF%FE&client_secret=x", {}, 400, "invalid_request"),
    "lone surrogate": (GOOD + b"&client_id=%ED%A0%80&client_secret=x", {}, 400, "invalid_request"),
    "broken escape": (GOOD + b"&client_id=%zz&client_secret=x", {}, 400, "invalid_request"),
    "no pairs": (b"grant_type", {}, 400, "invalid_request"),
    "quote in a scope": (POST + b"&scope=%22", {}, 401, "invalid_client"),
    "a thousand parameters": (
        POST + b"".join(b"&p%d=1" % number for number in range(1000)),
        {},
        400,
        "invalid_request",
    ),
    "64 kB and more": (POST + b"&x=" + b"x" * 65_536, {}, 413, "invalid_request"),
    "two ways": (POST, {"authorization": basic("tokyo-x:rks_x")}, 400, "invalid_request"),
    "two names": (
        GOOD + b"&client_id=tokyo-y",
        {"authorization": basic("tokyo-x:rks_x")},
        400,
        "invalid_request",
    ),
    "assertion": (
        GOOD + b"&client_assertion=x&client_assertion_type=y",
        {},
        401,
        "invalid_client",
    ),
    "assertion and secret": (POST + b"&client_assertion=x", {}, 400, "invalid_request"),
    "Basic not base64": (GOOD, {"authorization": "Basic %%%"}, 401, "invalid_client"),
    "Basic not UTF-8": (GOOD, {"authorization": basic(b"\xff\xfe:x")}, 401, "invalid_client"),
    "Basic NUL": (GOOD, {"authorization": basic("a\0b:x")}, 401, "invalid_client"),
    "Basic escaped NUL": (GOOD, {"authorization": basic("a%00b:x")}, 401, "invalid_client"),
    "Basic without colon": (GOOD, {"authorization": basic("tokyo-x")}, 401, "invalid_client"),
    "Basic empty": (GOOD, {"authorization": "Basic"}, 401, "invalid_client"),
    "Basic blanks": (GOOD, {"authorization": basic(":")}, 401, "invalid_client"),
    "Bearer": (GOOD, {"authorization": "Bearer x"}, 401, "invalid_client"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_input_gets_an_answer_of_the_standard(http: AsyncClient, name: str) -> None:
    body, headers, status, error = HOSTILE[name]

    answer = await http.post("/oauth/token", content=body, headers={"content-type": FORM} | headers)

    assert (answer.status_code, error_of(answer)) == (status, error)
    description = answer.json()["error_description"]
    assert description.isascii()
    assert not set('"\\') & set(description)


async def test_two_authorization_headers_are_refused(http: AsyncClient) -> None:
    headers = [
        ("content-type", FORM),
        ("authorization", basic("a:b")),
        ("authorization", basic("a:c")),
    ]

    answer = await http.post("/oauth/token", content=GOOD, headers=headers)

    assert (answer.status_code, error_of(answer)) == (400, "invalid_request")


async def test_credentials_do_not_belong_into_the_address(
    http: AsyncClient, network: Network
) -> None:
    answer = await http.post("/oauth/token?scope=members:read", data=GRANT, auth=host(network))

    assert (answer.status_code, error_of(answer)) == (400, "invalid_request")


async def test_unknown_parameters_and_the_own_name_are_no_offence(
    http: AsyncClient, network: Network
) -> None:
    client_id, secret = host(network)

    answer = await http.post(
        "/oauth/token",
        data=GRANT | {"client_id": client_id, "audience": "x", "scope": ""},
        auth=(client_id, secret),
    )

    assert answer.status_code == 200


async def test_escaped_credentials_are_read_as_the_standard_says(
    http: AsyncClient, network: Network
) -> None:
    client_id, secret = host(network)
    escaped = f"{client_id.replace('-', '%2D')}:{secret.replace('_', '%5F')}"

    answer = await http.post(
        "/oauth/token",
        content=GOOD,
        headers={"content-type": f"{FORM};charset=UTF-8", "authorization": basic(escaped)},
    )

    assert answer.status_code == 200


async def test_only_public_keys_are_published(http: AsyncClient) -> None:
    key, identity = (await http.get("/oauth/jwks")).json()["keys"]

    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256")
    assert set(identity) == {"kty", "n", "e", "kid", "use", "alg"}
    assert (identity["kty"], identity["use"], identity["alg"]) == ("RSA", "sig", "RS256")


async def test_private_keys_are_kept_sealed(http: AsyncClient, database: Database) -> None:
    public = (await http.get("/oauth/jwks")).json()["keys"]

    async with database.sessions() as session:
        rows = list(await session.scalars(select(SigningKey)))

    assert {row.id for row in rows} == {key["kid"] for key in public}
    for row in rows:
        assert row.sealed_key.startswith("v1.k1.")
        opened = Seals.read(MASTER_KEYS).open(row.sealed_key, place=SigningKey.place(row.id))
        assert b'"d"' in opened


async def test_of_many_that_need_the_first_key_one_makes_it(database: Database) -> None:
    seals = Seals.read(MASTER_KEYS)
    async with database.sessions() as one, database.sessions() as other:
        first = await read_signing_keys(one, seals=seals, now=utc_now())
        await one.commit()
        second = await read_signing_keys(other, seals=seals, now=utc_now())

    async with database.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(SigningKey)) == 2
    assert first.signing.kid == second.signing.kid
    assert first.identity.kid == second.identity.kid


async def test_the_newest_active_key_signs_and_all_in_use_are_published(
    http: AsyncClient, network: Network, database: Database
) -> None:
    seals = Seals.read(MASTER_KEYS)
    old, active, coming, gone = (new_signing_key(seals, utc_now()) for _ in range(4))
    coming.status, gone.status = "next", "retired"
    ids = [old.id, active.id, coming.id]
    async with database.sessions.begin() as session:
        session.add_all((old, active, coming, gone))

    published = (await http.get("/oauth/jwks")).json()
    headers = await bearer(http, host(network))

    of_access = [key["kid"] for key in published["keys"] if key["alg"] == "ES256"]
    assert sorted(of_access) == sorted(ids)
    keys = KeySet.import_key_set(published)
    token = jwt.decode(headers["Authorization"].removeprefix("Bearer "), keys)
    assert token.header["kid"] == active.id


async def test_the_server_checks_tokens_without_asking_itself_over_the_network(
    network: Network,
) -> None:
    app = network.app  # its jwks_url leads nowhere
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url=ISSUER) as http,
    ):
        answer = await http.get("/api/v1/members", headers=await bearer(http, host(network)))

    assert answer.status_code == 200


async def test_tokens_are_part_of_the_description_of_the_api(app: FastAPI) -> None:
    paths = app.openapi()["paths"]

    assert {"/oauth/token", "/oauth/jwks", "/.well-known/oauth-authorization-server"} <= set(paths)
    assert list(paths["/oauth/token"]["post"]["requestBody"]["content"]) == [FORM]
