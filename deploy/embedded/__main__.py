"""The commands of `./run` that have to do with a platform on this machine."""

import argparse
import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from deploy.embedded import reports
from deploy.embedded.console import last_lines, readable
from deploy.embedded.layout import (
    DEFAULT_BASE_PORT,
    FIRST_EPHEMERAL_PORT,
    PORTS_PER_PLATFORM,
    REPOSITORY,
    CannotStart,
    Ports,
    Secrets,
    StateDirectory,
)
from deploy.embedded.processes import Options, Processes
from deploy.embedded.running import Request, run

_STOP_SECONDS = 120.0
_POLL_SECONDS = 0.05


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    asked, rest = _parser().parse_known_args(arguments)
    if rest and asked.name != "renkei":
        _parser().error(f"unrecognized arguments: {' '.join(rest)}")
    asked.rest = rest
    state = StateDirectory(Path(asked.state).resolve())
    try:
        return int(asked.command(asked, state))
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        return 130


def _up(asked: argparse.Namespace, state: StateDirectory) -> int:
    return run(
        Request(
            state=state,
            base_port=_base_port(asked),
            options=Options(
                replicas=asked.replicas, separate=asked.separate, demo=asked.name == "demo"
            ),
            check=getattr(asked, "check", False),
            verbose=asked.verbose,
            quiet=asked.quiet,
        )
    )


def _base_port(asked: argparse.Namespace) -> int | None:
    if asked.port is None and getattr(asked, "check", False):
        return None
    try:
        port = int(asked.port or os.environ.get("RENKEI_PORT") or DEFAULT_BASE_PORT)
    except ValueError as error:
        raise CannotStart(f"RENKEI_PORT is not a number: {os.environ['RENKEI_PORT']}.") from error
    highest = FIRST_EPHEMERAL_PORT - PORTS_PER_PLATFORM
    if port != 0 and not 1024 <= port <= highest:
        raise CannotStart(
            f"The base port must lie between 1024 and {highest}, or be 0 for free ones."
        )
    return port or None


def _status(asked: argparse.Namespace, state: StateDirectory) -> int:
    report = asyncio.run(reports.status(state))
    print(reports.as_json(report) if asked.json else reports.table(report))
    return 0 if report["running"] else 1


