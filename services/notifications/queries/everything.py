"""Everything that this service knows, for the operator's comparison of two installations."""

from typing import Any, Final

from pydantic_core import to_jsonable_python
from sqlalchemy import inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.model.base import Base
from services.notifications.model.inbox_item import InboxItem
from services.notifications.model.known import (
    KnownClient,
    KnownMember,
    KnownOfficial,
    KnownParticipation,
    KnownProject,
    KnownSession,
)
from services.notifications.model.webhook_endpoint import WebhookEndpoint
from shared.contracts.notifications import WebhookEndpointState

COPIES: Final[tuple[type[Base], ...]] = (
    KnownMember,
    KnownOfficial,
    KnownClient,
    KnownSession,
    KnownProject,
    KnownParticipation,
)
OF_PROCESSING: Final = frozenset({"id", "created_at", "updated_at", "version"})
"""Of an inbox item: what depends on when and in which order its facts arrived."""


async def all_states(session: AsyncSession) -> dict[str, list[Any]]:
    """Every endpoint, inbox item and copy by its kind, in the order of their keys."""
    return {
        "webhook_endpoint": await _endpoints(session),
        "inbox_item": await _inbox_items(session),
        **{table.__tablename__: await _copies(session, table) for table in COPIES},
    }


async def _endpoints(session: AsyncSession) -> list[WebhookEndpointState]:
    found = await session.scalars(select(WebhookEndpoint).order_by(WebhookEndpoint.id))
    return [endpoint.state() for endpoint in found]


async def _inbox_items(session: AsyncSession) -> list[dict[str, Any]]:
    found = await session.scalars(
        select(InboxItem).order_by(
            InboxItem.official_id, InboxItem.subject_kind, InboxItem.subject_id
        )
    )
    return [_row(item, without=OF_PROCESSING) for item in found]


async def _copies(session: AsyncSession, table: type[Base]) -> list[dict[str, Any]]:
    [key] = inspect(table).primary_key
    return [_row(copy) for copy in await session.scalars(select(table).order_by(key))]


def _row(entity: Base, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    names = [column.key for column in inspect(type(entity)).column_attrs]
    return {
        # Instants as every state of a contract writes them, so that copies can be compared.
        name: to_jsonable_python(getattr(entity, name))
        for name in names
        if name not in without
    }
