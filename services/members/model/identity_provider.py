"""Where the officials of a member log in: its own OpenID provider."""

import hashlib
import json
from datetime import datetime
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base, Versioned
from services.members.model.login_attempt import LoginPurpose
from services.members.model.member import Member
from services.members.model.speaker import Speaker
from shared.addresses import AddressNotAllowed, ensure_allowed
from shared.contracts.event import State
from shared.contracts.members import Role
from shared.database import Strings
from shared.identifiers import new_id
from shared.refusals import Conflict, Invalid, NotFound, permits

ProviderStatus = Literal["draft", "active", "retired"]
ProviderAuthentication = Literal["client_secret_basic", "client_secret_post"]
SubjectClaim = Literal["sub", "oid"]
UnknownPeople = Literal["refuse", "without_role", "with_role"]
"""What becomes of somebody who logs in and whom nobody has invited."""
SigningAlgorithm = Literal["RS256", "PS256", "ES256", "EdDSA"]
"""What an id_token may be signed with: never nothing, and never a secret that two share."""

TESTED: Final = (
    "issuer",
    "client_id",
    "sealed_secret",
    "authentication",
    "scopes",
    "algorithms",
    "subject_claim",
    "roles_claim",
    "strong_acr",
)
"""What a test login has shown to work; a change of it makes the provider a draft again."""

MICROSOFT: Final = frozenset(
    {
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "login.windows.net",
        "sts.windows.net",
    }
)
MANY_TENANTS: Final = frozenset(
    {"common", "organizations", "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"}
)
"""Where anybody with a Microsoft account can log in; the last is the tenant of private people."""


class ProviderNotFound(NotFound):
    code = "identity-provider-not-found"
    title = "There is no such identity provider"


class ProviderExists(Conflict):
    code = "identity-provider-exists"
    title = "The member has this client at this issuer already"


class ProviderNotTested(Conflict):
    code = "identity-provider-not-tested"
    title = "A test login must succeed first"


class ProviderIsActive(Conflict):
    code = "identity-provider-active"
    title = "The identity provider is active already"


class ProviderIsRetired(Conflict):
    code = "identity-provider-retired"
    title = "The identity provider has been retired"


class IssuerNotAllowed(Invalid):
    code = "issuer-not-allowed"
    title = "Nobody can log in at this issuer"


class IssuerServesEveryone(Invalid):
    code = "issuer-serves-everyone"
    title = "This issuer is not of one organisation"


class UnknownRoleContradictory(Invalid):
    code = "unknown-role-contradictory"
    title = "What unknown people become contradicts itself"


class IdentityProviderState(State):
    """An identity provider as its member sees it; the secret is shown to nobody."""

    id: UUID
    member: str
    name: str
    issuer: str
    client_id: str
    authentication: ProviderAuthentication
    scopes: tuple[str, ...]
    algorithms: tuple[str, ...]
    subject_claim: SubjectClaim
    roles_claim: str | None
    role_of_group: dict[str, Role]
    unknown_people: UnknownPeople
    unknown_role: Role | None
    strong_acr: tuple[str, ...]
    status: ProviderStatus
    tested_at: datetime | None
    is_tested: bool
    has_next_secret: bool
    created_at: datetime
    updated_at: datetime


