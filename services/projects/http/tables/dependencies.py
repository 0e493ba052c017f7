"""What a milestone waits for, as one cell: `0199…;0199…+7`, the second one seven days longer.

A cell that people write may also name other rows of its table, by what stands in their `key`.
"""

import re
from collections.abc import Iterable
from typing import Final
from uuid import UUID

from services.projects.model.milestone_row import Reference
from services.projects.model.plan import DEPENDENCIES_MAX, LAG_DAYS_MAX, Dependency

BETWEEN: Final = ";"
REFERENCE: Final = re.compile(r"([^;+]+?)\s*(?:\+\s*([0-9]{1,4}))?")
KEY: Final = re.compile(r"[^;+]{1,100}")
ID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def dependencies_written(depends_on: Iterable[Dependency]) -> str:
    """Write dependencies in their order."""
    return BETWEEN.join(
        f"{needed.milestone_id}+{needed.lag_days}" if needed.lag_days else str(needed.milestone_id)
        for needed in depends_on
    )


def references_read(cell: str) -> tuple[Reference, ...]:
    """Read what a row waits for.

    Raises:
        ValueError: it says no such thing.
    """
    parts = [part.strip() for part in cell.split(BETWEEN)]
    references = tuple(_reference(part) for part in parts if part)
    if len(references) > DEPENDENCIES_MAX:
        raise ValueError(f"must name at most {DEPENDENCIES_MAX} milestones")
    return references


def key_read(cell: str) -> str:
    """Read by what name other rows refer to this one.

    Raises:
        ValueError: it could not be told from something else.
    """
    if not KEY.fullmatch(cell) or ID.fullmatch(cell):
        raise ValueError("must be short, no id, and without ; and +")
    return cell


def _reference(part: str) -> Reference:
    found = REFERENCE.fullmatch(part)
    if found is None or int(found[2] or 0) > LAG_DAYS_MAX:
        raise ValueError(f"must be ids or keys with up to {LAG_DAYS_MAX} days, such as A;B+7")
    named = found[1]
    return Reference(UUID(named) if ID.fullmatch(named) else named, int(found[2] or 0))
