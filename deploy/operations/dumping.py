"""A canonical picture of what a service knows, to be compared with another service's."""

import json
from typing import Any

from deploy.operations.services import Service
from shared.database import as_json


async def dump(service: Service) -> dict[str, Any]:
    """All states by kind, each list in the order of its keys."""
    async with service.database() as (_, sessions), sessions() as session:
        kinds = await service.all_states(session)
    return {kind: [as_json(state) for state in states] for kind, states in sorted(kinds.items())}


def canonical(value: Any) -> str:
    """Sorted JSON: equal pictures are equal texts."""
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, default=str)
