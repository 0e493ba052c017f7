"""The demo on a whole platform, once for all journeys that leave it as they found it."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from httpx2 import AsyncClient

from deploy.demo.api import connection
from deploy.demo.check.world import World
from deploy.embedded.platform import Platform


@dataclass(frozen=True)
class Demo:
    """A platform with the demo's data, and access for every city."""

    platform: Platform
    http: AsyncClient
    world: World

    def login_of(self, member: str) -> dict[str, Any]:
        """Where a city's officials log in, and who they are."""
        found: dict[str, Any] = self.world.demo["logins"][member]
        return found


@pytest.fixture(scope="package")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """Who uses it belongs to `WHOLE_PLATFORMS`, so that there is one of it."""
    async with Platform(tmp_path_factory.mktemp("demo"), demo=True) as platform:
        facts = json.loads(platform.state.demo.read_text(encoding="utf-8"))
        async with connection(platform.url) as http:
            yield Demo(platform, http, World(http, facts))
