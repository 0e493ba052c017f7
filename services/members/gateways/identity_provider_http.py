"""Asks identity providers of members, and goes nowhere that it must not go.

What they publish about themselves is remembered for a while; their keys are read anew when a
signature does not fit, but not as often as somebody sends us a wrong one.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

import aiohttp
import structlog
from aiohttp import ClientTimeout, DummyCookieJar
from aiohttp.abc import AbstractResolver
from pydantic_core import from_json

from shared.addresses import AddressNotAllowed, ensure_allowed
from shared.outbound import guarded_connector

log = structlog.get_logger(__name__)

READ_LIMIT_BYTES: Final = 512_000
METADATA_SECONDS: Final = 3_600
KEYS_SECONDS: Final = 300
COOL_DOWN_SECONDS: Final = 10
REMEMBERED_LIMIT: Final = 500
WELL_KNOWN: Final = "/.well-known/openid-configuration"
USER_AGENT: Final = "Renkei-Login/1"


class ProviderAway(Exception):
    """The provider does not answer, or nothing that can be read."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A document, and when it was read."""

    document: Any
    read_at: float


class IdentityProviderClient:
    """Makes the requests of logins, a few at a time, and fewer at any one provider.

    So a provider that is slow, whether it can help it or not, holds up its own people alone.
    """

    def __init__(
        self,
        *,
        allow_private: bool,
        seconds: float,
        parallel: int,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.allow_private = allow_private
        self._seconds = seconds
        self._turns = asyncio.Semaphore(parallel)
        self._parallel_of_one = max(1, parallel // 3)
        self._turns_of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._resolver = resolver
        self._known: dict[str, Remembered] = {}
        self._reading: dict[str, asyncio.Task[Any]] = {}

    @asynccontextmanager
    async def turn(self, issuer: str) -> AsyncIterator[None]:
        """Bound the time that a login at `issuer` may take here, waiting for its turn included.

        Raises:
            ProviderAway: it took longer.
        """
        own = self._turns_of.get(issuer)
        if own is None:
            own = self._turns_of[issuer] = asyncio.Semaphore(self._parallel_of_one)
        try:
            async with asyncio.timeout(self._seconds), own, self._turns:
                yield
        except TimeoutError as error:
            raise ProviderAway("it took too long") from error

    async def metadata(self, issuer: str) -> Any:
        """Read how a provider describes itself. Source: OpenID Connect Discovery 1.0, section 4.

        Raises:
            ProviderAway: it cannot be asked.
        """
        return await self._document(issuer.rstrip("/") + WELL_KNOWN, lasts=METADATA_SECONDS)

    async def keys(self, address: str, *, anew: bool = False) -> Any:
        """Read the public keys of a provider; `anew`, unless that happened a moment ago.

        Raises:
            ProviderAway: it cannot be asked.
        """
        return await self._document(address, lasts=COOL_DOWN_SECONDS if anew else KEYS_SECONDS)

    async def fetch(
        self, method: str, url: str, headers: dict[str, str], body: str | None
    ) -> tuple[int, Any]:
        """Make one request.

        Returns:
            The status, and the JSON of the answer or nothing if it is none.

        Raises:
            ProviderAway: there is no answer, or it is too long.
        """
        try:
            async with (
                self._session() as session,
                session.request(
                    method,
                    ensure_allowed(url, allow_private=self.allow_private),
                    data=body,
                    headers=headers,
                    allow_redirects=False,
                ) as response,
            ):
                text = bytearray()
                async for part in response.content.iter_chunked(8_192):
                    text += part
                    if len(text) > READ_LIMIT_BYTES:
                        raise ProviderAway("its answer is too long")
        except (aiohttp.ClientError, AddressNotAllowed, OSError, ValueError) as error:
            log.warning("provider.away", url=url.partition("?")[0], error=repr(error)[:300])
            raise ProviderAway(type(error).__name__) from error
        return response.status, _json(bytes(text))

    def _session(self) -> aiohttp.ClientSession:
        # One for each request: logins are rare, and nothing of one may be seen by another.
        return aiohttp.ClientSession(
            connector=guarded_connector(
                allow_private=self.allow_private, idle_seconds=1, resolver=self._resolver
            ),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=self._seconds),
            trust_env=False,
            headers={"User-Agent": USER_AGENT},
        )

    async def _document(self, url: str, *, lasts: float) -> Any:
        known = self._known.get(url)
        if known is not None and time.monotonic() - known.read_at <= lasts:
            return known.document
        # Whoever comes during a read waits for it, and does not begin another one.
        task = self._reading.get(url)
        if task is None:
            task = self._reading[url] = asyncio.create_task(self._read(url))
        try:
            return await asyncio.shield(task)
        except ProviderAway:
            if known is None:
                raise
            return known.document

    async def _read(self, url: str) -> Any:
        try:
            status, document = await self.fetch("GET", url, {"Accept": "application/json"}, None)
        finally:
            del self._reading[url]
        if status != 200 or not isinstance(document, dict):
            raise ProviderAway(f"{url} is answered by {status}")
        if len(self._known) >= REMEMBERED_LIMIT:
            self._known.clear()
        self._known[url] = Remembered(document, time.monotonic())
        return document


def _json(text: bytes) -> Any:
    try:
        return from_json(text, allow_inf_nan=False)
    except (ValueError, RecursionError):
        return None
