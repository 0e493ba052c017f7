"""What receivers of webhooks ask for themselves: no access token, and nothing that is secret.

Whoever knows an endpoint's identifier can read the public keys of its signatures; whoever knows an
address that only its receiver was told can agree to be sent webhooks.
"""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from services.notifications.model.signing import public_jwk
from services.notifications.model.webhook_endpoint import WebhookEndpointNotFound
from services.notifications.model.webhook_verification import WebhookConsentNotFound
from services.notifications.queries.webhook_endpoints import public_keys
from services.notifications.use_cases.give_consent import give_consent
from shared.http.problems import refusals
from shared.http.transaction import Now, Route, Transaction

router = APIRouter(
    prefix="/api/v1/webhook-endpoints/{endpoint_id}", tags=["webhook endpoints"], route_class=Route
)

KEYS_FRESH_SECONDS: Final = 300
THANKS: Final = "Thank you: from now on webhooks are sent there.\n"

AllowedRate = Annotated[str | None, Header(alias="WebHook-Allowed-Rate", max_length=20)]


@router.get("/jwks", responses=refusals(WebhookEndpointNotFound))
async def get_webhook_keys(endpoint_id: UUID, session: Transaction, now: Now) -> Response:
    """Give the public keys of the signatures `v1a`. Source: RFC 7517 and RFC 8037."""
    keys = await public_keys(session, endpoint_id, now=now)
    document: dict[str, Any] = {"keys": [public_jwk(key_id, public) for key_id, public in keys]}
    return JSONResponse(
        document,
        media_type="application/jwk-set+json",
        headers={"Cache-Control": f"public, max-age={KEYS_FRESH_SECONDS}"},
    )


@router.get(
    "/consents/{token}", include_in_schema=False, responses=refusals(WebhookConsentNotFound)
)
async def get_webhook_consent(
    endpoint_id: UUID, token: str, request: Request, now: Now, rate: AllowedRate = None
) -> Response:
    """Agree, by a GET as a person in a browser makes it.

    Source: CloudEvents HTTP 1.1 Web Hooks for Event Delivery, section 4.1.3.
    """
    async with request.app.state.sessions.begin() as session:
        await give_consent(session, endpoint_id, token, rate=rate, now=now)
    return _thanks()


@router.post(
    "/consents/{token}", include_in_schema=False, responses=refusals(WebhookConsentNotFound)
)
async def post_webhook_consent(
    endpoint_id: UUID, token: str, session: Transaction, now: Now, rate: AllowedRate = None
) -> Response:
    """Agree, by a POST. Agreeing twice is agreeing once, so it takes no key."""
    await give_consent(session, endpoint_id, token, rate=rate, now=now)
    return _thanks()


def _thanks() -> Response:
    return PlainTextResponse(THANKS, headers={"Cache-Control": "no-store"})
