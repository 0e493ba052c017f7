"""What a milestone waits for, as one cell: `0199…;0199…+7`, the second one seven days longer."""

from collections.abc import Iterable
from typing import Final

from services.projects.model.plan import Dependency

BETWEEN: Final = ";"


def dependencies_written(depends_on: Iterable[Dependency]) -> str:
    """Write dependencies in their order."""
    return BETWEEN.join(
        f"{needed.milestone_id}+{needed.lag_days}" if needed.lag_days else str(needed.milestone_id)
        for needed in depends_on
    )
