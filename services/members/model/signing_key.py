"""A key that access tokens are signed with."""

from datetime import datetime
from typing import Literal, get_args

from sqlalchemy import CheckConstraint, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base

SigningKeyStatus = Literal["next", "active", "retired"]


class SigningKey(Base, kw_only=True):
    """The newest active key signs; every key that is not retired is published.

    A key is published as `next` before it signs, so that no service meets an unknown one.
    """

    __tablename__ = "signing_key"
    __table_args__ = (CheckConstraint(f"status IN {get_args(SigningKeyStatus)}", name="status"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    """The thumbprint. Source: RFC 7638."""
    sealed_key: Mapped[str] = mapped_column(repr=False)
    status: Mapped[SigningKeyStatus] = mapped_column(Text)
    created_at: Mapped[datetime]

    @staticmethod
    def place(key_id: str) -> str:
        """What the sealed key is bound to."""
        return f"signing_key.sealed_key {key_id}"
