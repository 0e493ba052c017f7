"""Tells applications of logouts, and goes nowhere that it must not go.

No redirects, no proxies, no cookies; an answer is read up to a limit and within a time.
Source: OpenID Connect Back-Channel Logout 1.0, sections 2.5 and 2.8.
"""

from typing import Final, Self

import aiohttp
import structlog
from aiohttp import ClientTimeout, DummyCookieJar
from aiohttp.abc import AbstractResolver

from shared.addresses import AddressNotAllowed, ensure_allowed
from shared.outbound import AddressRefused, guarded_connector

log = structlog.get_logger(__name__)

READ_LIMIT_BYTES: Final = 16_000
IDLE_SECONDS: Final = 10
USER_AGENT: Final = "Renkei-Logout/1"


class LogoutClient:
    """Makes the requests. An asynchronous context, because it keeps connections for a while."""

    def __init__(
        self, *, allow_private: bool, seconds: float, resolver: AbstractResolver | None = None
    ) -> None:
        self._allow_private = allow_private
        self._seconds = seconds
        self._resolver = resolver

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=guarded_connector(
                allow_private=self._allow_private,
                idle_seconds=IDLE_SECONDS,
                resolver=self._resolver,
            ),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=self._seconds),
            trust_env=False,
            auto_decompress=False,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def tell(self, uri: str, logout_token: str) -> str | None:
        """Send a logout token.

        Returns:
            Why the application has not taken it, in a word; nothing if it has.
        """
        try:
            async with self._session.post(
                ensure_allowed(uri, allow_private=self._allow_private),
                data={"logout_token": logout_token},
                allow_redirects=False,
            ) as response:
                # Only the status counts; the rest is read so that the connection can be used again.
                async for part in response.content.iter_chunked(READ_LIMIT_BYTES):
                    if len(part) >= READ_LIMIT_BYTES or response.content.total_bytes > (
                        READ_LIMIT_BYTES
                    ):
                        response.close()
                        break
                status = response.status
        except (aiohttp.ClientError, AddressNotAllowed, OSError, ValueError) as error:
            log.info("logout.not_told", uri=uri.partition("?")[0], error=repr(error)[:300])
            return _word_for(error)
        return None if 200 <= status < 300 else f"answered-{status}"


def _word_for(error: Exception) -> str:
    if isinstance(getattr(error, "os_error", error), AddressRefused | AddressNotAllowed):
        return "address-not-allowed"
    return "no-answer-in-time" if isinstance(error, TimeoutError) else "no-answer"
