"""Servers that can be away for a while."""

import asyncio
from dataclasses import dataclass, field

from pydantic import SecretStr

from deploy.embedded.child import Child


@dataclass(frozen=True)
class OwnNats:
    """A broker that only one test uses."""

    url: SecretStr
    child: Child

    async def pause(self) -> None:
        await self.child.pause()

    def resume(self) -> None:
        self.child.resume()


@dataclass
class Gate:
    """A port before a server; while it is shut, nobody gets through and nobody stays."""

    server_port: int
    port: int = 0
    is_shut: bool = True
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def open(self) -> None:
        self.is_shut = False
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def shut(self) -> None:
        assert self._server is not None
        self.is_shut = True
        self._server.close()
        for writer in self._open:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, back}
        self._open |= ends
        pumps = {
            asyncio.create_task(_pump(reader, back)),
            asyncio.create_task(_pump(there, writer)),
        }
        self._tasks |= pumps
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.transport.abort()
        await asyncio.gather(*pumps, return_exceptions=True)
        self._open -= ends
        self._tasks -= pumps


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        return
