"""The signing keys, as a process remembers them."""

import asyncio
import time

from services.members.settings import MembersSettings
from services.members.use_cases.read_signing_keys import SigningKeys, read_signing_keys
from shared.clock import utc_now
from shared.database import Sessions
from shared.sealing import Seals


class KeyRing:
    """Reads the keys when they are first needed, and again after their lifetime.

    The lifetime bounds how long a replica may sign with a key that another one has replaced.
    """

    def __init__(self, settings: MembersSettings) -> None:
        self._seals = Seals.read(settings.master_keys.get_secret_value())
        self._lifetime = settings.signing_keys_seconds
        self._turn = asyncio.Lock()
        self._keys: SigningKeys | None = None
        self._read_at = 0.0

    async def current(self, sessions: Sessions) -> SigningKeys:
        keys = self._fresh()
        if keys is not None:
            return keys
        async with self._turn:
            keys = self._fresh()
            if keys is None:
                async with sessions.begin() as session:
                    keys = await read_signing_keys(session, seals=self._seals, now=utc_now())
                self._keys, self._read_at = keys, time.monotonic()
        return keys

    def _fresh(self) -> SigningKeys | None:
        return self._keys if time.monotonic() - self._read_at < self._lifetime else None
