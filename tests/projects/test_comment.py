"""Whose words a comment is, and what becomes of them; without a database."""

from datetime import timedelta
from uuid import UUID

import pytest

from services.projects.model.comment import (
    FORMER_TEXTS_MAX,
    Addressees,
    Comment,
    CommentTakenBack,
    Discussed,
    DraftNotDiscussed,
    EditedTooOften,
    Mentions,
    MentionUnknown,
    NotInDiscussion,
    NotYourComment,
    ReplyToReply,
    ensure_can_be_mentioned,
)
from services.projects.model.milestone import Milestone
from services.projects.model.project import ProjectEnded
from services.projects.model.standing import MemberNotActive, Standing
from shared.actor import Actor, MissingScope
from shared.contracts.event import EVERYONE
from shared.identifiers import new_id
from shared.refusals import Refusal
from tests.projects.scenes import NOON, SCOPES, ZONES, Scene, working

LATER = NOON + timedelta(hours=1)
EVEN_LATER = NOON + timedelta(hours=2)
COORDINATOR, CONTRIBUTOR, COLLEAGUE = new_id(), new_id(), new_id()
READING = frozenset({"projects:read"})
CONTRIBUTING = frozenset({"projects:read", "projects:contribute"})


def person(scene: Scene, member: str, official_id: UUID, scopes: frozenset[str]) -> Standing:
    actor = Actor(member, official_id=official_id, scopes=scopes)
    return Standing(actor, "active", ZONES[member], dict(scene.places))


def say(
    scene: Scene,
    by: Standing,
    *,
    mentions: Mentions | None = None,
    known: Addressees | None = None,
    in_reply_to: Comment | None = None,
    milestone: Milestone | None = None,
) -> Comment:
    about = (
        Discussed("project", scene.project.id, scene.project.title, scene.project)
        if milestone is None
        else Discussed("milestone", milestone.id, milestone.title, scene.project)
    )
    return Comment.post(
        about,
        text={"en": "Can we meet in May?"},
        mentions=mentions or Mentions(),
        known=known or Addressees(),
        in_reply_to=in_reply_to,
        by=by,
        at=NOON,
    )


def test_a_comment_says_whose_words_it_is_and_what_it_is_about() -> None:
    scene = working()
    milestone = scene.plan()

    comment = say(scene, person(scene, "seoul", CONTRIBUTOR, CONTRIBUTING), milestone=milestone)

    state = comment.state()
    assert (state.member, state.official_id) == ("seoul", CONTRIBUTOR)
    assert (state.subject_kind, state.subject_id) == ("milestone", milestone.id)
    assert state.subject_title == {"en": "Sensors placed"}
    assert state.project_id == scene.project.id
    assert state.text == {"en": "Can we meet in May?"}
    assert (state.version, state.edited_at, state.removed_at) == (1, None, None)


def test_a_machine_speaks_for_its_member_and_for_nobody_in_particular() -> None:
    scene = working()

    comment = say(scene, scene.as_("seoul"))

    assert (comment.member, comment.official_id) == ("seoul", None)


@pytest.mark.parametrize("member", ["tokyo", "seoul", "paris"])
def test_the_lead_and_participants_also_invited_ones_discuss(member: str) -> None:
    scene = working()

    comment = say(scene, scene.as_(member, CONTRIBUTING))

    assert comment.member == member


@pytest.mark.parametrize("member", ["berlin", "delhi", "jakarta"])
def test_who_only_looks_on_does_not_discuss(member: str) -> None:
    scene = working("network")
    scene.accept("jakarta", "observer")

    with pytest.raises(NotInDiscussion):
        say(scene, scene.as_(member))


def test_who_may_only_read_does_not_discuss() -> None:
    scene = working()

    with pytest.raises(MissingScope):
        say(scene, scene.as_("seoul", READING))


