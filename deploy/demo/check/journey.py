"""A project of its own, from its draft to its completion, in a few seconds."""

from datetime import UTC, datetime, timedelta
from typing import Any

from deploy.demo.api import CityApi
from deploy.demo.check.news import News
from deploy.demo.check.report import Report
from deploy.demo.check.world import World, code_of
from shared.identifiers import new_id


class Journey:
    """Seoul leads, Bangkok takes part, Singapore declines.

    Attributes:
        things: ids of the project and of everything in it.
        told: what happened, in order; there must be exactly one event for each accepted write.
    """

    def __init__(self, world: World, report: Report) -> None:
        self.things: list[str] = []
        self.told: list[str] = []
        self._world = world
        self._report = report
        self._news = News(world, report)

    async def run(self) -> None:
        seoul = self._world["seoul"]
        await self._news.find_officials("seoul", "bangkok", "hanoi")
        project = await self._make(
            seoul,
            "/api/v1/projects",
            {
                "reference": f"river-{new_id()}",
                "title": {"en": "Clean rivers", "ko": "맑은 강", "ja": "清らかな川"},
                "summary": {"en": "Seoul and Bangkok compare how they clean their rivers."},
                "objectives": ["common-issues"],
            },
            "project.drafted",
        )
        self._news.project = project["id"]
        path = f"/api/v1/projects/{project['id']}"
        project = await self._do(seoul, project, f"{path}/proposal", "project.proposed")
        await self._invite(path)
        project = await self._do(seoul, project, f"{path}/activation", "project.activated")
        await self._work(path)
        project = await self._do(seoul, project, f"{path}/completion", "project.completed")
        self._report.equal("the project is completed", project["status"], "completed")
        self._report.equal("nothing in it can change any more", project["allowed_actions"], [])
        await self._news.check_inboxes_of_others()
        await self._news.check_webhooks(self.things, self.told)
        await self._news.check_feeds(self.things, self.told)

    async def _invite(self, path: str) -> None:
        places = {
            member: await self._make(
                self._world["seoul"],
                f"{path}/participations",
                {"member": member},
                "participation.invited",
            )
            for member in ("bangkok", "singapore")
        }
        await self._news.expect("bangkok coordinator", participation="invited")
        await self._check_nobody_answers_for_bangkok(places["bangkok"])
        for member, deed, told in (
            ("bangkok", "acceptance", "participation.accepted"),
            ("singapore", "declination", "participation.declined"),
        ):
            place = places[member]
            answer = f"/api/v1/participations/{place['id']}/{deed}"
            await self._do(self._world[member], place, answer, told, {"note": "As we agreed."})
        await self._news.expect("seoul coordinator", participation="answered")

    async def _check_nobody_answers_for_bangkok(self, place: dict[str, Any]) -> None:
        for member, refusal in {
            "seoul": (403, "not-your-invitation"),
            "singapore": (403, "not-your-invitation"),
            "tokyo": (404, "participation-not-found"),
        }.items():
            answer = f"/api/v1/participations/{place['id']}/acceptance"
            refused = await self._try(self._world[member], answer, {})
            self._report.equal(f"{member} cannot accept for bangkok", refused, refusal)

    async def _work(self, path: str) -> None:
        """Plan a milestone, and let its contribution be returned before it is accepted."""
        seoul, bangkok = self._world["seoul"], self._world["bangkok"]
        milestone = await self._make(
            seoul,
            f"{path}/milestones",
            {
                "title": {"en": "Water quality of two rivers, compared"},
                "due_on": (datetime.now(UTC) + timedelta(days=30)).date().isoformat(),
                "time_zone": "Asia/Bangkok",
                "accountable": "seoul",
            },
            "milestone.planned",
        )
        path = f"/api/v1/milestones/{milestone['id']}"
        milestone = await self._do(seoul, milestone, f"{path}/start", "milestone.started")
        milestone = await self._do(
            seoul,
            milestone,
            f"{path}/contributions",
            "milestone.contribution_requested",
            {"member": "bangkok", "description": "Measurements of the Chao Phraya"},
        )
        await self._news.expect("bangkok contributor", milestone="contribution_due")
        early = await self._try(seoul, f"{path}/completion")
        self._report.equal(
            "the milestone cannot be completed before the contribution is accepted",
            early,
            (409, "contributions-open"),
        )
        owed = f"{path}/contributions/{milestone['contributions'][0]['id']}"
        evidence = {"evidence": "https://documents.bangkok.example/rivers"}
        delivered = "milestone.contribution_delivered"
        milestone = await self._do(bangkok, milestone, f"{owed}/delivery", delivered, evidence)
        await self._news.expect("seoul coordinator", milestone="contribution_to_accept")
        own = await self._try(bangkok, f"{owed}/acceptance")
        self._report.equal(
            "bangkok cannot accept what it delivered itself", own, (403, "not-accountable")
        )
        milestone = await self._do(
            seoul,
            milestone,
            f"{owed}/return",
            "milestone.contribution_returned",
            {"reason": "The values of March are missing."},
        )
        await self._news.expect("bangkok contributor", milestone="contribution_returned")
        milestone = await self._do(bangkok, milestone, f"{owed}/delivery", delivered, evidence)
        milestone = await self._do(
            seoul, milestone, f"{owed}/acceptance", "milestone.contribution_accepted"
        )
        milestone = await self._do(seoul, milestone, f"{path}/completion", "milestone.completed")
        self._report.equal(
            "the milestone is completed with its contribution",
            (milestone["status"], milestone["contributions"][0]["status"]),
            ("completed", "accepted"),
        )

    async def _make(self, by: CityApi, path: str, body: Any, told: str) -> dict[str, Any]:
        made: dict[str, Any] = await by.post(path, body, key=str(new_id()))
        self.things.append(made["id"])
        self.told.append(told)
        return made

    async def _do(
        self, by: CityApi, thing: dict[str, Any], path: str, told: str, body: Any = None
    ) -> dict[str, Any]:
        """Change a thing as it was last seen; gives it as it is then."""
        done: dict[str, Any] = await by.post(
            path, body, key=str(new_id()), version=thing["version"]
        )
        self.told.append(told)
        return done

    async def _try(self, by: CityApi, path: str, body: Any = None) -> tuple[int, str]:
        """Do what must be refused; gives the refusal."""
        headers = {"If-Match": "*", "Idempotency-Key": str(new_id())}
        return code_of(await by.send("POST", path, json=body, headers=headers))
