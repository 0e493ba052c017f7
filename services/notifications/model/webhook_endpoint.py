"""Where a member's system wants to hear of facts, and the secret that signs what it gets."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.model.base import Base, Versioned
from services.notifications.model.event_types import are_covered
from services.notifications.model.signing import SignatureKind
from shared.contracts.notifications import WebhookEndpointState
from shared.identifiers import new_id
from shared.refusals import Conflict, Invalid, NotFound, TooManyRequests

RATE_MAX: Final = 60_000
PARALLEL_USUAL: Final = 4
PARALLEL_MAX: Final = 16
ENDPOINTS_MAX: Final = 20
"""Of one member: a fact is queued for all who may hear of it at once, and they share senders."""

ENDPOINTS_AN_HOUR: Final = 60
"""A member makes no more, whatever it deletes: each has us ask somebody for consent."""

KEYS_MAX: Final = 4
"""Of one kind: each adds a signature to every message."""


class WebhookEndpointNotFound(NotFound):
    code = "webhook-endpoint-not-found"
    title = "There is no such webhook endpoint"


class WebhookEndpointNotActive(Conflict):
    code = "webhook-endpoint-not-active"
    title = "Nothing is sent to this webhook endpoint at present"


class WebhookProjectUnknown(Invalid):
    code = "webhook-project-unknown"
    title = "There is no such project"


class TooManyWebhookKeys(Conflict):
    code = "too-many-webhook-keys"
    title = "The endpoint has as many keys as it can have"


class TooManyWebhookEndpoints(Conflict):
    code = "too-many-webhook-endpoints"
    title = "The member has as many webhook endpoints as it can have"


class TooManyNewWebhookEndpoints(TooManyRequests):
    code = "too-many-new-webhook-endpoints"
    title = "The member has made as many webhook endpoints as it can in an hour"


Notice = Literal["warn", "disable", "recover"]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an endpoint may fail without a single success, and when its owner is warned."""

    disable_after: timedelta
    warn_after: tuple[timedelta, ...]

    def notice(
        self, failing_since: datetime | None, *, warnings: int, now: datetime
    ) -> Notice | None:
        """Decide what the owner of an endpoint must hear.

        Args:
            failing_since: first failure after the last success.
            warnings: how many it has heard.
            now: when it is judged, upon an answer.
        """
        if failing_since is None:
            return "recover" if warnings else None
        failing = now - failing_since
        if failing >= self.disable_after:
            return "disable"
        due = sum(failing >= after for after in self.warn_after)
        return "warn" if due > warnings else None


