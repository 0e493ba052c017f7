"""How we show receivers who we are, over real sockets: certificates, and access tokens."""

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import pytest
import trustme
from aiohttp.abc import AbstractResolver, ResolveResult
from structlog.testing import capture_logs

from services.notifications.gateways.access_tokens import AccessTokens, TokenRefused, read_answer
from services.notifications.gateways.client_tls import presenting
from services.notifications.gateways.webhook_client import WebhookClient
from services.notifications.model.authentication import (
    Authentication,
    ClientCertificate,
    ClientCredentials,
)
from services.notifications.model.destination import Destination
from services.notifications.model.retrying import Answer
from shared.addresses import Networks
from tests.notifications.receiver import (
    LOOPBACK,
    Receiver,
    Script,
    answering,
    endless,
    granting,
    hang,
    nonsense,
    receiving,
)

REFUSED_LATE: Final = {"tls", "connection"}
"""In TLS 1.3 a receiver that wants a certificate says so late, if it says anything."""

SECRET: Final = "a secret: with % and +"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(file)
    return file


def serving(authority: trustme.CA, *names: str, wants: trustme.CA | None = None) -> ssl.SSLContext:
    """TLS of a receiver: its certificate is for these names, and it may want one of ours."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*(names or ("127.0.0.1",))).configure_cert(context)
    if wants is not None:
        wants.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def presented(authority: trustme.CA) -> ClientCertificate:
    issued = authority.issue_cert(common_name="renkei")
    certificate = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    return ClientCertificate(certificate.decode(), issued.private_key_pem.bytes().decode())


def client(
    *,
    ca_file: Path | None = None,
    networks: Networks = LOOPBACK,
    resolver: AbstractResolver | None = None,
    seconds: float = 2,
) -> WebhookClient:
    return WebhookClient(
        networks=networks,
        connect_seconds=seconds,
        total_seconds=seconds,
        origin="renkei.example",
        ca_file=ca_file,
        resolver=resolver,
    )


async def post(sender: WebhookClient, url: str, shows: Authentication | None = None) -> Answer:
    return await sender.post(Destination(url, (), shows=shows), b"{}", {})


async def test_a_certificate_of_a_trusted_authority_is_good(
    authority: trustme.CA, ca_file: Path
) -> None:
    async with receiving(tls=serving(authority)) as receiver, client(ca_file=ca_file) as sender:
        answer = await post(sender, receiver.url)

    assert (answer.status, answer.error) == (204, None)


@pytest.mark.parametrize("name", ["127.0.0.2", "hooks.seoul.example"])
async def test_one_for_another_name_is_not(authority: trustme.CA, ca_file: Path, name: str) -> None:
    tls = serving(authority, name)
    async with receiving(tls=tls) as receiver, client(ca_file=ca_file) as sender:
        answer = await post(sender, receiver.url)

    assert (answer.status, answer.error) == (None, "tls")
    assert receiver.received == []


async def test_nor_is_one_of_an_unknown_authority(authority: trustme.CA, ca_file: Path) -> None:
    async with (
        receiving(tls=serving(authority)) as ours,
        receiving(tls=serving(trustme.CA())) as others,
        client() as trusting_none,
        client(ca_file=ca_file) as trusting_ours,
    ):
        answers = [await post(trusting_none, ours.url), await post(trusting_ours, others.url)]

    assert [(one.status, one.error) for one in answers] == [(None, "tls")] * 2
    assert ours.received == others.received == []


async def test_a_certificate_is_presented_where_it_is_wanted(
    authority: trustme.CA, ca_file: Path
) -> None:
    tls = serving(authority, wants=authority)
    async with receiving(tls=tls) as receiver, client(ca_file=ca_file) as sender:
        answer = await post(sender, receiver.url, presented(authority))
        again = await post(sender, receiver.url, presented(authority))

    assert [(one.status, one.error) for one in (answer, again)] == [(204, None)] * 2


async def test_without_a_certificate_or_with_a_wrong_one_nothing_goes_there(
    authority: trustme.CA, ca_file: Path
) -> None:
    tls = serving(authority, wants=authority)
    async with receiving(tls=tls) as receiver, client(ca_file=ca_file) as sender:
        answers = [
            await post(sender, receiver.url),
            await post(sender, receiver.url, presented(trustme.CA())),
            # Connections of one that has shown its certificate are nobody else's.
            await post(sender, receiver.url, presented(authority)),
            await post(sender, receiver.url),
        ]

    assert [one.status for one in answers] == [None, None, 204, None]
    assert {one.error for one in answers if one.status is None} <= REFUSED_LATE
    assert len(receiver.received) == 1


async def test_a_certificate_is_presented_in_the_handshake_of_webhooks_too(
    authority: trustme.CA, ca_file: Path
) -> None:
    tls = serving(authority, wants=authority)
    async with receiving(tls=tls) as receiver, client(ca_file=ca_file) as sender:
        destination = Destination(receiver.url, (), shows=presented(authority))
        consent = await sender.ask(destination, {})
        refused = await sender.ask(Destination(receiver.url, ()), {})

    assert consent.allowed_origin == "*"
    assert refused.error in REFUSED_LATE


def test_no_private_key_is_left_in_a_file(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    written: list[str] = []
    load = ssl.SSLContext.load_cert_chain

    def looked_at(context: ssl.SSLContext, file: str, **options: Any) -> None:
        written.append(Path(file).read_text(encoding="utf-8"))
        load(context, file, **options)

    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", looked_at)
    presenting(presented(authority), ca_file=None)

    [text] = written
    assert "BEGIN ENCRYPTED PRIVATE KEY" in text
    assert "BEGIN PRIVATE KEY" not in text
    assert list(tmp_path.iterdir()) == []


class Turns(AbstractResolver):
    """A name server that says something else each time."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = iter(addresses)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host, host=next(self.addresses), port=port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


