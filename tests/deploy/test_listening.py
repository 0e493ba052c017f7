"""The small receiver for developers agrees, verifies, prints, and passes on."""

import io
from base64 import b64encode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from standardwebhooks import Webhook

from deploy.operations.listening import Listener, Verifier, fetch_public_keys

SECRET = "whsec_" + b64encode(b"s" * 32).decode()
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
BODY = b'{"type":"renkei.milestone.completed.v1","subject":"m-1","data":{}}'
NAME = "msg_1"


def signed(*versions: str, ago: timedelta = timedelta(), body: bytes = BODY) -> dict[str, str]:
    moment = datetime.now(UTC) - ago
    stamp = str(int(moment.timestamp()))
    of = {
        "v1": Webhook(SECRET).sign(NAME, moment, body.decode()),
        "v1a": "v1a," + b64encode(KEY.sign(f"{NAME}.{stamp}.".encode() + body)).decode(),
    }
    return {
        "webhook-id": NAME,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(of[version] for version in versions),
    }


def listener(verifier: Verifier | None, **how: object) -> tuple[Listener, io.StringIO]:
    said = io.StringIO()
    return Listener(Console(file=said, width=200), verifier, **how), said  # type: ignore[arg-type]


async def post(address: str, headers: dict[str, str], body: bytes = BODY) -> int:
    async with (
        aiohttp.ClientSession() as session,
        session.post(address, data=body, headers=headers) as response,
    ):
        return response.status


BOTH = Verifier([SECRET], [KEY.public_key()])


@pytest.mark.parametrize(
    ("verifier", "versions", "right"),
    [
        (BOTH, ("v1", "v1a"), "[v1 v1a]"),
        (BOTH, ("v1",), "[v1]"),
        (BOTH, ("v1a",), "[v1a]"),
        (Verifier(["whsec_" + b64encode(b"o" * 32).decode(), SECRET]), ("v1",), "[v1]"),
        (None, (), "[not verified]"),
    ],
)
async def test_what_is_right_is_taken(
    verifier: Verifier | None, versions: tuple[str, ...], right: str
) -> None:
    small, said = listener(verifier)
    async with small.listening(0) as address:
        status = await post(address, signed(*versions))

    assert status == 204
    assert f"taken     renkei.milestone.completed.v1  m-1  {right}  msg_1" in said.getvalue()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        signed("v1", "v1a", body=b'{"type":"other"}'),
        signed("v1", "v1a", ago=timedelta(minutes=6)),
        {**signed("v1a"), "webhook-signature": "v1a,%%%"},
    ],
    ids=["unsigned", "another body", "old", "no base64"],
)
async def test_what_is_wrong_is_refused(headers: dict[str, str]) -> None:
    small, said = listener(BOTH)
    async with small.listening(0) as address:
        status = await post(address, headers)

    assert status == 401
    assert "refused" in said.getvalue()


async def test_what_comes_again_is_known() -> None:
    small, said = listener(BOTH)
    async with small.listening(0) as address:
        await post(address, signed("v1"))
        await post(address, signed("v1"))

    assert [line.split()[1] for line in said.getvalue().splitlines()] == ["taken", "again"]


async def test_it_agrees_to_be_sent_to() -> None:
    small, _ = listener(BOTH)
    async with small.listening(0) as address, aiohttp.ClientSession() as session:
        asked = {"WebHook-Request-Origin": "renkei.example", "WebHook-Request-Rate": "120"}
        async with session.options(address, headers=asked) as response:
            agreed = response.headers
            assert response.status == 200
        async with session.options(address) as response:
            assert response.status == 400

    assert agreed["WebHook-Allowed-Origin"] == "renkei.example"
    assert agreed["WebHook-Allowed-Rate"] == "120"


async def test_it_passes_on_and_answers_what_comes_back() -> None:
    heard = []

    async def hear(request: web.Request) -> web.Response:
        heard.append((request.headers["webhook-id"], await request.read()))
        return web.Response(status=418)

    app = web.Application()
    app.router.add_post("/", hear)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    small, _ = listener(BOTH, forward_to=f"http://127.0.0.1:{runner.addresses[0][1]}/")
    async with small.listening(0) as address:
        status = await post(address, signed("v1"))
    await runner.cleanup()
    async with small.listening(0) as address:
        gone = await post(address, signed("v1"))

    assert (status, heard) == (418, [(NAME, BODY)])
    assert gone == 502


async def test_a_message_cannot_colour_the_terminal() -> None:
    small, said = listener(None)
    evil = b'{"type":"[bold red]\\u001b[2Jgone"}'
    async with small.listening(0) as address:
        await post(address, {}, evil)

    assert "[bold red]" in said.getvalue()
    assert "\x1b" not in said.getvalue()


async def test_public_keys_are_read_from_a_jwk_set() -> None:
    raw = KEY.public_key().public_bytes_raw()
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": urlsafe_b64encode(raw).rstrip(b"=").decode()}

    async def show(_: web.Request) -> web.Response:
        return web.json_response({"keys": [jwk, {"kty": "RSA"}]}, content_type="application/x")

    app = web.Application()
    app.router.add_get("/", show)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    keys = await fetch_public_keys(f"http://127.0.0.1:{runner.addresses[0][1]}/")
    await runner.cleanup()

    assert [key.public_bytes_raw() for key in keys] == [raw]
