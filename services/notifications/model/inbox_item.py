"""One line of an official's inbox: what happened to one thing, and why it concerns them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.model.base import Base, Versioned
from shared.actor import Actor
from shared.contracts.notifications import InboxItemState
from shared.identifiers import new_id
from shared.refusals import NotFound


class InboxItemNotFound(NotFound):
    code = "inbox-item-not-found"
    title = "There is no such inbox item"


class InboxItem(Versioned, Base, kw_only=True):
    """What an official should know of one thing; further facts about it fold into the same item.

    `reason`, `event_type`, `title`, `facts` and `happened_at` are those of the newest fact, which
    is the one with the highest `subject_version`, in whatever order the facts arrived.
    """

    __tablename__ = "inbox_item"
    __table_args__ = (
        UniqueConstraint("official_id", "subject_kind", "subject_id"),
        CheckConstraint(
            "subject_kind IN"
            " ('project', 'participation', 'milestone', 'comment', 'webhook_endpoint')",
            name="subject_kind",
        ),
        Index("ix_inbox_item_official_id_created_at", "official_id", "created_at", "id"),
        Index("ix_inbox_item_official_id_updated_at", "official_id", "updated_at", "id"),
        Index("ix_inbox_item_unread", "official_id", postgresql_where=text("NOT is_read")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    official_id: Mapped[UUID]
    member: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID]
    subject_version: Mapped[int]
    project_id: Mapped[UUID | None]
    reason: Mapped[str]
    event_type: Mapped[str]
    title: Mapped[dict[str, str] | None]
    facts: Mapped[dict[str, Any]]
    count: Mapped[int] = mapped_column(default=1)
    is_read: Mapped[bool] = mapped_column(default=False)
    happened_at: Mapped[datetime]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    def mark(self, *, is_read: bool, at: datetime) -> bool:
        """Note whether the official has seen it.

        Returns:
            Whether that is new.
        """
        if self.is_read == is_read:
            return False
        self.is_read = is_read
        self.updated_at = at
        self.version += 1
        return True

    def state(self) -> InboxItemState:
        return InboxItemState.model_validate(self)


def ensure_may_mark(actor: Actor) -> None:
    """Refuse to mark items unless it is a person, in their own inbox, or a machine that may.

    Raises:
        MissingScope: the actor may not.
    """
    is_person = actor.official_id is not None
    actor.ensure_may("notifications:read" if is_person else "notifications:write")
