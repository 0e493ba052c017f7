"""The charter of a project: what those who take part agreed to, version by version."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.projects.model.base import Base
from shared.refusals import Conflict, NotFound


class CharterVersionNotFound(NotFound):
    code = "charter-version-not-found"
    title = "The project has no such version of its charter"


class CharterAgreed(Conflict):
    code = "charter-agreed"
    title = "Others take part on these terms; only a decision among them changes the charter"


class CharterVersion(Base, kw_only=True):
    """The charter as it was from one moment on; it is never changed.

    `adopted_by` names who did it as facts do, such as `official:0199…`; a charter that was adopted
    by a decision names that.
    """

    __tablename__ = "charter_version"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[dict[str, str]]
    adopted_at: Mapped[datetime]
    adopted_by: Mapped[str | None]
    adopted_by_member: Mapped[str | None]
    decision_id: Mapped[UUID | None] = mapped_column(default=None)


def no_charter_version(number: int) -> CharterVersionNotFound:
    return CharterVersionNotFound(f"The charter has no version {number}.")
