"""A key that tokens are signed with."""

from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base

SigningKeyStatus = Literal["next", "active", "retired"]
SigningKeyAlgorithm = Literal["ES256", "RS256"]
"""ES256 for access tokens, RS256 for id_tokens, which every client must be able to check."""


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

    @staticmethod
    def place(key_id: str) -> str:
        """What the sealed key is bound to."""
        return f"signing_key.sealed_key {key_id}"
