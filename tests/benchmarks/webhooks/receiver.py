"""A receiver that says 204 to everything, as fast as Python can."""

import asyncio
import sys
from typing import cast

import uvloop

from deploy.embedded.layout import HOST
from tests.benchmarks.http.load import LENGTH

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Receiver(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self.received, 0, end + 2)
            end += 4 + (int(length[1]) if length else 0)
            if len(self.received) < end:
                return
            self.received = self.received[end:]
            self.transport.write(ANSWER)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Receiver, HOST, port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
