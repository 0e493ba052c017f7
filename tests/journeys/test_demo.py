"""The demo on a whole platform: it is there, it works, and it survives an interrupted load."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.demo.api import CityApi, connection
from deploy.demo.check.expected import facts_of
from deploy.demo.story import PLACE, Story
from deploy.embedded.layout import REPOSITORY
from deploy.embedded.platform import Platform
from tests.journeys.conftest import Demo

pytestmark = pytest.mark.journey

STORY = Story()
MADE_BY_THE_CLOCK = "milestone.became_overdue"


async def start(platform: Platform, *command: str) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *command,
        cwd=REPOSITORY,
        env=platform.environment("operator") | {"PYTHONPATH": str(REPOSITORY)},
        stdout=PIPE,
        stderr=PIPE,
    )


async def run(platform: Platform, *command: str) -> str:
    """What a program prints that must succeed."""
    process = await start(platform, *command)
    printed, complaints = await process.communicate()
    assert process.returncode == 0, f"{printed.decode()}\n{complaints.decode()}"
    return printed.decode()


async def interrupt_after(loading: Process, phase: str) -> None:
    """Kill a loader as soon as it has done with a phase."""
    assert loading.stdout is not None
    async for line in loading.stdout:
        if f" {phase}:" in line.decode():
            loading.kill()
            break
    await loading.communicate()
    assert loading.returncode == -9


async def told_by(platform: Platform, service: str) -> Counter[str]:
    """How often what happened, as the service told it: `milestone.completed`."""
    database = await asyncpg.connect(platform.postgres_url(service))
    try:
        subjects = await database.fetch(
            "SELECT subject FROM event_log UNION ALL SELECT subject FROM outbox"
        )
    finally:
        await database.close()
    parts = [row["subject"].split(".") for row in subjects]
    return Counter(f"{part[2]}.{part[4]}" for part in parts)


def facts_of_the_members() -> Counter[str]:
    return Counter(
        {
            "member.invited": 23,
            "member.activated": 14,
            "member.withdrawn": 1,
            "official.appointed": 24 + 2 * 13,
            "client.registered": 24 + 1,  # and the portal
        }
    )


def facts_of_the_projects() -> Counter[str]:
    """One for each write that the story needs."""
    facts = Counter({"objective.added": len(STORY.network.objectives)})
    for project in STORY.network.joint_projects:
        facts += facts_of(STORY, project)
    return facts


async def test_the_demo_keeps_what_it_promises(demo: Demo) -> None:
    facts = demo.platform.state.demo

    printed = await run(demo.platform, "deploy.demo.check", "--demo", str(facts))

    assert " 0 broken" in printed
    assert facts.stat().st_mode & 0o777 == 0o600


async def test_an_interrupted_load_goes_on_without_doubling(tmp_path: Path) -> None:
    async with Platform(tmp_path) as platform:
        credentials, out = tmp_path / "credentials.json", tmp_path / "demo.json"
        host = str(PLACE / "host.json")
        credentials.write_text(
            await run(platform, "deploy.cli", "init", "--member-file", host, "--json")
        )
        load = ("deploy.demo.load", f"--url={platform.url}", f"--credentials={credentials}")
        for phase in ("members", "projects"):
            await interrupt_after(await start(platform, *load, f"--out={out}"), phase)

        await run(platform, *load, f"--out={out}")

        demo: dict[str, Any] = json.loads(out.read_text())
        assert demo["projects"].keys() == STORY.plans.keys()
        assert demo["webhooks"].keys() == {"seoul", "singapore", "tomsk"}
        assert await told_by(platform, "members") == facts_of_the_members()
        told = await told_by(platform, "projects")
        assert {each: told[each] for each in told if each != MADE_BY_THE_CLOCK} == dict(
            facts_of_the_projects()
        )
        assert (await told_by(platform, "notifications"))["webhook_endpoint.created"] == 3
        account = demo["members"]["seoul"]
        async with connection(platform.url) as http:
            seoul = CityApi(
                http,
                member="seoul",
                client_id=account["client_id"],
                client_secret=account["client_secret"],
            )
            assert len(await seoul.all_of("/api/v1/members")) == 24
