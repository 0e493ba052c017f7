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
    Text,
    any_,
    bindparam,
    event,
    exists,
    func,
    inspect,
    or_,
    select,
    union,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapper, aliased
from sqlalchemy.orm.util import AliasedClass

from services.projects.model.known import KnownMember
from services.projects.model.participation import Participation
from services.projects.model.project import Project
from services.projects.model.project_words import ProjectWords
from services.projects.model.searching import TERMS_MAX, Names, Term
from services.projects.queries.standings import HAS_A_PLACE_NOW
from shared.reading import Question, Reading

SOURCES: Final = ("reference", "title", "summary", "charter")

# Written out, as building it anew for each change would take longer than all the rest of it.
NOTE: Final = """
INSERT INTO project_words (project_id, text, grams, noted_at)
VALUES ($1::uuid, $2::text, $3::text[], $4::timestamptz)
ON CONFLICT (project_id) DO UPDATE
SET text = excluded.text, grams = excluded.grams, noted_at = excluded.noted_at
"""


def _values(project: Project) -> tuple[Any, ...]:
    words = ProjectWords.of(project)
    return words.project_id, words.text, list(words.grams), words.noted_at


@event.listens_for(Project, "after_insert")
def note_new(_: Mapper[Project], connection: Connection, project: Project) -> None:
    connection.exec_driver_sql(NOTE, _values(project))


@event.listens_for(Project, "after_update")
def note_changed(_: Mapper[Project], connection: Connection, project: Project) -> None:
    attributes = inspect(project).attrs
    if any(attributes[name].history.has_changes() for name in SOURCES):
        connection.exec_driver_sql(NOTE, _values(project))


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
    connection = await session.connection()
    for project in projects:
        await connection.exec_driver_sql(NOTE, _values(project))


_NAMES: Final = Question(select(KnownMember.slug, KnownMember.name))


async def names_of_members(reading: Reading) -> Names:
    """What the members of the network are called."""
    return dict(await reading.rows(_NAMES, {}))


# Of a term there are two values: patterns of its texts, and its members. Grams come parted by
# spaces, those of one text in one string.


def is_found(name: str, project: type[Project] | AliasedClass[Project]) -> ColumnElement[bool]:
    """Match projects in which the term of this name is found."""
    texts = any_(bindparam(name, type_=ARRAY(Text())))
    members = any_(bindparam(f"members_of_{name}", type_=ARRAY(Text())))
    return or_(
        exists()
        .where(ProjectWords.project_id == project.id, ProjectWords.text.like(texts))
        .correlate(project),
        project.lead == members,
        exists()
        .where(
            Participation.project_id == project.id,
            Participation.member == members,
            HAS_A_PLACE_NOW,
        )
        .correlate(project),
    )


def _may_be_found() -> ColumnElement[bool]:
    """Match those projects, whoever may see them, that the index names."""
    asked = func.unnest(bindparam("grams", type_=ARRAY(Text()))).column_valued("asked")
    led = aliased(Project)
    members = any_(bindparam("members", type_=ARRAY(Text())))
    ids = union(
        select(ProjectWords.project_id).where(
            ProjectWords.grams.op("@>")(func.string_to_array(asked, " "))
        ),
        select(led.id).where(led.lead == members),
        select(Participation.project_id).where(Participation.member == members, HAS_A_PLACE_NOW),
    )
    # As an array, which is there before anything else is looked at: asked for as a subquery, the
    # database may go through all projects instead, to save itself the sorting.
    return Project.id == any_(func.array(select(ids.subquery()).correlate(None).scalar_subquery()))


TERMS: Final = tuple(f"term_{number}" for number in range(TERMS_MAX))
IS_FOUND: Final = {name: is_found(name, Project) for name in TERMS}
"""Filters, each for one term."""

MAY_BE_FOUND: Final = {"grams": _may_be_found()}
"""A filter that narrows down by the index what the others then look at."""


def values_of(terms: Sequence[Term]) -> dict[str, Any]:
    """Values for the filters that look for these terms."""
    values: dict[str, Any] = {}
    for name, term in zip(TERMS, terms, strict=False):
        values[name] = [f"%{text}%" for text in term.texts]
        values[f"members_of_{name}"] = list(term.members)
    return values


def values_to_narrow(terms: Sequence[Term]) -> dict[str, Any]:
    """Values for the filter that narrows down; the terms come in the order of `understood`.

    What can be found in texts alone is asked for at once: then the index begins with its rarest
    gram. Of terms that a member's name may answer, too, the first one is enough.
    """
    texts = [term for term in terms if term.grams and not term.members]
    if texts:
        grams = dict.fromkeys(gram for term in texts for [*each] in term.grams for gram in each)
        return {"grams": [" ".join(grams)], "members": []}
    first = terms[0]
    return {"grams": [" ".join(each) for each in first.grams], "members": list(first.members)}
