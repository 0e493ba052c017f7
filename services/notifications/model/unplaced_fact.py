"""A fact about a project of which nothing is known yet."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.model.base import Base


class UnplacedFact(Base, kw_only=True):
    """Waits until we have heard who leads its project, because those concerned depend on it.

    Facts about projects, participations and milestones reach us on separate ways; one of them may
    be late.
    """

    __tablename__ = "unplaced_fact"

    event_id: Mapped[UUID] = mapped_column(primary_key=True)
    project_id: Mapped[UUID] = mapped_column(index=True)
    fact: Mapped[dict[str, Any]]
    concerns: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    noted_at: Mapped[datetime]
