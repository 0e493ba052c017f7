"""The ways to a token, and what a token says."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from joserfc.jwk import ECKey, KeySet

from services.members.http.oauth.errors import TargetUnknown
from services.members.model.client import Client

AUTHENTICATION_METHODS = ["client_secret_basic", "client_secret_post"]


@dataclass(frozen=True, slots=True)
class Issuing:
    """How this installation issues tokens."""

    issuer: str
    audience: str
    access_token_seconds: int
    key: ECKey = field(repr=False)


class Machine(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """A client of ours, as Authlib wants to see it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get_client_id(self) -> str:
        return self.client.id

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Give everything the client may have, or exactly what it asks for, or nothing at all."""
        if scope is None:
            return " ".join(self.client.scopes)
        asked = scope.split()
        if not asked or not set(asked) <= set(self.client.scopes):
            return None
        return " ".join(known for known in self.client.scopes if known in asked)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint == "token" and method in AUTHENTICATION_METHODS

    def check_grant_type(self, grant_type: str) -> bool:
        return bool(grant_type == ClientCredentials.GRANT_TYPE)


class ClientCredentials(ClientCredentialsGrant):  # type: ignore[misc]  # Authlib has no types
    """A machine asks for a token of its own. Source: RFC 6749, section 4.4; RFC 8707."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = AUTHENTICATION_METHODS

    def validate_token_request(self) -> None:
        super().validate_token_request()
        resource = self.request.payload.data.get("resource")
        if resource is not None and resource != self.server.issuing.audience:
            raise TargetUnknown


class AccessTokens(JWTBearerTokenGenerator):  # type: ignore[misc]  # Authlib has no types
    """Writes access tokens. Source: RFC 9068."""

    def __init__(self, issuing: Issuing) -> None:
        super().__init__(
            issuing.issuer,
            alg="ES256",
            expires_generator=lambda _client, _grant_type: issuing.access_token_seconds,
        )
        self.issuing = issuing

    def get_jwks(self) -> KeySet:
        # Of a set with more than one key Authlib would take any; of a bare key it writes no `kid`.
        return KeySet([self.issuing.key])

    def get_audiences(self, client: Machine, user: Any, scope: str) -> str:
        del client, user, scope
        return self.issuing.audience

    def get_extra_claims(
        self, client: Machine, grant_type: str, user: Any, scope: str
    ) -> dict[str, Any]:
        del grant_type, user, scope
        return {"member": client.client.member}
