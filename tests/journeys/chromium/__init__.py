"""A real browser: Chromium, of the machine or from npm, told what somebody does in it."""

import asyncio
import json
import os
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deploy.embedded.console import Console
from deploy.embedded.node import NodeProgram, node

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DRIVER: Final = NodeProgram(
    Path(__file__).parent / "driver",
    Path(sys.prefix) / "renkei-node-driver",
    "no browser can be driven",
)
FALLBACK: Final = NodeProgram(
    Path(__file__).parent / "fallback",
    Path(sys.prefix) / "renkei-node-chromium",
    "there is no browser",
)
LOCATE: Final = "import c from '@sparticuz/chromium'; console.log(await c.executablePath());"
LINE_LIMIT: Final = 1_000_000
DEED_SECONDS: Final = 30.0
GRACE_SECONDS: Final = 10.0


@dataclass(frozen=True)
class View:
    """What somebody sees and a browser keeps.

    Attributes:
        complaints: what the browser itself found wrong since the last view, such as a script that
            the page's own policy forbids; each begins with the address it is about.
    """

    url: str
    language: str
    text: str
    cookies: list[dict[str, Any]]
    complaints: list[str]

    def cookie(self, name: str) -> dict[str, Any] | None:
        return next((each for each in self.cookies if each["name"] == name), None)


class Chromium:
    """One person's browser with one open page."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def open(self, url: str) -> View:
        return await self._do("open", url=url)

    async def press(self, name: str) -> View:
        """Press the button or link that is called exactly this, and see where it leads."""
        return await self._do("press", name=name)

    async def enter(self, field: str, text: str) -> View:
        """Write into a field, press Enter, and see where that leads."""
        return await self._do("enter", field=field, text=text)

    async def keep(self, *cookies: dict[str, Any]) -> View:
        """Put cookies into the browser, such as those that somebody has copied before."""
        return await self._do("keep", cookies=cookies)

    async def picture(self, file: Path) -> View:
        return await self._do("picture", file=str(file))

    async def _do(self, deed: str, **what: Any) -> View:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"deed": deed, **what}).encode() + b"\n")
        async with asyncio.timeout(DEED_SECONDS):
            seen = json.loads(await self._process.stdout.readline())
        assert "failed" not in seen, f"{seen['failed']}\n{seen.get('url')}\n{seen.get('text')}"
        return View(**seen)


@asynccontextmanager
async def chromium(*, language: str) -> AsyncIterator[Chromium]:
    """Start a browser of somebody who likes this language best."""
    assert DRIVER.install(Console(), os.environ)
    process = await asyncio.create_subprocess_exec(
        str(node()),
        "driver.mjs",
        await _executable(),
        language,
        cwd=DRIVER.place,
        env={**_without_proxies(), "TZ": "UTC"},
        stdin=PIPE,
        stdout=PIPE,
        limit=LINE_LIMIT,
    )
    try:
        yield Chromium(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), GRACE_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _executable() -> str:
    """Find the machine's browser; where there is none, bring one."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    assert FALLBACK.install(Console(), os.environ)
    located = await asyncio.create_subprocess_exec(
        *(str(node()), "--input-type=module", "--eval", LOCATE), cwd=FALLBACK.place, stdout=PIPE
    )
    printed, _ = await located.communicate()
    assert located.returncode == 0
    return printed.decode().strip()


def _without_proxies() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
