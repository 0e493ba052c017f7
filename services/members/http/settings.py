"""Settings and keys for the routes that need them."""

from typing import Annotated

from fastapi import Depends, Request

from services.members.settings import MembersSettings
from shared.sealing import Seals


async def current_settings(request: Request) -> MembersSettings:
    settings: MembersSettings = request.app.state.settings
    return settings


CurrentSettings = Annotated[MembersSettings, Depends(current_settings)]


async def current_seals(settings: CurrentSettings) -> Seals:
    return Seals.read(settings.master_keys.get_secret_value())


CurrentSeals = Annotated[Seals, Depends(current_seals)]
