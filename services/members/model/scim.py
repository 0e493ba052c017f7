"""What a member's own directory tells about its people. Source: RFC 7643, RFC 7644."""

import hashlib
import secrets
import unicodedata
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base, Versioned
from services.members.model.identity_provider import IdentityProvider
from services.members.model.member import Member
from services.members.model.official import ROLES, Official
from services.members.model.speaker import Speaker
from shared.contracts.event import State
from shared.contracts.members import OfficialStatus, Role
from shared.database import Strings
from shared.identifiers import new_id
from shared.refusals import Conflict, NotFound, permits

TOKEN_PREFIX: Final = "rkp_"  # noqa: S105 -- what every token begins with
TOKEN_BYTES: Final = 32
TOKENS_MAX: Final = 10
GROUPS_MAX: Final = 500


class ScimTokenNotFound(NotFound):
    code = "scim-token-not-found"
    title = "The member has no such token for its directory"


class ScimTokenIsRevoked(Conflict):
    code = "scim-token-revoked"
    title = "The token has been revoked"


class TooManyScimTokens(Conflict):
    code = "too-many-scim-tokens"
    title = "The member has as many tokens for its directory as it can"


class ScimGroupNotFound(NotFound):
    code = "scim-group-not-found"
    title = "The member's directory has told of no such group"


class TooManyScimGroups(Conflict):
    code = "too-many-scim-groups"
    title = "The member's directory has told of as many groups as it can"


class ScimNameTaken(Conflict):
    code = "scim-name-taken"
    title = "The name is that of somebody or something else"


class BlockedByHand(Conflict):
    code = "blocked-by-hand"
    title = "Who was blocked by hand is not unblocked by the directory"


class ScimTokenState(State):
    """A token of a member's directory, without what it says."""

    id: UUID
    member: str
    name: str
    identity_provider_id: UUID | None
    used_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime
    updated_at: datetime


class ScimGroupState(State):
    """A group of a member's directory, and the role that it stands for."""

    id: UUID
    member: str
    display_name: str
    external_id: str | None
    role: Role | None
    created_at: datetime
    updated_at: datetime


