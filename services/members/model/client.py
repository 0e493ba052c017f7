"""A machine of a member."""

import hashlib
import re
import secrets
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, Final, get_args

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, false
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base, Versioned
from services.members.model.member import Member
from services.members.model.scopes import SECRETARIAT, Scope
from services.members.model.speaker import OnlyTheSecretariat, Speaker
from shared.addresses import AddressNotAllowed, ensure_allowed
from shared.contracts.members import ClientAuthentication, ClientKind, ClientState, ClientStatus
from shared.database import Strings
from shared.refusals import Conflict, Forbidden, Invalid, NotFound, permits

SECRET_PREFIX: Final = "rks_"  # noqa: S105 -- what every secret begins with
SECRET_BYTES: Final = 32
NAME_IN_ID: Final = 32


class ClientNotFound(NotFound):
    code = "client-not-found"
    title = "There is no such client"


class ClientIsRevoked(Conflict):
    code = "client-revoked"
    title = "The client has been revoked"


class ClientOfThePlatform(Forbidden):
    code = "client-of-the-platform"
    title = "Only an operator changes a part of the platform itself"


class ClientWithoutSecret(Conflict):
    code = "client-without-secret"
    title = "The client does not prove itself by a secret"


class NoFormerSecret(Conflict):
    code = "no-former-secret"
    title = "The client has no former secret"


class ScopeReserved(Forbidden):
    code = "scope-reserved"
    title = "This scope is for the office that runs the network"


class ClientContradictory(Invalid):
    code = "client-contradictory"
    title = "A client cannot be like this"


class LogoutAddressNotAllowed(Invalid):
    code = "logout-address-not-allowed"
    title = "No notice of a logout can go to this address"


