"""Joins Authlib's authorization server to our web and our database.

Authlib is plain synchronous code: it runs inside `AsyncSession.run_sync`, on a request that was
read and checked before, so that everything that awaits happens outside.
"""

from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationServer as AuthlibServer
from authlib.oauth2.rfc6749.errors import UnsupportedGrantTypeError
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload, OAuth2Request
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from services.members.http.oauth.errors import GrantUnsupported, WrongCredentials
from services.members.http.oauth.forms import Credentials, TokenForm
from services.members.http.oauth.grants import AccessTokens, ClientCredentials, Issuing, Machine
from services.members.model.client import is_secret_of
from services.members.queries.clients import client_with_member


class CheckedRequest(OAuth2Request):  # type: ignore[misc]  # Authlib has no types
    """A request for a token, read and checked by us."""

    def __init__(self, form: TokenForm, issuer: str) -> None:
        # From the settings, not from the request: a Host header can say anything.
        super().__init__("POST", f"{issuer}/oauth/token")
        self.payload = BasicOAuth2Payload(form.parameters)
        self.credentials = form.credentials


class AuthorizationServer(AuthlibServer):  # type: ignore[misc]  # Authlib has no types
    """The authorization server, for one request."""

    def __init__(self, database: Session, issuing: Issuing) -> None:
        super().__init__()
        self.database = database
        self.issuing = issuing
        self.register_grant(ClientCredentials)
        self.register_token_generator("default", AccessTokens(issuing))

    def create_oauth2_request(self, request: CheckedRequest) -> CheckedRequest:
        return request

    def get_token_grant(self, request: CheckedRequest) -> Any:
        try:
            return super().get_token_grant(request)
        except UnsupportedGrantTypeError as error:
            raise GrantUnsupported from error

    def authenticate_client(
        self, request: CheckedRequest, methods: list[str], endpoint: str = "token"
    ) -> Machine:
        """Find the client whose credentials these are.

        Raises:
            WrongCredentials: they are nobody's, or their owner may not have tokens.
        """
        given: Credentials = request.credentials
        found = client_with_member(self.database, given.client_id)
        client, member = found or (None, None)
        if (
            not is_secret_of(client, given.secret)
            or client is None
            or member is None
            or not client.may_have_tokens(member)
        ):
            raise WrongCredentials
        machine = Machine(client)
        if given.method not in methods or not machine.check_endpoint_auth_method(
            given.method, endpoint
        ):
            raise WrongCredentials
        return machine

    def save_token(self, token: dict[str, Any], request: CheckedRequest) -> None:
        """Keep nothing: the signature is the proof."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Tell nobody: nobody listens."""

    def handle_response(
        self, status: int, body: dict[str, Any], headers: list[tuple[str, str]]
    ) -> JSONResponse:
        return self.answer(status, body, headers)

    @staticmethod
    def answer(status: int, body: dict[str, Any], headers: list[tuple[str, str]]) -> JSONResponse:
        return JSONResponse(body, status, dict(headers))
