"""What an owner can choose of an endpoint over HTTP, and what of it is never seen again."""

import base64
import json
import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificates
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from sqlalchemy import select, text, update

from services.notifications.model.known import KnownProject
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from services.notifications.settings import NotificationsSettings
from services.notifications.use_cases.claim_handshakes import PREFIX
from shared.clock import utc_now
from shared.identifiers import new_id
from shared.messaging.tables import OutboxMessage
from shared.one_time import new_one_time_secret
from shared.telemetry import without_secrets
from tests.conftest import Database
from tests.notifications.endpoints import deliveries, sending, shake_hands, until_settled
from tests.notifications.hearing import Ears, member, official, participation, project
from tests.notifications.receiver import granting, receiving
from tests.web import SCOPES, api, person_token

PATH: Final = "/api/v1/webhook-endpoints"
WANTED: Final[dict[str, Any]] = {
    "url": "https://hooks.seoul.example/renkei",
    "event_types": ["renkei.project.*"],
}
GATEWAY_KEY: Final = "gateway-key-5f1d"
CLIENT_SECRET: Final = "client-secret-77aa"
OAUTH2: Final[dict[str, Any]] = {
    "kind": "oauth2",
    "token_url": "https://login.seoul.example/token",
    "client_id": "renkei",
    "client_secret": CLIENT_SECRET,
    "scope": "hooks:write",
}
# The same in every process, as tests are named by them.
HARBOUR, DRAFT, INVITED, OTHERS, UNKNOWN = (UUID(int=number) for number in range(1, 6))
PLACE: Final = new_id()
LATE: Final = {"If-Match": "*"}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def mtls(authority: trustme.CA) -> dict[str, Any]:
    issued = authority.issue_cert(common_name="renkei")
    return {
        "kind": "mtls",
        "certificate": b"".join(blob.bytes() for blob in issued.cert_chain_pems).decode(),
        "private_key": issued.private_key_pem.bytes().decode(),
    }


@pytest.fixture(autouse=True)
async def known(ears: Ears) -> None:
    await ears.hear(
        member("seoul"),
        member("tokyo"),
        project(HARBOUR, lead="seoul"),
        project(DRAFT, lead="tokyo", status="draft"),
        project(INVITED, lead="tokyo"),
        project(OTHERS, lead="tokyo"),
        participation(INVITED, "seoul", status="invited", participation_id=PLACE),
        participation(OTHERS, "seoul", status="declined"),
    )


@pytest.fixture
def seoul(app: FastAPI) -> AsyncClient:
    return api(app, "seoul")


async def made(client: AsyncClient, **fields: Any) -> dict[str, Any]:
    response = await client.post(PATH, json=WANTED | fields)
    assert response.status_code == 201, response.text
    shown: dict[str, Any] = response.json()
    return shown


async def changed(client: AsyncClient, endpoint: dict[str, Any], **fields: Any) -> Response:
    return await client.patch(f"{PATH}/{endpoint['id']}", json=fields, headers=LATE)


async def count(database: Database) -> int:
    async with database.sessions() as session:
        return len(list(await session.scalars(select(WebhookEndpoint))))


async def let_projects_be(database: Database, visibility: str) -> None:
    async with database.sessions.begin() as session:
        await session.execute(update(KnownProject).values(visibility=visibility))


async def facts(database: Database) -> list[dict[str, Any]]:
    async with database.sessions() as session:
        found = await session.scalars(select(OutboxMessage).order_by(OutboxMessage.position))
        return [json.loads(one.body) for one in found]


