"""The catalogue of event types over HTTP, for those who write what reads them.

It says nothing of anybody, so it needs no access token, like the description of the API. It is the
same for as long as the process runs.
"""

import asyncio
import hashlib
from functools import lru_cache
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Response
from pydantic import Field
from pydantic.json_schema import model_json_schema
from pydantic_core import from_json, to_json

from services.notifications.model.event_types import EventTypeNotFound, scopes_to_read
from shared.contracts.describing import sample_of
from shared.contracts.event import CATALOGUE, Event
from shared.fields import Output
from shared.http.preconditions import is_among
from shared.http.problems import refusals
from shared.http.transaction import Route

router = APIRouter(prefix="/api/v1/event-types", tags=["event feed"], route_class=Route)

CACHED: Final = "public, max-age=300"
JSON_SCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"
UNCHANGED: Final = {"description": "It is as it was under the ETag in `If-None-Match`."}


class EventTypeOut(Output):
    """A type of event: what happened, and what its `data` looks like."""

    type: str
    description: str
    publisher: str
    entity: str
    happened: str
    version: int
    is_deprecated: bool = Field(description="There is a newer version of it.")
    scope: str = Field(description="What an access token must cover to be told of it.")
    data_schema: dict[str, Any] = Field(description="JSON Schema (2020-12) of `data`.")
    sample: dict[str, Any] = Field(description="A whole event.")


class EventTypesOut(Output):
    """All types of events, by name."""

    items: list[EventTypeOut]


IfNoneMatch = Annotated[str, Header(max_length=1000)]
TypeName = Annotated[str, Path(max_length=100, pattern=r"^renkei\.[a-z_]+\.[a-z_]+\.v[1-9][0-9]?$")]


@router.get(
    "",
    response_class=Response,
    responses={200: {"model": EventTypesOut}, 304: UNCHANGED},
)
async def get_event_types(if_none_match: IfNoneMatch = "") -> Response:
    """List the types of events that systems may be told, with schema and sample.

    Needs no access token.
    """
    return _answer(*await asyncio.to_thread(_everything), if_none_match)


@router.get(
    "/{event_type}",
    response_class=Response,
    responses={200: {"model": EventTypeOut}, 304: UNCHANGED, **refusals(EventTypeNotFound)},
)
async def get_event_type(event_type: TypeName, if_none_match: IfNoneMatch = "") -> Response:
    """Read what one type of event is like. Needs no access token."""
    if event_type not in CATALOGUE:
        raise EventTypeNotFound(f"No event is of the type {event_type!r}.")
    return _answer(*await asyncio.to_thread(_one, event_type), if_none_match)


def _answer(body: bytes, etag: str, if_none_match: str) -> Response:
    headers = {"ETag": etag, "Cache-Control": CACHED}
    if is_among(etag, if_none_match):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


@lru_cache
def _everything() -> tuple[bytes, str]:
    items = b",".join(_one(name)[0] for name in sorted(CATALOGUE))
    return _tagged(b'{"items":[%s]}' % items)


@lru_cache
def _one(name: str) -> tuple[bytes, str]:
    return _tagged(to_json(described(CATALOGUE[name])))


def _tagged(body: bytes) -> tuple[bytes, str]:
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def described(kind: type[Event[Any]]) -> EventTypeOut:
    """Say what a type of event is like."""
    [scope] = scopes_to_read([kind.type_name()])
    data: Any = kind.model_fields["data"].annotation
    return EventTypeOut(
        type=kind.type_name(),
        description=" ".join((kind.__doc__ or "").split()),
        publisher=kind.publisher,
        entity=kind.entity,
        happened=kind.happened or "",
        version=kind.revision,
        is_deprecated=any(
            (other.entity, other.happened) == (kind.entity, kind.happened)
            and other.revision > kind.revision
            for other in CATALOGUE.values()
        ),
        scope=scope,
        data_schema={
            "$schema": JSON_SCHEMA,
            **model_json_schema(data, mode="serialization"),
        },
        sample=from_json(sample_of(kind).wire_form()),
    )
