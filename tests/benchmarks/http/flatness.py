"""Whether lists and searches feel how many projects there are."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import quote

from deploy.embedded.layout import HOST
from tests.benchmarks.findings import Finding, at_most, compared
from tests.benchmarks.http.load import Target
from tests.benchmarks.http.many import ABSENT, COMMON, RARE, load_many
from tests.benchmarks.http.world import tokens
from tests.benchmarks.rounds import Run
from tests.benchmarks.servers import Servers

DATABASES: Final = ("members", "notifications")
"""Of services that have no part in this: one for few projects, one for many."""

FEW, MANY, MANY_QUICK = 1_000, 100_000, 10_000
PLACE: Final = 50
CONNECTIONS: Final = 4
TIMES_AT_MOST: Final = 3.0

QUESTIONS: Final[Mapping[str, str]] = {
    "list projects": "limit=20",
    "list the latest projects": "limit=20&sort=-created",
    "search a word of all": f"limit=20&q={COMMON}",
    "search a word of five": f"limit=20&q={RARE}",
    "search a word of none": f"limit=20&q={ABSENT}",
    "search in Japanese": f"limit=20&q={quote('共同事業')}",
    "list what waits for a member": "limit=20&waits_for=city-1",
}

Load = Callable[..., Awaitable[Any]]


class Answer(Protocol):
    p50: float


async def measure(
    servers: Servers, run: Run, load: Callable[[list[int]], Load], subject: str
) -> list[Finding]:
    """Ask the same of two networks, by turns.

    Args:
        servers: with the `DATABASES`.
        run: how much.
        load: makes what puts a load on the process with an id.
        subject: of the findings.
    """
    many = run.count(MANY, MANY_QUICK)
    async with AsyncExitStack() as stack:
        ways: dict[str, Callable[[], Awaitable[Answer]]] = {}
        for number, (database, count) in enumerate(zip(DATABASES, (FEW, many), strict=True)):
            await load_many(servers, database, count)
            place = PLACE + number
            pid = await stack.enter_async_context(
                servers.process(
                    "projects",
                    "services.projects.web",
                    place=place,
                    database_url=servers.settings(database).database_url,
                )
            )
            address = (HOST, servers.ports.service(place))
            for question, query in QUESTIONS.items():
                target = Target("GET", f"/api/v1/projects?{query}", tokens()["city-1"])
                ways[f"{question} {database}"] = partial(
                    load([pid]),
                    [address],
                    [target] * CONNECTIONS,
                    CONNECTIONS,
                    1.0 if run.quick else 2.0,
                )
        found = await run.by_turns("HTTP, many projects", run.count(4, 1), ways)
    small, large = (
        {question: [each.p50 for each in found[f"{question} {database}"]] for question in QUESTIONS}
        for database in DATABASES
    )
    return [
        compared(
            subject,
            f"{question}, among {many} projects, p50",
            "ms",
            large[question],
            small[question],
            f"among {FEW}",
            at_most(TIMES_AT_MOST),
        )
        for question in QUESTIONS
    ]
