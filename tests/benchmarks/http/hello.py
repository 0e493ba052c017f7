"""The limit of a web process: an answer of 17 bytes without any framework, on the same server."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

from deploy.embedded.layout import HOST

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def hello(_: dict[str, Any], __: Any, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"17")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b'{"hello":"world"}'})


if __name__ == "__main__":
    server = Server(
        hello,
        address=HOST,
        port=int(sys.argv[1]),
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
    )
    uvloop.run(server.serve())
