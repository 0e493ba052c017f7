"""The largest fact that a client can cause is one that the broker takes."""

from services.projects.model.comment import Addressees, Comment, Discussed, Mentions
from services.projects.model.milestone import CONTRIBUTIONS_MAX
from services.projects.model.rewording import ALL_LANGUAGES_MAX
from shared.contracts.event import EVERYONE
from shared.contracts.projects import (
    AmendCharter,
    CommentEdited,
    ContributionReturned,
    ElectorCountedOut,
    MilestoneChanged,
)
from shared.messaging.outbox import BODY_LIMIT_BYTES
from tests.projects.scenes import NOON, actor, working

WIDE = "🏙"  # four bytes in UTF-8, the most that a character takes


def test_the_largest_milestone_fits() -> None:
    scene = working()
    milestone = scene.begin()
    milestone.title = {f"{first}{second}": WIDE * 300 for first in "abc" for second in "abcdefghij"}
    milestone.description = {"en": WIDE * ALL_LANGUAGES_MAX}
    for _ in range(CONTRIBUTIONS_MAX):
        contribution = milestone.request_contribution(
            member="seoul", description=WIDE * 1000, by=scene.as_("tokyo"), at=NOON
        )
        milestone.deliver(contribution, WIDE * 2000, by=scene.as_("seoul"), at=NOON)
        before = milestone.state()
        milestone.give_back(contribution, WIDE * 1000, by=scene.as_("tokyo"), at=NOON)
    after = milestone.state()
    reworded = after.model_copy(
        update={
            "title": {language: text[:-1] for language, text in after.title.items()},
            "description": {"en": WIDE},
        }
    )

    returned = ContributionReturned.about(
        after, before=before, by=actor("tokyo"), at=NOON, audience=EVERYONE
    )
    changed = MilestoneChanged.about(
        reworded, before=after, by=actor("tokyo"), at=NOON, audience=EVERYONE
    )

    assert len(returned.wire_form()) < BODY_LIMIT_BYTES
    assert len(changed.wire_form()) < BODY_LIMIT_BYTES


def test_the_largest_comment_fits() -> None:
    scene = working()
    scene.project.title = {
        f"{first}{second}": WIDE * 300 for first in "abc" for second in "abcdefghij"
    }
    seoul = scene.as_("seoul")
    comment = Comment.post(
        Discussed("project", scene.project.id, scene.project.title, scene.project),
        text={"en": WIDE * ALL_LANGUAGES_MAX},
        mentions=Mentions(),
        known=Addressees(),
        in_reply_to=None,
        by=seoul,
        at=NOON,
    )
    before = comment.state()
    comment.edit({"text": {"ja": WIDE * ALL_LANGUAGES_MAX}}, known=Addressees(), by=seoul, at=NOON)

    edited = CommentEdited.about(
        comment.state(), before=before, by=actor("seoul"), at=NOON, audience=EVERYONE
    )

    assert len(edited.wire_form()) < BODY_LIMIT_BYTES


def test_the_largest_decision_of_sixty_members_fits() -> None:
    scene = working()
    members = [f"member-{number}" for number in range(60)]
    decision = scene.put(
        "unanimity", *members, effect=AmendCharter(charter={"en": WIDE * ALL_LANGUAGES_MAX})
    )
    decision.title = {f"{first}{second}": WIDE * 300 for first in "abc" for second in "abcdefghij"}
    decision.text = {"en": WIDE * ALL_LANGUAGES_MAX}
    for elector in decision.electorate:
        elector.position, elector.reason, elector.taken_at = "approve", WIDE * 1000, NOON
    before = decision.state()
    decision.count_out(members[0], at=NOON)

    counted_out = ElectorCountedOut.about(
        decision.state(), before=before, by=actor("tokyo"), at=NOON, audience=EVERYONE
    )

    assert len(counted_out.wire_form()) < BODY_LIMIT_BYTES