async def test_a_name_that_leads_elsewhere_the_second_time_leads_nowhere(
    authority: trustme.CA, ca_file: Path
) -> None:
    [public, _] = LOOPBACK
    resolver = Turns("127.0.0.1", "10.0.0.1", "127.0.0.1", "169.254.169.254")
    async with (
        receiving(tls=serving(authority, "hooks.seoul.example")) as receiver,
        client(ca_file=ca_file, networks=[public], resolver=resolver) as sender,
    ):
        url = receiver.url.replace("127.0.0.1", "hooks.seoul.example")
        answers = []
        for _ in range(4):
            answers.append(await post(sender, url))
            sender.session.connector.clear_dns_cache()  # type: ignore[union-attr]

    refused = (None, "address_refused")
    told = [(one.status, one.error) for one in answers]
    assert told == [(204, None), refused, (204, None), refused]
    assert len(receiver.received) == 2


async def test_plain_text_goes_into_the_networks_of_the_operator_alone() -> None:
    async with (
        receiving() as receiver,
        client(resolver=Turns("127.0.0.1", "93.184.216.34")) as sender,
    ):
        url = receiver.url.replace("127.0.0.1", "hooks.seoul.example")
        inside = await post(sender, url)
        sender.plain_session.connector.clear_dns_cache()  # type: ignore[union-attr]
        outside = await post(sender, url)

    assert (inside.status, inside.error) == (204, None)
    assert (outside.status, outside.error) == (None, "address_refused")


@dataclass
class Authorities:
    """An authorization server, and a receiver that wants its tokens."""

    server: Receiver
    receiver: Receiver

    @property
    def credentials(self) -> ClientCredentials:
        return ClientCredentials(
            self.server.url.replace("/hook", "/token"), "renkei", SECRET, "hooks:write", "hooks"
        )


@asynccontextmanager
async def authorities(
    *grants: Script, answers: tuple[Script, ...] = ()
) -> AsyncIterator[Authorities]:
    async with receiving(*grants) as server, receiving(*answers) as receiver:
        yield Authorities(server, receiver)


async def test_a_receiver_gets_the_access_token_that_it_wants() -> None:
    async with authorities(granting()) as both, client() as sender:
        for _ in range(3):
            answer = await post(sender, both.receiver.url, both.credentials)
            assert answer.status == 204

    [asked] = both.server.received
    basic = base64.b64decode(asked.headers["authorization"].removeprefix("Basic ")).decode()
    # As Authlib and most servers have it; RFC 6749, section 2.3.1, would encode it once more.
    assert basic == f"renkei:{SECRET}"
    assert asked.target == "/token"
    assert asked.headers["content-type"].startswith("application/x-www-form-urlencoded")
    assert parse_qs(asked.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["hooks:write"],
        "audience": ["hooks"],
    }
    got = [one.headers["authorization"] for one in both.receiver.received]
    assert got == ["Bearer token-1"] * 3


async def test_deliveries_at_once_ask_for_one_token() -> None:
    async with authorities(granting()) as both, client() as sender:
        answers = await asyncio.gather(
            *(post(sender, both.receiver.url, both.credentials) for _ in range(10))
        )

    assert [one.status for one in answers] == [204] * 10
    assert len(both.server.received) == 1


async def test_a_token_that_the_receiver_does_not_take_is_not_used_again() -> None:
    async with (
        authorities(
            granting("stale"), granting("fresh"), answers=(answering(401), answering(204))
        ) as both,
        client() as sender,
    ):
        answers = [await post(sender, both.receiver.url, both.credentials) for _ in range(3)]

    assert [one.status for one in answers] == [401, 204, 204]
    got = [one.headers["authorization"] for one in both.receiver.received]
    assert got == ["Bearer stale", "Bearer fresh", "Bearer fresh"]
    assert len(both.server.received) == 2