async def test_what_is_chosen_is_shown(seoul: AsyncClient) -> None:
    chosen = {
        "project_ids": [str(HARBOUR), str(INVITED)],
        "payload": "thin",
        "rate_per_minute": 60_000,
        "parallel": 16,
        "ordering": "entity",
    }

    endpoint = await made(
        seoul, **chosen, headers={"X-Key": GATEWAY_KEY, "Accept": "*/*"}, authentication=OAUTH2
    )

    assert {name: endpoint[name] for name in chosen} == chosen
    assert endpoint["header_names"] == ["Accept", "X-Key"]
    assert endpoint["authentication"] == "oauth2"
    assert endpoint["authentication_details"] == {
        "token_url": OAUTH2["token_url"],
        "client_id": "renkei",
        "scope": "hooks:write",
        "audience": None,
    }
    one = (await seoul.get(f"{PATH}/{endpoint['id']}")).json()
    [listed] = (await seoul.get(PATH)).json()["items"]
    assert one == listed
    assert one == {name: endpoint[name] for name in one}


async def test_what_is_not_chosen_is_usual(seoul: AsyncClient) -> None:
    endpoint = await made(seoul)

    usual: dict[str, Any] = {
        "project_ids": [],
        "payload": "full",
        "header_names": [],
        "rate_per_minute": None,
        "parallel": 4,
        "ordering": "none",
        "authentication": "none",
        "authentication_details": None,
    }
    assert {name: endpoint[name] for name in usual} == usual


@pytest.mark.parametrize(
    "fields",
    [
        {"payload": "slim"},
        {"ordering": "project"},
        {"rate_per_minute": 0},
        {"rate_per_minute": 60_001},
        {"rate_per_minute": "60"},
        {"rate_per_minute": 1.5},
        {"parallel": 0},
        {"parallel": 17},
        {"parallel": True},
        {"parallel": None},
        {"project_ids": ["harbour"]},
        {"project_ids": [str(UUID(int=number)) for number in range(101)]},
        {"headers": {f"X-{number}": "x" for number in range(21)}},
        {"headers": {"X-Key": 5}},
        {"headers": ["X-Key"]},
        {"header_names": ["X-Key"]},
        {"sealed_headers": "x"},
        {"verified_at": "2026-01-01T00:00:00Z"},
        {"allowed_rate": 5},
        {"authentication": "none"},
        {"authentication": {"kind": "basic"}},
        {"authentication": {"kind": "oauth2"}},
        {"authentication": OAUTH2 | {"client_secret": ""}},
        {"authentication": OAUTH2 | {"client_id": "two\nlines"}},
        {"authentication": {"kind": "none", "client_id": "renkei"}},
        {"authentication": None},
    ],
    ids=lambda fields: str(fields)[:60],
)
async def test_what_makes_no_sense_is_refused_when_made_and_when_changed(
    seoul: AsyncClient, database: Database, fields: dict[str, Any]
) -> None:
    refused = await seoul.post(PATH, json=WANTED | fields)
    none = await count(database)
    endpoint = await made(seoul)
    also = await changed(seoul, endpoint, **fields)

    assert (refused.status_code, also.status_code) == (422, 422)
    assert refused.json()["type"] == also.json()["type"] == "/problems/invalid-request"
    assert CLIENT_SECRET not in refused.text
    assert none == 0
    assert (await seoul.get(f"{PATH}/{endpoint['id']}")).json()["version"] == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Key": "one\r\nX-Injected: two"},
        {"X-Key": "one\nX-Injected: two"},
        {"X-Key": "one\x00"},
        {"X-Key": ""},
        {"X-Key": " led by space"},
        {"X-Key": "鍵"},
        {"X-Key": "x" * 9_000},
        {"X-Key\r\nX-Injected": "x"},
        {"X Key": "x"},
        {"X-Key:": "x"},
        {"": "x"},
        {"鍵": "x"},
        {"X-Key": "1", "x-key": "2"},
        {"Host": "elsewhere.example"},
        {"Content-Length": "0"},
        {"content-type": "text/plain"},
        {"Transfer-Encoding": "chunked"},
        {"Connection": "close"},
        {"Upgrade": "h2c"},
        {"TE": "trailers"},
        {"User-Agent": "Somebody"},
        {"webhook-signature": "v1,forged"},
        {"WebHook-Request-Origin": "elsewhere.example"},
        {"Webhook-Cause": "x"},
    ],
    ids=lambda headers: repr(headers)[:50],
)
async def test_a_header_that_would_change_the_request_is_refused(
    seoul: AsyncClient, database: Database, headers: dict[str, str]
) -> None:
    refused = await seoul.post(PATH, json=WANTED | {"headers": headers})
    none = await count(database)
    endpoint = await made(seoul, headers={"X-Key": GATEWAY_KEY})
    also = await changed(seoul, endpoint, headers=headers)

    assert (refused.status_code, also.status_code) == (422, 422)
    assert refused.json()["type"] == "/problems/webhook-header-not-allowed"
    assert none == 0
    shown = (await seoul.get(f"{PATH}/{endpoint['id']}")).json()
    assert (shown["version"], shown["header_names"]) == (1, ["X-Key"])