class ScimToken(Versioned, Base, kw_only=True):
    """Lets the directory of one member say who its officials are.

    Only its SHA-256 is kept: 256 random bits cannot be guessed.
    """

    __tablename__ = "scim_token"
    __table_args__ = (
        Index("ix_scim_token_member_created_at_id", "member", "created_at", "id"),
        Index("ix_scim_token_member_updated_at_id", "member", "updated_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    member: Mapped[str] = mapped_column(ForeignKey("member.slug"))
    name: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True, repr=False)
    identity_provider_id: Mapped[UUID | None] = mapped_column(ForeignKey(IdentityProvider.id))
    """Where the directory's `externalId` is the subject of whoever logs in, if anywhere."""
    used_at: Mapped[datetime | None] = mapped_column(default=None)
    revoked_at: Mapped[datetime | None] = mapped_column(default=None)

    def state(self) -> ScimTokenState:
        return ScimTokenState.model_validate(self)

    def revoke(self, *, at: datetime) -> None:
        """End it for good.

        Raises:
            ScimTokenIsRevoked: that has happened before.
        """
        self.ensure_not_revoked()
        self.revoked_at = at
        self.note_change(at)

    def ensure_not_revoked(self) -> None:
        """Refuse whatever needs a token that is good.

        Raises:
            ScimTokenIsRevoked: it is not.
        """
        if self.revoked_at is not None:
            raise ScimTokenIsRevoked(f"Revoked at {self.revoked_at.isoformat()}.")

    def allowed_actions(self, member: Member, speaker: Speaker) -> list[str]:
        """Name what this speaker may do with it now."""
        is_theirs = permits(member.ensure_governed_by, speaker)
        return ["revoke"] if is_theirs and permits(self.ensure_not_revoked) else []


class ScimUser(Versioned, Base, kw_only=True):
    """What the directory says of an official, beyond what the network keeps of everybody."""

    __tablename__ = "scim_user"
    __table_args__ = (
        Index("uq_scim_user_member_user_name_key", "member", "user_name_key", unique=True),
        Index("ix_scim_user_member_external_id", "member", "external_id"),
    )

    official_id: Mapped[UUID] = mapped_column(ForeignKey(Official.id), primary_key=True)
    member: Mapped[str] = mapped_column(ForeignKey("member.slug"))
    user_name: Mapped[str] = mapped_column(repr=False)
    user_name_key: Mapped[str] = mapped_column(repr=False)
    external_id: Mapped[str | None] = mapped_column(repr=False)
    subject_space: Mapped[str | None]
    """Where `external_id` is the subject of this person, if anywhere; then nobody else is bound."""
    email_type: Mapped[str | None]
    email_is_primary: Mapped[bool | None]
    unassigned: Mapped[tuple[str, ...]] = mapped_column(Strings)
    """Attributes that the directory leaves open, where the network has a value all the same."""

    def change(self, fields: dict[str, Any], *, at: datetime) -> bool:
        """Take over what is different.

        Returns:
            Whether anything is.
        """
        different = {name: value for name, value in fields.items() if getattr(self, name) != value}
        for name, value in different.items():
            setattr(self, name, value)
        if different:
            self.note_change(at)
        return bool(different)


class ScimGroup(Versioned, Base, kw_only=True):
    """A group of the directory. What it stands for here is for the member's people to say."""

    __tablename__ = "scim_group"
    __table_args__ = (
        CheckConstraint(f"role IN {ROLES}", name="role"),
        Index("uq_scim_group_member_name_key", "member", "name_key", unique=True),
        Index("ix_scim_group_member_created_at_id", "member", "created_at", "id"),
        Index("ix_scim_group_member_updated_at_id", "member", "updated_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    member: Mapped[str] = mapped_column(ForeignKey("member.slug"))
    display_name: Mapped[str]
    name_key: Mapped[str]
    external_id: Mapped[str | None]
    role: Mapped[Role | None] = mapped_column(Text, default=None)

    def state(self) -> ScimGroupState:
        return ScimGroupState.model_validate(self)


class ScimGroupMember(Base, kw_only=True):
    """An official is in a group."""

    __tablename__ = "scim_group_member"

    group_id: Mapped[UUID] = mapped_column(ForeignKey(ScimGroup.id), primary_key=True)
    official_id: Mapped[UUID] = mapped_column(ForeignKey(Official.id), primary_key=True, index=True)


def status_for(official: Official, *, active: bool | None) -> OfficialStatus:
    """Tell what becomes of an official whom the directory calls active, or not, or says nothing of.

    Raises:
        BlockedByHand: an administrator has blocked the official, which weighs more.
    """
    if active is None:
        return official.status
    if active and official.status == "blocked" and not official.is_deactivated:
        raise BlockedByHand("An administrator has blocked this official and can unblock them.")
    return "active" if active else "blocked"


def roles_with(
    roles: tuple[Role, ...], *, given: frozenset[Role], taken: frozenset[Role]
) -> tuple[Role, ...]:
    """Give the roles of somebody who has come into groups and left others."""
    kept = {*roles} - taken | given
    return tuple(role for role in ROLES if role in kept)


def ensure_sees_directory_of(member: str, speaker: Speaker) -> None:
    """Refuse whoever may not know of the directory of `member`: all but itself.

    Raises:
        ScimTokenNotFound: for this speaker there is nothing.
    """
    if speaker.member != member:
        raise ScimTokenNotFound(f"You see nothing of the directory of {member}.")


def subject_space_of(provider: IdentityProvider) -> str:
    """Name where a subject is unique: another claim of the same issuer may be free to choose."""
    return f"{provider.subject_claim} {provider.issuer}"


def name_key_of(name: str) -> str:
    """Write a name as it is compared: without regard to case. Source: RFC 7643, section 2.2."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).lower())


def new_scim_token() -> str:
    return TOKEN_PREFIX + secrets.token_urlsafe(TOKEN_BYTES)


def token_hash_of(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
