"""`python -m deploy.demo.check`: exits with 0 if every promise is kept, with 1 if not."""

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from deploy.demo.api import connection
from deploy.demo.check.agreements import check_agreements
from deploy.demo.check.discussions import check_discussions
from deploy.demo.check.facts import check_facts
from deploy.demo.check.journey import Journey
from deploy.demo.check.logins import check_logins
from deploy.demo.check.network import check_network
from deploy.demo.check.operations import check_operations
from deploy.demo.check.pages import check_pages
from deploy.demo.check.plans import check_plans
from deploy.demo.check.projects import check_projects
from deploy.demo.check.report import Report
from deploy.demo.check.rules import check_rules
from deploy.demo.check.waiting import check_waiting
from deploy.demo.check.world import World


async def check(demo: dict[str, Any], report: Report) -> None:
    """Look at everything; the environment must be that of the `renkei` command."""
    async with connection(demo["url"]) as http:
        world = World(http, demo)
        with report.chapter("The network"):
            await check_network(world, report)
        with report.chapter("The joint projects"):
            await check_projects(world, report)
        with report.chapter("What cities agree on"):
            await check_agreements(world, report)
        with report.chapter("When it is due"):
            await check_plans(world, report)
        with report.chapter("What they say, and what happened"):
            await check_discussions(world, report)
        with report.chapter("What each of them finds"):
            await check_waiting(world, report)
        with report.chapter("The rules"):
            await check_rules(world, report)
        with report.chapter("A project from its draft to its completion"):
            journey = Journey(world, report)
            await journey.run()
            await check_facts(os.environ["RENKEI_NATS_URL"], report, journey)
        if demo.get("logins"):
            with report.chapter("Officials and their logins"):
                await check_logins(world, report)
            with report.chapter("The pages"):
                await check_pages(world, report)
        with report.chapter("What operators see"):
            await check_operations(report)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.check", description=__doc__)
    parser.add_argument("--demo", type=Path, required=True, help="what the loader wrote")
    asked = parser.parse_args(arguments)
    report = Report()
    asyncio.run(check(json.loads(asked.demo.read_text(encoding="utf-8")), report))
    return report.close()


if __name__ == "__main__":
    sys.exit(main())