def test_a_suspended_member_does_not_discuss() -> None:
    scene = working()
    scene.inactive.add("seoul")

    with pytest.raises(MemberNotActive):
        say(scene, scene.as_("seoul"))


def test_a_draft_is_not_discussed_as_everyone_would_read_it_later() -> None:
    scene = Scene()

    with pytest.raises(DraftNotDiscussed):
        say(scene, scene.as_("tokyo"))


def test_a_project_that_rests_is_discussed_and_one_that_has_ended_is_not() -> None:
    scene = working()
    scene.project.suspend("Budget", by=scene.as_("tokyo"), at=NOON)
    say(scene, scene.as_("seoul"))
    scene.project.cancel("No money", by=scene.as_("tokyo"), at=NOON)

    with pytest.raises(ProjectEnded):
        say(scene, scene.as_("seoul"))


def test_a_reply_says_whom_it_answers() -> None:
    scene = working()
    question = say(scene, person(scene, "seoul", CONTRIBUTOR, CONTRIBUTING))

    reply = say(scene, scene.as_("tokyo"), in_reply_to=question)

    assert reply.in_reply_to == question.id
    assert (reply.in_reply_to_member, reply.in_reply_to_official_id) == ("seoul", CONTRIBUTOR)
    assert "reply" in question.allowed_actions(scene.as_("tokyo"))
    assert "reply" not in reply.allowed_actions(scene.as_("tokyo"))


def test_a_reply_is_not_replied_to() -> None:
    scene = working()
    reply = say(scene, scene.as_("tokyo"), in_reply_to=say(scene, scene.as_("seoul")))

    with pytest.raises(ReplyToReply):
        say(scene, scene.as_("seoul"), in_reply_to=reply)


KNOWN = Addressees({"tokyo", "seoul", "delhi"}, {COORDINATOR: "seoul", COLLEAGUE: "delhi"})


@pytest.mark.parametrize(
    ("mentions", "words"),
    [
        (Mentions(members=("delhi",)), "No member delhi is here."),
        (Mentions(members=("atlantis",)), "No member atlantis is here."),
        (Mentions(officials=(COLLEAGUE,)), f"No official {COLLEAGUE} is here."),
        (Mentions(officials=(CONTRIBUTOR,)), f"No official {CONTRIBUTOR} is here."),
    ],
    ids=["member elsewhere", "no member", "official elsewhere", "no official"],
)
def test_who_does_not_see_the_project_cannot_be_mentioned_whether_they_exist_or_not(
    mentions: Mentions, words: str
) -> None:
    with pytest.raises(MentionUnknown) as refused:
        ensure_can_be_mentioned(mentions, KNOWN, ("tokyo", "seoul"))

    assert refused.value.detail == words


@pytest.mark.parametrize("audience", [("seoul", "tokyo"), EVERYONE])
def test_who_sees_the_project_can_be_mentioned(audience: tuple[str, ...]) -> None:
    ensure_can_be_mentioned(Mentions(("seoul",), (COORDINATOR,)), KNOWN, audience)


def test_of_a_project_of_the_network_every_active_member_can_be_mentioned() -> None:
    ensure_can_be_mentioned(Mentions(("delhi",), (COLLEAGUE,)), KNOWN, EVERYONE)

    with pytest.raises(MentionUnknown):
        ensure_can_be_mentioned(Mentions(("paris",)), KNOWN, EVERYONE)


def test_an_edit_keeps_the_former_words() -> None:
    scene = working()
    author = person(scene, "seoul", CONTRIBUTOR, CONTRIBUTING)
    coordinator = person(scene, "seoul", COORDINATOR, SCOPES)
    comment = say(scene, author)

    comment.edit({"text": {"en": "In June?"}}, known=Addressees(), by=author, at=LATER)
    comment.edit({"text": {"en": "In July?"}}, known=Addressees(), by=coordinator, at=EVEN_LATER)

    assert comment.text == {"en": "In July?"}
    assert (comment.edited_at, comment.edited_by_official_id) == (EVEN_LATER, COORDINATOR)
    assert comment.official_id == CONTRIBUTOR
    assert comment.version == 3
    assert [
        (each.version, each.text, each.written_at, each.replaced_at, each.replaced_by_official_id)
        for each in comment.former_texts
    ] == [
        (1, {"en": "Can we meet in May?"}, NOON, LATER, CONTRIBUTOR),
        (2, {"en": "In June?"}, LATER, EVEN_LATER, COORDINATOR),
    ]