@pytest.mark.parametrize("unseen", [OTHERS, DRAFT, UNKNOWN])
async def test_a_project_that_the_member_does_not_see_does_not_exist(
    seoul: AsyncClient, database: Database, unseen: UUID
) -> None:
    await let_projects_be(database, "participants")
    fields = {"project_ids": [str(HARBOUR), str(unseen)]}

    refused = await seoul.post(PATH, json=WANTED | fields)

    none = await count(database)
    endpoint = await made(seoul)
    also = await changed(seoul, endpoint, **fields)
    assert (refused.status_code, none) == (422, 0)
    assert refused.json()["type"] == "/problems/webhook-project-unknown"
    assert refused.json()["detail"] == f"There is no project {unseen}."
    assert also.status_code == 422


async def test_a_project_that_everybody_sees_can_be_wanted_but_no_draft(
    seoul: AsyncClient, database: Database
) -> None:
    await let_projects_be(database, "network")

    answers = [
        await seoul.post(PATH, json=WANTED | {"project_ids": [str(each)]})
        for each in (OTHERS, DRAFT)
    ]

    assert [answer.status_code for answer in answers] == [201, 422]


async def test_an_endpoint_can_still_be_changed_when_it_names_a_project_that_was_left(
    seoul: AsyncClient, ears: Ears, database: Database
) -> None:
    await let_projects_be(database, "participants")
    endpoint = await made(seoul, project_ids=[str(INVITED)])
    withdrawn = participation(
        INVITED, "seoul", status="withdrawn", version=2, participation_id=PLACE
    )
    await ears.hear(withdrawn, only="participations")
    assert (await changed(seoul, await made(seoul), project_ids=[str(INVITED)])).is_error

    response = await changed(
        seoul, endpoint, project_ids=[str(INVITED), str(HARBOUR)], description="Both"
    )

    assert response.status_code == 200


async def test_custom_headers_go_with_every_webhook_and_change_nothing_of_ours(
    seoul: AsyncClient, ears: Ears, database: Database, settings: NotificationsSettings
) -> None:
    async with receiving() as receiver:
        endpoint = await made(
            seoul, url=receiver.url, headers={"X-Key": GATEWAY_KEY, "Authorization": "Basic eA=="}
        )
        await shake_hands(database.sessions, settings)
        fact = project(new_id()).model_copy(update={"time": utc_now()})
        await ears.hear(fact, only="webhooks")
        async with sending(database.sessions, settings):
            await until_settled(database.sessions)

    [request] = receiver.received
    assert request.headers["x-key"] == GATEWAY_KEY
    assert request.headers["authorization"] == "Basic eA=="
    assert request.headers["content-type"].startswith("application/cloudevents+json")
    assert request.verify(endpoint["secret"])["id"] == str(fact.id)


async def test_an_endpoint_with_oauth2_gets_tokens(
    seoul: AsyncClient, ears: Ears, database: Database, settings: NotificationsSettings
) -> None:
    async with receiving(granting("a-token")) as server, receiving() as receiver:
        await made(seoul, url=receiver.url, authentication=OAUTH2 | {"token_url": server.url})
        await shake_hands(database.sessions, settings)
        asked_before = len(server.received)
        fact = project(new_id()).model_copy(update={"time": utc_now()})
        await ears.hear(fact, only="webhooks")
        async with sending(database.sessions, settings):
            await until_settled(database.sessions)

    assert asked_before == 0
    [request] = receiver.received
    assert request.headers["authorization"] == "Bearer a-token"
    assert [one.state for one in await deliveries(database.sessions)] == ["delivered"]


