"""`python -m deploy.demo.receiver`: runs until it is told to stop. See `deploy/env.example`."""

import asyncio
import os
import signal
from pathlib import Path

from granian.constants import Interfaces
from granian.server.embed import Server

from deploy.demo.receiver.app import receiver


async def main() -> None:
    server = Server(
        receiver(
            Path(os.environ["RENKEI_RECEIVER_DEMO"]), Path(os.environ["RENKEI_RECEIVER_STATE"])
        ),
        address=os.environ.get("RENKEI_LISTEN_HOST", "127.0.0.1"),
        port=int(os.environ["RENKEI_LISTEN_PORT"]),
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    await server.serve()


if __name__ == "__main__":
    asyncio.run(main())
