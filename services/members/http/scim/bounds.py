"""How much a directory may ask for at once.

The library reads paths and filters with a grammar, and compares the entries of a list one by one:
a few kilobytes could keep the process from all else for minutes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic_core import from_json
from scim2_models import (
    InvalidFilterException,
    PatchOp,
    PatchOperation,
    PayloadTooLargeException,
    Resource,
    ResourceType,
)
from scim2_server.conditions import Conditions
from scim2_server.handler import AsyncScimHandler

from services.members.http.scim.resources import Group, User

EXPRESSION_LIMIT: Final = 500
"""Characters of a filter or path."""
FIELDS_MAX: Final = 100
"""Of one object."""
ENTRIES_MAX: Final = 2_000
"""Of one list."""
OPERATIONS_MAX: Final = 100
"""Of one PATCH."""
COMPARISONS_MAX: Final = 20_000
"""That one PATCH may need, at most; about a second."""


def ensure_bearable(query: Mapping[str, str], body: bytes) -> None:
    """Refuse what would take long only to read.

    Raises:
        InvalidFilterException: a filter is too long.
        PayloadTooLargeException: something else is.
    """
    if len(query.get("filter", "")) > EXPRESSION_LIMIT:
        raise InvalidFilterException(detail=f"A filter has at most {EXPRESSION_LIMIT} characters.")
    if any(len(value) > EXPRESSION_LIMIT for value in query.values()):
        raise PayloadTooLargeException(detail="A parameter is too long.")
    try:
        document = from_json(body) if body else None
    except ValueError:
        return  # for the library to refuse
    for part in _parts(document):
        if isinstance(part, dict):
            _ensure_small(part)
        elif len(part) > ENTRIES_MAX:
            raise PayloadTooLargeException(detail=f"A list has at most {ENTRIES_MAX} entries.")


def _ensure_small(part: dict[str, Any]) -> None:
    if len(part) > FIELDS_MAX or any(len(name) > EXPRESSION_LIMIT for name in part):
        raise PayloadTooLargeException(detail="An object has too many or too long attributes.")
    for name, value in part.items():
        known = name.lower()
        if known == "operations" and isinstance(value, list) and len(value) > OPERATIONS_MAX:
            raise PayloadTooLargeException(detail=f"At most {OPERATIONS_MAX} operations at once.")
        is_expression = known in ("path", "filter", "sortby") and isinstance(value, str)
        if is_expression and len(value) > EXPRESSION_LIMIT:
            raise PayloadTooLargeException(detail=f"`{known}` is too long.")


def _parts(document: Any) -> Iterator[dict[str, Any] | list[Any]]:
    """Give every object and list in a document, however deep."""
    waiting = [document]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting.extend(part.values())
        elif isinstance(part, list):
            yield part
            waiting.extend(part)


class BoundedHandler(AsyncScimHandler):
    """Applies a PATCH only if the process can bear it."""

    async def patch_resource(
        self,
        resource_type: ResourceType,
        resource_id: str,
        patch_op: "PatchOp[Any]",
        conditions: Conditions,
    ) -> Resource[Any]:
        current = await self.storage.get(resource_type, resource_id)
        ensure_few_comparisons(current, patch_op.operations or [])
        return await super().patch_resource(resource_type, resource_id, patch_op, conditions)


def ensure_few_comparisons(resource: Resource[Any], operations: Sequence[Any]) -> None:
    """Refuse a PATCH that would look at too many entries too often.

    Raises:
        PayloadTooLargeException: it would.
    """
    steps, entries = 0, _entries_of(resource)
    for operation in operations:
        size = len(operation.value) if isinstance(operation.value, list | dict) else 1
        is_removal = operation.op == PatchOperation.Op.remove
        steps += size if is_removal or isinstance(operation.value, dict) else 1
        entries += 0 if is_removal else size
    if steps > 1 and steps * entries > COMPARISONS_MAX:
        raise PayloadTooLargeException(detail="Send fewer operations at once for so many entries.")


def _entries_of(resource: Resource[Any]) -> int:
    if isinstance(resource, Group):
        return len(resource.members or [])
    return len(resource.emails or []) if isinstance(resource, User) else 0