async def test_a_certificate_is_shown_by_what_is_public_of_it(
    seoul: AsyncClient, mtls: dict[str, Any]
) -> None:
    endpoint = await made(seoul, authentication=mtls)

    details = endpoint["authentication_details"]
    assert endpoint["authentication"] == "mtls"
    assert details.keys() == {"subject", "sha256", "not_after"}
    assert "CN=renkei" in details["subject"]
    assert "PRIVATE" not in json.dumps(endpoint)


async def test_a_certificate_that_nobody_could_accept_is_refused(
    seoul: AsyncClient, database: Database, authority: trustme.CA, mtls: dict[str, Any]
) -> None:
    other = authority.issue_cert(common_name="other")
    now = utc_now()
    expired = authority.issue_cert(
        common_name="old", not_before=now - timedelta(days=9), not_after=now - timedelta(days=1)
    )
    early = authority.issue_cert(common_name="young", not_before=now + timedelta(days=1))
    key = load_pem_private_key(mtls["private_key"].encode(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word"))

    def of(issued: trustme.LeafCert) -> dict[str, Any]:
        return {
            "certificate": issued.cert_chain_pems[0].bytes().decode(),
            "private_key": issued.private_key_pem.bytes().decode(),
        }

    wrong: list[dict[str, Any]] = [
        {"private_key": of(other)["private_key"]},
        {"private_key": locked.decode()},
        {"private_key": "no key"},
        {"private_key": mtls["certificate"]},
        {"certificate": "no certificate"},
        {"certificate": mtls["private_key"]},
        of(expired),
        of(early),
        *({"certificate": odd} for odd in odd_forms(mtls["certificate"])),
    ]

    answers = [
        await seoul.post(PATH, json=WANTED | {"authentication": mtls | each}) for each in wrong
    ]

    assert [answer.status_code for answer in answers] == [422] * len(wrong)
    assert {answer.json()["type"] for answer in answers} == {
        "/problems/webhook-certificate-unusable"
    }
    assert await count(database) == 0
    plain = key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    ).decode()
    good = await seoul.post(PATH, json=WANTED | {"authentication": mtls | {"private_key": plain}})
    assert good.status_code == 201


async def test_nobody_makes_us_look_for_primes_for_minutes(
    seoul: AsyncClient, database: Database, mtls: dict[str, Any]
) -> None:
    large = mtls | {"private_key": key_of(8_192)}

    answer = await seoul.post(PATH, json=WANTED | {"authentication": large})

    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "The private key must have 2048 to 4096 bits.",
    )
    assert await count(database) == 0


