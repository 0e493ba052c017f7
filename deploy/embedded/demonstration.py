"""Fills a platform with the demo through its public API, and tries it."""

import json
import signal
import subprocess
import sys
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
    if not state.credentials.exists():
        await _initialise(state, processes)
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
        f"  the API, to read and to try    {demo['url']}/",
        f"  webhooks that have arrived     {demo['receiver_url']}/",
        f"  members with a client          {', '.join(demo['members'])}",
        f"  their identifiers and secrets  {state.demo}",
        "",
    ]


async def _initialise(state: StateDirectory, processes: Processes) -> None:
    """Keep what `renkei init` prints: it does so only once."""
    # Under another name until it is complete, so that half an answer is not taken for one.
    output = state.credentials.with_suffix(".new")
    output.unlink(missing_ok=True)
    output.touch(mode=0o600)
    code = await run_to_end(
        (
            sys.executable,
            "-m",
            "deploy.cli",
            "init",
            "--member-file",
            str(_HOST_MEMBER),
            "--json",
        ),
        environment=processes.environments.of_operator(),
        log=state.log("init"),
        output=output,
    )
    if code != 0:
        raise StartFailed("init", f"ended with exit code {code}")
    output.replace(state.credentials)


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
