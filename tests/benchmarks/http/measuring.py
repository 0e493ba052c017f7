"""Requests to two web processes of the projects service, beside what server and database allow."""

import asyncio
import json
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Final

import psutil
from aiohttp import web

from deploy.embedded.child import Child
from deploy.embedded.console import last_lines
from deploy.embedded.edge import Edge
from deploy.embedded.layout import HOST
from tests.benchmarks.findings import Finding, at_least, at_most, compared, percentile
from tests.benchmarks.http import flatness
from tests.benchmarks.http.load import Target, spec
from tests.benchmarks.http.world import (
    PROJECTS,
    PROJECTS_QUICK,
    LoadedProject,
    load_world,
    projects,
    tokens,
)
from tests.benchmarks.rounds import Run
from tests.benchmarks.servers import Servers, cpu_seconds, durable_servers, ready, started
from tests.web import KEY

SUBJECT: Final = "HTTP"
WEB: Final = 2
WEB_PLACE, HELLO_PLACE, RELAY_PLACE = 10, 20, 30
CREATING: Final = 100
"""So many projects are only planned in, so that the lists of the others stay as they are."""

ASKED: Final = 1_000
"""At most so many of the others are asked about, from first to last."""

Address = tuple[str, int]


@dataclass(frozen=True)
class Answered:
    """What a load came to.

    Attributes:
        milliseconds: of processor time of the web processes for one request.
    """

    rate: float
    p50: float
    p99: float
    milliseconds: float = 0


async def measure(state: Path, run: Run) -> AsyncIterator[Finding]:
    services = ("projects", *flatness.DATABASES)
    count = run.count(PROJECTS, PROJECTS_QUICK)
    async with durable_servers(state, services) as servers, _platform(servers, count) as platform:
        for finding in await platform.measure(run):
            yield finding

        def load(pids: list[int]) -> Callable[..., Awaitable[Answered]]:
            return Platform(servers, pids, []).load

        for finding in await flatness.measure(servers, run, load, SUBJECT):
            yield finding


@asynccontextmanager
async def _platform(servers: Servers, count: int) -> AsyncIterator["Platform"]:
    """Two web processes with a world of data, an edge, and two processes that only say hello."""
    await load_world(servers, count)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(published_keys(servers.ports.service(0)))
        web_ = [
            await stack.enter_async_context(
                servers.process("projects", "services.projects.web", place=WEB_PLACE + n)
            )
            for n in range(WEB)
        ]
        for n in range(WEB):
            port = servers.ports.service(HELLO_PLACE + n)
            log = servers.state / f"hello-{n}.log"
            hello = ["-m", "tests.benchmarks.http.hello", str(port)]
            await ready(stack.enter_context(started(hello, log=log)), port, log)
        addresses = [(HOST, servers.ports.service(WEB_PLACE + n)) for n in range(WEB)]
        edge = Edge(
            directory=servers.state / "edge",
            port=servers.ports.edge,
            upstreams={"projects": [f"{host}:{port}" for host, port in addresses]},
        )
        child = Child(edge.program(), log=servers.state / "edge.log", changed=lambda: None)
        await child.start()
        stack.push_async_callback(child.stop)
        yield Platform(servers, web_, addresses)


