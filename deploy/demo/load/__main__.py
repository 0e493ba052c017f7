"""`python -m deploy.demo.load`: exits with 0 when everything is there, with 1 when not."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from httpx2 import HTTPError

from deploy.demo.api import Refused, connection
from deploy.demo.browser import Stuck
from deploy.demo.load.cities import Cities
from deploy.demo.load.decisions import Decisions
from deploy.demo.load.discussions import Discussions
from deploy.demo.load.logins import Logins
from deploy.demo.load.projects import Projects
from deploy.demo.load.record import Record
from deploy.demo.progress import Display
from deploy.demo.providers.cities import Provider, read_providers
from deploy.demo.story import Story


async def load(record: Record, providers: Sequence[Provider]) -> None:
    """Bring everything into the platform that the record does not show yet.

    Raises:
        ExceptionGroup: of `Refused`, `Stuck` and `HTTPError`; running it again goes on from there.
    """
    story = Story()
    async with connection(record.facts["url"]) as http:
        with Display() as display:
            cities = Cities(http, story, record, display)
            await cities.found()
            await Logins(http, cities.apis, story, record, display, providers).open()
            projects = Projects(cities.apis, story, record, display)
            await projects.run()
            decisions = Decisions(cities.apis, story, record, display, projects.milestones)
            await decisions.run()
            subjects = projects.milestones | decisions.ids
            await Discussions(cities.apis, story, record, display, subjects).run()
    record.save()


def main(arguments: list[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    record = Record(
        asked.out,
        url=asked.url,
        secretariat=json.loads(asked.credentials.read_text(encoding="utf-8")),
        receiver_url=asked.receiver_url.rstrip("/"),
    )
    if asked.application is not None:
        record.facts["application"] = json.loads(asked.application.read_text(encoding="utf-8"))
    record.save()
    providers = [] if asked.providers is None else read_providers(asked.providers)
    failures: list[BaseException] = []
    try:
        asyncio.run(load(record, providers))
    except* (Refused, Stuck, HTTPError) as failed:
        failures += _leaves(failed)
    for failure in failures:
        print(f"{type(failure).__name__}: {failure}", file=sys.stderr)
    if failures:
        print("Run it again to go on from here.", file=sys.stderr)
    return 1 if failures else 0


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.load", description=__doc__)
    parser.add_argument("--url", required=True, help="base URL of the platform")
    parser.add_argument(
        "--credentials", type=Path, required=True, help="what `renkei init --json` printed"
    )
    parser.add_argument("--out", type=Path, required=True, help="where to write what was made")
    parser.add_argument(
        "--receiver-url",
        default=os.environ.get("RENKEI_RECEIVER_URL", "http://127.0.0.1:8404"),
        help="where the demo's receiver of webhooks is; also RENKEI_RECEIVER_URL",
    )
    parser.add_argument(
        "--providers", type=Path, help="identity providers of cities; without, nobody logs in"
    )
    parser.add_argument(
        "--application", type=Path, help="what `renkei register-application --json` printed"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
