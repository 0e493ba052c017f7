"""A receiver that says 204 to everything, as fast as Python can.

`python -m tests.benchmarks.webhooks.receiver PORT [CERTIFICATE]`: with a file that holds a
certificate and its key it speaks TLS. What goes to `/slow/…` is answered after ten seconds.
"""

import asyncio
import ssl
import sys
from typing import cast

import uvloop

from deploy.embedded.layout import HOST
from tests.benchmarks.http.load import LENGTH

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
SLOW = b"POST /slow/"
SLOW_SECONDS = 10


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
            if self.received.startswith(SLOW):
                asyncio.get_running_loop().call_later(SLOW_SECONDS, self.answer)
            else:
                self.answer()
            self.received = self.received[end:]

    def answer(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(ANSWER)


async def main(port: int, certificate: str | None = None) -> None:
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(Receiver, HOST, port, ssl=tls)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), *sys.argv[2:]))
