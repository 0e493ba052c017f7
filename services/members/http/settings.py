"""Settings and keys for the routes that need them."""

from datetime import timedelta
from typing import Annotated

from fastapi import Depends, Request

from services.members.settings import MembersSettings
from shared.actor import LoginDemand
from shared.sealing import Seals


async def current_settings(request: Request) -> MembersSettings:
    settings: MembersSettings = request.app.state.settings
    return settings


CurrentSettings = Annotated[MembersSettings, Depends(current_settings)]


async def current_seals(settings: CurrentSettings) -> Seals:
    return Seals.read(settings.master_keys.get_secret_value())


CurrentSeals = Annotated[Seals, Depends(current_seals)]


async def recent_login(settings: CurrentSettings) -> LoginDemand:
    return LoginDemand(
        timedelta(seconds=settings.recent_login_seconds), settings.recent_login_acr_values
    )


RecentLogin = Annotated[LoginDemand, Depends(recent_login)]
"""For routes by which somebody who sits down at another's open screen could stay for good."""
