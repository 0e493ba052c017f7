"""What projects are found by: kept while they change, and asked for.

Whatever makes or words a project through the session, its words follow in the same flush. What came
another way, as through a release that did not know of words, is noted by the worker.
"""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Select,
    Text,
    any_,
    bindparam,
    event,
    exists,
    func,
    inspect,
    intersect,
    or_,
    select,
    union,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper, aliased

from services.projects.model.known import KnownMember
from services.projects.model.participation import Participation
from services.projects.model.project import Project
from services.projects.model.project_words import ProjectWords
from services.projects.model.searching import TERMS_MAX, Names, Term
from services.projects.queries.standings import HAS_A_PLACE_NOW
from shared.reading import Question, Reading

SOURCES: Final = ("reference", "title", "summary", "charter")
COLUMNS: Final = ("project_id", "text", "grams", "noted_at")

_NOTE: Final = insert(ProjectWords)
_UPSERT: Final = _NOTE.on_conflict_do_update(
    index_elements=[ProjectWords.project_id],
    set_={name: _NOTE.excluded[name] for name in COLUMNS[1:]},
)


def _row(project: Project) -> dict[str, Any]:
    words = ProjectWords.of(project)
    return {name: getattr(words, name) for name in COLUMNS}


@event.listens_for(Project, "after_insert")
def note_new(_: Mapper[Project], connection: Connection, project: Project) -> None:
    connection.execute(_UPSERT, _row(project))


@event.listens_for(Project, "after_update")
def note_changed(_: Mapper[Project], connection: Connection, project: Project) -> None:
    attributes = inspect(project).attrs
    if any(attributes[name].history.has_changes() for name in SOURCES):
        connection.execute(_UPSERT, _row(project))


async def projects_to_note(session: AsyncSession, *, limit: int) -> Sequence[Project]:
    """Load projects that have changed since their words were noted, locked.

    What another transaction holds is left out, and found again next time.
    """
    found = await session.scalars(
        select(Project)
        .outerjoin(ProjectWords, ProjectWords.project_id == Project.id)
        .where(or_(ProjectWords.noted_at.is_(None), ProjectWords.noted_at < Project.updated_at))
        .limit(limit)
        .with_for_update(key_share=True, skip_locked=True, of=Project)
    )
    return found.all()


async def note_words_of(session: AsyncSession, projects: Sequence[Project]) -> None:
    """Write down what projects are found by now."""
    if projects:
        await session.execute(_UPSERT, [_row(project) for project in projects])


_NAMES: Final = Question(select(KnownMember.slug, KnownMember.name))


async def names_of_members(reading: Reading) -> Names:
    """What the members of the network are called."""
    return dict(await reading.rows(_NAMES, {}))


# Of a term there are three values: patterns of its texts, its members, and for each of its texts
# the grams, parted by spaces.


def _strings(name: str, number: int) -> Any:
    return bindparam(f"{name}_{number}", type_=ARRAY(Text()))


def term_is_found(number: int) -> ColumnElement[bool]:
    """Match projects in which a term is found."""
    members = any_(_strings("members", number))
    return or_(
        exists()
        .where(
            ProjectWords.project_id == Project.id,
            ProjectWords.text.like(any_(_strings("term", number))),
        )
        .correlate(Project),
        Project.lead == members,
        exists()
        .where(
            Participation.project_id == Project.id,
            Participation.member == members,
            HAS_A_PLACE_NOW,
        )
        .correlate(Project),
    )


def _may_have(number: int) -> Any:
    """The ids of all projects, whoever may see them, in which a term may be found."""
    asked = func.unnest(_strings("grams", number)).column_valued("asked")
    led = aliased(Project)
    members = any_(_strings("members", number))
    return union(
        select(ProjectWords.project_id).where(
            ProjectWords.grams.op("@>")(func.string_to_array(asked, " "))
        ),
        select(led.id).where(led.lead == members),
        select(Participation.project_id).where(Participation.member == members, HAS_A_PLACE_NOW),
    )


def _is_among(ids: Select[Any]) -> ColumnElement[bool]:
    # As an array, which is there before anything else is looked at: asked for as a subquery, the
    # database may go through all projects instead, to save itself the sorting.
    return Project.id == any_(func.array(ids.correlate(None).scalar_subquery()))


IS_FOUND: Final = {f"term_{number}": term_is_found(number) for number in range(TERMS_MAX)}
"""Filters, each for one term."""

MAY_BE_FOUND: Final = {
    "first_term": _is_among(select(_may_have(0).subquery())),
    "both_terms": _is_among(
        select(intersect(*(select(_may_have(number).subquery()) for number in (0, 1))).subquery())
    ),
}
"""Filters that narrow down by the index what the others then look at."""


def values_of(terms: Sequence[Term]) -> dict[str, Any]:
    """Values for the statements that look for these terms."""
    values: dict[str, Any] = {}
    for number, term in enumerate(terms):
        values[f"term_{number}"] = [f"%{text}%" for text in term.texts]
        values[f"members_{number}"] = list(term.members)
        values[f"grams_{number}"] = [" ".join(grams) for grams in term.grams]
    return values


def narrowing(terms: Sequence[Term]) -> str:
    """Name the filter that narrows down best; the terms come in the order of `understood`."""
    return "both_terms" if len([term for term in terms[:2] if term.grams]) == 2 else "first_term"
