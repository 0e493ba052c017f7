"""Who is at the browser, with tokens that are good now."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, Final, TypeVar

from fastapi import Request

from services.portal.gateways.authorization_server import AuthorizationServer, PlatformAway
from services.portal.gateways.platform_api import AccessRefused
from services.portal.http.cookies import SESSION
from services.portal.http.routes import LoggedOut
from services.portal.settings import PortalSettings, seals_of
from services.portal.use_cases.renew_tokens import renew_tokens
from services.portal.use_cases.see_session import Present, see_session
from shared.clock import utc_now
from shared.http.browser import cookie_of

Answer = TypeVar("Answer")

RENEWALS: Final = 6
"""At the same time in one process: each holds a connection to the database while it waits."""


class Renewals:
    """Renewals that are under way. They go on when the browser that wanted one has gone away.

    One that is cut off in the middle would lose the next refresh token, and with it the session.
    """

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(RENEWALS)
        self._tasks: set[asyncio.Task[Present | None]] = set()

    async def run(self, renew: Callable[[], Coroutine[Any, Any, Present | None]]) -> Present | None:
        # Whoever goes away before their turn leaves nothing behind that would go on.
        await self._turns.acquire()
        task = asyncio.create_task(renew())
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[Present | None]) -> None:
        self._tasks.discard(task)
        self._turns.release()
        if not task.cancelled():
            task.exception()  # whoever still waits is told; nobody may wait any more

    async def finished(self) -> None:
        """Wait for those that are under way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def who_is_present(request: Request) -> Present | None:
    """Find who is logged in; nothing if nobody is.

    Raises:
        LoggedOut: somebody was.
        PlatformAway: their tokens cannot be renewed at the moment.
    """
    cookie = cookie_of(request, SESSION)
    if cookie is None:
        return None
    settings: PortalSettings = request.app.state.settings
    async with request.app.state.sessions.begin() as session:
        found = await see_session(
            session,
            cookie,
            rest=timedelta(seconds=settings.portal_session_rest_seconds),
            seals=seals_of(settings),
            now=utc_now(),
        )
    if found is None:
        raise LoggedOut
    return await _renewed(request, cookie, None) if found.needs_tokens else found


async def needed(request: Request) -> Present:
    """Find who is logged in.

    Raises:
        LoggedOut: nobody is.
        PlatformAway: their tokens cannot be renewed at the moment.
    """
    found = await who_is_present(request)
    if found is None:
        raise LoggedOut
    return found


async def asked(
    request: Request, present: Present, ask: Callable[[str], Awaitable[Answer]]
) -> Answer:
    """Ask the platform something for whoever is present, with an access token that it takes.

    Raises:
        LoggedOut: the platform has ended the session.
        PlatformAway: it does not answer as it should.
        LoginNeeded: it wants a new login; `Page` sends the browser there.
        ApiRefused: it says no.
    """
    try:
        return await ask(present.access_token)
    except AccessRefused:
        cookie = cookie_of(request, SESSION) or ""
        renewed = await _renewed(request, cookie, present.access_token)
    try:
        return await ask(renewed.access_token)
    except AccessRefused as error:
        raise PlatformAway("new tokens are refused") from error


async def _renewed(request: Request, cookie: str, refused: str | None) -> Present:
    settings: PortalSettings = request.app.state.settings
    server: AuthorizationServer = request.app.state.authorization_server
    renewals: Renewals = request.app.state.renewals
    sessions = request.app.state.sessions

    async def renew() -> Present | None:
        async with sessions.begin() as session:
            return await renew_tokens(
                session,
                cookie,
                refused=refused,
                refresh=server.refresh,
                rest=timedelta(seconds=settings.portal_session_rest_seconds),
                seals=seals_of(settings),
                now=utc_now(),
            )

    found = await renewals.run(renew)
    if found is None:
        raise LoggedOut
    return found