class IdentityProvider(Versioned, Base, kw_only=True):
    """An OpenID provider of one member. It serves logins once a test login has succeeded."""

    __tablename__ = "identity_provider"
    __table_args__ = (
        CheckConstraint(f"status IN {get_args(ProviderStatus)}", name="status"),
        Index("ix_identity_provider_member_created_at_id", "member", "created_at", "id"),
        Index(
            "uq_identity_provider_member_issuer_client_id",
            "member",
            "issuer",
            "client_id",
            unique=True,
            postgresql_where=text("status <> 'retired'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    member: Mapped[str] = mapped_column(ForeignKey("member.slug"))
    name: Mapped[str]
    issuer: Mapped[str]
    client_id: Mapped[str]
    sealed_secret: Mapped[str | None] = mapped_column(repr=False)
    sealed_next_secret: Mapped[str | None] = mapped_column(repr=False, default=None)
    """Takes the place of the other once a test login has succeeded with it."""
    authentication: Mapped[ProviderAuthentication] = mapped_column(Text)
    scopes: Mapped[tuple[str, ...]] = mapped_column(Strings)
    algorithms: Mapped[tuple[str, ...]] = mapped_column(Strings)
    subject_claim: Mapped[SubjectClaim] = mapped_column(Text)
    roles_claim: Mapped[str | None]
    role_of_group: Mapped[dict[str, Role]] = mapped_column(JSONB)
    unknown_people: Mapped[UnknownPeople] = mapped_column(Text)
    unknown_role: Mapped[Role | None] = mapped_column(Text)
    strong_acr: Mapped[tuple[str, ...]] = mapped_column(Strings)
    """Values of `acr` by which this provider says that it asked for a second factor."""
    status: Mapped[ProviderStatus] = mapped_column(Text, default="draft")
    tested_at: Mapped[datetime | None] = mapped_column(default=None)
    tested_fingerprint: Mapped[str | None] = mapped_column(default=None)
    """Of the configuration with which the test login succeeded."""

    def state(self) -> IdentityProviderState:
        return IdentityProviderState.model_validate(self)

    @property
    def fingerprint(self) -> str:
        """Of all that a test login shows to work, the secret among it."""
        return self._fingerprint_with(self.sealed_secret)

    @property
    def tried(self) -> str:
        """Of what a test login would show to work now."""
        return self._fingerprint_with(self.secret_for("test"))

    @property
    def terms(self) -> str:
        """Of all that a login depends on but the secret, which may change while it is under way."""
        return self._fingerprint_with(None)

    @property
    def has_next_secret(self) -> bool:
        """Whether a secret waits for the test login with which it takes over."""
        return self.sealed_next_secret is not None

    def secret_for(self, purpose: LoginPurpose) -> str | None:
        """Give the sealed secret that a login uses: a test login tries the next one first."""
        is_trying = purpose == "test" and self.has_next_secret
        return self.sealed_next_secret if is_trying else self.sealed_secret

    def _fingerprint_with(self, sealed_secret: str | None) -> str:
        tested = {name: getattr(self, name) for name in TESTED} | {"sealed_secret": sealed_secret}
        return hashlib.sha256(json.dumps(tested, sort_keys=True).encode()).hexdigest()

    @property
    def is_tested(self) -> bool:
        """Whether a test login succeeded with what is configured now."""
        return self.tested_fingerprint == self.fingerprint

    def change(self, fields: dict[str, Any], *, at: datetime) -> bool:
        """Take over what is different; an active provider that was not tested so is a draft again.

        But for its secret: where nothing else of this is different, an active provider goes on with
        the one that it has until a test login has succeeded with the new one.

        Returns:
            Whether anything is different now.

        Raises:
            ProviderIsRetired: it is history.
            UnknownRoleContradictory: unknown people would get a role that they cannot have.
        """
        self._ensure_not_retired()
        different = {name: value for name, value in fields.items() if getattr(self, name) != value}
        ensure_consistent(
            different.get("unknown_people", self.unknown_people),
            different.get("unknown_role", self.unknown_role),
        )
        if "sealed_secret" in different:
            is_alone = not {*different}.intersection(TESTED) - {"sealed_secret"}
            is_to_wait = is_alone and self.status == "active"
            secret = different.pop("sealed_secret")
            different |= (
                {"sealed_next_secret": secret}
                if is_to_wait
                else {"sealed_secret": secret, "sealed_next_secret": None}
            )
        for name, value in different.items():
            setattr(self, name, value)
        if different:
            if self.status == "active" and not self.is_tested:
                self.status = "draft"
            self.note_change(at)
        return bool(different)

    def note_test(self, *, at: datetime) -> bool:
        """Record that somebody logged in at it, as it is configured now.

        Returns:
            Whether the next secret has taken over, as it has been shown to work.
        """
        takes_over = self.has_next_secret
        self.sealed_secret, self.sealed_next_secret = self.secret_for("test"), None
        self.tested_fingerprint, self.tested_at = self.fingerprint, at
        self.note_change(at)
        return takes_over

    def activate(self, *, at: datetime) -> None:
        """Let officials log in at it.

        Raises:
            ProviderIsRetired: it is history.
            ProviderIsActive: they can already.
            ProviderNotTested: no test login has succeeded with what is configured now.
        """
        self.ensure_may_activate()
        self.status = "active"
        self.note_change(at)

    def retire(self, *, at: datetime) -> None:
        """Let nobody log in at it any more.

        Raises:
            ProviderIsRetired: that has happened before.
        """
        self._ensure_not_retired()
        self.status = "retired"
        self.note_change(at)

    def ensure_may_activate(self) -> None:
        """Refuse a provider that is not known to work."""
        self._ensure_not_retired()
        if self.status == "active":
            raise ProviderIsActive("Officials can log in at it.")
        if not self.is_tested:
            raise ProviderNotTested("Ask for a test login, and log in with what it answers.")

    def ensure_may_test(self) -> None:
        """Refuse a test login at a provider that is history.

        Raises:
            ProviderIsRetired: it is.
        """
        self._ensure_not_retired()

    def allowed_actions(self, member: Member, speaker: Speaker) -> list[str]:
        """Name what this speaker may do with the provider now."""
        if not permits(member.ensure_governed_by, speaker) or self.status == "retired":
            return []
        activate = ["activate"] if permits(self.ensure_may_activate) else []
        return ["change", "test", *activate, "retire"]

    def _ensure_not_retired(self) -> None:
        if self.status == "retired":
            raise ProviderIsRetired(f"Retired at {self.updated_at.isoformat()}.")

    @staticmethod
    def place(provider_id: UUID) -> str:
        """What the sealed secret is bound to."""
        return f"identity_provider.sealed_secret {provider_id}"


def ensure_sees_providers_of(member: str, speaker: Speaker) -> None:
    """Refuse whoever may not know where the officials of `member` log in: all but itself.

    Raises:
        ProviderNotFound: for this speaker there are none.
    """
    if speaker.member != member:
        raise ProviderNotFound(f"You see no identity providers of {member}.")


def ensure_consistent(unknown_people: UnknownPeople, unknown_role: Role | None) -> None:
    """Refuse a role for unknown people that they do not get, or must not have.

    Raises:
        UnknownRoleContradictory: it is one of both.
    """
    if (unknown_people == "with_role") != (unknown_role is not None):
        raise UnknownRoleContradictory("`unknown_role` belongs to `with_role`, and to it alone.")
    if unknown_role == "administrator":
        raise UnknownRoleContradictory("Nobody becomes an administrator without being appointed.")


def ensure_issuer(issuer: str, *, allow_private: bool) -> None:
    """Refuse an issuer that we must not ask, or at which others than the member's people log in.

    Args:
        issuer: as the provider writes it.
        allow_private: let pass what is not public or not encrypted, to develop on one machine.

    Raises:
        IssuerNotAllowed: it is no address, or none that we may ask.
        IssuerServesEveryone: it is Microsoft's for all organisations at once.

    Source: OpenID Connect Discovery 1.0, section 3.
    """
    try:
        ensure_allowed(issuer, allow_private=allow_private)
    except AddressNotAllowed as error:
        raise IssuerNotAllowed(str(error)) from error
    parts = urlsplit(issuer)
    if "{" in issuer or "}" in issuer or _is_of_many(parts.hostname or "", parts.path):
        raise IssuerServesEveryone(
            "Anybody with a Microsoft account can log in there. Use the issuer of your own tenant:"
            " https://login.microsoftonline.com/TENANT-ID/v2.0, and `oid` as `subject_claim`."
        )
    if "?" in issuer or "#" in issuer:
        raise IssuerNotAllowed("An issuer has neither query nor fragment.")


def _is_of_many(host: str, path: str) -> bool:
    return host.rstrip(".") in MICROSOFT and path.strip("/").split("/")[0].lower() in {
        "",
        *MANY_TENANTS,
    }
