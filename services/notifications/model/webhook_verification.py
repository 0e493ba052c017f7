"""Whether a receiver wants what we would send it: asked before the first event.

Source: CloudEvents HTTP 1.1 Web Hooks for Event Delivery 1.0.2, section 4.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.model.base import Base
from services.notifications.model.webhook_endpoint import RATE_MAX
from shared.refusals import Conflict, NotFound

ANYTHING: Final = "*"

PAUSES: Final = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=6),
)
DAILY: Final = timedelta(days=1)
GIVEN_UP_AFTER: Final = timedelta(days=7)
CONSENT_GOOD_FOR: Final = timedelta(days=7)
CONSENTS_MAX: Final = 20
CALM: Final = timedelta(seconds=10)
"""Nobody is asked more often for an endpoint, whoever wants it, and wherever it leads."""

State = Literal["pending", "granted", "given_up"]
NoConsent = Literal["no_consent", "other_origin", "rate_unreadable"]


class WebhookEndpointVerifiedAlready(Conflict):
    code = "webhook-endpoint-verified-already"
    title = "The receiver has agreed already"


class WebhookConsentNotFound(NotFound):
    code = "webhook-consent-not-found"
    title = "Nobody is asked for this consent"


@dataclass(frozen=True, slots=True)
class Agreement:
    """A receiver's consent; `rate` in requests a minute is the most that it takes, if it says."""

    rate: int | None = None


def agreement_of(
    allowed_origin: str | None, allowed_rate: str | None, *, origin: str
) -> Agreement | NoConsent:
    """Read an answer: by its headers alone, whatever its status.

    Returns:
        The consent, or why it is none.
    """
    if allowed_origin is None:
        return "no_consent"
    if allowed_origin.strip().lower() not in {origin.lower(), ANYTHING}:
        return "other_origin"
    return agreed_rate(allowed_rate)


def agreed_rate(allowed_rate: str | None) -> Agreement | NoConsent:
    """Read the rate; one that cannot be read is no consent to send as fast as we like."""
    written = (allowed_rate or ANYTHING).strip()
    if written == ANYTHING:
        return Agreement()
    if not (written.isascii() and written.isdecimal()) or not int(written[:10]):
        return "rate_unreadable"
    return Agreement(min(int(written[:10]), RATE_MAX))


class WebhookVerification(Base, kw_only=True):
    """How it stands with the consent of an endpoint's receiver.

    `tries` counts since `asked_at`, when its owner, or a new address, began it anew; while one is
    under way `next_try_at` says when another worker takes over. Nothing that was told since
    `waiting_since` has reached the receiver.
    """

    __tablename__ = "webhook_verification"
    __table_args__ = (
        CheckConstraint("state IN ('pending', 'granted', 'given_up')", name="state"),
        Index(
            "ix_webhook_verification_next_try_at",
            "next_try_at",
            postgresql_where=text("next_try_at IS NOT NULL"),
        ),
    )

    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoint.id"), primary_key=True)
    state: Mapped[str] = mapped_column(default="pending")
    waiting_since: Mapped[datetime]
    asked_at: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    last_tried_at: Mapped[datetime | None] = mapped_column(default=None)
    error: Mapped[str | None] = mapped_column(default=None)
    next_try_at: Mapped[datetime | None]

    def begin_anew(self, *, at: datetime) -> None:
        """Ask again from the start, at once but for the calm that a receiver may expect.

        Also at another address: who goes from one to the next asks no faster.
        """
        calm_until = max(self.asked_at, self.last_tried_at or self.asked_at) + CALM
        if self.state == "granted":
            self.waiting_since = at
        self.state, self.asked_at, self.tries = "pending", at, 0
        self.next_try_at = max(at, calm_until)

    def fail(self, error: str, *, at: datetime) -> None:
        """Note why a try brought no consent, and when the next one is due, if any."""
        self.error = error
        if at - self.asked_at >= GIVEN_UP_AFTER:
            self.state, self.next_try_at = "given_up", None
        else:
            self.next_try_at = at + (PAUSES[self.tries - 1] if self.tries <= len(PAUSES) else DAILY)

    def grant(self) -> None:
        self.state, self.error, self.next_try_at = "granted", None, None


class WebhookConsent(Base, kw_only=True):
    """An address at which a receiver can agree later; its token is known to the receiver alone."""

    __tablename__ = "webhook_consent"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    endpoint_id: Mapped[UUID] = mapped_column(ForeignKey("webhook_endpoint.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