def test_an_edit_of_mentions_alone_leaves_no_former_words() -> None:
    scene = working()
    comment = say(scene, scene.as_("seoul"))

    comment.edit({"mentioned_members": ("tokyo",)}, known=KNOWN, by=scene.as_("seoul"), at=LATER)

    assert comment.mentioned_members == ("tokyo",)
    assert comment.edited_at == LATER
    assert comment.former_texts == []


def test_who_was_mentioned_before_stays_mentioned_whatever_became_of_them() -> None:
    scene = working()
    comment = say(
        scene, scene.as_("seoul"), mentions=Mentions(officials=(COORDINATOR,)), known=KNOWN
    )

    comment.edit(
        {"mentioned_officials": (COORDINATOR,)},
        known=Addressees(),
        by=scene.as_("seoul"),
        at=LATER,
    )

    assert comment.mentioned_officials == (COORDINATOR,)


def test_a_removed_comment_says_nothing_and_never_did() -> None:
    scene = working()
    author = person(scene, "seoul", CONTRIBUTOR, CONTRIBUTING)
    comment = say(scene, author, mentions=Mentions(("tokyo",)), known=KNOWN)
    comment.edit({"text": {"en": "In June?"}}, known=Addressees(), by=author, at=LATER)

    comment.remove("Wrong thread.", by=author, at=EVEN_LATER)

    assert (comment.text, comment.mentions) == (None, Mentions())
    assert [former.text for former in comment.former_texts] == [None]
    assert (comment.member, comment.removed_by_official_id) == ("seoul", CONTRIBUTOR)
    assert (comment.removed_at, comment.removed_reason) == (EVEN_LATER, "Wrong thread.")
    assert comment.allowed_actions(author) == ["reply"]


def test_words_can_be_taken_back_after_the_end_and_not_edited() -> None:
    scene = working()
    comment = say(scene, scene.as_("seoul"))
    scene.project.cancel("No money", by=scene.as_("tokyo"), at=LATER)

    assert comment.allowed_actions(scene.as_("seoul")) == ["remove"]
    comment.remove("Names somebody.", by=scene.as_("seoul"), at=EVEN_LATER)
    assert comment.text is None


def test_nothing_is_done_to_a_comment_that_was_removed() -> None:
    scene = working()
    seoul = scene.as_("seoul")
    comment = say(scene, seoul)
    comment.remove("Wrong thread.", by=seoul, at=LATER)

    with pytest.raises(CommentTakenBack):
        comment.remove("Once more.", by=seoul, at=EVEN_LATER)
    with pytest.raises(CommentTakenBack):
        comment.edit({"text": {"en": "x"}}, known=Addressees(), by=seoul, at=EVEN_LATER)

    assert (comment.removed_reason, comment.text, comment.version) == ("Wrong thread.", None, 2)


