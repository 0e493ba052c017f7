"""What a service spends on an access token, alone and as a part of a request."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from itertools import cycle
from typing import Any, Final

from joserfc import jwt

from deploy.embedded.layout import HOST
from shared.http.identity import REGISTRY, AccessTokens, JsonWebKeys
from tests.benchmarks.findings import Finding, at_least, at_most, compared
from tests.benchmarks.http.load import Target
from tests.benchmarks.http.measuring import Answered, Platform, get_project, published_keys
from tests.benchmarks.http.world import PROJECTS_QUICK, load_world, projects, tokens
from tests.benchmarks.rounds import Run
from tests.benchmarks.servers import Servers
from tests.web import ISSUER, KEY, token

SUBJECT: Final = "Access tokens"
WEB_PLACE: Final = 10
CONNECTIONS: Final = 16
DIFFERENT: Final = 12_000
"""More than a process answers in a round, so that each is a new one."""


async def measure(run: Run) -> list[Finding]:
    """Check tokens in this process, beside what the library needs for the signature alone."""
    count = run.count(4_000, 1_000)
    shown = [token("tokyo") for _ in range(count)]
    reader = _reader()

    async def known() -> float:
        return await _rate(reader, shown)

    ways: dict[str, Callable[[], Awaitable[float]]] = {
        "signature": partial(_signatures, shown),
        "new": lambda: _rate(_reader(), shown),
        "known": known,
    }
    found = await run.by_turns("Access tokens: checking", run.count(6, 2), ways)
    limit_is = "the signature alone, by joserfc"
    return [
        compared(
            SUBJECT,
            "checked for the first time",
            "tokens/s of a core",
            found["new"],
            found["signature"],
            limit_is,
            at_least(0.5),
        ),
        compared(
            SUBJECT,
            "checked again within half a minute",
            "tokens/s of a core",
            found["known"],
            found["signature"],
            limit_is,
            at_least(5),
        ),
    ]


def _reader() -> AccessTokens:
    async def fetch() -> Any:
        return {"keys": [KEY.as_dict(private=False)]}

    keys = JsonWebKeys(fetch, lifetime_seconds=3600)
    return AccessTokens(keys, issuer=ISSUER, audience=f"{ISSUER}/api/v1", leeway_seconds=5)


async def _signatures(shown: list[str]) -> float:
    began = time.process_time()
    for each in shown:
        jwt.decode(each, KEY, registry=REGISTRY)
    return len(shown) / (time.process_time() - began)


async def _rate(reader: AccessTokens, shown: list[str]) -> float:
    began = time.process_time()
    for each in shown:
        await reader.actor(each)
    return len(shown) / (time.process_time() - began)


async def measure_share(servers: Servers, run: Run) -> list[Finding]:
    """Ask for projects with tokens that are new each time, and with those that are known."""
    await load_world(servers, PROJECTS_QUICK)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(published_keys(servers.ports.service(0)))
        pid = await stack.enter_async_context(
            servers.process("projects", "services.projects.web", place=WEB_PLACE)
        )
        address = (HOST, servers.ports.service(WEB_PLACE))
        platform = Platform(servers, [pid], [address])
        seconds = 1.0 if run.quick else 3.0

        async def ask(targets: Callable[[], Awaitable[list[Target]]]) -> Answered:
            return await platform.load([address], await targets(), CONNECTIONS, seconds)

        async def with_known() -> list[Target]:
            known = tokens()
            return [get_project(each, known[each.lead]) for each in await projects(servers)]

        async def with_new() -> list[Target]:
            each = cycle(await projects(servers))
            return [
                get_project(project, token(project.lead))
                for project, _ in zip(each, range(DIFFERENT), strict=False)
            ]

        ways: dict[str, Callable[[], Awaitable[Answered]]] = {
            "known": lambda: ask(with_known),
            "new": lambda: ask(with_new),
        }
        found = await run.by_turns("Access tokens: share of a request", run.count(4, 1), ways)
    new = [each.milliseconds for each in found["new"]]
    known = [each.milliseconds for each in found["known"]]
    shares = [(a - b) / a * 100 for a, b in zip(new, known, strict=True)]
    return [
        compared(
            SUBJECT,
            "get a project with a token that is new",
            "ms of processor",
            new,
            known,
            "with one that is known",
            at_most(1.35),
        ),
        Finding(
            subject=SUBJECT,
            what="share of the check in a request with a new token",
            unit="%",
            ours=sorted(shares)[len(shares) // 2],
            target=at_most(25),
        ),
    ]
