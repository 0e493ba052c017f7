"""What projects can be about: lists of objectives and themes that the secretariat keeps."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.projects.model.base import Base
from services.projects.model.standing import MAY_WRITE, Standing
from shared.contracts.projects import TopicState
from shared.refusals import Conflict, Forbidden, Invalid, NotFound, permits


class TopicNotFound(NotFound):
    code = "topic-not-found"
    title = "The network's list has nothing of this name"


class NotSecretariat(Forbidden):
    code = "not-secretariat"
    title = "Only the secretariat of the network may do this"


class TopicExists(Conflict):
    code = "topic-exists"
    title = "The network's list has something of this name"


class TopicRetiredBefore(Conflict):
    code = "topic-retired-before"
    title = "It has been retired before"


class TopicNotRetired(Conflict):
    code = "topic-not-retired"
    title = "It is in use; only what is retired can be reinstated"


class TopicNotInUse(Invalid):
    code = "topic-not-in-use"
    title = "The network has no such objective or theme in use"


class TopicChanges(TypedDict, total=False):
    """What of a topic can change."""

    title: dict[str, str]
    description: dict[str, str] | None
    position: int


class Topic(Base, kw_only=True):
    """An entry of one of the lists. It is never deleted, as projects go on naming it."""

    __abstract__ = True

    slug: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[dict[str, str]]
    description: Mapped[dict[str, str] | None] = mapped_column(
        JSONB(none_as_null=True), default=None
    )
    position: Mapped[int] = mapped_column(default=0)
    is_retired: Mapped[bool] = mapped_column(init=False, default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(init=False, default=1)

    def change(self, changes: TopicChanges, *, by: Standing, at: datetime) -> None:
        """Replace the given fields, also of what is retired.

        Raises:
            MissingScope, MemberNotActive, NotSecretariat: the actor may not.
        """
        ensure_secretariat(by)
        for name, value in changes.items():
            setattr(self, name, value)
        self._changed(at)

    def ensure_can_be_retired(self) -> None:
        """Refuse to retire twice.

        Raises:
            TopicRetiredBefore: it is retired.
        """
        if self.is_retired:
            raise TopicRetiredBefore(f"{self.slug!r} is retired.")

    def retire(self, *, by: Standing, at: datetime) -> None:
        """Let no further project name it; those that do keep it.

        Raises:
            MissingScope, MemberNotActive, NotSecretariat: the actor may not.
            TopicRetiredBefore: it is retired.
        """
        ensure_secretariat(by)
        self.ensure_can_be_retired()
        self.is_retired = True
        self._changed(at)

    def ensure_can_be_reinstated(self) -> None:
        """Refuse to reinstate what is in use.

        Raises:
            TopicNotRetired: it is.
        """
        if not self.is_retired:
            raise TopicNotRetired(f"{self.slug!r} is in use.")

    def reinstate(self, *, by: Standing, at: datetime) -> None:
        """Let projects name it again.

        Raises:
            MissingScope, MemberNotActive, NotSecretariat: the actor may not.
            TopicNotRetired: it is in use.
        """
        ensure_secretariat(by)
        self.ensure_can_be_reinstated()
        self.is_retired = False
        self._changed(at)

    def allowed_actions(self, by: Standing) -> list[str]:
        """Name what the actor may do to it now."""
        if not permits(ensure_secretariat, by):
            return []
        return ["change", "reinstate" if self.is_retired else "retire"]

    def state(self) -> TopicState:
        return TopicState.model_validate(self)

    def _changed(self, at: datetime) -> None:
        self.version += 1
        self.updated_at = at


class Objective(Topic, kw_only=True):
    """A strategic objective of the network."""

    __tablename__ = "objective"
    __mapper_args__ = {"version_id_col": Topic.version, "version_id_generator": False}  # noqa: RUF012


class Theme(Topic, kw_only=True):
    """A field in which cities work together."""

    __tablename__ = "theme"
    __mapper_args__ = {"version_id_col": Topic.version, "version_id_generator": False}  # noqa: RUF012


TopicKind = type[Objective] | type[Theme]


@dataclass(frozen=True, slots=True)
class TopicsInUse:
    """Of the objectives and themes that somebody named, those that can be named anew."""

    objectives: frozenset[str]
    themes: frozenset[str]


def ensure_secretariat(standing: Standing) -> None:
    """Refuse unless the actor may write for the host, which keeps the lists of the network.

    Raises:
        MissingScope, MemberNotActive: the actor may not write.
        NotSecretariat: another member is the host.
    """
    standing.ensure_may_write(MAY_WRITE)
    if not standing.is_host:
        raise NotSecretariat(f"Member {standing.member} does not host the network.")


def ensure_in_use(in_use: TopicsInUse, *, objectives: Iterable[str], themes: Iterable[str]) -> None:
    """Refuse to name what is on no list, or retired.

    Raises:
        TopicNotInUse: there is such a name.
    """
    missing = {
        "objectives": sorted(set(objectives) - in_use.objectives),
        "themes": sorted(set(themes) - in_use.themes),
    }
    found = {kind: slugs for kind, slugs in missing.items() if slugs}
    if found:
        said = "; ".join(f"{kind}: {', '.join(slugs)}" for kind, slugs in found.items())
        raise TopicNotInUse(f"Not in use are {said}.", members=dict(found))


def no_topic(slug: str) -> TopicNotFound:
    return TopicNotFound(f"Nothing in the list is called {slug!r}.")
