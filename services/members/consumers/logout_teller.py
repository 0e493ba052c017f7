"""Tells applications that sessions in them have ended.

Several may run at the same time: each claims what it works on. No transaction is open while an
application is asked. One that does not answer is asked again after pauses that grow, and has only
so many requests at work that the others do not wait for it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import structlog
from joserfc.jwk import RSAKey

from services.members.gateways.logout_http import LogoutClient
from services.members.model.logout_notice import new_logout_token
from services.members.settings import MembersSettings
from services.members.use_cases.claim_notices import ClaimedNotice, claim_notices
from services.members.use_cases.read_signing_keys import read_signing_keys
from services.members.use_cases.settle_notice import settle_notice
from shared.clock import utc_now
from shared.database import Sessions, complain
from shared.messaging.patience import Patience, stop_if_cancelled
from shared.sealing import Seals

log = structlog.get_logger(__name__)

PARALLEL: Final = 16


class LogoutTeller:
    """The telling part of one process. `run` returns only when it is cancelled."""

    def __init__(
        self,
        sessions: Sessions,
        settings: MembersSettings,
        client: LogoutClient,
        *,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._sessions = sessions
        self._settings = settings
        self._client = client
        self._clock = clock
        self._seals = Seals.read(settings.master_keys.get_secret_value())
        self._at_work: Counter[str] = Counter()
        self._ended = asyncio.Event()

    async def run(self) -> None:
        patience = Patience(self._settings)
        async with asyncio.TaskGroup() as group:
            while True:
                stop_if_cancelled()
                self._ended.clear()
                try:
                    more = await self.look(group.create_task)
                except Exception as error:  # whatever it is, this must look again
                    complain(log, "logout_teller.interrupted", error)
                    await patience.pause()
                    continue
                patience.worked()
                if not more:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._settings.logout_poll_seconds):
                            await self._ended.wait()

    async def look(self, start: Callable[[Coroutine[Any, Any, None]], object]) -> bool:
        """Begin with what is due.

        Returns:
            Whether there was anything.
        """
        free = PARALLEL - self._at_work.total()
        if free <= 0:
            return False
        async with self._sessions.begin() as session:
            now = self._clock()
            claimed = await claim_notices(session, at_work=self._at_work, limit=free, now=now)
            if not claimed:
                return False
            keys = await read_signing_keys(session, seals=self._seals, now=now)
        for notice in claimed:
            self._at_work[notice.client_id] += 1
            start(self._attend_to(notice, keys.identity))
        return True

    async def _attend_to(self, notice: ClaimedNotice, key: RSAKey) -> None:
        try:
            token = new_logout_token(
                issuer=self._settings.issuer,
                client_id=notice.client_id,
                session_id=notice.session_id,
                official_id=notice.official_id,
                key=key,
                now=self._clock(),
            )
            hindrance = await self._client.tell(notice.uri, token)
            async with self._sessions.begin() as session:
                await settle_notice(session, notice, hindrance=hindrance, now=self._clock())
        except Exception as error:  # the claim runs out, and then it is tried again
            complain(log, "logout_teller.interrupted", error)
        finally:
            self._at_work[notice.client_id] -= 1
            self._ended.set()
