"""What cities decide together: questions with their answers, and a lead that is handed over."""

from collections.abc import Iterable, Mapping
from typing import Any

from deploy.demo.api import CityApi
from deploy.demo.load.record import Record
from deploy.demo.load.together import for_each
from deploy.demo.progress import Display
from deploy.demo.story import Answered, Offer, Question, Story, day


class Decisions:
    """Puts the questions of the story, and lets each city answer for itself.

    Attributes:
        ids: of the questions, by project and slug.
    """

    def __init__(
        self,
        apis: Mapping[str, CityApi],
        story: Story,
        record: Record,
        display: Display,
        milestones: Mapping[tuple[str, str], str],
    ) -> None:
        self.ids: dict[tuple[str, str], str] = {}
        self._apis = apis
        self._story = story
        self._record = record
        self._display = display
        self._milestones = milestones

    async def run(self) -> None:
        await for_each(self._display, "decisions", self._story.questions, self._ask)
        await for_each(self._display, "handovers", self._story.offers, self._hand_over)

    async def _ask(self, question: Question) -> None:
        """Put a question, let members answer, and close what is settled."""
        key = f"demo:{question.project}:{question.slug}"
        proposer = self._apis[question.proposer]
        asked = await proposer.post(
            f"/api/v1/projects/{self._record.facts['projects'][question.project]}/decisions",
            {
                "title": question.title,
                "text": question.text,
                "rule": question.rule,
                "closes_on": day(self._record.loaded_on, question.closes_in_days),
                "time_zone": question.time_zone,
                "effect": self._effect_of(question),
            },
            key=key,
        )
        self.ids[question.project, question.slug] = asked["id"]
        await self._answer(asked["id"], question.positions, key)
        if question.outcome == "adopted":
            path = f"/api/v1/decisions/{asked['id']}/closing"
            await proposer.post(path, key=f"{key}:closing", version="*")

    def _effect_of(self, question: Question) -> dict[str, Any] | None:
        moved = question.reschedules
        if moved is not None:
            return {
                "kind": "reschedule_milestone",
                "milestone_id": self._milestones[question.project, moved.milestone],
                "due_on": day(self._record.loaded_on, moved.due_in_days),
                "time_zone": question.time_zone,
            }
        if question.amends_charter is not None:
            return {"kind": "amend_charter", "charter": question.amends_charter}
        return None

    async def _hand_over(self, offer: Offer) -> None:
        """Offer the lead, accept it, and let members say what they think of it."""
        key = f"demo:{offer.project}:handover"
        offered = await self._apis[self._story.project(offer.project).lead].post(
            f"/api/v1/projects/{self._record.facts['projects'][offer.project]}/handovers",
            {
                "candidate": offer.candidate,
                "note": offer.note,
                "rule": offer.rule,
                "closes_on": day(self._record.loaded_on, offer.closes_in_days),
                "time_zone": offer.time_zone,
            },
            key=key,
        )
        accepted = await self._apis[offer.candidate].post(
            f"/api/v1/handovers/{offered['id']}/acceptance",
            {"note": offer.answer_note},
            key=f"{key}:acceptance",
            version="*",
        )
        await self._answer(accepted["decision_id"], offer.positions, key)

    async def _answer(self, decision: str, positions: Iterable[Answered], key: str) -> None:
        for said in positions:
            await self._apis[said.member].post(
                f"/api/v1/decisions/{decision}/positions",
                {"position": said.position, "reason": said.reason},
                key=f"{key}:{said.member}",
            )
