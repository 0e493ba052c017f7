"""Where tokens and the keys to check them come from. Source: RFC 6749, RFC 7517, RFC 8414."""

from typing import Annotated, Any, Final

from authlib.oauth2 import OAuth2Error
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from services.members.http.oauth.forms import FORM, TokenForm, read_token_form
from services.members.http.oauth.grants import AUTHENTICATION_METHODS, ClientCredentials, Issuing
from services.members.http.oauth.keys import KeyRing
from services.members.http.oauth.server import AuthorizationServer, CheckedRequest
from services.members.model.scopes import SCOPES
from services.members.settings import MembersSettings
from shared.http.application import audience_of

router = APIRouter(tags=["tokens"])

KEYS_CACHED: Final = "public, max-age=60"
METADATA_CACHED: Final = "public, max-age=300"


class TokenOut(BaseModel):
    """An access token. Source: RFC 6749, section 5.1."""

    token_type: str
    access_token: str
    expires_in: Annotated[int, Field(description="Seconds from now.")]
    scope: Annotated[str, Field(description="What it covers, separated by spaces.")]


class TokenErrorOut(BaseModel):
    """Why there is no token. Source: RFC 6749, section 5.2."""

    error: str
    error_description: str = ""


class KeySetOut(BaseModel):
    """Public keys. Source: RFC 7517."""

    keys: list[dict[str, Any]]


class MetadataOut(BaseModel):
    """What the authorization server can do. Source: RFC 8414."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    scopes_supported: list[str]
    response_types_supported: list[str]
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]


TOKEN_FORM: Final = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"type": "string", "enum": [ClientCredentials.GRANT_TYPE]},
        "scope": {"type": "string", "description": "All that the client has, if left out."},
        "resource": {"type": "string", "description": "The address of the API (RFC 8707)."},
        "client_id": {"type": "string", "description": "Unless the client uses HTTP Basic."},
        "client_secret": {"type": "string", "description": "Unless the client uses HTTP Basic."},
    },
}


@router.post(
    "/oauth/token",
    response_model=TokenOut,
    responses={
        status: {"model": TokenErrorOut, "description": description}
        for status, description in {
            400: "`invalid_request`, `unsupported_grant_type`, `invalid_scope`, `invalid_target`",
            401: "`invalid_client`",
            413: "`invalid_request`: the form is too large",
        }.items()
    },
    openapi_extra={"requestBody": {"required": True, "content": {FORM: {"schema": TOKEN_FORM}}}},
)
async def post_token(request: Request) -> Response:
    """Issue an access token to a client that proves itself with its secret.

    By HTTP Basic, or by `client_id` and `client_secret` in the form.
    """
    try:
        return await _issue(request, await read_token_form(request))
    except OAuth2Error as error:
        return AuthorizationServer.answer(*error())


async def _issue(request: Request, form: TokenForm) -> Response:
    state = request.app.state
    settings: MembersSettings = state.settings
    ring: KeyRing = state.signing_keys
    keys = await ring.current(state.sessions)
    issuing = Issuing(
        settings.issuer, audience_of(settings), settings.access_token_seconds, keys.signing
    )
    async with state.reading_sessions() as session:
        return await session.run_sync(  # type: ignore[no-any-return]  # Authlib has no types
            lambda database: AuthorizationServer(database, issuing).create_token_response(
                CheckedRequest(form, settings.issuer)
            )
        )


@router.get("/oauth/jwks")
async def get_jwks(request: Request, response: Response) -> KeySetOut:
    """Publish the keys that access tokens are signed with."""
    ring: KeyRing = request.app.state.signing_keys
    keys = await ring.current(request.app.state.sessions)
    response.headers["Cache-Control"] = KEYS_CACHED
    return KeySetOut(**keys.document())


@router.get("/.well-known/oauth-authorization-server")
async def get_authorization_server(request: Request, response: Response) -> MetadataOut:
    """Describe the authorization server."""
    issuer = request.app.state.settings.issuer
    response.headers["Cache-Control"] = METADATA_CACHED
    return MetadataOut(
        issuer=issuer,
        token_endpoint=f"{issuer}/oauth/token",
        jwks_uri=f"{issuer}/oauth/jwks",
        scopes_supported=list(SCOPES),
        # There is nothing to redirect to yet, and the standard wants the list all the same.
        response_types_supported=[],
        grant_types_supported=[ClientCredentials.GRANT_TYPE],
        token_endpoint_auth_methods_supported=AUTHENTICATION_METHODS,
    )
