"""What still has to be taken out of history about an official who has been erased."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.members.model.base import Base
from services.members.model.official import Official


class Erasure(Base, kw_only=True):
    """Facts about an official are still in the event log or on the stream; gone once they are."""

    __tablename__ = "erasure"

    official_id: Mapped[UUID] = mapped_column(ForeignKey(Official.id), primary_key=True)
    asked_at: Mapped[datetime]
