"""What one member owes to a milestone that another member is accountable for."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.projects.model.base import Base
from shared.contracts.projects import ContributionStatus
from shared.identifiers import new_id
from shared.refusals import Conflict, Forbidden, NotFound


class ContributionNotFound(NotFound):
    code = "contribution-not-found"
    title = "The milestone has no such contribution"


class NotYourContribution(Forbidden):
    code = "not-your-contribution"
    title = "Only the member that owes the contribution may deliver it"


class NothingToDeliver(Conflict):
    code = "nothing-to-deliver"
    title = "The contribution is delivered or accepted"


class NothingDelivered(Conflict):
    code = "nothing-delivered"
    title = "Only a delivered contribution can be accepted or returned"


class Contribution(Base, kw_only=True):
    """A part of the milestone's state: it has no version and no life of its own."""

    __tablename__ = "contribution"

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    milestone_id: Mapped[UUID] = mapped_column(ForeignKey("milestone.id"), index=True, init=False)
    member: Mapped[str] = mapped_column(index=True)
    description: Mapped[str]
    status: Mapped[ContributionStatus] = mapped_column(Text, init=False, default="pending")
    evidence: Mapped[str | None] = mapped_column(init=False, default=None)
    links: Mapped[tuple[str, ...]] = mapped_column(init=False, default=(), server_default="{}")
    reason: Mapped[str | None] = mapped_column(init=False, default=None)
    delivered_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    decided_at: Mapped[datetime | None] = mapped_column(init=False, default=None)

    def ensure_owed_by(self, member: str) -> None:
        """Refuse another member than the one that owes this.

        Raises:
            NotYourContribution: `member` is another one.
        """
        if member != self.member:
            raise NotYourContribution(f"Member {self.member} owes it.")

    def ensure_can_be_delivered(self) -> None:
        """Refuse to deliver twice.

        Raises:
            NothingToDeliver: it has been delivered or accepted.
        """
        if self.status not in {"pending", "returned"}:
            raise NothingToDeliver(f"It is {self.status}.")

    def ensure_can_be_decided(self) -> None:
        """Refuse to decide on what is not there.

        Raises:
            NothingDelivered: it waits for its member, or was accepted before.
        """
        if self.status != "delivered":
            raise NothingDelivered(f"It is {self.status}.")

    def deliver(self, evidence: str, links: Sequence[str] = (), *, at: datetime) -> None:
        """Say that it is there.

        Raises:
            NothingToDeliver: it has been delivered or accepted.
        """
        self.ensure_can_be_delivered()
        self.status = "delivered"
        self.evidence = evidence
        self.links = tuple(links)
        self.reason = None
        self.delivered_at = at
        self.decided_at = None

    def accept(self, *, at: datetime) -> None:
        """Take it. Final.

        Raises:
            NothingDelivered: it waits for its member, or was accepted before.
        """
        self.ensure_can_be_decided()
        self.status = "accepted"
        self.decided_at = at

    def give_back(self, reason: str, *, at: datetime) -> None:
        """Return it, to be delivered again.

        Raises:
            NothingDelivered: it waits for its member, or was accepted before.
        """
        self.ensure_can_be_decided()
        self.status = "returned"
        self.reason = reason
        self.decided_at = at
