"""Who somebody is at their provider: issuer and subject, and never an address."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base
from shared.identifiers import new_id


class Identity(Base, kw_only=True):
    """A person as one issuer knows them; the same one may be an official of several members."""

    __tablename__ = "identity"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default_factory=new_id)
    issuer: Mapped[str]
    subject: Mapped[str] = mapped_column(repr=False)
    first_seen_at: Mapped[datetime]
    seen_at: Mapped[datetime]
