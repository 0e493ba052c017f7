"""A comment: what a member says about a project or something in it, in its own words.

A member's words are its own: nobody else edits or removes them, not even the lead. What was said
stays visible as what it is: edited, with the former words, or removed, without any.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypedDict
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Text, Uuid
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from services.projects.model.base import Base
from services.projects.model.project import Project
from services.projects.model.standing import MAY_CONTRIBUTE, MAY_WRITE, Places, Standing
from shared.contracts.event import EVERYONE
from shared.contracts.projects import CommentState, CommentSubjectKind, Visibility
from shared.identifiers import new_id
from shared.refusals import Conflict, Forbidden, Invalid, NotFound, permits


class CommentNotFound(NotFound):
    code = "comment-not-found"
    title = "There is no such comment"


class NotInDiscussion(Forbidden):
    code = "not-in-discussion"
    title = "Only the lead and the participants of a project discuss it"


class NotYourComment(Forbidden):
    code = "not-your-comment"
    title = "Only its author, or a coordinator of the author's member, may do this to a comment"


class DraftNotDiscussed(Conflict):
    code = "draft-not-discussed"
    title = "A draft is not discussed before it is proposed"


class CommentTakenBack(Conflict):
    code = "comment-taken-back"
    title = "The comment has been removed"


class RepliedCommentUnknown(Invalid):
    code = "replied-comment-unknown"
    title = "There is no such comment here to reply to"


class ReplyToReply(Invalid):
    code = "reply-to-reply"
    title = "A reply is answered by a further reply to the same comment"


class MentionUnknown(Invalid):
    code = "mention-unknown"
    title = "Only who sees the project can be mentioned"


class EditedTooOften(Conflict):
    code = "edited-too-often"
    title = "The comment has been edited as often as it can be; post another one"


MENTIONS_MAX: Final = 20
FORMER_TEXTS_MAX: Final = 50
"""What was said stays, and all of it is taken back at once."""


@dataclass(frozen=True, slots=True)
class Mentions:
    """Whom a comment speaks to: officials, and whole members."""

    members: tuple[str, ...] = ()
    officials: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Addressees:
    """Who is active in the network, of those mentioned; officials by id with their members."""

    members: Collection[str] = ()
    officials: Mapping[UUID, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Discussed:
    """What a comment is about."""

    kind: CommentSubjectKind
    id: UUID
    title: dict[str, str]
    project: Project


class CommentChanges(TypedDict, total=False):
    """What of a comment can be edited."""

    text: dict[str, str]
    mentioned_members: tuple[str, ...]
    mentioned_officials: tuple[UUID, ...]


class FormerText(Base, kw_only=True):
    """What a comment said before it was edited; nothing any more once it was removed."""

    __tablename__ = "comment_former_text"

    comment_id: Mapped[UUID] = mapped_column(ForeignKey("comment.id"), primary_key=True, init=False)
    version: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    written_at: Mapped[datetime]
    replaced_at: Mapped[datetime]
    replaced_by_official_id: Mapped[UUID | None]


class Comment(Base, kw_only=True):
    """One contribution to a discussion. `official_id` is nobody where a machine wrote it."""

    __tablename__ = "comment"

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"))
    subject_kind: Mapped[CommentSubjectKind] = mapped_column(Text)
    subject_id: Mapped[UUID]
    subject_title: Mapped[dict[str, str]]
    member: Mapped[str]
    official_id: Mapped[UUID | None]
    in_reply_to: Mapped[UUID | None] = mapped_column(ForeignKey("comment.id"), default=None)
    in_reply_to_member: Mapped[str | None] = mapped_column(default=None)
    in_reply_to_official_id: Mapped[UUID | None] = mapped_column(default=None)
    text: Mapped[dict[str, str] | None] = mapped_column(JSONB(none_as_null=True))
    # Of the project when it was said: opening a project tells nobody what was said before.
    visibility: Mapped[Visibility] = mapped_column(Text)
    mentioned_members: Mapped[tuple[str, ...]]
    mentioned_officials: Mapped[tuple[UUID, ...]] = mapped_column(ARRAY(Uuid(), as_tuple=True))
    edited_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    edited_by_official_id: Mapped[UUID | None] = mapped_column(init=False, default=None)
    removed_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    removed_by_official_id: Mapped[UUID | None] = mapped_column(init=False, default=None)
    removed_reason: Mapped[str | None] = mapped_column(init=False, default=None)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(init=False, default=1)

    project: Mapped[Project] = relationship(lazy="raise", repr=False)
    former_texts: Mapped[list[FormerText]] = relationship(
        lazy="raise", repr=False, init=False, order_by=FormerText.version
    )

    __table_args__ = (
        Index("ix_comment_subject_id_created_at_id", "subject_id", "created_at", "id"),
        Index("ix_comment_subject_id_updated_at_id", "subject_id", "updated_at", "id"),
    )
    __mapper_args__ = {"version_id_col": version, "version_id_generator": False}  # noqa: RUF012

    @classmethod
    def post(
        cls,
        about: Discussed,
        *,
        text: dict[str, str],
        mentions: Mentions,
        known: Addressees,
        in_reply_to: "Comment | None",
        by: Standing,
        at: datetime,
    ) -> "Comment":
        """Say something; `known` is what the network says of those mentioned.

        Raises:
            MissingScope, MemberNotActive, NotInDiscussion: the actor may not.
            ProjectEnded, DraftNotDiscussed: the project is not open for discussion.
            ReplyToReply: what it replies to is a reply itself.
            MentionUnknown: somebody who is mentioned does not see the project.
        """
        ensure_discusses(about.project, by)
        ensure_open_to_discussion(about.project)
        if in_reply_to is not None and in_reply_to.in_reply_to is not None:
            raise ReplyToReply(f"It is a reply to {in_reply_to.in_reply_to}.")
        comment = cls(
            project_id=about.project.id,
            project=about.project,
            subject_kind=about.kind,
            subject_id=about.id,
            subject_title=about.title,
            member=by.member,
            official_id=by.actor.official_id,
            text=text,
            visibility=about.project.visibility,
            mentioned_members=mentions.members,
            mentioned_officials=mentions.officials,
            created_at=at,
            updated_at=at,
        )
        if in_reply_to is not None:
            comment.in_reply_to = in_reply_to.id
            comment.in_reply_to_member = in_reply_to.member
            comment.in_reply_to_official_id = in_reply_to.official_id
            comment._narrow_to(in_reply_to.visibility)
        ensure_can_be_mentioned(mentions, known, comment.audience(by.places))
        comment.former_texts = []  # none, rather than not loaded
        return comment

    @property
    def mentions(self) -> Mentions:
        return Mentions(self.mentioned_members, self.mentioned_officials)

    # Who may read it.

    def audience(self, places: Places) -> tuple[str, ...]:
        """Members that may read the comment; `EVERYONE` if all may."""
        found = self.project.audience(places)
        if found == EVERYONE and self.visibility == "participants":
            return (self.project.lead, *places)
        return found

    def is_seen_by(self, standing: Standing) -> bool:
        """Tell whether a member may read it; one that has left may read its own words."""
        audience = self.audience(standing.places)
        if audience == EVERYONE or standing.member in audience:
            return True
        return standing.member == self.member and self.project.is_seen_by(standing)

    # Who may do what, and when.

    def ensure_own(self, standing: Standing) -> None:
        """Refuse unless these are the actor's own words, or it coordinates for their member.

        What a machine wrote belongs to all machines of the member.

        Raises:
            MissingScope, MemberNotActive: the actor may not write.
            NotYourComment: another member wrote it, or a colleague.
        """
        standing.ensure_may_write(MAY_CONTRIBUTE, MAY_WRITE)
        if standing.member != self.member:
            raise NotYourComment(f"Member {self.member} wrote it.")
        wrote_it = standing.actor.official_id == self.official_id
        if not wrote_it and MAY_WRITE not in standing.actor.scopes:
            raise NotYourComment(f"Its author or a coordinator of {self.member} may.")

    def ensure_not_removed(self) -> None:
        """Refuse to touch what is gone.

        Raises:
            CommentTakenBack: it has been removed.
        """
        if self.removed_at is not None:
            raise CommentTakenBack(f"Member {self.member} removed it.")

    def ensure_can_be_edited(self, standing: Standing) -> None:
        """Refuse other words where nobody speaks any more.

        Raises:
            NotInDiscussion: the member does not take part any more.
            CommentTakenBack: it has been removed.
            ProjectEnded: the project is over.
        """
        ensure_discusses(self.project, standing)
        self.ensure_not_removed()
        ensure_open_to_discussion(self.project)

    # What can be done.

    def edit(
        self, changes: CommentChanges, *, known: Addressees, by: Standing, at: datetime
    ) -> None:
        """Say it in other words; the former ones stay readable.

        Raises:
            MissingScope, MemberNotActive, NotYourComment, NotInDiscussion: the actor may not.
            CommentTakenBack: it has been removed.
            ProjectEnded: the project is over.
            EditedTooOften: it has said as many other things as it can.
            MentionUnknown: somebody who is newly mentioned does not see the project.
        """
        self.ensure_own(by)
        self.ensure_can_be_edited(by)
        is_reworded = changes.get("text", self.text) != self.text
        if is_reworded and len(self.former_texts) >= FORMER_TEXTS_MAX:
            raise EditedTooOften(f"It has been, {FORMER_TEXTS_MAX} times.")
        new = self.newly_mentioned(changes)
        self._narrow_to(self.project.visibility)
        ensure_can_be_mentioned(new, known, self.audience(by.places))
        if is_reworded:
            self.former_texts.append(
                FormerText(
                    version=self.version,
                    text=self.text,
                    written_at=self.former_texts[-1].replaced_at
                    if self.former_texts
                    else self.created_at,
                    replaced_at=at,
                    replaced_by_official_id=by.actor.official_id,
                )
            )
        for name, value in changes.items():
            setattr(self, name, value)
        self.edited_at = at
        self.edited_by_official_id = by.actor.official_id
        self._changed(at)

    def newly_mentioned(self, changes: CommentChanges) -> Mentions:
        """Whom the comment would speak to that it did not speak to before."""
        members, officials = self.mentioned_members, self.mentioned_officials
        return Mentions(
            tuple(one for one in changes.get("mentioned_members", ()) if one not in members),
            tuple(one for one in changes.get("mentioned_officials", ()) if one not in officials),
        )

    def remove(self, reason: str, *, by: Standing, at: datetime) -> None:
        """Take the words back, also the former ones. Final, and possible after the project's end.

        Raises:
            MissingScope, MemberNotActive, NotYourComment: the actor may not.
            CommentTakenBack: it has been removed before.
        """
        self.ensure_own(by)
        self.ensure_not_removed()
        self.text = None
        self.mentioned_members = ()
        self.mentioned_officials = ()
        for former in self.former_texts:
            former.text = None
        self.removed_at = at
        self.removed_by_official_id = by.actor.official_id
        self.removed_reason = reason
        self._changed(at)

    def allowed_actions(self, by: Standing) -> list[str]:
        """Name what the actor may do with the comment now."""
        offered: list[str] = []
        discusses = permits(ensure_discusses, self.project, by)
        if (
            discusses
            and self.in_reply_to is None
            and permits(ensure_open_to_discussion, self.project)
        ):
            offered.append("reply")
        if permits(self.ensure_own, by):
            if permits(self.ensure_can_be_edited, by):
                offered.append("edit")
            if permits(self.ensure_not_removed):
                offered.append("remove")
        return offered

    def state(self) -> CommentState:
        return CommentState.model_validate(self)

    def _narrow_to(self, visibility: Visibility) -> None:
        """Be for no more readers than this."""
        if visibility == "participants":
            self.visibility = visibility

    def _changed(self, at: datetime) -> None:
        self.version += 1
        self.updated_at = at


def ensure_discusses(project: Project, standing: Standing) -> None:
    """Refuse a member that only looks on. Who is invited to take part may ask before it answers.

    Raises:
        MissingScope, MemberNotActive: the actor may not write.
        NotInDiscussion: the member neither leads nor takes part nor is invited to.
    """
    standing.ensure_may_write(MAY_CONTRIBUTE, MAY_WRITE)
    if standing.member != project.lead and not standing.may_take_part(standing.member):
        raise NotInDiscussion(f"Member {standing.member} is no participant.")


def ensure_open_to_discussion(project: Project) -> None:
    """Refuse to talk where nobody listens yet, or any more. A project that rests is talked about.

    Raises:
        ProjectEnded: it is completed or cancelled.
        DraftNotDiscussed: nobody but the lead sees it, and everyone would read it later.
    """
    project.ensure_open()
    if project.proposed_at is None:
        raise DraftNotDiscussed("Propose it first.")


def ensure_can_be_mentioned(mentions: Mentions, known: Addressees, audience: Iterable[str]) -> None:
    """Refuse to speak to anybody who is not there, in the same words whether they are elsewhere.

    Raises:
        MentionUnknown: a member, or the member of an official, does not see the project or is not
            active; or the official is not.
    """
    sees = set(audience)
    there = {member for member in known.members if sees == set(EVERYONE) or member in sees}
    for member in mentions.members:
        if member not in there:
            raise MentionUnknown(f"No member {member} is here.")
    for official in mentions.officials:
        if known.officials.get(official) not in there:
            raise MentionUnknown(f"No official {official} is here.")


def no_comment(comment_id: UUID) -> CommentNotFound:
    """The same words whether there is none or the actor may not see it."""
    return CommentNotFound(f"You see no comment with the id {comment_id}.")
