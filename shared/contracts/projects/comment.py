"""Facts about what members say to each other."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.contracts.event import Event, State
from shared.contracts.projects.project import Visibility

CommentSubjectKind = Literal["project", "decision", "milestone"]


class CommentState(State):
    """What a member says about a project or something in it; once removed, it says nothing.

    Who speaks for the member is told by id alone; nobody stands there for a machine.
    """

    id: UUID
    project_id: UUID
    subject_kind: CommentSubjectKind
    subject_id: UUID
    subject_title: dict[str, str]
    """What the subject was called when the comment was written."""
    member: str
    official_id: UUID | None
    in_reply_to: UUID | None
    in_reply_to_member: str | None
    in_reply_to_official_id: UUID | None
    text: dict[str, str] | None
    visibility: Visibility
    """`participants`: only members with a place in the project read this, whoever sees that."""
    mentioned_members: tuple[str, ...]
    mentioned_officials: tuple[UUID, ...]
    edited_at: datetime | None
    edited_by_official_id: UUID | None
    removed_at: datetime | None
    removed_by_official_id: UUID | None
    removed_reason: str | None
    created_at: datetime
    updated_at: datetime


class CommentEvent(Event[CommentState]):
    publisher: ClassVar[str] = "projects"
    entity: ClassVar[str] = "comment"


class CommentPosted(CommentEvent):
    """A member says something, perhaps in reply, perhaps to somebody."""

    happened: ClassVar[str | None] = "posted"


class CommentEdited(CommentEvent):
    """The member says it in other words now; the former ones stay readable."""

    happened: ClassVar[str | None] = "edited"


class CommentRemoved(CommentEvent):
    """The member took its words back; that it did, when and why stays."""

    happened: ClassVar[str | None] = "removed"
