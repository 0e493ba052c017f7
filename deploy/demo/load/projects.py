"""The joint projects: led by the host, answered and worked on by each city itself."""

from collections.abc import Mapping
from typing import Any, Final

from deploy.demo.api import CityApi
from deploy.demo.load.record import Record
from deploy.demo.load.together import for_each
from deploy.demo.progress import Display
from deploy.demo.story import (
    Answer,
    Contribution,
    Milestone,
    Objective,
    Project,
    Story,
    Withdrawal,
    day,
)

NEWS_UNDER_WAY: Final = ("member-not-active", "member-unknown", "invited-member-not-active")
"""What services say that have not heard yet that a member belongs to the network."""


class Projects:
    """Brings the joint projects to where they stand on the day of loading.

    Attributes:
        milestones: their ids, by project and slug.
    """

    def __init__(
        self, apis: Mapping[str, CityApi], story: Story, record: Record, display: Display
    ) -> None:
        self._apis = apis
        self._story = story
        self._record = record
        self._display = display
        self.milestones: dict[tuple[str, str], str] = {}
        self._places: dict[tuple[str, str], str] = {}

    async def run(self) -> None:
        """Propose the projects, let cities answer, and do what has been done by now."""
        objectives = list(enumerate(self._story.network.objectives))
        await for_each(self._display, "objectives", objectives, self._pursue)
        projects = self._story.network.joint_projects
        await for_each(self._display, "projects", projects, self._propose)
        answers = [answer for project in projects for answer in self._story.invited(project)]
        await for_each(self._display, "invitations", answers, self._invite)
        milestones = [
            (project, milestone)
            for project in projects
            for milestone in self._story.plans[project.slug].milestones
        ]
        await for_each(self._display, "activations", projects, self._activate)
        await for_each(self._display, "milestones", milestones, self._work_on)
        await for_each(self._display, "plans", projects, self._connect)
        leaving = [(each, each.withdrawal) for each in answers if each.withdrawal is not None]
        await for_each(self._display, "withdrawals", leaving, self._give_notice)

    async def _pursue(self, task: tuple[int, Objective]) -> None:
        """Let the secretariat enter what the network strives for."""
        position, objective = task
        await self._apis[self._story.host.slug].post(
            "/api/v1/objectives",
            {"slug": objective.slug, "title": objective.name, "position": position},
            key=f"demo:objective:{objective.slug}",
            not_yet=(*NEWS_UNDER_WAY, "not-secretariat"),
        )

    async def _propose(self, project: Project) -> None:
        plan = self._story.plans[project.slug]
        lead = self._apis[project.lead]
        made = await lead.post(
            "/api/v1/projects",
            {
                "reference": project.slug,
                "title": project.title,
                "summary": project.summary,
                "objectives": project.objectives,
                "visibility": plan.visibility,
                "starts_on": day(self._record.loaded_on, plan.starts_in_days),
                "ends_on": day(self._record.loaded_on, plan.ends_in_days),
            },
            key=f"demo:{project.slug}",
            not_yet=NEWS_UNDER_WAY,
        )
        self._record.facts["projects"][project.slug] = made["id"]
        path = f"/api/v1/projects/{made['id']}"
        await lead.post(f"{path}/proposal", key=f"demo:{project.slug}:proposal", version="*")
        if not (await lead.get(path))["charter_version"]:
            charter = {"text": self._story.charters[project.slug]}
            await lead.put(f"{path}/charter", charter, version="*")

    async def _invite(self, answer: Answer) -> None:
        """Let the lead invite a city, and the city answer."""
        project = self._record.facts["projects"][answer.project]
        key = f"demo:{answer.project}:{answer.member}"
        invitation: dict[str, Any] = {"member": answer.member, "role": answer.role}
        if answer.answer_by_in_days is not None:
            invitation["answer_by_on"] = day(self._record.loaded_on, answer.answer_by_in_days)
        participation = await self._lead_of(answer.project).post(
            f"/api/v1/projects/{project}/participations",
            invitation,
            key=key,
            not_yet=NEWS_UNDER_WAY,
        )
        self._places[answer.project, answer.member] = participation["id"]
        if answer.answer is None:
            return
        body: dict[str, Any] = {"note": answer.note}
        if answer.answer == "accepted":
            body["reservation"] = answer.reservation
        await self._apis[answer.member].post(
            f"/api/v1/participations/{participation['id']}/{_DEED[answer.answer]}",
            body,
            key=f"{key}:answer",
            version="*",
            not_yet=NEWS_UNDER_WAY,
        )

    async def _activate(self, project: Project) -> None:
        await self._apis[project.lead].post(
            f"/api/v1/projects/{self._record.facts['projects'][project.slug]}/activation",
            key=f"demo:{project.slug}:activation",
            version="*",
        )

    async def _work_on(self, task: tuple[Project, Milestone]) -> None:
        project, milestone = task
        key = f"demo:{project.slug}:{milestone.slug}"
        lead, accountable = self._apis[project.lead], self._apis[milestone.accountable]
        planned = await lead.post(
            f"/api/v1/projects/{self._record.facts['projects'][project.slug]}/milestones",
            {
                "title": milestone.title,
                "description": milestone.description,
                "due_on": day(self._record.loaded_on, milestone.due_in_days),
                "time_zone": milestone.time_zone,
                "accountable": milestone.accountable,
            },
            key=key,
        )
        self.milestones[project.slug, milestone.slug] = planned["id"]
        path = f"/api/v1/milestones/{planned['id']}"
        if milestone.status in ("in_progress", "completed"):
            await accountable.post(f"{path}/start", key=f"{key}:start", version="*")
        if milestone.progress_percent is not None:
            await self._report(path, milestone)
        for contribution in milestone.contributions:
            await self._contribute(path, key, accountable, contribution)
        if milestone.status == "completed":
            await accountable.post(f"{path}/completion", key=f"{key}:completion", version="*")
        if milestone.status == "cancelled":
            reason = {"reason": milestone.cancelled_because}
            await lead.post(f"{path}/cancellation", reason, key=f"{key}:end", version="*")

    async def _report(self, path: str, milestone: Milestone) -> None:
        """Let the accountable city say how far it is, and when it will be done."""
        expected = milestone.forecast_in_days
        report = {
            "progress_percent": milestone.progress_percent,
            "forecast_on": None if expected is None else day(self._record.loaded_on, expected),
        }
        await self._put(self._apis[milestone.accountable], path, "progress", report)

    async def _contribute(
        self, path: str, key: str, accountable: CityApi, contribution: Contribution
    ) -> None:
        """Ask for a contribution and bring it to where it stands."""
        key = f"{key}:{contribution.member}"
        asked = await accountable.post(
            f"{path}/contributions",
            {"member": contribution.member, "description": contribution.description},
            key=key,
        )
        [owed] = [each for each in asked["contributions"] if each["member"] == contribution.member]
        path = f"{path}/contributions/{owed['id']}"
        for number, deed in enumerate(contribution.deeds):
            by = self._apis[contribution.member] if deed == "delivery" else accountable
            bodies = {
                "delivery": {
                    "evidence": f"https://documents.{contribution.member}.example/renkei",
                    "links": contribution.links,
                },
                "return": {"reason": contribution.returned_because},
            }
            await by.post(
                f"{path}/{deed}", bodies.get(deed), key=f"{key}:{number}:{deed}", version="*"
            )

    async def _connect(self, project: Project) -> None:
        """Let milestones wait for others, as those say that are accountable for them."""
        for milestone in self._story.plans[project.slug].milestones:
            if not milestone.waits_for:
                continue
            waits_for = [
                {
                    "milestone_id": self.milestones[project.slug, each.milestone],
                    "lag_days": each.lag_days,
                }
                for each in milestone.waits_for
            ]
            path = f"/api/v1/milestones/{self.milestones[project.slug, milestone.slug]}"
            accountable = self._apis[milestone.accountable]
            await self._put(accountable, path, "dependencies", {"depends_on": waits_for})

    async def _give_notice(self, task: tuple[Answer, Withdrawal]) -> None:
        """Let a city say from which day on it takes part no longer."""
        answer, withdrawal = task
        await self._apis[answer.member].post(
            f"/api/v1/participations/{self._places[answer.project, answer.member]}/withdrawal",
            {
                "withdrawn_on": day(self._record.loaded_on, withdrawal.in_days),
                "note": withdrawal.note,
            },
            key=f"demo:{answer.project}:{answer.member}:withdrawal",
            version="*",
        )

    async def _put(self, by: CityApi, path: str, part: str, wanted: dict[str, Any]) -> None:
        """Say how a part of a thing is to be, unless it is so: nobody is told of it twice."""
        found = await by.get(path)
        if any(found[name] != value for name, value in wanted.items()):
            await by.put(f"{path}/{part}", wanted, version="*")

    def _lead_of(self, project: str) -> CityApi:
        return self._apis[self._story.project(project).lead]


_DEED: Final = {"accepted": "acceptance", "declined": "declination"}
