"""What logins leave behind is forgotten in time, and no earlier."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from services.members.model.login_attempt import LoginAttempt
from services.members.model.sign_in import SignIn
from services.members.use_cases.forget_logins import forget_logins
from shared.clock import utc_now
from tests.members.login.seoul import Seoul, browser
from tests.members.oauth.people import Person, application, family_of


async def left(seoul: Seoul, hours: float) -> tuple[int | None, int | None]:
    """Let so many hours pass, and count attempts and sessions."""
    now = utc_now() + timedelta(hours=hours)
    async with seoul.network.database.sessions.begin() as session:
        await forget_logins(session, now=now)
        attempts = await session.scalar(select(func.count()).select_from(LoginAttempt))
        return attempts, await session.scalar(select(func.count()).select_from(SignIn))


@pytest.mark.parametrize(
    ("hours", "kept"), [(0.5, (2, 1)), (1.5, (0, 1)), (10.5, (0, 1)), (11.5, (0, 0))]
)
async def test_a_login_is_forgotten_an_hour_after_its_end(
    seoul: Seoul, hours: float, kept: tuple[int, int]
) -> None:
    await seoul.invite()
    await seoul.prove()
    async with browser(seoul.network.app) as client:
        await seoul.log_in(client)

    assert await left(seoul, hours) == kept


async def test_a_session_stays_while_something_points_to_it(seoul: Seoul) -> None:
    await seoul.invite()
    await seoul.prove()
    async with browser(seoul.network.app) as client:
        await seoul.log_in(client)
    [official], [sign_in] = await seoul.officials(), await seoul.sign_ins()
    desk = application("seoul")
    async with seoul.network.database.sessions.begin() as session:
        session.add(desk)
        await session.flush()
        session.add(family_of(Person(official, sign_in, ""), desk))

    assert await left(seoul, 11.5) == (0, 1)
