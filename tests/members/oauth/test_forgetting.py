"""What authorizations leave behind does not stay for ever."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update

from services.members.model.authorization_request import AuthorizationRequest
from services.members.model.token_family import (
    AuthorizationCode,
    RefreshToken,
    TokenFamily,
    UsedIdentifier,
)
from services.members.use_cases.forget_authorizations import forget_authorizations
from shared.clock import utc_now
from tests.members.network import OPENING, Network
from tests.members.oauth.browsing import Desk
from tests.members.oauth.keys import proof

KINDS: tuple[type[Any], ...] = (
    AuthorizationRequest,
    AuthorizationCode,
    RefreshToken,
    UsedIdentifier,
    TokenFamily,
)


async def left(network: Network) -> list[int]:
    async with network.database.sessions() as session:
        return [
            int(await session.scalar(select(func.count()).select_from(kind)) or 0) for kind in KINDS
        ]


async def forget(network: Network, now: datetime) -> bool:
    async with network.database.sessions.begin() as session:
        return await forget_authorizations(session, now=now)


async def test_what_nobody_can_use_is_forgotten_and_the_rest_is_kept(
    desk: Desk, network: Network
) -> None:
    await desk.post("/oauth/par", **desk.asking())
    code = await desk.code()
    assert (await desk.redeem(code, proof=proof())).status_code == 200
    now = utc_now()

    assert not await forget(network, now)
    at_once = await left(network)
    await forget(network, now + timedelta(hours=2))
    later = await left(network)
    await forget(network, now + timedelta(hours=12))
    at_last = await left(network)

    assert at_once == [1, 1, 1, 1, 1]
    assert later == [0, 0, 1, 0, 1]
    assert at_last == [0, 0, 0, 0, 0]
    assert await network.happened() == OPENING


async def test_a_session_is_kept_while_a_token_of_it_may_be_met(
    desk: Desk, network: Network
) -> None:
    await desk.log_in()
    now = utc_now()
    async with network.database.sessions.begin() as session:
        for kind in (AuthorizationCode, RefreshToken):
            await session.execute(update(kind).values(expires_at=now - timedelta(hours=3)))
        await session.execute(update(TokenFamily).values(ends_at=now - timedelta(minutes=64)))

    await forget(network, now)
    within_the_hour = await left(network)
    await forget(network, now + timedelta(minutes=2))

    assert within_the_hour[-1] == 1
    assert (await left(network))[-1] == 0