def _stop(asked: argparse.Namespace, state: StateDirectory) -> int:
    del asked
    if not state.is_locked():
        print("Renkei does not run.")
        return 0
    os.kill(_supervisor(state), signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while state.is_locked():
        if time.monotonic() > deadline:
            raise CannotStart(f"Renkei has not stopped after {_STOP_SECONDS:.0f} s.")
        time.sleep(_POLL_SECONDS)
    print("Renkei has stopped.")
    return 0


def _logs(asked: argparse.Namespace, state: StateDirectory) -> int:
    log = state.log(asked.process)
    if not log.exists():
        known = ", ".join(sorted(path.stem for path in log.parent.glob("*.log")))
        raise CannotStart(f"There is no log of {asked.process}. Logs: {known or 'none'}.")
    for line in last_lines(log, asked.lines):
        print(readable(line))
    if asked.follow:
        _follow(log)
    return 0


def _follow(log: Path) -> None:
    with log.open() as file:
        file.seek(0, os.SEEK_END)
        while True:
            line = file.readline()
            if line.endswith("\n"):
                print(readable(line.rstrip("\n")), flush=True)
            else:
                file.seek(file.tell() - len(line.encode()))
                time.sleep(0.2)
                if log.stat().st_size < file.tell():
                    file.seek(0)


def _reset(asked: argparse.Namespace, state: StateDirectory) -> int:
    if state.is_locked():
        raise CannotStart("Renkei runs; stop it first with `./run stop`.")
    if not state.secrets.exists():
        print("There is nothing to remove.")
        return 0
    if not asked.yes and not _agrees(f"Remove everything in {state.root}? [y/N] "):
        return 1
    state.remove()
    print("Removed.")
    return 0


def _agrees(question: str) -> bool:
    if not sys.stdin.isatty():
        raise CannotStart("This removes all data; say `--yes` to confirm.")
    return input(question).strip().lower() in ("y", "yes")


def _kill(asked: argparse.Namespace, state: StateDirectory) -> int:
    os.kill(_process(state, asked.process), signal.SIGKILL)
    return 0


def _pause(asked: argparse.Namespace, state: StateDirectory) -> int:
    _process(state, asked.process)
    (state.paused / asked.process).touch()
    os.kill(_supervisor(state), signal.SIGUSR1)
    return 0


def _resume(asked: argparse.Namespace, state: StateDirectory) -> int:
    (state.paused / asked.process).unlink(missing_ok=True)
    os.kill(_supervisor(state), signal.SIGUSR1)
    return 0


def _renkei(asked: argparse.Namespace, state: StateDirectory) -> int:
    """Become the operator's command, with the environment of the platform here, if there is one."""
    written = state.read_state()
    environment = dict(os.environ)
    if "base_port" in written:
        processes = Processes(
            state=state,
            ports=Ports(written["base_port"]),
            secrets=Secrets.load_or_create(state.secrets),
            options=Options(replicas=written["replicas"], separate=written["separate"]),
            caller=environment,
        )
        environment = processes.environments.of_operator()
    os.execve(  # noqa: S606
        sys.executable, [sys.executable, "-m", "deploy.cli", *asked.rest], environment
    )


def _supervisor(state: StateDirectory) -> int:
    pid = state.read_state().get("supervisor", {}).get("pid")
    if not state.is_locked() or pid is None:
        raise CannotStart("Renkei does not run.")
    return int(pid)


def _process(state: StateDirectory, name: str) -> int:
    _supervisor(state)
    processes = {entry["name"]: entry["pid"] for entry in state.read_state()["processes"]}
    if name not in processes:
        raise CannotStart(f"There is no process {name}. Processes: {', '.join(processes)}.")
    return int(processes[name])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="run")
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument(
        "--state",
        metavar="DIR",
        default=os.environ.get("RENKEI_STATE") or str(REPOSITORY / ".renkei"),
        help="where the platform keeps its things (default: .renkei)",
    )
    commands = parser.add_subparsers(dest="name", required=True, metavar="COMMAND")

    starting = argparse.ArgumentParser(add_help=False, parents=[place])
    starting.add_argument("--port", metavar="BASE", help="first port; 0 chooses free ones")
    starting.add_argument("--replicas", type=_count, default=1, help="processes of each kind")
    starting.add_argument(
        "--separate", action="store_true", help="a process for each part of a worker"
    )
    starting.add_argument("--verbose", action="store_true", help="show every log line")
    starting.add_argument("--quiet", action="store_true", help="show nothing but failures")
    demo = commands.add_parser("demo", parents=[starting], help="start with the demo's data")
    demo.add_argument("--check", action="store_true", help="start, try and stop a fresh demo")
    demo.set_defaults(command=_up)
    commands.add_parser("up", parents=[starting], help="start").set_defaults(command=_up)

    status = commands.add_parser("status", parents=[place], help="show what runs")
    status.add_argument("--json", action="store_true")
    status.set_defaults(command=_status)
    commands.add_parser("stop", parents=[place], help="stop").set_defaults(command=_stop)
    logs = commands.add_parser("logs", parents=[place], help="show the log of a process")
    logs.add_argument("process", metavar="NAME")
    logs.add_argument("-f", "--follow", action="store_true")
    logs.add_argument("-n", "--lines", type=int, default=50)
    logs.set_defaults(command=_logs)
    reset = commands.add_parser("reset", parents=[place], help="remove all data")
    reset.add_argument("--yes", action="store_true", help="do not ask")
    reset.set_defaults(command=_reset)
    for name, command, text in (
        ("kill", _kill, "kill a process, to see it come back"),
        ("pause", _pause, "stop a process and keep it stopped"),
        ("resume", _resume, "start a paused process"),
    ):
        one = commands.add_parser(name, parents=[place], help=text)
        one.add_argument("process", metavar="NAME")
        one.set_defaults(command=command)
    # Whatever is not ours is its own, `--help` too.
    operator = commands.add_parser(
        "renkei", parents=[place], help="the operator's command", add_help=False
    )
    operator.set_defaults(command=_renkei)
    return parser


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 5:
        raise argparse.ArgumentTypeError("between 1 and 5")
    return number


if __name__ == "__main__":
    sys.exit(main())
