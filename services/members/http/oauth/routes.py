"""Where tokens and the keys to check them come from. Source: RFC 6749, RFC 7517."""

from typing import Annotated, Any, Final

from authlib.oauth2 import OAuth2Error
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from services.members.http.oauth.forms import ASSERTION, FORM, read_client_form
from services.members.http.oauth.grants import GRANTS, SECRET_METHODS, ClientCredentials
from services.members.http.oauth.keys import KeyRing
from services.members.http.oauth.server import AuthorizationServer
from services.members.http.oauth.serving import address_of, checked, guarded, issuing_of

router = APIRouter(tags=["tokens"])

KEYS_CACHED: Final = "public, max-age=60"
TOKEN_PATH: Final = "/oauth/token"  # noqa: S105 -- an address


class TokenOut(BaseModel):
    """An access token. Source: RFC 6749, section 5.1."""

    token_type: str
    access_token: str
    expires_in: Annotated[int, Field(description="Seconds from now.")]
    scope: Annotated[str, Field(description="What it covers, separated by spaces.")]
    refresh_token: str | None = None
    id_token: str | None = None


class TokenErrorOut(BaseModel):
    """Why there is no token. Source: RFC 6749, section 5.2."""

    error: str
    error_description: str = ""


class KeySetOut(BaseModel):
    """Public keys. Source: RFC 7517."""

    keys: list[dict[str, Any]]


TEXT: Final = {"type": "string"}
CLIENT_FORM: Final = {
    "client_id": {"type": "string", "description": "Unless the client uses HTTP Basic."},
    "client_secret": {"type": "string", "description": "Unless the client uses HTTP Basic."},
    "client_assertion": {"type": "string", "description": "For `private_key_jwt` (RFC 7523)."},
    "client_assertion_type": {"type": "string", "enum": [ASSERTION]},
}
TOKEN_FORM: Final = {
    "type": "object",
    "required": ["grant_type"],
    "properties": {
        "grant_type": {"type": "string", "enum": [*GRANTS["machine"], *GRANTS["application"]]},
        "scope": {"type": "string", "description": "All that there is, if left out."},
        "resource": {"type": "string", "description": "The address of the API (RFC 8707)."},
        "code": TEXT,
        "redirect_uri": TEXT,
        "code_verifier": TEXT,
        "refresh_token": TEXT,
        **CLIENT_FORM,
    },
}


@router.post(
    TOKEN_PATH,
    response_model=TokenOut,
    responses={
        status: {"model": TokenErrorOut, "description": description}
        for status, description in {
            400: "`invalid_request`, `unsupported_grant_type`, `unauthorized_client`, "
            "`invalid_grant`, `invalid_scope`, `invalid_target`, `invalid_dpop_proof`",
            401: "`invalid_client`",
            413: "`invalid_request`: the form is too large",
            429: "`temporarily_unavailable`: too much has failed from there; see `Retry-After`",
        }.items()
    },
    openapi_extra={"requestBody": {"required": True, "content": {FORM: {"schema": TOKEN_FORM}}}},
)
async def post_token(request: Request) -> Response:
    """Issue tokens: to a machine for itself, to an application for a person.

    A client proves itself by HTTP Basic, by `client_id` and `client_secret` in the form, or by an
    assertion that it signed; a public application names itself. A code, and each refresh token, is
    good once; a second use ends the session.
    """
    try:
        form = await read_client_form(request, address_of(request, TOKEN_PATH), needs="grant_type")
        issuing = await issuing_of(request)
        ready = checked(request, TOKEN_PATH, form)
        # A machine with a secret leaves no trace, so its token needs no transaction.
        is_read = form.credentials.method in SECRET_METHODS and form.proof is None
        is_read &= form.parameters["grant_type"] == ClientCredentials.GRANT_TYPE

        async def answer() -> Response:
            state = request.app.state
            async with state.reading_sessions() if is_read else state.sessions.begin() as session:
                # Committed also if it is refused: who comes second with a code ends its session.
                return await session.run_sync(  # type: ignore[no-any-return]  # Authlib has no types
                    lambda database: AuthorizationServer(
                        database, issuing, ready
                    ).create_token_response(ready)
                )

        return await guarded(request, form, answer)
    except OAuth2Error as error:
        return AuthorizationServer.answer(*error())


@router.get("/oauth/jwks")
async def get_jwks(request: Request, response: Response) -> KeySetOut:
    """Publish the keys that tokens are signed with."""
    ring: KeyRing = request.app.state.signing_keys
    keys = await ring.current(request.app.state.sessions)
    response.headers["Cache-Control"] = KEYS_CACHED
    return KeySetOut(**keys.document())