@asynccontextmanager
async def published_keys(port: int) -> AsyncIterator[None]:
    """Answer where the services look for the keys of access tokens."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"keys": [KEY.as_dict(private=False)]})

    app = web.Application()
    app.router.add_get("/jwks", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    try:
        yield
    finally:
        await runner.cleanup()


@dataclass(frozen=True)
class Platform:
    servers: Servers
    pids: list[int]
    addresses: list[Address]

    async def measure(self, run: Run) -> list[Finding]:
        seconds = 1.0 if run.quick else 3.0
        idle = sum(psutil.Process(pid).memory_info().rss for pid in self.pids) / 2**20
        edge = [(HOST, self.servers.ports.edge)]
        hello = [(HOST, self.servers.ports.service(HELLO_PLACE + n)) for n in range(WEB)]

        def ours(
            targets: Callable[[LoadedProject, str], Target],
            connections: int,
            *,
            addresses: Sequence[Address] = self.addresses,
            creating: bool = False,
        ) -> Callable[[], Awaitable[Answered]]:
            async def put() -> Answered:
                known, tokens_ = await projects(self.servers), tokens()
                others = known[:-CREATING]
                chosen = known[-CREATING:] if creating else others[:: len(others) // ASKED + 1]
                made = [targets(project, tokens_[project.lead]) for project in chosen]
                return await self.load(addresses, made, connections, seconds)

            return put

        ways: dict[str, Callable[[], Awaitable[Answered]]] = {
            "get 16": ours(get_project, 16),
            "get 64": ours(get_project, 64),
            "list 64": ours(list_milestones, 64),
            "update 16": ours(change_project, 16),
            "create 16": ours(plan_milestone, 16, creating=True),
            "edge 16": ours(get_project, 16, addresses=edge),
            "hello": partial(self.load, hello, [Target("GET", "/", "")] * 16, 16, seconds),
            "asyncpg": partial(self.query, seconds),
        }
        found = await run.by_turns("HTTP", run.count(4, 1), ways)
        return [*_judged(found), await self._with_relay(ways["update 16"], found), _memory(idle)]

    async def load(
        self, addresses: Sequence[Address], targets: list[Target], connections: int, seconds: float
    ) -> Answered:
        """Let a process of its own put the load on, and watch what ours use meanwhile."""
        file = self.servers.state / "load.json"
        file.write_text(spec(addresses, targets, connections=connections, seconds=seconds))
        log = self.servers.state / "load.log"
        with started(["-m", "tests.benchmarks.http.load", str(file)], log=log) as process:
            await _line(process)
            used = cpu_seconds(*self.pids)
            await asyncio.sleep(seconds)
            used = cpu_seconds(*self.pids) - used
            counted = json.loads(await _line(process))
        statuses: dict[str, int] = counted["statuses"]
        if not set(statuses) <= {"200", "201"}:
            said = last_lines(self.servers.state / f"projects-{WEB_PLACE}.log", 20)
            raise RuntimeError("\n".join((f"{targets[0].path} answered {statuses}:", *said)))
        milliseconds = used / sum(statuses.values()) * 1000
        return Answered(counted["rate"], counted["p50"], counted["p99"], milliseconds)

    async def query(self, seconds: float) -> Answered:
        """Ask the database for one project after another, on 16 connections of one process."""
        ids = cycle([project.id for project in await projects(self.servers)])
        connections = [await self.servers.connect("projects") for _ in range(16)]
        took: list[float] = []
        began = time.perf_counter()

        async def ask(number: int) -> None:
            statement = await connections[number].prepare("SELECT * FROM project WHERE id = $1")
            while (asked := time.perf_counter()) < began + seconds:
                await statement.fetchrow(next(ids))
                took.append((time.perf_counter() - asked) * 1000)

        await asyncio.gather(*(ask(number) for number in range(16)))
        rate = len(took) / (time.perf_counter() - began)
        for connection in connections:
            await connection.close()
        return Answered(rate, percentile(took, 50), percentile(took, 99))

    async def _with_relay(
        self, update: Callable[[], Awaitable[Answered]], found: dict[str, list[Answered]]
    ) -> Finding:
        async with self.servers.process(
            "projects", "services.projects.worker", "relay", place=RELAY_PLACE
        ):
            answered = await update()
        alone = median(each.rate for each in found["update 16"])
        return Finding(
            subject=SUBJECT,
            what="change a project, 16 connections, while the relay sends",
            unit="req/s",
            ours=answered.rate,
            limit=alone,
            limit_is="relay not running",
            ratio=answered.rate / alone,
        )


def get_project(project: LoadedProject, token: str) -> Target:
    return Target("GET", f"/api/v1/projects/{project.id}", token)


def list_milestones(project: LoadedProject, token: str) -> Target:
    return Target("GET", f"/api/v1/projects/{project.id}/milestones?limit=20", token)


def change_project(project: LoadedProject, token: str) -> Target:
    body = json.dumps({"summary": {"en": "What the project is for. " * 8 + "%d"}})
    return Target("PATCH", f"/api/v1/projects/{project.id}", token, body, project.version)


def plan_milestone(project: LoadedProject, token: str) -> Target:
    body = {
        "title": {"en": "Milestone %d"},
        "description": {"en": "What is owed. " * 8},
        "due_on": "2027-03-31",
        "time_zone": "Asia/Tokyo",
        "accountable": project.lead,
    }
    path = f"/api/v1/projects/{project.id}/milestones"
    return Target("POST", path, token, json.dumps(body))


async def _line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    line = await asyncio.to_thread(process.stdout.readline)
    if not line:
        raise RuntimeError("the load ended early; see load.log")
    return line


def _judged(found: dict[str, list[Answered]]) -> list[Finding]:
    hello = [each.rate for each in found["hello"]]
    asyncpg = [each.rate for each in found["asyncpg"]]

    def rate(way: str, what: str, at: float | None, *, of: str = "hello") -> Finding:
        limits = {
            "hello": (hello, "bare ASGI on the same server"),
            "asyncpg": (asyncpg, "raw asyncpg, one process"),
            "get 16": ([each.rate for each in found["get 16"]], "without the edge"),
        }
        limit, limit_is = limits[of]
        return compared(
            SUBJECT,
            what,
            "req/s",
            [each.rate for each in found[way]],
            limit,
            limit_is,
            None if at is None else at_least(at),
            on_ratio=False,
        )

    def alone(what: str, unit: str, values: Sequence[float], at: float) -> Finding:
        return Finding(
            subject=SUBJECT, what=what, unit=unit, ours=median(values), target=at_most(at)
        )

    def p99(way: str, what: str, at: float) -> Finding:
        return alone(f"{what}, p99", "ms", [each.p99 for each in found[way]], at)

    def processor(way: str, what: str, at: float) -> Finding:
        values = [each.milliseconds for each in found[way]]
        return alone(f"{what}, processor time", "ms/request", values, at)

    get, many = "get a project, 16 connections", "get a project, 64 connections"
    listing = "list 20 milestones, 64 connections"
    change, create = "change a project, 16 connections", "plan a milestone, 16 connections"
    return [
        rate("get 16", get, 2_000),
        rate("get 16", get, None, of="asyncpg"),
        p99("get 16", get, 20),
        processor("get 16", get, 1.2),
        p99("get 64", many, 100),
        rate("edge 16", f"{get}, through the edge", None, of="get 16"),
        rate("list 64", listing, 1_500),
        p99("list 64", listing, 120),
        rate("update 16", change, 1_000),
        processor("update 16", change, 2.5),
        rate("create 16", create, 1_000),
        processor("create 16", create, 2.5),
    ]


def _memory(idle: float) -> Finding:
    return Finding(
        subject=SUBJECT,
        what="memory of both web processes before the load (RSS)",
        unit="MiB",
        ours=idle,
        target=at_most(260),
    )
