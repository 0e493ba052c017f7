"""What is asked of a person's login by whatever nobody may do behind their back."""

from typing import Annotated

from fastapi import Depends, Request

from shared.actor import LoginDemand
from shared.settings import Settings


async def recent_login(request: Request) -> LoginDemand:
    settings: Settings = request.app.state.settings
    return settings.recent_login


RecentLogin = Annotated[LoginDemand, Depends(recent_login)]
"""For routes by which somebody who sits down at another's open screen could stay for good."""
