"""Makes the requests of webhooks, and goes nowhere that it must not go.

No redirects, no proxies, no cookies, no credentials from the environment; an answer is read up to a
limit and within a time.
"""

import asyncio
import re
import ssl
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import structlog
from aiohttp import ClientTimeout, DummyCookieJar
from aiohttp.abc import AbstractResolver
from prometheus_client import Counter, Histogram
from pydantic_core import from_json
from yarl import URL

from services.notifications.gateways.access_tokens import AccessTokens, TokenRefused
from services.notifications.gateways.client_tls import presenting, trusting
from services.notifications.model.authentication import ClientCertificate, ClientCredentials
from services.notifications.model.destination import Destination
from services.notifications.model.retrying import Answer
from services.notifications.model.webhook_address import WebhookAddressNotAllowed, ensure_allowed
from shared.addresses import Networks
from shared.clock import utc_now
from shared.outbound import AddressRefused, Guard, guarded_connector

log = structlog.get_logger(__name__)

READ_LIMIT_BYTES: Final = 64_000
CHUNK_BYTES: Final = 8_192
EXCERPT_CHARACTERS: Final = 500
SECRET_CHARACTERS_MIN: Final = 8
"""What is shorter protects nothing, and stands in answers by chance."""

HIDDEN: Final = "[hidden]"
USER_AGENT: Final = "Renkei-Webhooks/1"
CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
BEARER: Final = "Bearer "
UNAUTHORIZED: Final = 401
LEFT_SECONDS_MIN: Final = 0.1
IDLE_SECONDS: Final = 30
KNOWN_MAX: Final = 20_000
CERTIFICATES_KNOWN: Final = 1_000

ATTEMPTS: Final = Counter("webhook_attempts_total", "Requests made", ("result",))
ATTEMPT_SECONDS: Final = Histogram(
    "webhook_attempt_duration_seconds",
    "Time from the request to the end of its answer",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30),
)


def origin_of(issuer: str) -> str:
    """How we name ourselves to receivers: `renkei.tokyo.example`."""
    return URL(issuer).host or issuer


@dataclass(frozen=True, slots=True)
class Consent:
    """What an answer to the handshake says, by its headers; or the class of error."""

    allowed_origin: str | None = None
    allowed_rate: str | None = None
    error: str | None = None


