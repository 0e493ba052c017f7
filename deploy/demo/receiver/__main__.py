"""`python -m deploy.demo.receiver`: runs until it is told to stop."""

import asyncio
from pathlib import Path

from fastapi import FastAPI
from granian.constants import Interfaces
from granian.server.embed import Server
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.demo.receiver.app import receiver
from shared.serving import stopped_by_signals


class ReceiverSettings(BaseSettings):
    """Where the receiver listens, what it knows, where it keeps what arrives."""

    model_config = SettingsConfigDict(env_prefix="RENKEI_", frozen=True)

    listen_host: str = "127.0.0.1"
    listen_port: int
    receiver_state: Path
    receiver_demo: Path


async def serve(app: FastAPI, settings: ReceiverSettings) -> None:
    server = Server(
        app,
        address=settings.listen_host,
        port=settings.listen_port,
        interface=Interfaces.ASGINL,
        websockets=False,
        log_enabled=False,
    )
    with stopped_by_signals(server.stop):
        await server.serve()


def main() -> None:
    settings = ReceiverSettings()
    asyncio.run(serve(receiver(settings.receiver_demo, settings.receiver_state), settings))


if __name__ == "__main__":
    main()
