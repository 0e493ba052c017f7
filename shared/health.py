"""Whether a process lives and can work: `/livez`, `/readyz`, `/metrics`.

`/livez` asks nothing of others. `/readyz` says 503 only for what this process cannot work without;
a part it can do without for a while, such as the broker for the API, makes it `degraded` with 200.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

CHECK_SECONDS = 2
CACHE_SECONDS = 1


@dataclass
class Health:
    """What a process depends on. `needs` are vital, `notes` are not."""

    process: str
    vital: dict[str, Callable[[], Awaitable[bool]]] = field(default_factory=dict)
    useful: dict[str, Callable[[], bool]] = field(default_factory=dict)
    stopping: bool = False
    _seen: tuple[float, dict[str, str], bool] | None = None

    def needs(self, name: str, check: Callable[[], Awaitable[bool]]) -> None:
        self.vital[name] = check

    def notes(self, name: str, check: Callable[[], bool]) -> None:
        self.useful[name] = check

    def needs_database(self, engine: AsyncEngine) -> None:
        async def answers() -> bool:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
            return True

        self.needs("database", answers)

    async def check(self) -> tuple[dict[str, str], bool]:
        """Look at everything, at most once a second.

        Returns:
            The state of each part, and whether the process can work.
        """
        if self._seen is not None and time.monotonic() - self._seen[0] < CACHE_SECONDS:
            return self._seen[1], self._seen[2] and not self.stopping
        parts = {name: "ok" if check() else "degraded" for name, check in self.useful.items()}
        ready = True
        for name, check in self.vital.items():
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    works = await check()
            except Exception:
                works = False
            parts[name] = "ok" if works else "down"
            ready = ready and works
        self._seen = (time.monotonic(), parts, ready)
        return parts, ready and not self.stopping


def health_router(health: Health) -> APIRouter:
    """The addresses that operators' machines ask; not part of the API."""
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def get_livez() -> dict[str, str]:
        return {"process": health.process, "status": "ok"}

    @router.get("/readyz")
    async def get_readyz() -> Response:
        parts, ready = await health.check()
        status = "ok" if ready and "degraded" not in parts.values() else "degraded"
        return JSONResponse(
            {"process": health.process, "status": status if ready else "down", "parts": parts},
            200 if ready else 503,
        )

    @router.get("/metrics")
    async def get_metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
