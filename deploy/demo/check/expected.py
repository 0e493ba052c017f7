"""What must follow from the story, worked out from its data alone."""

from collections import Counter
from collections.abc import Iterator

from deploy.demo.story import Answer, Milestone, Offer, Project, Question, Remark, Story

OPEN = ("planned", "in_progress")
DEEDS = {"delivery": "delivered", "return": "returned", "acceptance": "accepted"}


def facts_of(story: Story, project: Project) -> Counter[str]:
    """How often the cities made which kind of fact true in a project: `milestone.completed`."""
    facts = Counter(
        ["project.drafted", "project.proposed", "project.charter_amended", "project.activated"]
    )
    for answer in story.invited(project):
        facts.update(_of_place(answer))
    for milestone in story.plans[project.slug].milestones:
        facts.update(_of_milestone(milestone))
    for question in story.questions:
        if question.project == project.slug:
            facts.update(_of_question(question))
    for offer in story.offers:
        if offer.project == project.slug:
            facts.update(_of_offer(offer))
    for remark in remarks_in(story, project):
        facts.update(_of_remark(remark))
    return facts


def remarks_in(story: Story, project: Project) -> Iterator[Remark]:
    for discussion in story.discussions:
        if discussion.project == project.slug:
            yield discussion
            yield from discussion.replies


def asked_by(story: Story, question: Question) -> set[str]:
    """Whom a question asks: whose promises it touches, or else all who take part."""
    project = story.project(question.project)
    if question.reschedules is None:
        return set(story.taking_part(project))
    touched: set[str] = set()
    for milestone in _from_here_on(story, question.project, question.reschedules.milestone):
        touched |= {milestone.accountable, *(each.member for each in milestone.contributions)}
    return (touched | {project.lead}) - {question.proposer}


def waiting_for(story: Story, member: str) -> Counter[str]:
    """How much of which kind waits for a member."""
    waiting: Counter[str] = Counter()
    for project in story.network.joint_projects:
        for answer in story.invited(project):
            waiting["invitation"] += answer.member == member and answer.answer is None
        for milestone in story.plans[project.slug].milestones:
            if milestone.status in OPEN:
                waiting.update(_owed(milestone, member))
    for question in story.questions:
        said = {each.member for each in question.positions}
        is_open = question.outcome == "open"
        waiting["decision"] += is_open and member in asked_by(story, question) - said
    for offer in story.offers:
        silent = set(story.taking_part(story.project(offer.project)))
        waiting["decision"] += member in silent - {each.member for each in offer.positions}
    return +waiting


def _owed(milestone: Milestone, member: str) -> Iterator[str]:
    if milestone.accountable == member:
        yield "milestone"
    for owed in milestone.contributions:
        if owed.member == member and owed.status == "pending":
            yield "contribution_due"
        if owed.member == member and owed.status == "returned":
            yield "contribution_returned"
        if milestone.accountable == member and owed.status == "delivered":
            yield "contribution_to_accept"


def _from_here_on(story: Story, project: str, slug: str) -> list[Milestone]:
    """A milestone and all that wait for it, however far behind."""
    plan = story.plans[project].milestones
    found = [each for each in plan if each.slug == slug]
    for milestone in found:  # grows while it is walked
        found += [
            each
            for each in plan
            if each not in found and milestone.slug in {one.milestone for one in each.waits_for}
        ]
    return found


def _of_place(answer: Answer) -> Iterator[str]:
    yield "participation.invited"
    if answer.answer is not None:
        yield f"participation.{answer.answer}"
    if answer.withdrawal is not None:
        yield "participation.withdrawal_announced"


def _of_milestone(milestone: Milestone) -> Iterator[str]:
    yield "milestone.planned"
    if milestone.status in ("in_progress", "completed"):
        yield "milestone.started"
    if milestone.progress_percent is not None:
        yield "milestone.progress_reported"
    if milestone.waits_for:
        yield "milestone.dependencies_changed"
    for contribution in milestone.contributions:
        yield "milestone.contribution_requested"
        for deed in contribution.deeds:
            yield f"milestone.contribution_{DEEDS[deed]}"
    if milestone.status in ("completed", "cancelled"):
        yield f"milestone.{milestone.status}"


def _of_question(question: Question) -> Iterator[str]:
    yield "decision.opened"
    yield from ["decision.position_taken"] * len(question.positions)
    if question.outcome != "open":
        yield f"decision.{question.outcome}"
    if question.outcome == "adopted" and question.amends_charter is not None:
        yield "project.charter_amended"


def _of_offer(offer: Offer) -> Iterator[str]:
    yield from ("handover.offered", "handover.accepted", "decision.opened")
    yield from ["decision.position_taken"] * len(offer.positions)


def _of_remark(remark: Remark) -> Iterator[str]:
    yield "comment.posted"
    if remark.edited_to is not None:
        yield "comment.edited"
    if remark.removed_because is not None:
        yield "comment.removed"
