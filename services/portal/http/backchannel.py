"""What the authorization server tells us behind the backs of browsers."""

from typing import Final

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.portal.gateways.authorization_server import AuthorizationServer, PlatformAway
from services.portal.model.logout_token import Left, left_in
from services.portal.model.signed import Keys, NotBelieved
from services.portal.use_cases.hear_logout import hear_logout
from shared.clock import utc_now
from shared.http.browser import read_fields

log = structlog.get_logger(__name__)

router = APIRouter(include_in_schema=False)

NO_STORE: Final = {"Cache-Control": "no-store"}


@router.post("/session/backchannel-logout")
async def post_backchannel_logout(request: Request) -> Response:
    """Hear that a session is over. Source: OpenID Connect Back-Channel Logout 1.0, section 2.5."""
    server: AuthorizationServer = request.app.state.authorization_server
    token = (await read_fields(request) or {}).get("logout_token", "")

    def rule(keys: Keys) -> Left:
        return left_in(token, keys, issuer=server.issuer, client_id=server.client_id, now=utc_now())

    try:
        left = await server.read(rule)
    except NotBelieved as error:
        log.warning("logout.not_believed", reason=str(error))
        return _refused("The logout token is not valid.")
    except PlatformAway:
        return Response(status_code=503, headers=NO_STORE | {"Retry-After": "5"})
    async with request.app.state.sessions.begin() as session:
        is_new = await hear_logout(session, left, now=utc_now())
    return (
        Response(status_code=200, headers=NO_STORE) if is_new else _refused("It was heard before.")
    )


def _refused(description: str) -> Response:
    return JSONResponse(
        {"error": "invalid_request", "error_description": description}, 400, NO_STORE
    )