@pytest.mark.parametrize(
    ("member", "official_id", "scopes", "refusal"),
    [
        ("seoul", CONTRIBUTOR, CONTRIBUTING, None),
        ("seoul", COORDINATOR, SCOPES, None),
        ("seoul", COLLEAGUE, CONTRIBUTING, NotYourComment),
        ("seoul", CONTRIBUTOR, READING, MissingScope),
        ("tokyo", COORDINATOR, SCOPES, NotYourComment),
        ("paris", COORDINATOR, SCOPES, NotYourComment),
    ],
    ids=["author", "own coordinator", "colleague", "author without role", "lead", "another city"],
)
def test_a_member_edits_and_removes_its_own_words_alone(
    member: str, official_id: UUID, scopes: frozenset[str], refusal: type[Refusal] | None
) -> None:
    scene = working()
    comment = say(scene, person(scene, "seoul", CONTRIBUTOR, CONTRIBUTING))
    by = person(scene, member, official_id, scopes)
    allowed = [action for action in comment.allowed_actions(by) if action != "reply"]

    if refusal is None:
        comment.edit({"text": {"en": "In June?"}}, known=Addressees(), by=by, at=LATER)
        comment.remove("Wrong thread.", by=by, at=LATER)
        assert allowed == ["edit", "remove"]
        assert comment.version == 3
    else:
        with pytest.raises(refusal):
            comment.edit({"text": {"en": "In June?"}}, known=Addressees(), by=by, at=LATER)
        with pytest.raises(refusal):
            comment.remove("Wrong thread.", by=by, at=LATER)
        assert allowed == []
        assert comment.version == 1


def test_who_has_left_a_project_of_the_network_takes_words_back_and_adds_none() -> None:
    scene = working("network")
    comment = say(scene, scene.as_("seoul"))
    scene.withdraw("seoul")

    assert comment.allowed_actions(scene.as_("seoul")) == ["remove"]
    with pytest.raises(NotInDiscussion):
        comment.edit({"text": {"en": "x"}}, known=Addressees(), by=scene.as_("seoul"), at=LATER)


def test_what_was_said_among_participants_stays_among_them() -> None:
    scene = working("participants")
    before = say(scene, scene.as_("seoul"))
    scene.project.change({"visibility": "network"}, by=scene.as_("tokyo"), at=LATER)
    after = say(scene, scene.as_("seoul"))
    reply = say(scene, scene.as_("tokyo"), in_reply_to=before)

    assert before.audience(scene.places) == reply.audience(scene.places)
    assert before.audience(scene.places) == ("tokyo", "seoul", "paris")
    assert after.audience(scene.places) == EVERYONE
    assert [each.is_seen_by(scene.as_("delhi")) for each in (before, after)] == [False, True]


def test_what_was_reworded_among_participants_stays_among_them() -> None:
    scene = working("network")
    comment = say(scene, scene.as_("seoul"))
    scene.project.change({"visibility": "participants"}, by=scene.as_("tokyo"), at=LATER)
    comment.edit({"text": {"en": "x"}}, known=KNOWN, by=scene.as_("seoul"), at=LATER)
    scene.project.change({"visibility": "network"}, by=scene.as_("tokyo"), at=LATER)

    with pytest.raises(MentionUnknown):
        comment.edit(
            {"mentioned_members": ("delhi",)}, known=KNOWN, by=scene.as_("seoul"), at=LATER
        )

    assert comment.visibility == "participants"


def test_who_has_left_may_read_its_own_words() -> None:
    scene = working("participants")
    comment = say(scene, scene.as_("seoul"))
    scene.project.change({"visibility": "network"}, by=scene.as_("tokyo"), at=LATER)
    scene.withdraw("seoul")

    assert comment.is_seen_by(scene.as_("seoul"))
    assert comment.allowed_actions(scene.as_("seoul")) == ["remove"]


def test_a_comment_has_room_for_a_limited_number_of_former_texts() -> None:
    scene = working()
    seoul = scene.as_("seoul")
    comment = say(scene, seoul)
    for nth in range(FORMER_TEXTS_MAX):
        comment.edit({"text": {"en": f"{nth}"}}, known=Addressees(), by=seoul, at=LATER)
    before = comment.state()

    with pytest.raises(EditedTooOften):
        comment.edit({"text": {"en": "Once more"}}, known=Addressees(), by=seoul, at=LATER)

    assert comment.state() == before
    assert len(comment.former_texts) == FORMER_TEXTS_MAX
