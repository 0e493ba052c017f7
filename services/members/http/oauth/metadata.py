"""What the authorization server can do. Source: RFC 8414, OpenID Connect Discovery 1.0."""

from typing import Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.members.http.oauth.assertions import ALGORITHMS
from services.members.http.oauth.grants import AUTHENTICATION_METHODS, CONFIDENTIAL_METHODS, GRANTS
from services.members.model.scopes import IDENTITY_SCOPES, SCOPES
from shared.actor import STRONG
from shared.http.dpop import ALGORITHMS as PROOF_ALGORITHMS

router = APIRouter(tags=["tokens"])

METADATA_CACHED: Final = "public, max-age=300"


class MetadataOut(BaseModel):
    """What the authorization server can do. Source: RFC 8414."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    pushed_authorization_request_endpoint: str
    revocation_endpoint: str
    introspection_endpoint: str
    jwks_uri: str
    scopes_supported: list[str] = [*IDENTITY_SCOPES, *SCOPES]
    response_types_supported: list[str] = ["code"]
    response_modes_supported: list[str] = ["query"]
    grant_types_supported: list[str] = [*GRANTS["application"], *GRANTS["machine"]]
    code_challenge_methods_supported: list[str] = ["S256"]
    authorization_response_iss_parameter_supported: bool = True
    request_parameter_supported: bool = False
    request_uri_parameter_supported: bool = False
    """Only a `request_uri` that was pushed here is taken, which RFC 9126 does not count."""
    token_endpoint_auth_methods_supported: list[str] = AUTHENTICATION_METHODS
    token_endpoint_auth_signing_alg_values_supported: list[str] = ALGORITHMS
    revocation_endpoint_auth_methods_supported: list[str] = AUTHENTICATION_METHODS
    revocation_endpoint_auth_signing_alg_values_supported: list[str] = ALGORITHMS
    introspection_endpoint_auth_methods_supported: list[str] = CONFIDENTIAL_METHODS
    introspection_endpoint_auth_signing_alg_values_supported: list[str] = ALGORITHMS
    dpop_signing_alg_values_supported: list[str] = PROOF_ALGORITHMS


class OpenIDMetadataOut(MetadataOut):
    """The same for whoever logs people in with it. Source: OpenID Connect Discovery, section 3."""

    userinfo_endpoint: str
    end_session_endpoint: str
    backchannel_logout_supported: bool = True
    backchannel_logout_session_supported: bool = True
    subject_types_supported: list[str] = ["public"]
    id_token_signing_alg_values_supported: list[str] = ["RS256"]
    acr_values_supported: list[str] = [STRONG]
    prompt_values_supported: list[str] = ["none", "login", "consent", "select_account"]
    claim_types_supported: list[str] = ["normal"]
    claims_supported: list[str] = [
        *("sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "sid", "nonce"),
        *("name", "email", "locale"),
    ]
    claims_parameter_supported: bool = False


def endpoints_of(issuer: str) -> dict[str, str]:
    """Where everything is."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "pushed_authorization_request_endpoint": f"{issuer}/oauth/par",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "jwks_uri": f"{issuer}/oauth/jwks",
    }


@router.get("/.well-known/oauth-authorization-server")
async def get_authorization_server(request: Request, response: Response) -> MetadataOut:
    """Describe the authorization server."""
    response.headers["Cache-Control"] = METADATA_CACHED
    return MetadataOut(**endpoints_of(request.app.state.settings.issuer))


@router.get("/.well-known/openid-configuration")
async def get_openid_configuration(request: Request, response: Response) -> OpenIDMetadataOut:
    """Describe the authorization server to whoever logs people in with it."""
    issuer = request.app.state.settings.issuer
    response.headers["Cache-Control"] = METADATA_CACHED
    return OpenIDMetadataOut(
        **endpoints_of(issuer),
        userinfo_endpoint=f"{issuer}/oauth/userinfo",
        end_session_endpoint=f"{issuer}/oauth/end_session",
    )
