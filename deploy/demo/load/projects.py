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
    Question,
    Story,
    day,
)

NEWS_UNDER_WAY: Final = ("member-not-active", "member-unknown", "invited-member-not-active")
"""What services say that have not heard yet that a member belongs to the network."""


class Projects:
    """Brings the joint projects to where they stand on the day of loading."""

    def __init__(
        self, apis: Mapping[str, CityApi], story: Story, record: Record, display: Display
    ) -> None:
        self._apis = apis
        self._story = story
        self._record = record
        self._display = display
        self._milestones: dict[tuple[str, str], str] = {}

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
        await for_each(self._display, "decisions", self._story.questions, self._ask)

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

    async def _invite(self, answer: Answer) -> None:
        """Let the lead invite a city, and the city answer."""
        project = self._record.facts["projects"][answer.project]
        key = f"demo:{answer.project}:{answer.member}"
        participation = await self._lead_of(answer.project).post(
            f"/api/v1/projects/{project}/participations",
            {"member": answer.member, "role": answer.role},
            key=key,
            not_yet=NEWS_UNDER_WAY,
        )
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
        self._milestones[project.slug, milestone.slug] = planned["id"]
        path = f"/api/v1/milestones/{planned['id']}"
        if milestone.status in ("in_progress", "completed"):
            await accountable.post(f"{path}/start", key=f"{key}:start", version="*")
        if milestone.progress_percent is not None:
            await accountable.put(
                f"{path}/progress", {"progress_percent": milestone.progress_percent}, version="*"
            )
        for contribution in milestone.contributions:
            await self._contribute(path, key, accountable, contribution)
        if milestone.status == "completed":
            await accountable.post(f"{path}/completion", key=f"{key}:completion", version="*")
        if milestone.status == "cancelled":
            reason = {"reason": milestone.cancelled_because}
            await lead.post(f"{path}/cancellation", reason, key=f"{key}:end", version="*")

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
                "delivery": {"evidence": f"https://documents.{contribution.member}.example/renkei"},
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
                    "milestone_id": self._milestones[project.slug, each.milestone],
                    "lag_days": each.lag_days,
                }
                for each in milestone.waits_for
            ]
            await self._apis[milestone.accountable].put(
                f"/api/v1/milestones/{self._milestones[project.slug, milestone.slug]}/dependencies",
                {"depends_on": waits_for},
                version="*",
            )

    async def _ask(self, question: Question) -> None:
        """Put a question, let members answer, and close what is settled."""
        key = f"demo:{question.project}:{question.slug}"
        moved, effect = question.reschedules, None
        if moved is not None:
            effect = {
                "kind": "reschedule_milestone",
                "milestone_id": self._milestones[question.project, moved.milestone],
                "due_on": day(self._record.loaded_on, moved.due_in_days),
                "time_zone": question.time_zone,
            }
        asked = await self._apis[question.proposer].post(
            f"/api/v1/projects/{self._record.facts['projects'][question.project]}/decisions",
            {
                "title": question.title,
                "text": question.text,
                "rule": question.rule,
                "closes_on": day(self._record.loaded_on, question.closes_in_days),
                "time_zone": question.time_zone,
                "effect": effect,
            },
            key=key,
        )
        path = f"/api/v1/decisions/{asked['id']}"
        for said in question.positions:
            await self._apis[said.member].post(
                f"{path}/positions",
                {"position": said.position, "reason": said.reason},
                key=f"{key}:{said.member}",
            )
        if question.outcome == "adopted":
            await self._apis[question.proposer].post(
                f"{path}/closing", key=f"{key}:closing", version="*"
            )

    def _lead_of(self, project: str) -> CityApi:
        [found] = [each for each in self._story.network.joint_projects if each.slug == project]
        return self._apis[found.lead]


_DEED: Final = {"accepted": "acceptance", "declined": "declination"}
