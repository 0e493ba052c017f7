"""Fills a platform with the demo through its public API, and tries it."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deploy.embedded.child import StartFailed, ended, run_to_end, spawn
from deploy.embedded.console import Console
from deploy.embedded.layout import HOST, REPOSITORY, StateDirectory
from deploy.embedded.processes import Processes
from deploy.embedded.unprivileged import die_with_parent

_HOST_MEMBER = REPOSITORY / "deploy" / "demo" / "host.json"


async def load(state: StateDirectory, processes: Processes, console: Console) -> None:
    """Make the host member and load the demo, unless this platform has them.

    Raises:
        StartFailed: a step failed; its log says why.
    """
    if state.demo_loaded.exists():
        return
    await _operate(
        state,
        processes,
        "init",
        "--member-file",
        str(_HOST_MEMBER),
        output=state.credentials,
    )
    await _operate(
        state,
        processes,
        "register-application",
        "demo",
        "--redirect-uri",
        f"http://{HOST}:{processes.ports.demo_receiver}/application/callback",
        "--post-logout-redirect-uri",
        f"http://{HOST}:{processes.ports.demo_receiver}/",
        output=state.application,
    )
    await _run_shown(
        "demo-load",
        state,
        processes,
        "deploy.demo.load",
        "--url",
        processes.edge.url,
        "--credentials",
        str(state.credentials),
        "--out",
        str(state.demo),
        "--receiver-url",
        f"http://{HOST}:{processes.ports.demo_receiver}",
        "--application",
        str(state.application),
        "--providers",
        str(state.providers),
        shown=not console.quiet,
    )
    state.demo.chmod(0o600)
    state.demo_loaded.touch()


async def check(state: StateDirectory, processes: Processes) -> None:
    """Walk through the demo as its users would.

    Raises:
        StartFailed: something does not work.
    """
    await _run_shown(
        "demo-check", state, processes, "deploy.demo.check", "--demo", str(state.demo), shown=True
    )


def accounts(state: StateDirectory) -> list[str]:
    """Lines that tell a person how to look at the demo."""
    demo: dict[str, Any] = json.loads(state.demo.read_text())
    return [
        f"  the pages for officials        {demo['url']}/",
        f"  the API, to read and to try    {demo['url']}/api",
        f"  webhooks that have arrived     {demo['receiver_url']}/",
        f"  members with a client          {', '.join(demo['members'])}",
        f"  their identifiers and secrets  {state.demo}",
        *_logins(demo),
        "",
    ]


def _logins(demo: dict[str, Any]) -> Iterator[str]:
    """Tell who can log in where; nobody has a password."""
    for member, login in demo.get("logins", {}).items():
        yield f"  {f'officials of {member}':<29}  {demo['url']}/session/login?member={member}"
        yield f"  {'':<29}  as {', '.join(login['people'])}"
    for person, (member, *others) in demo.get("liaisons", {}).items():
        who = f"for {' and '.join((member, *others))}"
        yield f"  {who:<29}  {demo['url']}/session/login?member={member}"
        yield f"  {'':<29}  as {person}, who can switch to {' and '.join(others)}"


async def _operate(
    state: StateDirectory, processes: Processes, command: str, *arguments: str, output: Path
) -> None:
    """Keep what a command of the operator prints, unless it is known: it prints it only once."""
    if output.exists():
        return
    # Under another name until it is complete, so that half an answer is not taken for one.
    begun = output.with_suffix(".new")
    begun.unlink(missing_ok=True)
    begun.touch(mode=0o600)
    code = await run_to_end(
        (sys.executable, "-m", "deploy.cli", command, *arguments, "--json"),
        environment=processes.environments.of_operator(),
        log=state.log(command),
        output=begun,
    )
    if code != 0:
        raise StartFailed(command, f"ended with exit code {code}")
    begun.replace(output)


async def _run_shown(
    name: str,
    state: StateDirectory,
    processes: Processes,
    module: str,
    *arguments: str,
    shown: bool,
) -> None:
    command = (sys.executable, "-m", module, *arguments)
    environment = processes.environments.of_operator()
    if shown:
        # In our own process group, so that it may draw on the terminal and hears Ctrl-C.
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=REPOSITORY,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509
        )
    else:
        process = spawn(command, environment=environment, log=state.log(name))
    try:
        code = await ended(process)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if code != 0:
        raise StartFailed(name, f"ended with exit code {code}")
