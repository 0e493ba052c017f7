"""The addresses of the receiver. It shares no code with Renkei, as another city's would not."""

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Final

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from deploy.demo.receiver.arrivals import Arrivals
from deploy.demo.receiver.page import language_of, page

log = logging.getLogger(__name__)

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def receiver(demo: Path, place: Path) -> Starlette:
    """Build the receiver.

    Args:
        demo: what the loader wrote; holds the secret of each hook.
        place: directory for what arrives.
    """
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    arrivals = Arrivals(place / "arrivals.jsonl")

    async def post_hook(request: Request) -> Response:
        hook = request.path_params["hook"]
        secret = secret_of(demo, hook)
        if secret is None:
            # The endpoint may be younger than the file: whoever sent this comes again.
            return Response(status_code=503, headers={"Retry-After": "1"})
        try:
            body = Webhook(secret).verify(await request.body(), dict(request.headers))
        except (WebhookVerificationError, ValueError) as error:
            # ValueError: a header or body that the library cannot even read.
            log.warning("A message to %r is refused: %s.", hook, error)
            return Response(status_code=401)
        arrivals.take(hook, request.headers["webhook-id"], body)
        return Response(status_code=204)

    async def agree(request: Request) -> Response:
        # Who is asked may say to whom it agrees; this city takes whatever is signed for it.
        return Response(
            headers={
                "Allow": "POST, OPTIONS",
                "WebHook-Allowed-Origin": request.headers.get("WebHook-Request-Origin", "*"),
                "WebHook-Allowed-Rate": "*",
            }
        )

    async def get_arrivals(_: Request) -> Response:
        return JSONResponse([asdict(arrival) for arrival in arrivals])

    async def get_page(request: Request) -> Response:
        asked = request.query_params.get("lang") or request.headers.get("accept-language", "")
        return HTMLResponse(
            page(list(arrivals), language_of(asked)), headers={"Content-Security-Policy": POLICY}
        )

    async def get_health(_: Request) -> Response:
        return JSONResponse({"process": "demo-receiver", "status": "ok"})

    return Starlette(
        routes=[
            Route("/", get_page),
            Route("/arrivals.json", get_arrivals),
            Route("/hooks/{hook}", post_hook, methods=["POST"]),
            Route("/hooks/{hook}", agree, methods=["OPTIONS"]),
            Route("/livez", get_health),
            Route("/readyz", get_health),
        ]
    )


def secret_of(demo: Path, hook: str) -> str | None:
    """Find the secret that messages to a hook are signed with, if it is known yet."""
    try:
        known = json.loads(demo.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    endpoint = known.get("webhooks", {}).get(hook)
    return None if endpoint is None else str(endpoint["secret"])
