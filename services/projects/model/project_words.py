"""What a project is found by: its own texts in all languages, folded."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.projects.model.base import Base
from services.projects.model.project import Project
from services.projects.model.searching import FOLDED_MAX, folded, grams_of


class ProjectWords(Base, kw_only=True):
    """Follows the project, `noted_at` the time of its change.

    In a table of its own, as the index over the grams is dear to write, and most changes of a
    project touch no text.
    """

    __tablename__ = "project_words"

    project_id: Mapped[UUID] = mapped_column(ForeignKey("project.id"), primary_key=True)
    text: Mapped[str]
    grams: Mapped[tuple[str, ...]]
    noted_at: Mapped[datetime]

    __table_args__ = (
        Index(
            "ix_project_words_grams",
            "grams",
            postgresql_using="gin",
            # What waits to be sorted in is read by every search.
            postgresql_with={"gin_pending_list_limit": 256},
        ),
    )

    @classmethod
    def of(cls, project: Project) -> "ProjectWords":
        """Note what a project is found by now."""
        texts = [
            project.reference,
            *project.title.values(),
            *project.summary.values(),
            *(project.charter or {}).values(),
        ]
        text = " ".join(dict.fromkeys(map(folded, texts)))[:FOLDED_MAX]
        return cls(
            project_id=project.id,
            text=text,
            grams=tuple(sorted(grams_of(text))),
            noted_at=project.updated_at,
        )
