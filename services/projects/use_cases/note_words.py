"""Use case: what was changed past this release can be found, too."""

from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from services.projects.queries.project_words import note_words_of, projects_to_note

AT_ONCE: Final = 100


async def note_words(session: AsyncSession, now: datetime) -> bool:
    """Note what projects are found by that have changed since that was noted.

    Returns:
        Whether there may be more.
    """
    del now
    projects = await projects_to_note(session, limit=AT_ONCE)
    await note_words_of(session, projects)
    return len(projects) == AT_ONCE