class WebhookClient:
    """Sends webhooks. An asynchronous context, because it keeps connections open for a while."""

    def __init__(
        self,
        *,
        networks: Networks,
        connect_seconds: float,
        total_seconds: float,
        origin: str,
        ca_file: Path | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """Describe it.

        Args:
            networks: into which requests may go although they are not public, and without TLS.
            connect_seconds: for a connection, with TLS.
            total_seconds: for all of a request, and the access token that it may need.
            origin: who we say we are. Source: CloudEvents HTTP 1.1 Web Hooks, 4.1.2.
            ca_file: certificates of authorities to trust beside those of the system.
            resolver: what names are resolved with, if not by the system.
        """
        self.networks = networks
        self.total_seconds = total_seconds
        self.timeout = ClientTimeout(total=total_seconds, connect=connect_seconds)
        self.resolver = resolver
        self.trusting = trusting(ca_file)
        self.headers = {
            "User-Agent": USER_AGENT,
            "Accept-Encoding": "identity",
            "WebHook-Request-Origin": origin,
        }
        self.allowed = lru_cache(KNOWN_MAX)(partial(ensure_allowed, networks=networks))
        self.presenting = lru_cache(CERTIFICATES_KNOWN)(partial(presenting, ca_file=ca_file))
        self.tokens = AccessTokens(self._fetch_token)

    async def __aenter__(self) -> Self:
        self.session = self._session(Guard(self.networks))
        # What goes without TLS leads into the networks that may be used so, and nowhere else.
        self.plain_session = self._session(Guard(self.networks, is_plain=True))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
        await self.plain_session.close()

    def _session(self, guard: Guard) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=guarded_connector(
                guard=guard,
                idle_seconds=IDLE_SECONDS,
                resolver=self.resolver,
                tls=self.trusting,
            ),
            cookie_jar=DummyCookieJar(),
            timeout=self.timeout,
            trust_env=False,
            auto_decompress=False,
            headers=self.headers,
        )

    async def post(
        self, destination: Destination, body: bytes, headers: Mapping[str, str]
    ) -> Answer:
        """Make one request. Whatever goes wrong is in the answer."""
        started_at, began = utc_now(), time.perf_counter()
        status, retry_after, excerpt, error = None, None, None, None
        told = {"Content-Type": CONTENT_TYPE, **headers}
        shows = destination.shows
        try:
            url = self.allowed(destination.url)
            session = self.session if url.startswith("https:") else self.plain_session
            tls: ssl.SSLContext | bool = True
            timeout = self.timeout
            if isinstance(shows, ClientCertificate):
                tls = self.presenting(shows)
            elif shows is not None:
                timeout = await self._authorize(shows, told)
            async with session.post(
                url, data=body, headers=told, allow_redirects=False, ssl=tls, timeout=timeout
            ) as response:
                # From here on the receiver has spoken; a body that breaks off changes nothing.
                status = response.status
                if status == UNAUTHORIZED and isinstance(shows, ClientCredentials):
                    self.tokens.forget(shows, told["Authorization"].removeprefix(BEARER))
                retry_after = response.headers.get("Retry-After")
                secrets = (*destination.headers.values(), told.get("Authorization", ""))
                excerpt = await read_excerpt(response, secrets=secrets)
        except WebhookAddressNotAllowed:
            error = "address_refused"
        except TokenRefused as refused:
            error = "authorization"
            log.debug("webhook.no_token", url=destination.url, error=str(refused)[:300])
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            error = None if status is not None else class_of(failure)
            log.debug("webhook.failed", url=destination.url, error=said_by(failure))
        seconds = time.perf_counter() - began
        ATTEMPT_SECONDS.observe(seconds)
        ATTEMPTS.labels(result=error or f"{(status or 0) // 100}xx").inc()
        return Answer(started_at, round(seconds * 1000), status, error, retry_after, excerpt)

    async def _authorize(
        self, credentials: ClientCredentials, headers: dict[str, str]
    ) -> ClientTimeout:
        """Add an access token to the headers of a request.

        Returns:
            The time that is left for the request itself.

        Raises:
            TokenRefused: the authorization server gives no token, or not in time.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(self.total_seconds):
                headers["Authorization"] = BEARER + await self.tokens.token(credentials)
        except TimeoutError as late:
            raise TokenRefused("no answer in time") from late
        left = self.total_seconds - (time.monotonic() - began)
        return ClientTimeout(total=max(left, LEFT_SECONDS_MIN), connect=self.timeout.connect)

    async def ask(self, destination: Destination, headers: Mapping[str, str]) -> Consent:
        """Ask a receiver whether it wants to be sent webhooks.

        Without what its owner entered as secret: whoever is there has not agreed to anything yet.
        Source: CloudEvents HTTP 1.1 Web Hooks for Event Delivery, section 4.
        """
        try:
            url = self.allowed(destination.url)
            session = self.session if url.startswith("https:") else self.plain_session
            presented = destination.shows
            is_certificate = isinstance(presented, ClientCertificate)
            async with session.options(
                url,
                headers=headers,
                allow_redirects=False,
                ssl=self.presenting(presented) if is_certificate else True,
            ) as response:
                await read_excerpt(response)
                return Consent(
                    response.headers.get("WebHook-Allowed-Origin"),
                    response.headers.get("WebHook-Allowed-Rate"),
                )
        except WebhookAddressNotAllowed:
            return Consent(error="address_refused")
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            log.debug("webhook.not_asked", url=destination.url, error=said_by(failure))
            return Consent(error=class_of(failure))

    async def _fetch_token(self, url: str, headers: dict[str, str], body: str) -> tuple[int, Any]:
        """Ask for an access token, behind the same guard as everything else."""
        try:
            url = self.allowed(url)
            session = self.session if url.startswith("https:") else self.plain_session
            async with session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as response:
                text = await read_limited(response)
                return response.status, from_json(text, allow_inf_nan=False) if text else None
        except (WebhookAddressNotAllowed, aiohttp.ClientError, OSError, ValueError) as failure:
            raise TokenRefused(said_by(failure)) from failure


async def read_limited(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer that is not longer than the limit.

    Raises:
        ValueError: it is.
    """
    read = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        read += chunk
        if len(read) > READ_LIMIT_BYTES:
            response.close()
            raise ValueError("the answer is too long")
    return bytes(read)


async def read_excerpt(
    response: aiohttp.ClientResponse, *, secrets: Collection[str] = ()
) -> str | None:
    """Read the answer up to the limit, and keep its beginning as text that can be stored.

    What is longer than the limit is not read: the connection is closed instead. Some receivers
    repeat what they were sent, such as a page for those who look for faults: what is secret of it
    is left out.
    """
    hidden = sorted(
        {word for each in secrets for word in each.split() if len(word) >= SECRET_CHARACTERS_MIN},
        key=len,
        reverse=True,
    )
    enough = READ_LIMIT_BYTES if hidden else EXCERPT_CHARACTERS * 4
    begun = bytearray()
    size = 0
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        if len(begun) < enough:
            begun += chunk
        size += len(chunk)
        if size >= READ_LIMIT_BYTES:
            response.close()
            break
    text = begun.decode("utf-8", "replace")
    for word in hidden:
        text = text.replace(word, HIDDEN)
    text = re.sub(r"[^\S\n]|[\x00-\x08\x0b-\x1f\x7f-\x9f]", " ", text)
    return text[:EXCERPT_CHARACTERS].strip() or None


def said_by(failure: Exception) -> str:
    """Tell what went wrong, for our logs; never as `repr`, which may hold the headers we sent."""
    return f"{type(failure).__name__}: {failure}"[:300]


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
        failure,
        aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError | ssl.SSLError,
    ) or isinstance(failure.__cause__, ssl.SSLError):
        # The last: a receiver says only after the handshake that it wants a certificate.
        return "tls"
    if isinstance(failure, OSError | aiohttp.ClientConnectionError | aiohttp.ClientPayloadError):
        return "connection"
    return "protocol"
