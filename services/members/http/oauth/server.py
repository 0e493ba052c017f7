"""Joins Authlib's authorization server to our web and our database.

Authlib is plain synchronous code: it runs inside `AsyncSession.run_sync`, on a request that was
read and checked before, so that everything that awaits happens outside.
"""

from datetime import datetime, timedelta
from typing import Any

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import AuthorizationServer as AuthlibServer
from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc6749.errors import UnsupportedGrantTypeError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload, OAuth2Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy.orm import Session

from services.members.http.oauth.assertions import check_assertion
from services.members.http.oauth.errors import (
    GrantUnsupported,
    ProofWrong,
    ResponseTypeUnsupported,
    WrongCredentials,
)
from services.members.http.oauth.forms import Credentials
from services.members.http.oauth.grants import (
    SECRET_METHODS,
    AccessTokens,
    ClientCredentials,
    Issuing,
    KnownClient,
)
from services.members.http.oauth.people import CodeGrant, Identity, RefreshGrant, S256Only
from services.members.model.client import is_secret_of
from services.members.queries.clients import client_with_member
from services.members.use_cases.continue_session import keep_refresh_token
from services.members.use_cases.note_identifier import note_identifier
from shared.http.dpop import GOOD_SECONDS, Proof


class CheckedRequest(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    """A request that was read and checked by us."""

    def __init__(
        self,
        method: str,
        address: str,
        parameters: dict[str, str],
        *,
        now: datetime,
        credentials: Credentials | None = None,
        proof: Proof | None = None,
    ) -> None:
        # The address is made of the settings, not of the request: a Host header can say anything.
        super().__init__(method, address)
        self.payload = BasicOAuth2Payload(parameters)
        self.now = now
        self.credentials = credentials
        self.proof = proof

    @property
    def form(self) -> dict[str, str]:
        parameters: dict[str, str] = self.payload.data
        return parameters

    @property
    def dpop_thumbprint(self) -> str | None:
        return None if self.proof is None else self.proof.thumbprint


class Redirection(Response):
    """A way back to the application; Authlib reads and writes its `location`."""

    @property
    def location(self) -> str | None:
        return self.headers.get("location")

    @location.setter
    def location(self, address: str) -> None:
        self.headers["location"] = address


class AuthorizationServer(AuthlibServer):  # type: ignore[misc]  # Authlib has no types
    """The authorization server, for one request."""

    def __init__(self, database: Session, issuing: Issuing, request: CheckedRequest) -> None:
        super().__init__()
        self.database = database
        self.issuing = issuing
        identity = Identity(issuing)
        self.register_grant(ClientCredentials)
        self.register_grant(CodeGrant, [S256Only(required=True), identity])
        self.register_grant(RefreshGrant, [identity])
        self.register_token_generator("default", AccessTokens(issuing, request))

    def create_oauth2_request(self, request: CheckedRequest) -> CheckedRequest:
        return request

    def get_token_grant(self, request: CheckedRequest) -> Any:
        try:
            return super().get_token_grant(request)
        except UnsupportedGrantTypeError as error:
            raise GrantUnsupported from error

    def get_authorization_grant(self, request: CheckedRequest) -> Any:
        if request.payload.response_type == "code":
            return super().get_authorization_grant(request)
        # Authlib would repeat what was sent, and calls a missing one unsupported.
        client = self.query_client(request.payload.client_id or "")
        back = request.payload.redirect_uri or ""
        known = back if client is not None and client.check_redirect_uri(back) else None
        if request.payload.response_type is None:
            raise InvalidRequestError("The parameter response_type is missing.", redirect_uri=known)
        raise ResponseTypeUnsupported(redirect_uri=known)

    def query_client(self, client_id: str) -> KnownClient | None:
        found = client_with_member(self.database, client_id)
        if found is None or not found[0].may_have_tokens(found[1]):
            return None
        return KnownClient(found[0])

    def authenticate_client(
        self, request: CheckedRequest, methods: list[str], endpoint: str = "token"
    ) -> KnownClient:
        """Find the client whose credentials these are.

        Raises:
            WrongCredentials: they are nobody's, or their owner may not have tokens.
            ProofWrong: the proof of its key has been used before.
        """
        given = request.credentials
        if given is None:
            raise WrongCredentials
        known = self.query_client(given.client_id)
        if given.method in SECRET_METHODS and not is_secret_of(
            None if known is None else known.client, given.secret, at=request.now
        ):
            raise WrongCredentials
        if (
            known is None
            or given.method not in methods
            or not known.check_endpoint_auth_method(given.method, endpoint)
        ):
            raise WrongCredentials
        if given.method == "private_key_jwt":
            self._take_assertion(known, given.secret, request.now)
        if request.proof is not None:
            self._take_proof(request.proof, request.now)
        request.client, request.auth_method = known, given.method
        return known

    def _take_assertion(self, known: KnownClient, assertion: str, now: datetime) -> None:
        identifier, until = check_assertion(
            assertion, known.client, issuer=self.issuing.issuer, now=now
        )
        owner = f"client:{known.get_client_id()}"
        if not note_identifier(self.database, owner, identifier, until=until):
            raise WrongCredentials

    def _take_proof(self, proof: Proof, now: datetime) -> None:
        until = now + timedelta(seconds=GOOD_SECONDS)
        owner = f"dpop:{proof.thumbprint}"
        if not note_identifier(self.database, owner, proof.identifier, until=until):
            raise ProofWrong

    def save_token(self, token: dict[str, Any], request: CheckedRequest) -> None:
        """Keep a refresh token; of an access token the signature is the proof."""
        if "refresh_token" in token:
            keep_refresh_token(self.database, token["refresh_token"], request.user.holder.family)

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Tell nobody: nobody listens."""

    def handle_response(
        self, status: int, body: Any, headers: list[tuple[str, str]]
    ) -> JSONResponse | Redirection:
        return self.answer(status, body, headers)

    @staticmethod
    def answer(
        status: int, body: Any, headers: list[tuple[str, str]]
    ) -> JSONResponse | Redirection:
        if isinstance(body, dict):
            return JSONResponse(body, status, dict(headers))
        return Redirection(body, status, dict(headers))

    @staticmethod
    def with_issuer(answer: Any, issuer: str) -> Redirection:
        """Say who sends the browser back. Source: RFC 9207, section 2."""
        if not isinstance(answer, Redirection) or answer.location is None:
            raise TypeError("nobody is sent anywhere")
        answer.location = add_params_to_uri(answer.location, {"iss": issuer})
        return answer