def key_of(bits: int) -> str:
    """Something in the form of a private key for RSA, whose numbers are any of this size."""
    p, q = ((1 << (bits // 2)) - odd for odd in (1, 3))
    numbers = RSAPrivateNumbers(
        p, q, 65_537, 65_537, 65_537, pow(q, -1, p), RSAPublicNumbers(65_537, p * q)
    )
    return (
        numbers.private_key(unsafe_skip_rsa_key_validation=True)
        .private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        .decode()
    )


def odd_forms(certificate: str) -> Iterator[str]:
    """Certificates that can be taken apart, but of which a part makes no sense."""
    der = load_pem_x509_certificates(certificate.encode())[0].public_bytes(Encoding.DER)
    version, year = b"\xa0\x03\x02\x01\x02", re.search(rb"\x17\x0d\d{12}Z", der)
    assert version in der
    assert year is not None
    for changed in (
        der.replace(version, version[:-1] + b"\x09", 1),
        der.replace(year[0], b"\x17\x0d991399999999Z", 1),
        der[:-40],
    ):
        written = base64.encodebytes(changed).decode()
        yield f"-----BEGIN CERTIFICATE-----\n{written}-----END CERTIFICATE-----\n"


async def test_two_ways_to_say_who_sends_contradict_each_other(
    seoul: AsyncClient, database: Database, mtls: dict[str, Any]
) -> None:
    in_two_ways = {"headers": {"authorization": "Basic eA=="}, "authentication": OAUTH2}
    in_plain = {"url": "http://127.0.0.1:9000/hook", "authentication": mtls}

    answers = [await seoul.post(PATH, json=WANTED | each) for each in (in_two_ways, in_plain)]
    none = await count(database)
    endpoint = await made(seoul, headers={"Authorization": "Basic eA=="})
    answers.append(await changed(seoul, endpoint, authentication=OAUTH2))

    assert {answer.json()["type"] for answer in answers} == {
        "/problems/webhook-authentication-contradictory"
    }
    assert none == 0
    both = await changed(seoul, endpoint, authentication=OAUTH2, headers={})
    assert (both.status_code, both.json()["header_names"]) == (200, [])


@pytest.mark.parametrize(
    "token_url", ["ftp://login.seoul.example/", "https://u:p@login.seoul.example/", "https://10.1/"]
)
async def test_tokens_are_asked_for_only_where_webhooks_may_go(
    seoul: AsyncClient, database: Database, token_url: str
) -> None:
    response = await seoul.post(
        PATH, json=WANTED | {"authentication": OAUTH2 | {"token_url": token_url}}
    )

    assert response.json()["type"] == "/problems/webhook-address-not-allowed"
    assert await count(database) == 0


async def test_a_change_of_what_is_secret_is_a_fact_that_tells_nothing_of_it(
    seoul: AsyncClient, database: Database, mtls: dict[str, Any]
) -> None:
    endpoint = await made(seoul, headers={"X-Key": "old"}, authentication=OAUTH2)

    answers = [
        await changed(seoul, endpoint, headers={"X-Key": "old"}, authentication=OAUTH2),
        await changed(seoul, endpoint, headers={"X-Key": "new"}),
        await changed(seoul, endpoint, authentication=OAUTH2 | {"client_secret": "another"}),
        await changed(seoul, endpoint, authentication=mtls),
        await changed(seoul, endpoint, authentication={"kind": "none"}, headers={}),
    ]

    assert [answer.json()["version"] for answer in answers] == [1, 2, 3, 4, 5]
    assert answers[4].json()["authentication_details"] is None
    assert [fact["data"]["state"]["authentication"] for fact in await facts(database)] == [
        *("oauth2", "oauth2", "oauth2", "mtls", "none")
    ]
    async with database.sessions() as session:
        [kept] = await session.scalars(select(WebhookEndpoint))
    assert (kept.sealed_headers, kept.sealed_authentication) == (None, None)


@pytest.mark.parametrize(
    ("change", "needs_it"),
    [
        ({"headers": {"X-Tenant": "other"}}, True),
        ({"headers": {}}, True),
        ({"authentication": OAUTH2}, True),
        ({"payload": "full"}, True),
        ({"project_ids": []}, True),
        ({"project_ids": [str(HARBOUR), str(INVITED)]}, True),
        ({"project_ids": [str(INVITED)]}, True),
        ({"headers": {"X-Key": GATEWAY_KEY}}, False),
        ({"authentication": {"kind": "none"}}, False),
        ({"project_ids": [str(HARBOUR)]}, False),
        ({"payload": "thin"}, False),
        ({"rate_per_minute": 5, "parallel": 1, "ordering": "entity"}, False),
    ],
    ids=str,
)
async def test_who_lets_out_more_or_as_somebody_else_has_just_logged_in(
    app: FastAPI,
    seoul: AsyncClient,
    ears: Ears,
    change: dict[str, Any],
    needs_it: bool,
) -> None:
    endpoint = await made(
        seoul, project_ids=[str(HARBOUR)], payload="thin", headers={"X-Key": GATEWAY_KEY}
    )
    person = new_id()
    await ears.hear(official(person, "seoul", "administrator", scopes=tuple(SCOPES.split())))
    someone = api(app)
    someone.headers["Authorization"] = f"Bearer {person_token('seoul', person, seconds_ago=9_000)}"

    response = await changed(someone, endpoint, **change)

    assert response.status_code == (401 if needs_it else 200)
    shown = (await seoul.get(f"{PATH}/{endpoint['id']}")).json()
    assert (shown["version"] == 1) or not needs_it


@pytest.mark.parametrize(
    "change", [{"headers": {}}, {"authentication": OAUTH2}, {"payload": "full"}], ids=str
)
async def test_nobody_lets_out_what_it_may_not_read(
    app: FastAPI, seoul: AsyncClient, change: dict[str, Any]
) -> None:
    endpoint = await made(seoul, payload="thin", headers={"X-Key": GATEWAY_KEY})
    contractor = api(app, "seoul", "notifications:read notifications:write")

    response = await changed(contractor, endpoint, **change)

    assert (response.status_code, response.json()["scope"]) == (403, "projects:read")


class Heard(logging.Handler):
    """Everything that any library says, but for the client that asks us: it is no part of us."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("httpx2"):
            self.lines.append(self.format(record))


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler, root = Heard(), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(before)


async def test_secrets_lie_nowhere_in_clear(
    seoul: AsyncClient,
    ears: Ears,
    database: Database,
    settings: NotificationsSettings,
    mtls: dict[str, Any],
    heard: Heard,
    capfd: pytest.CaptureFixture[str],
) -> None:
    private = "".join(mtls["private_key"].splitlines()[1:-1])
    async with receiving() as receiver:
        fields: dict[str, Any] = {"headers": {"X-Key": GATEWAY_KEY}, "url": receiver.url}
        key = {"Idempotency-Key": "secrets-1"}
        first = await seoul.post(PATH, json=WANTED | fields, headers=key)
        endpoint = first.json()
        await shake_hands(database.sessions, settings)
        await changed(seoul, endpoint, authentication=OAUTH2 | {"token_url": receiver.url})
        rotation = await seoul.post(
            f"{PATH}/{endpoint['id']}/secret-rotations",
            json={},
            headers={"Idempotency-Key": "secrets-2"},
        )
        await made(seoul, authentication=mtls)
        await seoul.post(PATH, json=WANTED | {"headers": {"X-Key": f"{GATEWAY_KEY}\r\n"}})
        await changed(seoul, endpoint, authentication=OAUTH2 | {"client_id": "\n"})
        fact = project(new_id()).model_copy(update={"time": utc_now()})
        await ears.hear(fact, only="webhooks")
        async with sending(database.sessions, settings):
            await until_settled(database.sessions)
        [asked] = receiver.asked
        callback = asked.headers["webhook-request-callback"]

    secrets = [
        *(GATEWAY_KEY, CLIENT_SECRET, private[:40], private[-40:]),
        endpoint["secret"].removeprefix("whsec_"),
        rotation.json()["secret"].removeprefix("whsec_"),
        callback.rpartition("/")[2],
    ]
    written = "\n".join([await everything(database), *heard.lines, *capfd.readouterr()])
    assert "webhook_endpoint" in written
    assert [secret for secret in secrets if secret in written] == []


async def test_nor_does_the_log_of_requests_show_who_can_agree() -> None:
    token = new_one_time_secret(PREFIX)

    logged = without_secrets(f"{PATH}/{new_id()}/consents/{token}")

    assert logged.endswith("/consents/…")


async def everything(database: Database) -> str:
    """Every row of every table, as text; what is binary is text here, too."""
    async with database.sessions() as session:
        tables = await session.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        )
        rows: list[str] = []
        for table in tables.all():
            rows.append(table)
            found = await session.execute(text(f'SELECT * FROM "{table}"'))  # noqa: S608
            for row in found:
                rows += [
                    value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                    for value in row
                ]
    return "\n".join(rows)