@pytest.mark.parametrize(
    "script",
    [
        answering(401, body=b'{"error": "invalid_client"}'),
        answering(500),
        answering(302, "Location: http://127.0.0.1:9/token"),
        answering(307, "Location: /elsewhere"),
        answering(200, body=b"no json"),
        answering(200, body=b"[]"),
        answering(200, body=b'{"token_type": "Bearer"}'),
        granting("two\r\nX-Injected: lines"),
        granting("with space"),
        granting("x" * 9_000),
        granting(token_type="mac"),
        endless,
        hang,
    ],
)
async def test_without_a_token_nothing_is_sent(script: Script) -> None:
    async with authorities(script) as both, client(seconds=0.4) as sender:
        answer = await post(sender, both.receiver.url, both.credentials)

    assert (answer.status, answer.error) == (None, "authorization")
    assert both.receiver.received == []
    assert len(both.server.received) == 1
    assert answer.duration_ms < 1_000


async def test_tokens_are_fetched_from_no_address_of_our_house() -> None:
    one_only = [LOOPBACK[1]]
    async with authorities(granting()) as both, client(networks=one_only) as sender:
        answer = await post(sender, "https://[::1]:9/", both.credentials)

    assert answer.error == "authorization"
    assert both.server.received == []


async def test_a_slow_authorization_server_leaves_less_time_for_the_request() -> None:
    async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.5)
        await granting()(reader, writer)

    async with authorities(slowly, answers=(hang,)) as both, client(seconds=0.8) as sender:
        answer = await post(sender, both.receiver.url, both.credentials)

    assert answer.error == "timeout"
    assert 700 < answer.duration_ms < 1_200


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [(3600, 3570), (40, 20), (10**9, 86_370), (None, 270), ("soon", 270), (True, 270), (-5, 270)],
)
def test_a_token_is_used_until_shortly_before_it_ends(expires_in: Any, seconds: float) -> None:
    answer = {"access_token": "t", "token_type": "bearer", "expires_in": expires_in}

    assert read_answer(200, answer) == ("t", seconds)


async def test_a_new_token_is_asked_for_when_the_old_one_ends() -> None:
    clock = [0.0]
    count = 0

    async def fetch(url: str, headers: dict[str, str], body: str) -> tuple[int, Any]:
        nonlocal count
        del url, headers, body
        count += 1
        lifetime = timedelta(minutes=10).total_seconds()
        return 200, {"access_token": f"t{count}", "token_type": "Bearer", "expires_in": lifetime}

    tokens = AccessTokens(fetch, clock=lambda: clock[0])
    credentials = ClientCredentials("https://login.seoul.example/token", "renkei", SECRET)

    got = []
    for clock[0] in (0, 569, 571):
        got.append(await tokens.token(credentials))
    tokens.forget(credentials, "t1")
    got.append(await tokens.token(credentials))

    assert got == ["t1", "t1", "t2", "t2"]


async def test_who_is_refused_asks_anew_the_next_time() -> None:
    answers = iter([(400, None), (200, {"access_token": "t", "token_type": "Bearer"})])

    async def fetch(url: str, headers: dict[str, str], body: str) -> tuple[int, Any]:
        del url, headers, body
        return next(answers)

    tokens = AccessTokens(fetch)
    credentials = ClientCredentials("https://login.seoul.example/token", "renkei", SECRET)

    with pytest.raises(TokenRefused):
        await tokens.token(credentials)
    assert await tokens.token(credentials) == "t"


async def test_what_a_server_does_wrong_is_told_without_what_it_was_asked_with() -> None:
    async with authorities(nonsense) as both, client() as sender:
        with pytest.raises(TokenRefused) as refused:
            await sender.tokens.token(both.credentials)
        with capture_logs() as logs:
            await post(sender, both.server.url, both.credentials)
            await sender.post(Destination(both.server.url, ()), b"{}", {"X-Key": SECRET})

    said = f"{refused.value!r} {logs}"
    assert len(logs) == 2
    assert "Basic" not in said
    assert "CIMultiDict" not in said


def test_secrets_are_not_shown_by_accident(authority: trustme.CA) -> None:
    credentials = ClientCredentials("https://login.seoul.example/token", "renkei", SECRET)
    certificate = presented(authority)

    assert SECRET not in repr(credentials)
    assert certificate.private_key not in repr(certificate)
    assert SECRET not in str(credentials.details())
    assert "PRIVATE" not in str(certificate.details())
