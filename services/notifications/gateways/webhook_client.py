"""Makes the requests of webhooks, and goes nowhere that it must not go.

No redirects, no proxies, no cookies, no credentials from the environment; an answer is read up to a
limit and within a time.
"""

import re
import time
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Final, Self

import aiohttp
import structlog
from aiohttp import ClientTimeout, DummyCookieJar
from aiohttp.abc import AbstractResolver
from prometheus_client import Counter, Histogram
from yarl import URL

from services.notifications.model.destination import Destination
from services.notifications.model.retrying import Answer
from services.notifications.model.webhook_address import WebhookAddressNotAllowed, ensure_allowed
from shared.clock import utc_now
from shared.outbound import AddressRefused, guarded_connector

log = structlog.get_logger(__name__)

READ_LIMIT_BYTES: Final = 64_000
CHUNK_BYTES: Final = 8_192
EXCERPT_CHARACTERS: Final = 500
USER_AGENT: Final = "Renkei-Webhooks/1"
CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
IDLE_SECONDS: Final = 30
KNOWN_MAX: Final = 20_000

ATTEMPTS: Final = Counter("webhook_attempts_total", "Requests made", ("result",))
ATTEMPT_SECONDS: Final = Histogram(
    "webhook_attempt_duration_seconds",
    "Time from the request to the end of its answer",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30),
)


def origin_of(issuer: str) -> str:
    """How we name ourselves to receivers: `renkei.tokyo.example`."""
    return URL(issuer).host or issuer


class WebhookClient:
    """Sends webhooks. An asynchronous context, because it keeps connections open for a while."""

    def __init__(
        self,
        *,
        allow_private: bool,
        connect_seconds: float,
        total_seconds: float,
        origin: str,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """Describe it.

        Args:
            allow_private: go to whatever address, to develop on one machine.
            connect_seconds: for a connection, with TLS.
            total_seconds: for all of a request.
            origin: who we say we are. Source: CloudEvents HTTP 1.1 Web Hooks, 4.1.1.
            resolver: what names are resolved with, if not by the system.
        """
        self.allow_private = allow_private
        self.timeout = ClientTimeout(total=total_seconds, connect=connect_seconds)
        self.resolver = resolver
        self.headers = {
            "User-Agent": USER_AGENT,
            "Accept-Encoding": "identity",
            "Content-Type": CONTENT_TYPE,
            "WebHook-Request-Origin": origin,
        }
        self.allowed = lru_cache(KNOWN_MAX)(partial(ensure_allowed, allow_private=allow_private))

    async def __aenter__(self) -> Self:
        connector = guarded_connector(
            allow_private=self.allow_private, idle_seconds=IDLE_SECONDS, resolver=self.resolver
        )
        self.session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            timeout=self.timeout,
            trust_env=False,
            auto_decompress=False,
            headers=self.headers,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def post(
        self, destination: Destination, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        """Make one request. Whatever goes wrong is in the answer."""
        started_at, began = utc_now(), time.perf_counter()
        status, retry_after, excerpt, error = None, None, None, None
        try:
            async with self.session.post(
                self.allowed(destination.url),
                data=body,
                headers=headers,
                allow_redirects=False,
                ssl=destination.tls or True,
            ) as response:
                # From here on the receiver has spoken; a body that breaks off changes nothing.
                status = response.status
                retry_after = response.headers.get("Retry-After")
                excerpt = await read_excerpt(response)
        except WebhookAddressNotAllowed:
            error = "address_refused"
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            error = None if status is not None else class_of(failure)
            log.debug("webhook.failed", url=destination.url, error=repr(failure)[:300])
        seconds = time.perf_counter() - began
        ATTEMPT_SECONDS.observe(seconds)
        ATTEMPTS.labels(result=error or f"{(status or 0) // 100}xx").inc()
        return Answer(started_at, round(seconds * 1000), status, error, retry_after, excerpt)


async def read_excerpt(response: aiohttp.ClientResponse) -> str | None:
    """Read the answer up to the limit, and keep its beginning as text that can be stored.

    What is longer than the limit is not read: the connection is closed instead.
    """
    begun = bytearray()
    size = 0
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        if len(begun) < EXCERPT_CHARACTERS * 4:
            begun += chunk
        size += len(chunk)
        if size >= READ_LIMIT_BYTES:
            response.close()
            break
    text = re.sub(r"[^\S\n]|[\x00-\x08\x0b-\x1f\x7f]", " ", begun.decode("utf-8", "replace"))
    return text[:EXCERPT_CHARACTERS].strip() or None


def class_of(failure: Exception) -> str:
    """Name what went wrong, in a word that the owner of the endpoint can act on."""
    cause = getattr(failure, "os_error", failure)
    if isinstance(cause, AddressRefused):
        return "address_refused"
    if isinstance(failure, TimeoutError):
        return "timeout"
    if isinstance(failure, aiohttp.ClientConnectorDNSError):
        return "dns"
    if isinstance(
        failure, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError
    ):
        return "tls"
    if isinstance(failure, OSError | aiohttp.ClientConnectionError | aiohttp.ClientPayloadError):
        return "connection"
    return "protocol"
