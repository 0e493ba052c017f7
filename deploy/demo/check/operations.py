"""What operators ask: is anything missing, and do the services know the same."""

import asyncio
import json
import os
import sys
from typing import Any, Final

from deploy.demo.api import eventually
from deploy.demo.check.report import Report
from deploy.operations.dumping import canonical, dump
from deploy.operations.services import all_services, service
from deploy.paths import REPOSITORY

QUIET_SECONDS: Final = 20.0


async def check_operations(report: Report) -> None:
    code, reports = await eventually(
        _reconcile,
        lambda found: found[0] == 0 and not any(_waiting(each) for each in found[1]),
        seconds=QUIET_SECONDS,
    )
    report.that(
        "`renkei reconcile` finds every fact on the streams and taken in by all",
        code == 0 and not any(_waiting(each) for each in reports),
        reports,
    )
    report.equal(
        "no consumer gave anything up",
        [each["durable"] for one in reports for each in one["consumers"] if each["dead_letters"]],
        [],
    )
    code, printed = await _renkei("verify-audit")
    report.that("`renkei verify-audit` follows the trail of every city to its head", code == 0)
    report.equal(
        "every member has a trail",
        [line.partition(" ")[0] for line in printed.decode().splitlines()],
        sorted(member["slug"] for member in (await dump(service("members")))["member"]),
    )
    pictures: dict[str, dict[str, list[dict[str, Any]]]] = {
        service.name: json.loads(canonical(await dump(service))) for service in all_services()
    }
    owned = {
        kind: states
        for picture in pictures.values()
        for kind, states in picture.items()
        if not kind.startswith("known_")
    }
    for name, picture in pictures.items():
        for kind, copies in picture.items():
            if kind.startswith("known_"):
                entity = kind.removeprefix("known_")
                report.equal(
                    f"{name} knows {len(copies)} {entity}s as their owner does",
                    copies,
                    _as_far_as(copies, owned[entity]),
                )


def _waiting(report: dict[str, Any]) -> int:
    """How much of a service's facts is still under way."""
    behind: int = sum(each["behind"] for each in report["consumers"])
    return int(report["waiting"]) + behind


async def _reconcile() -> tuple[int, list[dict[str, Any]]]:
    code, printed = await _renkei("reconcile", "--json")
    return code, json.loads(printed or b"[]")


async def _renkei(*arguments: str) -> tuple[int, bytes]:
    """Run the operator's command: its exit code, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "deploy.cli", *arguments),
        cwd=REPOSITORY,
        env=os.environ,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    return process.returncode or 0, printed


def _as_far_as(copies: list[dict[str, Any]], owned: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Shorten the owner's states to the fields that copies have."""
    fields = set(copies[0]) if copies else set()
    return [{name: value for name, value in state.items() if name in fields} for state in owned]
