"""Systems of several municipalities that take webhooks, believe only signed ones, and falter."""

import json
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from uuid import UUID

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

FALTERS_SHARE: Final = 0.1
QUIET: Final = "quiet"
"""A hook that takes everything, remembers nothing, and never says that it agrees to it."""


@dataclass
class Receiver:
    """Listens from `start` to `stop`; each hook belongs to one member.

    Attributes:
        secrets: by hook; a message for a hook without one is turned away, to come again.
        arrived: how often each event came to each hook with a good signature.
        doubted: what came with a bad one.
    """

    random: Random
    secrets: dict[str, str] = field(default_factory=dict)
    arrived: Counter[tuple[str, UUID]] = field(default_factory=Counter)
    bodies: dict[UUID, Any] = field(default_factory=dict)
    doubted: list[str] = field(default_factory=list)
    url: str = ""
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/{hook}", self._take)
        app.router.add_route("OPTIONS", "/{hook}", self._agree)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _agree(self, request: web.Request) -> web.Response:
        if request.match_info["hook"] == QUIET:
            return web.Response(status=405)
        return web.Response(
            headers={"WebHook-Allowed-Origin": request.headers["WebHook-Request-Origin"]}
        )

    async def _take(self, request: web.Request) -> web.Response:
        hook = request.match_info["hook"]
        if hook == QUIET:
            return web.Response(status=204)
        if hook not in self.secrets or self.random.random() < FALTERS_SHARE:
            return web.Response(status=503)
        body = await request.read()
        try:
            Webhook(self.secrets[hook]).verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            self.doubted.append(f"{hook}: {error}")
            return web.Response(status=401)
        event = json.loads(body)
        event_id = UUID(event["id"])
        if request.headers["webhook-id"] != f"msg_{event_id}":
            self.doubted.append(f"{hook}: {event_id} came as {request.headers['webhook-id']}")
        if self.bodies.setdefault(event_id, event) != event:
            self.doubted.append(f"{hook}: {event_id} came with two contents")
        self.arrived[hook, event_id] += 1
        # It has the message, and says that it has not: the sender must come again.
        return web.Response(status=500 if self.random.random() < FALTERS_SHARE else 204)