class Client(Versioned, Base, kw_only=True):
    """A machine that acts for its member within its scopes, or an application that people use.

    A machine has tokens of its own; an application has those of the officials who log in to it.

    Of its secret only the SHA-256 is kept: 256 random bits cannot be guessed, so no slow hash is
    needed, and tokens stay cheap to issue.
    """

    __tablename__ = "client"
    __table_args__ = (
        CheckConstraint(f"status IN {get_args(ClientStatus)}", name="status"),
        CheckConstraint(f"kind IN {get_args(ClientKind)}", name="kind"),
        CheckConstraint(
            f"authentication IN {get_args(ClientAuthentication)}", name="authentication"
        ),
        Index("ix_client_member_created_at_id", "member", "created_at", "id"),
        Index("ix_client_member_updated_at_id", "member", "updated_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    member: Mapped[str] = mapped_column(ForeignKey("member.slug"))
    name: Mapped[str]
    scopes: Mapped[tuple[Scope, ...]] = mapped_column(Strings)
    kind: Mapped[ClientKind] = mapped_column(Text, default="machine", server_default="machine")
    authentication: Mapped[ClientAuthentication] = mapped_column(
        Text, default="client_secret", server_default="client_secret"
    )
    secret_hash: Mapped[str | None] = mapped_column(repr=False, default=None)
    former_secret_hash: Mapped[str | None] = mapped_column(repr=False, default=None)
    former_secret_until: Mapped[datetime | None] = mapped_column(default=None)
    """Until when the secret before is good too, so that nothing stops while it is replaced."""
    keys: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), default=None)
    """Public keys of a client that authenticates by `private_key_jwt`, as a JWK set."""
    redirect_uris: Mapped[tuple[str, ...]] = mapped_column(Strings, default=(), server_default="{}")
    post_logout_redirect_uris: Mapped[tuple[str, ...]] = mapped_column(
        Strings, default=(), server_default="{}"
    )
    backchannel_logout_uri: Mapped[str | None] = mapped_column(default=None)
    """Where the application is told that a person's session in it has ended."""
    is_first_party: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether it is a part of this platform, which nobody has to consent to."""
    serves_network: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether officials of every member may use it, and not only those of its own."""
    requires_dpop: Mapped[bool] = mapped_column(default=False, server_default=false())
    status: Mapped[ClientStatus] = mapped_column(Text, default="active")

    def state(self) -> ClientState:
        return ClientState.model_validate(self)

    def ensure_may_become(
        self, fields: dict[str, Any], *, member: Member, speaker: Speaker
    ) -> None:
        """Refuse a change that this speaker may not make.

        Raises:
            ClientIsRevoked: it is history.
            ClientOfThePlatform: officials of every member trust it without being asked.
            ScopeReserved: the member or the speaker may not give such a scope.
            OnlyTheSecretariat: it would serve the whole network.
        """
        self.ensure_governed()
        scopes = fields.get("scopes", ())
        ensure_may_give([scope for scope in scopes if scope not in self.scopes], member, speaker)
        serves_network = fields.get("serves_network", False)
        ensure_may_serve(serves_network and not self.serves_network, member, speaker)

    def is_different_with(self, fields: dict[str, Any]) -> bool:
        """Tell whether a change would change anything."""
        return any(getattr(self, name) != value for name, value in fields.items())

    def become(self, fields: dict[str, Any], *, at: datetime) -> bool:
        """Take over what is different, whoever asks.

        Returns:
            Whether anything is.

        Raises:
            ClientContradictory: what it would be is impossible.
        """
        different = {name: value for name, value in fields.items() if getattr(self, name) != value}
        for name, value in different.items():
            setattr(self, name, value)
        self.ensure_consistent()
        if different:
            self.note_change(at)
        return bool(different)

    def ensure_consistent(self) -> None:
        """Refuse what no client can be.

        Raises:
            ClientContradictory: a machine that is sent browsers or proves nothing, an application
                that nobody can be sent back to, or keys without a use.
        """
        if self.kind == "machine" and (self.redirect_uris or self.post_logout_redirect_uris):
            raise ClientContradictory("No browser is sent to a machine: it has no redirect URIs.")
        if self.kind == "machine" and self.authentication == "none":
            raise ClientContradictory("A machine proves who it is by a secret or a key.")
        if self.kind == "machine" and self.backchannel_logout_uri is not None:
            raise ClientContradictory("Nobody logs in to a machine, so none is told of a logout.")
        if self.kind == "machine" and self.serves_network:
            raise ClientContradictory("A machine acts for its own member only.")
        if self.kind == "application" and not self.redirect_uris:
            raise ClientContradictory("An application needs a redirect URI.")
        if (self.authentication == "private_key_jwt") != (self.keys is not None):
            raise ClientContradictory("Public keys belong to `private_key_jwt`, and to it alone.")

    def revoke(self, *, at: datetime) -> None:
        """End it for good.

        Raises:
            ClientIsRevoked: that has happened before.
            ClientOfThePlatform: officials of every member log in to it.
        """
        self.ensure_governed()
        self.status = "revoked"
        self.note_change(at)

    def replace_secret(self, *, overlap: timedelta, at: datetime) -> str:
        """Give it another secret; the former one stays good for a while, and the one before not.

        Args:
            overlap: how long both are good; none if the former one may be in wrong hands.
            at: when.

        Returns:
            The only sight of it.

        Raises:
            ClientIsRevoked: it is history.
            ClientWithoutSecret: it proves itself by a key, or not at all.
        """
        self.ensure_has_secret()
        secret = new_secret()
        if overlap > timedelta():
            self.former_secret_hash, self.former_secret_until = self.secret_hash, at + overlap
        else:
            self.former_secret_hash = self.former_secret_until = None
        self.secret_hash = secret_hash_of(secret)
        self.note_change(at)
        return secret

    def end_former_secret(self, *, at: datetime) -> None:
        """Let the secret before the present one be good no longer.

        Raises:
            ClientIsRevoked: it is history.
            NoFormerSecret: there is none.
        """
        self.ensure_has_former_secret()
        self.former_secret_hash = self.former_secret_until = None
        self.note_change(at)

    def ensure_has_former_secret(self) -> None:
        """Refuse whatever is about a former secret of a client that has none.

        Raises:
            ClientIsRevoked: it is history.
            NoFormerSecret: there is none.
        """
        self.ensure_not_revoked()
        if self.former_secret_hash is None:
            raise NoFormerSecret("Nothing but the present secret is good.")

    def ensure_has_secret(self) -> None:
        """Refuse whatever is about a secret of a client that has none.

        Raises:
            ClientIsRevoked: it is history.
            ClientWithoutSecret: it proves itself by a key, or not at all.
        """
        self.ensure_not_revoked()
        if self.authentication != "client_secret":
            raise ClientWithoutSecret(f"It proves itself by {self.authentication}.")

    def ensure_not_revoked(self) -> None:
        """Refuse whatever needs a client that can act.

        Raises:
            ClientIsRevoked: it cannot.
        """
        if self.status == "revoked":
            raise ClientIsRevoked(f"Revoked at {self.updated_at.isoformat()}.")

    def ensure_governed(self) -> None:
        """Refuse whatever the member may not do with a client of its own.

        Nobody consents to a part of the platform: whoever could send its browsers elsewhere would
        act for officials of every member.

        Raises:
            ClientIsRevoked: it is history.
            ClientOfThePlatform: it is such a part.
        """
        self.ensure_not_revoked()
        if self.is_first_party:
            raise ClientOfThePlatform("It is registered with `renkei register-application`.")

    def may_have_tokens(self, member: Member) -> bool:
        """Tell whether the client may ask for tokens.

        A member that is invited needs them to accept, one that is suspended to read and to leave.
        """
        return self.status == "active" and member.status != "withdrawn"

    def serves(self, member: str) -> bool:
        """Tell whether officials of `member` may log in to it."""
        return self.kind == "application" and (self.serves_network or self.member == member)

    def allowed_actions(self, member: Member, speaker: Speaker) -> list[str]:
        """Name what this speaker may do with the client now."""
        if not permits(member.ensure_governed_by, speaker) or not permits(self.ensure_not_revoked):
            return []
        rules = {
            "change": self.ensure_governed,
            "replace_secret": self.ensure_has_secret,
            "end_former_secret": self.ensure_has_former_secret,
            "revoke": self.ensure_governed,
        }
        return [name for name, rule in rules.items() if permits(rule)]


