"""Whether news of a project reach those whom they concern, and nobody else."""

import asyncio
from typing import Any, Final

from deploy.demo.api import eventually
from deploy.demo.check.report import Report
from deploy.demo.check.world import World

NEWS_SECONDS: Final = 10.0
"""News arrive within a second, on a machine with nothing else to do."""


class News:
    """What officials and systems of cities hear of one project.

    Attributes:
        project: its id, once there is one.
    """

    def __init__(self, world: World, report: Report) -> None:
        self.project = ""
        self._world = world
        self._report = report
        self._officials: dict[str, str] = {}

    async def find_officials(self, *members: str) -> None:
        """Look up the officials whom `expect` names, as in `seoul coordinator`."""
        for member in members:
            officials = await self._world.officials(member)
            self._officials |= {f"{member} {role}": found for role, found in officials.items()}

    async def expect(self, official: str, **reasons: str) -> None:
        """Check that an official learns of these kinds of things, for these reasons."""
        inbox = await eventually(
            lambda: self._inbox(official),
            lambda inbox: _reasons(inbox).items() >= reasons.items(),
            seconds=NEWS_SECONDS,
        )
        what = ", ".join(f"{kind}: {reason}" for kind, reason in reasons.items())
        found = _reasons(inbox)
        self._report.that(
            f"the inbox of the {official} says {what}", found.items() >= reasons.items(), found
        )

    async def check_inboxes_of_others(self) -> None:
        """Check who was told nothing, once the last news have been told."""
        inbox = await eventually(
            lambda: self._inbox("seoul coordinator"),
            lambda inbox: "completed" in inbox.get("project", {}).get("event_type", ""),
            seconds=NEWS_SECONDS,
        )
        self._report.equal(
            "the inbox of the seoul coordinator says last that the project is completed",
            inbox.get("project", {}).get("event_type"),
            "renkei.project.completed.v1",
        )
        for official in (
            "bangkok administrator",
            "seoul administrator",
            "hanoi coordinator",
            "hanoi contributor",
        ):
            self._report.equal(
                f"the {official} is not bothered with it", await self._inbox(official), {}
            )

    async def check_webhooks(self, things: list[str], told: list[str]) -> None:
        """Check that the systems of cities received what they may know, each fact once."""

        async def arrived(hook: str) -> list[str]:
            events = await self._world.arrivals(hook)
            return sorted(happened(each) for each in events if each["subject"] in things)

        found = await eventually(
            lambda: arrived("seoul"),
            lambda found: len(found) >= len(told),
            seconds=NEWS_SECONDS,
        )
        self._report.equal("Seoul's system received every fact, signed, once", found, sorted(told))
        singapore, tomsk = await asyncio.gather(arrived("singapore"), arrived("tomsk"))
        self._report.that(
            "Singapore's system received them until Singapore declined",
            "participation.declined" in singapore and "milestone.planned" not in singapore,
            singapore,
        )
        self._report.equal("Tomsk's system received none of them", tomsk, [])

    async def check_feeds(self, things: list[str], told: list[str]) -> None:
        """Check that what cities pull has no gap, and is what their systems were sent."""
        feeds = dict(
            zip(
                ("seoul", "tomsk"),
                await asyncio.gather(self._world.feed("seoul"), self._world.feed("tomsk")),
                strict=True,
            )
        )
        for member, feed in feeds.items():
            numbers = [item["sequence"] for item in feed]
            self._report.that(
                f"the feed of {member.title()} has no gap",
                numbers == list(range(1, len(numbers) + 1)),
                numbers,
            )
        events = {
            member: [item["event"] for item in feed if item["event"] is not None]
            for member, feed in feeds.items()
        }
        found = sorted(happened(each) for each in events["seoul"] if each["subject"] in things)
        self._report.equal("Seoul pulls the same facts", found, sorted(told))
        foreign = [happened(each) for each in events["tomsk"] if each["subject"] in things]
        self._report.equal("Tomsk pulls none of them", foreign, [])

    async def _inbox(self, official: str) -> dict[str, Any]:
        member, _, _ = official.partition(" ")
        return await self._world.inbox(member, self._officials[official], self.project)


def happened(event: dict[str, Any]) -> str:
    """`milestone.completed`."""
    return str(event["type"]).removeprefix("renkei.").rpartition(".")[0]


def _reasons(inbox: dict[str, Any]) -> dict[str, str]:
    return {kind: item["reason"] for kind, item in inbox.items()}
