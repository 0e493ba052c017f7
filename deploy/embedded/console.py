"""What a person at the terminal sees: progress, warnings of every process, and nothing else."""

import asyncio
import contextlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from deploy.embedded.child import rotate

_LOOK_SECONDS = 0.3
_WARNINGS = frozenset({"warning", "warn", "error", "critical", "fatal", "panic"})
# NATS, PostgreSQL and a Python that failed before its logging was set up.
_PLAIN_WARNING = re.compile(
    r"\[(WRN|ERR|FTL)\]|\b(FATAL|PANIC):|^Traceback|^supervisor:|^\w+Error: "
)
# PostgreSQL says this of our own probes and of clients that are cut at its end; NATS of passwords
# that are random and kept in files that only their owner reads; Caddy when it is told to stop.
_EXPECTED = re.compile(
    r"FATAL: +(the database system is|terminating connection due to admin)"
    r"|Plaintext passwords|exiting; byeee"
)
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 95)
_RED, _RESET = "\x1b[31m", "\x1b[0m"


class Console:
    """Prints progress, and lines of the logs that somebody should see."""

    def __init__(self, *, verbose: bool = False, quiet: bool = False) -> None:
        self.verbose = verbose
        self.quiet = quiet
        self.colour = sys.stdout.isatty()
        self._followed: dict[str, asyncio.Task[None]] = {}

    def say(self, text: str = "") -> None:
        if not self.quiet:
            _print(text)

    def complain(self, text: str) -> None:
        prefix, suffix = (_RED, _RESET) if sys.stderr.isatty() else ("", "")
        print(f"{prefix}{text}{suffix}", file=sys.stderr, flush=True)

    def follow(self, name: str, log: Path) -> None:
        """Show what this process will write from now on, as far as it concerns a person."""
        if name not in self._followed:
            self._followed[name] = asyncio.create_task(self._follow(name, log))

    async def close(self) -> None:
        for task in self._followed.values():
            task.cancel()
        await asyncio.gather(*self._followed.values(), return_exceptions=True)

    async def _follow(self, name: str, log: Path) -> None:
        position = log.stat().st_size if log.exists() else 0
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not log.exists():
                continue
            if log.stat().st_size < position:
                position = 0
            with log.open("rb") as file:
                file.seek(position)
                new = file.read(1_000_000)
            complete = new[: new.rfind(b"\n") + 1]
            position += len(complete)
            for line in complete.decode(errors="replace").splitlines():
                self._show(name, line)
            rotate(log)

    def _show(self, name: str, line: str) -> None:
        if self.quiet or not (self.verbose or concerns_a_person(line)):
            return
        text = f"{name:<20} {readable(line)}"
        if self.colour:
            colour = _COLOURS[sum(name.encode()) % len(_COLOURS)]
            text = f"\x1b[{colour}m{name:<20}{_RESET} {readable(line)}"
        _print(text)


def _print(text: str) -> None:
    """Print to a terminal that may have been closed, which must not end the platform badly."""
    with contextlib.suppress(OSError):
        print(text, flush=True)


def concerns_a_person(line: str) -> bool:
    """Whether a log line is a warning or worse."""
    if _EXPECTED.search(line):
        return False
    entry = _entry(line)
    if entry is not None:
        return str(entry.get("level", "")).lower() in _WARNINGS
    return bool(_PLAIN_WARNING.search(line))


def readable(line: str) -> str:
    """Shorten a JSON log line to what a person reads; leave every other line alone."""
    entry = _entry(line)
    if entry is None:
        return line
    message = entry.pop("event", None) or entry.pop("msg", "")
    level = str(entry.pop("level", "")).lower()
    details = " ".join(
        f"{key}={value}" for key, value in entry.items() if key not in ("timestamp", "ts", "logger")
    )
    return f"{level:<8} {message} {details}".rstrip()


def _entry(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def last_lines(log: Path, count: int = 30) -> list[str]:
    """Read the end of a log."""
    if not log.exists():
        return []
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 64_000))
        return file.read().decode(errors="replace").splitlines()[-count:]
