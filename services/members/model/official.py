"""A person who acts for a member."""

from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any, Final, get_args
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, false, func, text
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base, Versioned
from services.members.model.identity import Identity
from services.members.model.member import Member
from services.members.model.rights import are_more, scopes_of
from services.members.model.scopes import Scope
from services.members.model.speaker import Speaker
from shared.contracts.members import OfficialState, OfficialStatus, Role
from shared.database import Strings
from shared.identifiers import new_id
from shared.refusals import Conflict, NotFound, permits

ROLES: Final[tuple[Role, ...]] = get_args(Role)

NEWCOMER: Final = {"en": "Official", "ja": "職員"}
"""The function of somebody whom nobody has appointed, until the member says more."""


class OfficialNotFound(NotFound):
    code = "official-not-found"
    title = "There is no such official"


class OfficialErased(Conflict):
    code = "official-erased"
    title = "The official has been erased"


class LastAdministrator(Conflict):
    code = "last-administrator"
    title = "A member always keeps an administrator"


class Official(Versioned, Base, kw_only=True):
    """A person acting for one member. Name and address stay inside the member."""

    __tablename__ = "official"
    __table_args__ = (
        CheckConstraint(f"status IN {get_args(OfficialStatus)}", name="status"),
        Index("ix_official_member_created_at_id", "member", "created_at", "id"),
        Index("ix_official_member_updated_at_id", "member", "updated_at", "id"),
        Index("uq_official_member_identity_id", "member", "identity_id", unique=True),
        Index(
            "ix_official_member_email",
            "member",
            func.lower(text("email")),
            postgresql_where=text("identity_id IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    member: Mapped[str] = mapped_column(ForeignKey("member.slug"))
    function: Mapped[dict[str, str]]
    name: Mapped[str | None] = mapped_column(repr=False)
    email: Mapped[str | None] = mapped_column(repr=False)
    language: Mapped[str]
    roles: Mapped[tuple[Role, ...]] = mapped_column(Strings)
    status: Mapped[OfficialStatus] = mapped_column(Text, default="active")
    identity_id: Mapped[UUID | None] = mapped_column(ForeignKey(Identity.id), default=None)
    """Who this is at the member's provider, once they have logged in."""
    bound_at: Mapped[datetime | None] = mapped_column(default=None)
    is_deactivated: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Blocked by the member's directory, which can take that back, and not by hand."""

    def state(self) -> OfficialState:
        return OfficialState.model_validate(self)

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """What the official may do in any member; nothing once blocked."""
        return scopes_of(self.roles) if self.status == "active" else ()

    @property
    def is_administrator(self) -> bool:
        """Whether the official can act as an administrator now."""
        return self.status == "active" and "administrator" in self.roles

    def change(
        self, fields: dict[str, Any], *, administrators: AbstractSet[UUID], at: datetime
    ) -> bool:
        """Take over what is different, which includes whether the official is blocked.

        Args:
            fields: names and new values.
            administrators: who can act as administrators of the member now.
            at: when.

        Returns:
            Whether anything is different now.

        Raises:
            OfficialErased: nothing is left that could change.
            LastAdministrator: nobody else could act as one.
        """
        self._ensure_not_erased()
        different = {name: value for name, value in fields.items() if getattr(self, name) != value}
        status = different.get("status", self.status)
        if status != "active" or "administrator" not in different.get("roles", self.roles):
            self.ensure_dispensable(administrators)
        if "status" in different:
            different.setdefault("is_deactivated", False)
        for name, value in different.items():
            setattr(self, name, value)
        if different:
            self.note_change(at)
        return bool(different)

    def is_given_rights_by(self, fields: dict[str, Any]) -> bool:
        """Tell whether a change lets somebody do what they could not before.

        That may be somebody else: who has not logged in yet is whoever has the address. Nor does it
        matter whether they are blocked afterwards, as a directory may let them in again.
        """
        if self.identity_id is None and fields.get("email", self.email) != self.email:
            return True
        is_unblocked = self.status != "active" and fields.get("status") == "active"
        return are_more(fields.get("roles", self.roles), than=() if is_unblocked else self.roles)

    def erase(
        self, *, former: dict[str, str], administrators: AbstractSet[UUID], at: datetime
    ) -> None:
        """Keep nothing that tells who this was.

        Args:
            former: what stands in place of the function, such as "A former official of Seoul".
            administrators: who can act as administrators of the member now.
            at: when.

        Raises:
            OfficialErased: that has happened before.
            LastAdministrator: nobody else could act as one.
        """
        self.ensure_may_be_erased(administrators)
        self.name = self.email = self.identity_id = self.bound_at = None
        self.function, self.roles, self.status = former, (), "erased"
        self.note_change(at)

    def ensure_may_be_erased(self, administrators: AbstractSet[UUID]) -> None:
        """Refuse to erase who is gone already, or who cannot be spared.

        Raises:
            OfficialErased: nothing is left of the official.
            LastAdministrator: nobody else can act as an administrator.
        """
        self._ensure_not_erased()
        self.ensure_dispensable(administrators)

    def ensure_dispensable(self, administrators: AbstractSet[UUID]) -> None:
        """Refuse that the last administrator stops being one.

        Raises:
            LastAdministrator: nobody else can act as one.
        """
        if self.is_administrator and not administrators - {self.id}:
            raise LastAdministrator(f"Appoint another administrator of {self.member} first.")

    def allowed_actions(
        self, member: Member, speaker: Speaker, administrators: AbstractSet[UUID]
    ) -> list[str]:
        """Name what this speaker may do with the official now."""
        if not (permits(member.ensure_governed_by, speaker) and permits(self._ensure_not_erased)):
            return []
        if self.status == "blocked":
            return ["change", "unblock", "erase"]
        is_dispensable = permits(self.ensure_dispensable, administrators)
        return ["change", "block", "erase"] if is_dispensable else ["change"]

    def _ensure_not_erased(self) -> None:
        if self.status == "erased":
            raise OfficialErased("Nothing is left of this official that could change.")
