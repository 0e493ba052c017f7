"""A platform of three stand-in processes under the real supervisor, started as a program."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from deploy.embedded.child import Child, Program, Stage, StartFailed
from deploy.embedded.console import Console
from deploy.embedded.layout import (
    HOST,
    REPOSITORY,
    CannotStart,
    StateDirectory,
    reserved_base_port,
)
from deploy.embedded.probes import http_probe
from deploy.embedded.supervisor import StopAsked, Supervisor, end_leftovers

STAGES = {"first": Stage.POSTGRES, "second": Stage.WORKER, "third": Stage.WEB}


def program(name: str, port: int, *arguments: str) -> Program:
    return Program(
        name=name,
        command=(sys.executable, "-m", "tests.deploy.standin_service", name, str(port), *arguments),
        environment=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        address=f"{HOST}:{port}",
        stage=STAGES.get(name, Stage.WEB),
        ready=http_probe(port, "/readyz"),
        alive=http_probe(port, "/livez"),
        grace_seconds=5,
    )


@asynccontextmanager
async def running(*programs: Program, log: Path) -> AsyncIterator[list[Child]]:
    """Run programs without a supervisor until the context ends."""
    children = [Child(each, log=log, changed=lambda: None) for each in programs]
    try:
        await asyncio.gather(*(child.start() for child in children))
        yield children
    finally:
        await asyncio.gather(*(child.stop() for child in children))


async def supervise(state: StateDirectory, base: int, arguments: list[str]) -> int:
    console = Console(quiet=True)
    supervisor = Supervisor(state, url="http://nowhere", console=console, facts={"base_port": base})
    await end_leftovers(state)
    supervisor.listen_to_signals()
    names = list(STAGES)
    programs = [program(name, base + place, *arguments) for place, name in enumerate(names)]
    try:
        await supervisor.unless_stopped(supervisor.start(programs))
        supervisor.set_phase("running")
        await supervisor.until_stop_asked()
    except StopAsked:
        return 130
    except StartFailed as error:
        console.complain(str(error))
        return 1
    finally:
        await supervisor.stop()
        await console.close()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--replicas")
    parser.add_argument("--fail", action="store_true")
    asked = parser.parse_args()
    state = StateDirectory(asked.state)
    state.create()
    try:
        with ExitStack() as stack:
            stack.enter_context(state.locked())
            base = asked.port or stack.enter_context(reserved_base_port())
            return asyncio.run(supervise(state, base, ["--fail"] if asked.fail else []))
    except CannotStart as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(main())
