"""Measures the platform: `./run bench [NAME ...] [--quick]`.

Every run prints what it finds; one in full length replaces in docs/benchmarks.* what it measured.
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
    names = asked.names or list(BENCHMARKS)
    figures = [each for findings in found.values() for each in findings]
    missed = [each for each in figures if not each.holds]
    console.print(f"\n{len(figures)} figures, {len(missed)} of them miss their target.")
    console.print(f"Other programs took {share:.0%} of the processors meanwhile.")
    if not asked.quick:
        described = machine.description(Path(tempfile.gettempdir()), share)
        report.write(REPOSITORY / "docs", found, described, list(BENCHMARKS))
        console.print("Written: docs/benchmarks.md, .json, .svg")
    failed = [name for name in names if name not in found]
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}.")


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


async def _measure(names: list[str], console: Console, *, quick: bool) -> dict[str, list[Finding]]:
    """Measure, and go on with the next if one fails.

    Returns:
        What was found, by the benchmark; nothing of those that failed.
    """
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
    found: dict[str, list[Finding]] = {}
    with Progress(*columns, console=console, transient=True) as progress:
        for name in names:
            findings = []
            try:
                with tempfile.TemporaryDirectory(prefix=f"renkei-bench-{name}-") as state:
                    async for finding in BENCHMARKS[name](Path(state), Run(quick, progress)):
                        findings.append(finding)
                        console.print(report.line(finding))
            except Exception:
                console.print_exception()
                continue
            found[name] = findings
    return found


if __name__ == "__main__":
    main()
