"""A small receiver of webhooks for developers in other cities: verifies, and prints what comes.

It shares no code with the platform, as their own receivers will not. It listens on this machine
only; how a platform reaches it from outside is the matter of a tunnel.
"""

import asyncio
import json
import time
from base64 import b64decode, urlsafe_b64decode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import aiohttp
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from rich.console import Console
from rich.json import JSON
from rich.text import Text
from standardwebhooks import Webhook, WebhookVerificationError

HOST: Final = "127.0.0.1"
BODY_MAX_BYTES: Final = 1_000_000
REMEMBERED_MAX: Final = 10_000
ASK_SECONDS: Final = 10
TOLERANCE_SECONDS: Final = 300


class CannotVerify(Exception):
    """The message does not come from who it should; the text says why."""


@dataclass(frozen=True)
class Verifier:
    """Knows the secrets (`whsec_…`), and the public keys, that messages may be signed with."""

    secrets: Sequence[str] = ()
    public_keys: Sequence[Ed25519PublicKey] = ()

    def verify(self, body: bytes, headers: Mapping[str, str]) -> list[str]:
        """Check the signatures of a message.

        Returns:
            The versions that are right: `v1`, `v1a`.

        Raises:
            CannotVerify: none is.
        """
        right = []
        reasons = []
        for secret in self.secrets:
            try:
                Webhook(secret).verify(body, dict(headers))
            except (WebhookVerificationError, ValueError) as error:
                reasons.append(f"v1: {error}")
            else:
                right.append("v1")
                break
        if self.public_keys:
            try:
                self._verify_asymmetric(body, headers)
            except (CannotVerify, ValueError) as error:
                reasons.append(f"v1a: {error}")
            else:
                right.append("v1a")
        if not right:
            raise CannotVerify("; ".join(reasons) or "there is nothing to verify with")
        return right

    def _verify_asymmetric(self, body: bytes, headers: Mapping[str, str]) -> None:
        name, moment = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not moment.isdecimal() or abs(time.time() - int(moment)) > TOLERANCE_SECONDS:
            raise CannotVerify("the time is missing, or more than five minutes away")
        signed = f"{name}.{moment}.".encode() + body
        for written in headers.get("webhook-signature", "").split():
            version, _, encoded = written.partition(",")
            for key in self.public_keys if version == "v1a" else ():
                try:
                    key.verify(b64decode(encoded), signed)
                except InvalidSignature:
                    continue
                return
        raise CannotVerify("no signature is right")


async def fetch_public_keys(address: str) -> list[Ed25519PublicKey]:
    """Read the public keys of an endpoint from where the platform shows them, as a JWK set."""
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
    async with (
        aiohttp.ClientSession(timeout=timeout, trust_env=True) as session,
        session.get(address, raise_for_status=True) as response,
    ):
        found = await response.json(content_type=None)
    return [
        Ed25519PublicKey.from_public_bytes(urlsafe_b64decode(key["x"] + "=="))
        for key in found["keys"]
        if key.get("crv") == "Ed25519"
    ]


@dataclass
class Listener:
    """Takes messages, and says of each what it thinks.

    Attributes:
        verifier: nothing is verified without one, and everything taken.
        status: what it answers to what is right.
        forward_to: address of another receiver that gets what is right, as it came.
        bodies: whether they are printed.
    """

    console: Console
    verifier: Verifier | None
    status: int = 204
    forward_to: str | None = None
    bodies: bool = False
    _seen: dict[str, None] = field(default_factory=dict)

    async def consent(self, request: web.Request) -> web.Response:
        """Say that we want what the platform wants to send. Source: CloudEvents Web Hooks, 4."""
        origin = request.headers.get("WebHook-Request-Origin")
        if origin is None:
            return web.Response(status=400, text="WebHook-Request-Origin is missing\n")
        self._say("asked", "cyan", f"{origin} wants to send to {request.path}: agreed")
        return web.Response(
            headers={
                "Allow": "OPTIONS, POST",
                "WebHook-Allowed-Origin": origin,
                "WebHook-Allowed-Rate": request.headers.get("WebHook-Request-Rate", "*"),
            }
        )

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            said = self._verified(body, request.headers)
        except CannotVerify as error:
            self._say("refused", "bold red", str(error))
            return web.Response(status=401)
        name = request.headers.get("webhook-id", "")
        again = name in self._seen
        self._remember(name)
        event = _read(body)
        self._say(
            "again" if again else "taken",
            "yellow" if again else "green",
            f"{event.get('type', 'no CloudEvent')}  {event.get('subject', '')}  [{said}]  {name}",
        )
        if self.bodies and event:
            self.console.print(JSON.from_data(event))
        if self.forward_to is not None:
            return web.Response(status=await self._forward(body, request.headers))
        return web.Response(status=self.status)

    def _verified(self, body: bytes, headers: Mapping[str, str]) -> str:
        if self.verifier is None:
            return "not verified"
        plain = {name.lower(): value for name, value in headers.items()}
        return " ".join(self.verifier.verify(body, plain))

    def _remember(self, name: str) -> None:
        self._seen[name] = None
        while len(self._seen) > REMEMBERED_MAX:
            del self._seen[next(iter(self._seen))]

    async def _forward(self, body: bytes, headers: Mapping[str, str]) -> int:
        passed = {
            name: value
            for name, value in headers.items()
            if name.lower().startswith(("webhook-", "content-type"))
        }
        timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(str(self.forward_to), data=body, headers=passed) as response,
            ):
                self._say("passed on", "blue", f"{self.forward_to} says {response.status}")
                return response.status
        except (aiohttp.ClientError, TimeoutError) as error:
            self._say("not passed on", "bold red", str(error) or repr(error))
            return 502

    def _say(self, what: str, style: str, text: str) -> None:
        moment = datetime.now().astimezone().strftime("%H:%M:%S")
        # Neither markup nor control characters: what comes from outside colours nothing here.
        text = "".join(each if each.isprintable() else "·" for each in text)
        line = Text.assemble((moment, "dim"), "  ", (f"{what:<9}", style), " ", text)
        self.console.print(line, soft_wrap=True)

    @asynccontextmanager
    async def listening(self, port: int) -> AsyncIterator[str]:
        """Listen while the context is open.

        Args:
            port: 0 for any that is free.

        Yields:
            The address.
        """
        app = web.Application(client_max_size=BODY_MAX_BYTES)
        app.router.add_route("OPTIONS", "/{path:.*}", self.consent)
        app.router.add_route("POST", "/{path:.*}", self.take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, port).start()
            yield f"http://{HOST}:{runner.addresses[0][1]}/"
        finally:
            await runner.cleanup()


def _read(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


async def listen(
    *,
    port: int,
    secrets: Sequence[str],
    jwks: str | None,
    status: int,
    forward_to: str | None,
    bodies: bool,
) -> int:
    """Listen until interrupted."""
    keys = [] if jwks is None else await fetch_public_keys(jwks)
    verifier = Verifier(secrets, keys) if secrets or keys else None
    console = Console(highlight=False)
    listener = Listener(console, verifier, status=status, forward_to=forward_to, bodies=bodies)
    async with listener.listening(port) as address:
        console.print(f"Listening at [bold]{address}[/bold]; Ctrl-C stops.")
        if verifier is None:
            console.print("[yellow]Nothing is verified: give --secret or --jwks for that.[/yellow]")
        await asyncio.Event().wait()
    return 0