def ensure_sees_clients_of(member: str, speaker: Speaker) -> None:
    """Refuse whoever may not know the clients of `member`: all but itself and the secretariat.

    Raises:
        ClientNotFound: for this speaker there are none.
    """
    if speaker.member != member and not speaker.is_secretariat:
        raise ClientNotFound(f"You see no clients of {member}.")


def ensure_may_give(scopes: Sequence[str], member: Member, speaker: Speaker) -> None:
    """Refuse scopes that a client of `member` cannot have, or that this speaker cannot give.

    Raises:
        ScopeReserved: it is the secretariat's, and this is not the secretariat.
    """
    if SECRETARIAT in scopes and not (member.is_host and speaker.is_secretariat):
        raise ScopeReserved(f"Only the secretariat gives {SECRETARIAT}, and only to itself.")


def ensure_may_be_told(address: str | None, *, allow_private: bool) -> None:
    """Refuse an address for notices of logout that no request of ours may go to.

    Args:
        address: as it is written; nothing if the application does not want to know.
        allow_private: let pass what is not public or not encrypted, to develop on one machine.

    Raises:
        LogoutAddressNotAllowed: it leads nowhere, or where no request may go.
    """
    if address is None:
        return
    try:
        ensure_allowed(address, allow_private=allow_private)
    except AddressNotAllowed as error:
        raise LogoutAddressNotAllowed(str(error)) from error


def ensure_may_serve(serves_network: bool, member: Member, speaker: Speaker) -> None:
    """Refuse an application for everybody, unless it is the secretariat's own.

    Raises:
        OnlyTheSecretariat: it is another member's.
        MissingScope: it is the host's, but not its office that asks.
    """
    if serves_network:
        speaker.ensure_secretariat()
        if not member.is_host:
            raise OnlyTheSecretariat("Only an application of the host serves every member.")


def new_client_id(member: str, name: str) -> str:
    """Make an identifier that people recognise in logs, such as `seoul-water-desk-k3f9x2ab`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain)[:NAME_IN_ID].strip("-")
    return "-".join(filter(None, (member, words, secrets.token_hex(4))))


def new_secret() -> str:
    return SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def secret_hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret_of(client: Client | None, secret: str, *, at: datetime) -> bool:
    """Compare in constant time; an unknown client takes as long as a known one."""
    known, former = None, None
    if client is not None:
        known, until = client.secret_hash, client.former_secret_until
        former = client.former_secret_hash if until is not None and at < until else None
    given, nothing = secret_hash_of(secret), secret_hash_of("")
    is_known, is_former = (compare_digest(good or nothing, given) for good in (known, former))
    return (is_known and known is not None) or (is_former and former is not None)