class WebhookEndpoint(Versioned, Base, kw_only=True):
    """An address of a member's system, with the types of events that it wants.

    While it is paused nothing is sent and nothing new is queued; what waits goes on waiting. The
    platform disables it when the receiver says that it is gone. Deleting is final. Until its
    receiver has agreed (`verified_at`) nothing is queued or sent either; what it missed follows.
    """

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        CheckConstraint("status IN ('active', 'paused', 'disabled', 'deleted')", name="status"),
        CheckConstraint("payload IN ('full', 'thin')", name="payload"),
        CheckConstraint("ordering IN ('none', 'entity')", name="ordering"),
        CheckConstraint("authentication IN ('none', 'oauth2', 'mtls')", name="authentication"),
        Index(
            "ix_webhook_endpoint_active_member",
            "member",
            postgresql_where=text("status = 'active'"),
        ),
        Index("ix_webhook_endpoint_member_created_at", "member", "created_at", "id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    member: Mapped[str]
    url: Mapped[str]
    description: Mapped[str | None]
    event_types: Mapped[tuple[str, ...]]
    project_ids: Mapped[tuple[UUID, ...]] = mapped_column(default=(), server_default="{}")
    payload: Mapped[str] = mapped_column(default="full", server_default="full")
    header_names: Mapped[tuple[str, ...]] = mapped_column(default=(), server_default="{}")
    sealed_headers: Mapped[str | None] = mapped_column(default=None)
    rate_per_minute: Mapped[int | None] = mapped_column(default=None)
    parallel: Mapped[int] = mapped_column(default=PARALLEL_USUAL, server_default="4")
    ordering: Mapped[str] = mapped_column(default="none", server_default="none")
    authentication: Mapped[str] = mapped_column(default="none", server_default="none")
    sealed_authentication: Mapped[str | None] = mapped_column(default=None)
    authentication_details: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    allowed_rate: Mapped[int | None] = mapped_column(init=False, default=None)
    verified_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    failing_since: Mapped[datetime | None] = mapped_column(init=False, default=None)
    disables_at: Mapped[datetime | None] = mapped_column(init=False, default=None)
    warnings: Mapped[int] = mapped_column(init=False, default=0, server_default="0")
    status: Mapped[str] = mapped_column(init=False, default="active")
    status_reason: Mapped[str | None] = mapped_column(init=False, default=None)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    def change(self, wanted: dict[str, Any], *, at: datetime) -> bool:
        """Take over what its owner wants to be different, by name of the field.

        Whoever is at a new address must agree first.

        Returns:
            Whether anything is different now.
        """
        changed = {name: value for name, value in wanted.items() if getattr(self, name) != value}
        for name, value in changed.items():
            setattr(self, name, value)
        if "status" in changed:
            self.status_reason = None
        if "url" in changed:
            self.verified_at, self.allowed_rate = None, None
            # Whoever activates it again starts afresh.
            self.failing_since, self.disables_at, self.warnings = None, None, 0
        if changed:
            self._touch(at)
        return bool(changed)

    def tells_more_with(self, wanted: dict[str, Any]) -> bool:
        """Tell whether a change sends facts elsewhere, or others or more of them to this address.

        Headers and authentication count as part of the address: who they make us is decided there.
        """
        where = ("url", "sealed_headers", "sealed_authentication")
        if any(wanted.get(name, getattr(self, name)) != getattr(self, name) for name in where):
            return True
        if self.payload == "thin" and wanted.get("payload", "thin") != "thin":
            return True
        projects = wanted.get("project_ids", self.project_ids)
        if self.project_ids and (not projects or not set(projects) <= set(self.project_ids)):
            return True
        return not are_covered(wanted.get("event_types", self.event_types), by=self.event_types)

    def agree(self, allowed_rate: int | None, *, at: datetime) -> None:
        """Note that the receiver wants to be sent facts, and how many a minute at most."""
        self.verified_at, self.allowed_rate = at, allowed_rate
        self._touch(at)

    def note_new_keys(self, *, at: datetime) -> None:
        """Rise to a new version, by which senders see that they must read its keys again."""
        self._touch(at)

    def disable(self, reason: str, *, at: datetime, failing_since: datetime | None = None) -> bool:
        """Send nothing there any more, until its owner activates it again.

        What is disabled for `failing` is tried now and then, and activated if it is well.

        Returns:
            Whether that is new.
        """
        if self.status in {"disabled", "deleted"}:
            return False
        self._become("disabled", reason, at)
        self.failing_since, self.disables_at = failing_since or self.failing_since, None
        return True

    @property
    def is_tried(self) -> bool:
        """Whether it may turn out to be well again, at an address where one has agreed to that."""
        return (
            self.status == "disabled"
            and self.status_reason == "failing"
            and self.verified_at is not None
        )

    def warn(self, failing_since: datetime, *, disables_at: datetime, at: datetime) -> None:
        """Tell its owner that it fails, and when it will be disabled if that goes on."""
        self.failing_since, self.disables_at = failing_since, disables_at
        self.warnings += 1
        self._touch(at)

    def recover(self, *, at: datetime) -> None:
        """Note that it works again after its owner was warned, or that it was disabled."""
        self._become("active" if self.status == "disabled" else self.status, None, at)
        self.failing_since, self.disables_at, self.warnings = None, None, 0

    def delete(self, *, at: datetime) -> None:
        self._become("deleted", None, at)

    def ensure_active(self) -> None:
        """Refuse what makes sense only for an endpoint that may be sent to.

        Raises:
            WebhookEndpointNotActive: it is paused or disabled.
        """
        if self.status != "active":
            raise WebhookEndpointNotActive(f"It is {self.status}; activate it first.")

    def ensure_sent_to(self) -> None:
        """Refuse what makes sense only for an endpoint that is sent to.

        Raises:
            WebhookEndpointNotActive: it is paused or disabled, or its receiver has not agreed.
        """
        self.ensure_active()
        if self.verified_at is None:
            raise WebhookEndpointNotActive("Its receiver has not said yet that it wants facts.")

    def _become(self, status: str, reason: str | None, at: datetime) -> None:
        self.status, self.status_reason = status, reason
        self._touch(at)

    def _touch(self, at: datetime) -> None:
        self.updated_at = at
        self.version += 1

    def state(self) -> WebhookEndpointState:
        return WebhookEndpointState.model_validate(self)


class WebhookSecret(Base, kw_only=True):
    """A key that signs what an endpoint gets; `sealed` binds it to this row.

    Of kind `v1` (HMAC, known to both) or `v1a` (Ed25519, whose public half everybody may know).
    After a rotation the former ones sign beside the new until they expire.
    """

    __tablename__ = "webhook_secret"
    __table_args__ = (
        CheckConstraint("kind IN ('v1', 'v1a')", name="kind"),
        Index(
            "ix_webhook_secret_expires_at",
            "expires_at",
            postgresql_where=text("expires_at IS NOT NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoint.id"), index=True)
    kind: Mapped[SignatureKind] = mapped_column(Text, default="v1", server_default="v1")
    sealed: Mapped[str]
    public_key: Mapped[bytes | None] = mapped_column(default=None)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None] = mapped_column(default=None)


def secret_place(secret_id: UUID) -> str:
    """What a sealed secret is bound to."""
    return f"webhook_secret sealed {secret_id}"


def headers_place(endpoint_id: UUID) -> str:
    """What the sealed headers of an endpoint are bound to."""
    return f"webhook_endpoint sealed_headers {endpoint_id}"
