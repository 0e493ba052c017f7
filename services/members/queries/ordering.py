"""The orders in which lists are given."""

from typing import Any, Literal

from sqlalchemy.orm import InstrumentedAttribute

from services.members.model.base import Versioned

Sort = Literal["created", "-created", "updated", "-updated"]


def columns_of(
    entity: type[Versioned], key: InstrumentedAttribute[Any], sort: Sort
) -> tuple[InstrumentedAttribute[Any], InstrumentedAttribute[Any]]:
    """Columns to sort by; the key decides between equals."""
    instant: Any = entity.created_at if sort.endswith("created") else entity.updated_at
    return instant, key


def is_descending(sort: Sort) -> bool:
    return sort.startswith("-")
