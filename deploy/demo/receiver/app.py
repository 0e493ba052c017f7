"""The addresses of the receiver."""

import json
from pathlib import Path
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from standardwebhooks import Webhook, WebhookVerificationError

from deploy.demo.receiver.arrivals import Arrivals
from deploy.demo.receiver.page import Language, language_of, page
from shared.health import Health, health_router

log = structlog.get_logger(__name__)

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def receiver(demo: Path, place: Path) -> FastAPI:
    """Build the receiver.

    Args:
        demo: what the loader wrote; holds the secret of each hook.
        place: directory for what arrives.
    """
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    arrivals = Arrivals(place / "arrivals.jsonl")
    app = FastAPI(openapi_url=None)
    app.include_router(health_router(Health("demo-receiver")))

    @app.post("/hooks/{hook}")
    async def post_hook(hook: str, request: Request) -> Response:
        secret = secret_of(demo, hook)
        if secret is None:
            # The endpoint may be younger than the file: whoever sent this comes again.
            return Response(status_code=503, headers={"Retry-After": "1"})
        try:
            body = Webhook(secret).verify(await request.body(), dict(request.headers))
        except (WebhookVerificationError, ValueError) as error:
            # ValueError: a header or body that the library cannot even read.
            log.warning("hook.refused", hook=hook, reason=str(error))
            return Response(status_code=401)
        arrivals.take(hook, request.headers["webhook-id"], body)
        return Response(status_code=204)

    @app.get("/arrivals.json")
    async def get_arrivals() -> list[Any]:
        return list(arrivals)

    @app.get("/")
    async def get_page(request: Request, lang: Language | None = None) -> HTMLResponse:
        language = lang or language_of(request.headers.get("accept-language", ""))
        return HTMLResponse(
            page(list(arrivals), language), headers={"Content-Security-Policy": POLICY}
        )

    return app


def secret_of(demo: Path, hook: str) -> str | None:
    """Find the secret that messages to a hook are signed with, if it is known yet."""
    try:
        known = json.loads(demo.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    endpoint = known.get("webhooks", {}).get(hook)
    return None if endpoint is None else str(endpoint["secret"])
