"""A city's system that receives webhooks: real sockets, scripted answers."""

import asyncio
import gzip
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any, Final

from standardwebhooks import Webhook

LOOPBACK: Final = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Received:
    """A request as it came in."""

    target: str
    headers: dict[str, str]
    body: bytes
    method: str = "POST"

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    def verify(self, secret: str) -> Any:
        return Webhook(secret).verify(self.body, self.headers)


def answering(status: int, *headers: str, body: bytes = b"") -> Script:
    """Answer in one piece, and close."""

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} Answer", f"Content-Length: {len(body)}", *headers]
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode() + body)

    return answer


def agreeing(origin: str = "*", rate: str | None = None) -> Script:
    """Agree to be sent webhooks, or to something else."""
    headers = [f"WebHook-Allowed-Origin: {origin}", "Allow: POST"]
    return answering(200, *headers, *([] if rate is None else [f"WebHook-Allowed-Rate: {rate}"]))


def granting(token: str = "token-1", **fields: Any) -> Script:  # noqa: S107
    """Give an access token, as an authorization server does."""
    answer = {"access_token": token, "token_type": "Bearer", "expires_in": 3600} | fields
    return answering(200, "Content-Type: application/json", body=json.dumps(answer).encode())


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Say nothing until the sender goes away."""
    await reader.read()


async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Break the connection off."""
    writer.transport.abort()


async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, and then talk without end."""
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"more " * 2_000)
        await writer.drain()


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin an answer, and send a byte of a header now and then, for ever."""
    writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not writer.is_closing():
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


def bomb(megabytes: int) -> Script:
    """Accept, with a small answer that would be a large one if it were unpacked."""
    packed = gzip.compress(b"boom" * (megabytes * 250_000))
    return answering(200, "Content-Encoding: gzip", body=packed)


async def break_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept, and break off in the middle of the body."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nthanks")
    await writer.drain()


async def nonsense(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speak another language."""
    writer.write(b"220 mail.example ESMTP\r\n\r\n")


@dataclass
class Receiver:
    """Plays its scripts in turn, the last one again and again; so for those who ask to send."""

    scripts: list[Script] = field(default_factory=lambda: [answering(204)])
    handshakes: list[Script] = field(default_factory=lambda: [agreeing()])
    received: list[Received] = field(default_factory=list)
    asked: list[Received] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    port: int = 0
    is_encrypted: bool = False

    @property
    def url(self) -> str:
        return f"{'https' if self.is_encrypted else 'http'}://127.0.0.1:{self.port}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            async with self.arrived:
                method, target, _ = first.split(" ")
                is_asking = method == "OPTIONS"
                heard = self.asked if is_asking else self.received
                scripts = self.handshakes if is_asking else self.scripts
                heard.append(Received(target, headers, body, method))
                script = scripts[min(len(heard), len(scripts)) - 1]
                self.arrived.notify_all()
            await script(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def wait_for_handshakes(self, count: int) -> list[Received]:
        """Wait until it was asked so many times."""
        async with asyncio.timeout(10), self.arrived:
            await self.arrived.wait_for(lambda: len(self.asked) >= count)
        return self.asked

    async def wait_for(self, count: int) -> list[Received]:
        """Wait until so many requests have come in."""
        async with asyncio.timeout(10), self.arrived:
            await self.arrived.wait_for(lambda: len(self.received) >= count)
        return self.received


@asynccontextmanager
async def receiving(
    *scripts: Script, handshakes: Sequence[Script] = (), tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    receiver = Receiver(
        list(scripts) or [answering(204)], list(handshakes) or [agreeing()], is_encrypted=bool(tls)
    )
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        await server.wait_closed()
