"""Every SELECT of the versions of charters."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, select

from services.projects.model.charter import CharterVersion, no_charter_version
from services.projects.model.project import Project
from services.projects.queries.projects import ensure_project_seen
from services.projects.queries.standings import (
    HOME,
    PROJECT_ID,
    VISIBLE,
    parameters,
    reading_from,
)
from shared.actor import Actor
from shared.http.paging import Listing, Paging
from shared.reading import Question, Reading, Row

_SEEN: Final = (
    select(CharterVersion, HOME)
    .join(Project, Project.id == CharterVersion.project_id)
    .where(VISIBLE, Project.id == PROJECT_ID)
)
_ONE_SEEN: Final = Question(
    _SEEN.where(CharterVersion.number == bindparam("number", type_=BigInteger()))
)
_LISTED: Final = Listing(_SEEN, filters={}, sorts={"number": (CharterVersion.number,)})


async def charter_version_seen(
    reading: Reading, project_id: UUID, number: int, *, actor: Actor
) -> CharterVersion:
    """Load one version of the charter of a project that the actor may see.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ProjectNotFound: for the actor there is no such project.
        CharterVersionNotFound: its charter has no such version.
    """
    asked = parameters(actor, project_id=project_id, number=number)
    found = await reading.rows(_ONE_SEEN, asked)
    if not found:
        await ensure_project_seen(reading, project_id, actor=actor)
        raise no_charter_version(number)
    [version] = _read(actor, found)
    return version


async def list_charter_versions(
    reading: Reading, paging: Paging, project_id: UUID, *, actor: Actor
) -> tuple[list[CharterVersion], str | None]:
    """List the versions of the charter of one project, the first one first.

    Raises:
        ClientRevoked, OfficialMayNotAct, SessionOver, MissingScope: the actor may not read.
        ProjectNotFound: for the actor there is no such project.
        CursorUnknown: the cursor was not made by this list.
    """
    rows, cursor = await _LISTED.read(
        reading,
        paging,
        sort="number",
        filters={},
        parameters=parameters(actor, project_id=project_id),
    )
    if not rows:
        await ensure_project_seen(reading, project_id, actor=actor)
    return _read(actor, rows), cursor


def _read(actor: Actor, rows: Sequence[Row]) -> list[CharterVersion]:
    for _, home in rows[:1]:
        reading_from(actor, home, None)
    return [version for version, _ in rows]
