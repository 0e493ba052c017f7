"""The authorization server: found by its issuer, asked by its public address.

Source: OpenID Connect Discovery 1.0; RFC 6749; RFC 7009; RFC 7523.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import structlog
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from httpx2 import AsyncClient, HTTPError, InvalidURL
from joserfc import jwt
from joserfc.jwk import ECKey

from services.portal.model.login_attempt import LoginAttempt
from services.portal.model.signed import Keys, UnknownKey, keys_in
from services.portal.model.tokens import Tokens, TokensRefused
from shared.clock import utc_now

log = structlog.get_logger(__name__)

LIFETIME_SECONDS: Final = 300
COOL_DOWN_SECONDS: Final = 10
ASSERTION_SECONDS: Final = 60
ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE: Final = "openid profile members:read"
"""What the pages need, and no more."""
NEEDED: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
LONGEST_SECONDS: Final = 86_400

Read = TypeVar("Read")


class PlatformAway(Exception):
    """The platform does not answer, or not as it should; a little later it may."""


@dataclass(slots=True)
class Remembered:
    """Something that was read, and when; what is known outlives an outage."""

    value: Any = None
    read_at: float = field(default=-1e9)
    tried_at: float = field(default=-1e9)


class AuthorizationServer:
    """Asks the authorization server, as the client that the portal is registered as."""

    def __init__(
        self, http: AsyncClient, *, issuer: str, client_id: str, key: ECKey, seconds: float
    ) -> None:
        """Prepare to ask.

        Args:
            http: what requests are made with.
            issuer: where the server is.
            client_id: ours.
            key: that we prove ourselves with.
            seconds: that an answer may take until it is complete.
        """
        self.issuer = issuer
        self.client_id = client_id
        self._http = http
        self._key = key
        self._seconds = seconds
        self._metadata = Remembered()
        self._keys = Remembered()

    async def metadata(self) -> dict[str, Any]:
        """Read what the server says of itself.

        Raises:
            PlatformAway: it says nothing, and has never said anything.
        """
        address = f"{self.issuer}/.well-known/openid-configuration"
        found: dict[str, Any] = await self._remembered(self._metadata, address, self._usable)
        return found

    async def authorization_url(
        self, attempt: LoginAttempt, *, redirect_uri: str, **wishes: str | None
    ) -> str:
        """Write where to send a browser that is to log in.

        Args:
            attempt: that has just been made for it.
            redirect_uri: where it comes back to.
            wishes: further parameters of the request, those without a value left out.

        Raises:
            PlatformAway: the server cannot be found.
        """
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": SCOPE,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": create_s256_code_challenge(attempt.verifier),
            "code_challenge_method": "S256",
        } | {name: value for name, value in wishes.items() if value}
        endpoint = (await self.metadata())["authorization_endpoint"]
        return f"{endpoint}?{urlencode(parameters)}"

    async def redeem(self, code: str, *, verifier: str, redirect_uri: str) -> Tokens:
        """Exchange a code for tokens, of which one says who logged in.

        Raises:
            TokensRefused: it is not good.
            PlatformAway: the server does not answer as it should.
        """
        tokens = await self._tokens(
            grant_type="authorization_code",
            code=code,
            code_verifier=verifier,
            redirect_uri=redirect_uri,
        )
        if tokens.id_token is None:
            raise PlatformAway("no id_token was issued")
        return tokens

    async def refresh(self, refresh_token: str) -> Tokens:
        """Exchange a refresh token, which is good once, for the next ones.

        Raises:
            TokensRefused: the session is over.
            PlatformAway: the server does not answer as it should.
        """
        return await self._tokens(grant_type="refresh_token", refresh_token=refresh_token)

    async def revoke(self, refresh_token: str) -> None:
        """End the session that a refresh token belongs to. Source: RFC 7009.

        Raises:
            PlatformAway: the server does not answer as it should.
        """
        endpoint = (await self.metadata()).get("revocation_endpoint")
        if isinstance(endpoint, str):
            status, _ = await self._post(endpoint, {"token": refresh_token})
            if status != 200:
                raise PlatformAway(f"the revocation was answered with {status}")

    async def end_session_url(self, *, id_token: str, back: str) -> str:
        """Write where to send a browser so that the server forgets it, too.

        Source: OpenID Connect RP-Initiated Logout 1.0, section 2.

        Raises:
            PlatformAway: the server cannot be found, or knows no such way.
        """
        endpoint = (await self.metadata()).get("end_session_endpoint")
        if endpoint is None:
            raise PlatformAway("no end_session_endpoint")
        parameters = {
            "id_token_hint": id_token,
            "client_id": self.client_id,
            "post_logout_redirect_uri": back,
        }
        return f"{endpoint}?{urlencode(parameters)}"

    async def read(self, rule: Callable[[Keys], Read]) -> Read:
        """Read something signed, with keys that are asked for again if one is not among them.

        Raises:
            NotBelieved: the rule says so.
            PlatformAway: the keys are not known.
        """
        address = (await self.metadata())["jwks_uri"]
        keys: Keys = await self._remembered(self._keys, address, keys_in)
        try:
            return rule(keys)
        except UnknownKey:
            if time.monotonic() - self._keys.tried_at < COOL_DOWN_SECONDS:
                raise
        self._keys.read_at = -1e9
        return rule(await self._remembered(self._keys, address, keys_in))

    async def _tokens(self, **parameters: str) -> Tokens:
        endpoint = (await self.metadata())["token_endpoint"]
        now = utc_now()
        status, said = await self._post(endpoint, parameters)
        if status == 400 and isinstance(said, dict) and said.get("error") == "invalid_grant":
            raise TokensRefused
        if status != 200 or not isinstance(said, dict):
            # Of what we did wrong people must not pay with their sessions.
            error = said.get("error") if isinstance(said, dict) else None
            log.warning("tokens.not_issued", status=status, error=str(error)[:100])
            raise PlatformAway(f"the token endpoint answered {status}")
        access, refresh = said.get("access_token"), said.get("refresh_token")
        seconds, id_token = said.get("expires_in"), said.get("id_token")
        if (
            not (isinstance(access, str) and isinstance(refresh, str))
            or not isinstance(seconds, int)
            or not 0 < seconds <= LONGEST_SECONDS
            or not isinstance(id_token, str | None)
            or str(said.get("token_type")).lower() != "bearer"
        ):
            raise PlatformAway("the token endpoint answered something else")
        return Tokens(access, now + timedelta(seconds=seconds), refresh, id_token)

    async def _post(self, endpoint: str, parameters: dict[str, str]) -> tuple[int, Any]:
        proof = {
            "client_id": self.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._assertion(),
        }
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._http.post(endpoint, data=parameters | proof)
            return answer.status_code, answer.json() if answer.content else None
        except (HTTPError, InvalidURL, ValueError, TimeoutError) as error:
            raise PlatformAway(type(error).__name__) from error

    def _assertion(self) -> str:
        """Prove who we are. Source: RFC 7523, section 3; its audience is the issuer alone."""
        at = int(utc_now().timestamp())
        header = {"alg": "ES256", "kid": self._key.kid or self._key.thumbprint()}
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": self.issuer,
            "jti": str(uuid4()),
            "iat": at,
            "exp": at + ASSERTION_SECONDS,
        }
        return jwt.encode(header, claims, self._key)

    async def _remembered(
        self, known: Remembered, address: str, usable: Callable[[Any], Any]
    ) -> Any:
        now = time.monotonic()
        is_old = now - known.read_at > LIFETIME_SECONDS
        if is_old and (known.value is None or now - known.tried_at > COOL_DOWN_SECONDS):
            known.tried_at = now
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await self._http.get(address)
                found = usable(answer.raise_for_status().json())
                if not found:
                    raise PlatformAway(f"{address} says nothing of use")  # noqa: TRY301
                known.value, known.read_at = found, now
            except (HTTPError, InvalidURL, ValueError, TimeoutError, PlatformAway) as error:
                log.warning("platform.not_read", address=address, error=repr(error)[:300])
        if known.value is None:
            raise PlatformAway(f"{address} has never been read")
        return known.value

    def _usable(self, document: Any) -> dict[str, Any] | None:
        """Take the server's word, unless it is another server's or leads to where no TLS is."""
        if not isinstance(document, dict) or document.get("issuer") != self.issuer:
            return None
        optional = {"end_session_endpoint", "revocation_endpoint"} & document.keys()
        addresses = [document.get(name) for name in (*NEEDED, *optional)]
        return document if all(map(self._is_safe, addresses)) else None

    def _is_safe(self, address: Any) -> bool:
        if not isinstance(address, str):
            return False
        return urlsplit(address).scheme == "https" or address.startswith(f"{self.issuer}/")
