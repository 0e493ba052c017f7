"""The ways to tokens for people: a code with PKCE, refreshing, and what an id_token says."""

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from authlib.oauth2.rfc6749 import (
    InvalidGrantError,
    InvalidRequestError,
    InvalidScopeError,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, RefreshTokenGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode
from joserfc.jwk import RSAKey

from services.members.http.oauth.errors import (
    ProofWrong,
    RegistrationNotSupported,
    RequestNotSupported,
)
from services.members.http.oauth.grants import (
    AUTHENTICATION_METHODS,
    Issuing,
    KnownClient,
    Person,
    ensure_target,
)
from services.members.model.sign_in import SignIn
from services.members.model.token_family import (
    AuthorizationCode,
    RefreshToken,
    SessionOver,
    TokenFamily,
    UsedBefore,
)
from services.members.queries.token_families import code_with, refresh_token_with
from services.members.use_cases.continue_session import continue_session
from services.members.use_cases.open_session import Wanted, open_session
from shared.one_time import hash_of

ID_TOKEN_SECONDS: Final = 300
THUMBPRINT_CHARACTERS: Final = 43
COUNT_DIGITS: Final = 9
"""Thirty years in seconds."""


class OfPeople:
    """What both grants have in common."""

    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar[list[str]] = AUTHENTICATION_METHODS

    server: Any
    request: Any

    def _person(self, secret: AuthorizationCode | RefreshToken) -> Person:
        """Use a one-time secret up, before any token exists."""
        try:
            holder = continue_session(
                self.server.database,
                secret,
                dpop_thumbprint=self.request.dpop_thumbprint,
                now=self.request.now,
            )
        except (UsedBefore, SessionOver) as refusal:
            raise InvalidGrantError(refusal.detail) from refusal
        return Person(holder)

    def _covered(self, person: Person, asked: str | None = None) -> str:
        """What the next token covers.

        Raises:
            InvalidGrantError: roles and application have nothing in common any more.
        """
        holder, client = person.holder, self.request.client.client
        scopes = holder.family.covered(client, holder.official, is_host=holder.member.is_host)
        covered = " ".join(name for name in scopes if asked is None or name in asked.split())
        if not covered:
            raise InvalidGrantError("Nothing is left that it covers.")
        return covered

    def _ensure_bound(self) -> None:
        if self.request.client.client.requires_dpop and self.request.dpop_thumbprint is None:
            raise ProofWrong


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A code with its session, as Authlib wants to see it."""

    code: AuthorizationCode
    family: TokenFamily

    @property
    def code_challenge(self) -> str:
        return self.code.code_challenge

    @property
    def code_challenge_method(self) -> str:
        return "S256"

    def get_redirect_uri(self) -> str:
        return self.code.redirect_uri

    def get_scope(self) -> str:
        return " ".join(self.family.scopes)

    def get_nonce(self) -> str | None:
        return self.code.nonce

    def get_auth_time(self) -> int:
        return int(self.family.authenticated_at.timestamp())

    def get_acr(self) -> str | None:
        return self.family.acr

    def get_amr(self) -> None:
        return None


class CodeGrant(OfPeople, AuthorizationCodeGrant):  # type: ignore[misc]  # Authlib has no types
    """A person lets an application act for them. Source: RFC 6749, section 4.1; RFC 9700."""

    @staticmethod
    def validate_authorization_redirect_uri(request: Any, client: KnownClient) -> str:
        # Authlib would repeat what was sent, and fail over a quote in it.
        if not client.check_redirect_uri(request.payload.redirect_uri or ""):
            raise InvalidRequestError("The redirect_uri is missing, or not one of this client.")
        return str(request.payload.redirect_uri)

    def validate_authorization_request(self) -> str:
        redirect_uri = str(super().validate_authorization_request())
        self._ensure_supported(redirect_uri)
        ensure_target(self, redirect_uri)
        return redirect_uri

    def _ensure_supported(self, redirect_uri: str) -> None:
        """Refuse what would otherwise be passed over, to somebody's surprise."""
        given = self.request.payload.data
        if "request" in given:
            raise RequestNotSupported(redirect_uri=redirect_uri)
        if "registration" in given:
            raise RegistrationNotSupported(redirect_uri=redirect_uri)
        jkt = given.get("dpop_jkt")
        wrong = [
            name
            for name, is_wrong in {
                "claims": "claims" in given,
                "response_mode": given.get("response_mode", "query") != "query",
                "dpop_jkt": jkt is not None and len(jkt) != THUMBPRINT_CHARACTERS,
                "max_age": not _is_count(given.get("max_age", "0")),
                "prompt": not _is_prompt(given.get("prompt", "login").split()),
            }.items()
            if is_wrong
        ]
        if wrong:
            raise InvalidRequestError(
                f"The parameter {wrong[0]} is not supported, or not like this.",
                redirect_uri=redirect_uri,
            )

    def generate_authorization_code(self) -> str:
        """Open the session of the person who consented, which begins with its code."""
        given = self.request.payload.data
        sign_in: SignIn = self.request.user
        wanted = Wanted(
            client_id=self.request.client.get_client_id(),
            scopes=tuple(self.request.scope.split()),
            redirect_uri=self.request.payload.redirect_uri,
            code_challenge=given["code_challenge"],
            nonce=given.get("nonce"),
            dpop_thumbprint=given.get("dpop_jkt"),
        )
        return open_session(self.server.database, wanted, sign_in=sign_in, now=self.request.now)

    def save_authorization_code(self, code: str, request: Any) -> None:
        """It is kept since it was made."""

    def query_authorization_code(self, code: str, client: KnownClient) -> Redeemed | None:
        found = code_with(self.server.database, hash_of(code), client.get_client_id())
        return None if found is None else Redeemed(*found)

    def validate_token_request(self) -> None:
        super().validate_token_request()
        ensure_target(self)
        self._ensure_bound()

    def authenticate_user(self, authorization_code: Redeemed) -> Person:
        return self._person(authorization_code.code)

    def generate_token(self, user: Person, scope: str, **rest: Any) -> dict[str, Any]:
        del scope
        token: dict[str, Any] = super().generate_token(user=user, scope=self._covered(user), **rest)
        return token

    def delete_authorization_code(self, authorization_code: Redeemed) -> None:
        """It stays until it is forgotten: that is how a second use is noticed."""


def _is_count(text: str) -> bool:
    return text.isdecimal() and len(text) <= COUNT_DIGITS


def _is_prompt(words: list[str]) -> bool:
    known = {"none", "login", "consent", "select_account"}
    return bool(words) and set(words) <= known and ("none" not in words or len(words) == 1)


@dataclass(frozen=True, slots=True)
class Link:
    """A refresh token with its session, as Authlib wants to see it."""

    token: RefreshToken
    family: TokenFamily

    def check_client(self, client: KnownClient) -> bool:
        return self.family.client_id == client.get_client_id()

    def get_scope(self) -> str:
        return " ".join(self.family.scopes)


class RefreshGrant(OfPeople, RefreshTokenGrant):  # type: ignore[misc]  # Authlib has no types
    """An application asks for the next tokens. Source: RFC 6749, section 6; RFC 9700, 4.14."""

    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Link | None:
        found = refresh_token_with(self.server.database, hash_of(refresh_token))
        return None if found is None else Link(*found)

    def _validate_token_scope(self, token: Link) -> None:
        # What the roles cover no longer is left out, not refused: many clients repeat what they
        # asked for at first.
        if not set((self.request.payload.scope or "").split()) <= set(token.family.scopes):
            raise InvalidScopeError

    def validate_token_request(self) -> None:
        super().validate_token_request()
        ensure_target(self)
        self._ensure_bound()

    def authenticate_user(self, refresh_token: Link) -> Person:
        return self._person(refresh_token.token)

    def issue_token(self, user: Person, refresh_token: Link) -> dict[str, Any]:
        del refresh_token
        token: dict[str, Any] = self.generate_token(
            user=user,
            scope=self._covered(user, self.request.payload.scope),
            include_refresh_token=True,
        )
        return token

    def revoke_old_credential(self, refresh_token: Link) -> None:
        """That has happened, before the new one was made."""


class S256Only(CodeChallenge):  # type: ignore[misc]  # Authlib has no types
    """Every client must prove that it began what it ends, and never with `plain`.

    Source: RFC 7636; RFC 9700, section 2.1.1.
    """

    SUPPORTED_CODE_CHALLENGE_METHOD: ClassVar[list[str]] = ["S256"]
    CODE_CHALLENGE_METHODS: ClassVar[dict[str, Any]] = {
        "S256": CodeChallenge.CODE_CHALLENGE_METHODS["S256"]
    }

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        given = grant.request.payload.data
        if "code_challenge" not in given or given.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE with the method S256 is needed.")
        super().validate_code_challenge(grant, redirect_uri)


class Identity(OpenIDCode):  # type: ignore[misc]  # Authlib has no types
    """What id_tokens say. Source: OpenID Connect Core, section 2."""

    def __init__(self, issuing: Issuing) -> None:
        super().__init__()
        self.issuing = issuing

    def __call__(self, grant: Any) -> None:
        # Not what Authlib does about `prompt` in addition: that is ours.
        grant.register_hook("after_create_token_response", self.process_token)

    def get_client_algorithm(self, client: KnownClient) -> str:
        del client
        return "RS256"

    def get_encode_header(self, client: KnownClient) -> dict[str, Any]:
        del client
        return {"alg": "RS256", "kid": self.issuing.identity_key.kid, "typ": "JWT"}

    def resolve_client_private_key(self, client: KnownClient) -> RSAKey:
        del client
        return self.issuing.identity_key

    def get_compatible_claims(self, request: Any) -> dict[str, Any]:
        at = int(request.now.timestamp())
        return {
            "iss": self.issuing.issuer,
            "aud": [request.client.get_client_id()],
            "iat": at,
            "exp": at + ID_TOKEN_SECONDS,
        }

    def generate_user_info(self, user: Person, scope: str) -> dict[str, Any]:
        del scope
        said: dict[str, Any] = {
            "sub": user.get_user_id(),
            "sid": user.sid,
            "auth_time": user.auth_time,
        }
        return said if user.acr is None else said | {"acr": user.acr}
