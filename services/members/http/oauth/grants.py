"""The ways to a token of a machine, and what every access token says."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Final, Protocol

from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from joserfc.jwk import ECKey, KeySet, RSAKey

from services.members.http.oauth.errors import TargetUnknown
from services.members.model.client import Client
from services.members.model.scopes import IDENTITY_SCOPES
from services.members.queries.token_families import Holder
from shared.one_time import new_one_time_secret

SECRET_METHODS: Final = ["client_secret_basic", "client_secret_post"]
CONFIDENTIAL_METHODS: Final = [*SECRET_METHODS, "private_key_jwt"]
AUTHENTICATION_METHODS: Final = [*CONFIDENTIAL_METHODS, "none"]

GRANTS: Final = {
    "machine": ("client_credentials",),
    "application": ("authorization_code", "refresh_token"),
}


@dataclass(frozen=True, slots=True)
class Issuing:
    """How this installation issues tokens."""

    issuer: str
    audience: str
    access_token_seconds: int
    key: ECKey = field(repr=False)
    identity_key: RSAKey = field(repr=False)


class KnownClient(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """A client of ours, as Authlib wants to see it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get_client_id(self) -> str:
        return self.client.id

    def get_default_redirect_uri(self) -> None:
        """There is none: it is always said, and compared letter by letter."""

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.client.redirect_uris

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and self.client.kind == "application"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in GRANTS[self.client.kind]

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        del endpoint
        mine = self.client.authentication
        return method in SECRET_METHODS if mine == "client_secret" else method == mine

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Give exactly what is asked for, or nothing at all; a machine may leave it to us."""
        known: tuple[str, ...] = self.client.scopes
        if self.client.kind == "application":
            known = (*IDENTITY_SCOPES, *known)
        elif scope is None:
            return " ".join(known)
        asked = (scope or "").split()
        if not asked or not set(asked) <= set(known):
            return None
        return " ".join(name for name in known if name in asked)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in whose name tokens are issued; what Authlib calls a user."""

    holder: Holder

    def get_user_id(self) -> str:
        return str(self.holder.official.id)

    @property
    def sid(self) -> str:
        return str(self.holder.family.id)

    @property
    def auth_time(self) -> int:
        return int(self.holder.family.authenticated_at.timestamp())

    @property
    def acr(self) -> str | None:
        return self.holder.family.acr


class ClientCredentials(ClientCredentialsGrant):  # type: ignore[misc]  # Authlib has no types
    """A machine asks for a token of its own. Source: RFC 6749, section 4.4; RFC 8707."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = CONFIDENTIAL_METHODS

    def validate_token_request(self) -> None:
        super().validate_token_request()
        ensure_target(self)


def ensure_target(grant: Any, redirect_uri: str | None = None) -> None:
    """Refuse tokens for anything but our API. Source: RFC 8707, section 2."""
    resource = grant.request.payload.data.get("resource")
    if resource is not None and resource != grant.server.issuing.audience:
        raise TargetUnknown(redirect_uri=redirect_uri)


class Asked(Protocol):
    """What access tokens must know of the request that they answer."""

    now: datetime

    @property
    def dpop_thumbprint(self) -> str | None: ...


class AccessTokens(JWTBearerTokenGenerator):  # type: ignore[misc]  # Authlib has no types
    """Writes access tokens. Source: RFC 9068."""

    def __init__(self, issuing: Issuing, request: Asked) -> None:
        self._seconds: int = issuing.access_token_seconds
        super().__init__(
            issuing.issuer,
            alg="ES256",
            refresh_token_generator=lambda **_: new_one_time_secret("rkr_"),
            expires_generator=lambda _client, _grant_type: self._seconds,
        )
        self.issuing = issuing
        self.request = request

    def __call__(
        self,
        grant_type: str,
        client: KnownClient,
        user: Person | None = None,
        scope: str | None = None,
        expires_in: int | None = None,
        include_refresh_token: bool = True,
    ) -> dict[str, Any]:
        if user is not None:
            left = (user.holder.family.ends_at - self.request.now).total_seconds()
            self._seconds = max(1, min(self._seconds, int(left)))
        token: dict[str, Any] = super().__call__(
            grant_type, client, user, scope, expires_in, include_refresh_token
        )
        if self.request.dpop_thumbprint is not None:
            token["token_type"] = "DPoP"  # noqa: S105 -- a kind, no secret
        return token

    def get_jwks(self) -> KeySet:
        # Of a set with more than one key Authlib would take any; of a bare key it writes no `kid`.
        return KeySet([self.issuing.key])

    def get_audiences(self, client: KnownClient, user: Any, scope: str) -> str:
        del client, user, scope
        return self.issuing.audience

    def get_auth_time(self, user: Person | None) -> int | None:
        return None if user is None else user.auth_time

    def get_acr(self, user: Person | None) -> str | None:
        return None if user is None else user.acr

    def get_extra_claims(
        self, client: KnownClient, grant_type: str, user: Person | None, scope: str
    ) -> dict[str, Any]:
        del grant_type, scope
        claims: dict[str, Any] = {"member": client.client.member}
        if user is not None:
            official = user.holder.official
            claims = {"member": official.member, "sid": user.sid, "roles": list(official.roles)}
        if self.request.dpop_thumbprint is not None:
            claims["cnf"] = {"jkt": self.request.dpop_thumbprint}
        return claims
