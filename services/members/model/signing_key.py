"""A key that tokens are signed with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base
from shared.refusals import Conflict

SigningKeyStatus = Literal["next", "active", "retired"]
SigningKeyAlgorithm = Literal["ES256", "RS256"]
"""ES256 for access tokens, RS256 for id_tokens, which every client must be able to check."""


class RotationUnderWay(Conflict):
    code = "rotation-under-way"
    title = "The keys that sign next are there already"


@dataclass(frozen=True, slots=True)
class RotationTimes:
    """How long a key is published before it signs, and after the last that it may have signed.

    Attributes:
        before: until every service has read the new key, though it asks for it only now and then.
        before_at_once: until every process that publishes keys has read it, so that a service which
            meets it can ask for it.
        after: by algorithm, until everything that the former key signed has expired.
    """

    before: timedelta
    before_at_once: timedelta
    after: Mapping[SigningKeyAlgorithm, timedelta]


class SigningKey(Base, kw_only=True):
    """The newest active key of an algorithm signs; every key that is not retired is published.

    A key is published as `next` before it signs, so that no service meets an unknown one.
    """

    __tablename__ = "signing_key"
    __table_args__ = (
        CheckConstraint(f"status IN {get_args(SigningKeyStatus)}", name="status"),
        CheckConstraint(f"algorithm IN {get_args(SigningKeyAlgorithm)}", name="algorithm"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    """The thumbprint. Source: RFC 7638."""
    sealed_key: Mapped[str] = mapped_column(repr=False)
    algorithm: Mapped[SigningKeyAlgorithm] = mapped_column(
        Text, default="ES256", server_default="ES256"
    )
    status: Mapped[SigningKeyStatus] = mapped_column(Text)
    created_at: Mapped[datetime]
    activated_at: Mapped[datetime | None] = mapped_column(default=None)
    """When it begins to sign, unless it did so from the beginning."""

    @property
    def signs_since(self) -> datetime:
        """When it begins to sign; of no meaning for a key that has not been told."""
        return self.activated_at or self.created_at

    def activate(self, *, at: datetime) -> None:
        """Let it sign from then on. Those that signed before are still published."""
        self.status, self.activated_at = "active", at

    def retire(self) -> None:
        """Publish it no longer: nothing that it signed is good any more."""
        self.status = "retired"

    def is_to_sign(self, times: RotationTimes, now: datetime) -> bool:
        """Tell whether it has been published for long enough to begin to sign."""
        return self.status == "next" and self.created_at + times.before <= now

    def is_to_go(self, others: Sequence["SigningKey"], times: RotationTimes, now: datetime) -> bool:
        """Tell whether another one has signed in its place for so long that nothing is left."""
        return self.status == "active" and any(
            other.signs_since + times.after[self.algorithm] <= now
            for other in others
            if other.status == "active"
            and other.algorithm == self.algorithm
            and other.created_at > self.created_at
        )

    @staticmethod
    def place(key_id: str) -> str:
        """What the sealed key is bound to."""
        return f"signing_key.sealed_key {key_id}"
