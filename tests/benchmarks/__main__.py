"""Measures the platform: `./run bench [NAME ...] [--quick]`.

A run of everything in full length writes docs/benchmarks.*; every run prints what it finds.
"""

import argparse
import asyncio
import logging
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import structlog
import uvloop
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from deploy.embedded.layout import REPOSITORY
from tests.benchmarks import machine, planning, report, start
from tests.benchmarks.backbone import measuring as backbone
from tests.benchmarks.findings import Finding
from tests.benchmarks.http import measuring as http
from tests.benchmarks.login import measuring as login
from tests.benchmarks.rounds import Run
from tests.benchmarks.webhooks import measuring as webhooks

Benchmark = Callable[[Path, Run], AsyncIterator[Finding]]

BENCHMARKS: dict[str, Benchmark] = {
    "backbone": backbone.measure,
    "http": http.measure,
    "plan": planning.measure,
    "login": login.measure,
    "webhooks": webhooks.measure,
    "start": start.measure,
}


def main() -> None:
    asked = _arguments()
    console = Console(soft_wrap=True)
    # That connections end when we end them is no news.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    others = machine.Others()
    try:
        found = uvloop.run(_measure(asked.names or list(BENCHMARKS), console, quick=asked.quick))
    except (asyncio.CancelledError, KeyboardInterrupt):
        sys.exit(130)
    share = others.share()
    missed = [each for each in found if not each.holds]
    console.print(f"\n{len(found)} figures, {len(missed)} of them miss their target.")
    console.print(f"Other programs took {share:.0%} of the processors meanwhile.")
    if not asked.names and not asked.quick:
        described = machine.description(Path(tempfile.gettempdir()), share)
        report.write(REPOSITORY / "docs", found, described)
        console.print("Written: docs/benchmarks.md, .json, .svg")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="smaller counts, fewer rounds")
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}, only {', '.join(BENCHMARKS)}")
    return asked


async def _measure(names: list[str], console: Console, *, quick: bool) -> list[Finding]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[now]}"),
        TimeElapsedColumn(),
    )
    task = asyncio.current_task()
    if task is not None:
        # As with Ctrl-C: end the servers and remove their data.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    found: list[Finding] = []
    with Progress(*columns, console=console, transient=True) as progress:
        for name in names:
            with tempfile.TemporaryDirectory(prefix=f"renkei-bench-{name}-") as state:
                async for finding in BENCHMARKS[name](Path(state), Run(quick, progress)):
                    found.append(finding)
                    console.print(report.line(finding))
    return found


if __name__ == "__main__":
    main()
