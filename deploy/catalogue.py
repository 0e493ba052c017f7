"""Writes what the code says about itself: event catalogue, schemas, AsyncAPI, OpenAPI.

Everything in `docs/` that this module writes is made from the code and checked by a test; the
samples in `docs/events/samples` are the exception: the first sample of a type is written once and
then kept for good, because every released form must stay readable.
"""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from pydantic_core import PydanticUndefined

from deploy.operations.services import SERVICES
from deploy.paths import DOCS, REPOSITORY
from shared.contracts.event import CATALOGUE, Event
from shared.contracts.samples import sample_of
from shared.http.application import openapi_of
from shared.messaging.broker import stream_of

SAMPLES: Final = DOCS / "events" / "samples"
TITLE: Final = "Renkei"


def write_documents(*, check: bool = False) -> list[Path]:
    """Bring the documents up to date.

    Args:
        check: write nothing.

    Returns:
        Paths, within the repository, of what was or would be written.
    """
    for service in SERVICES:
        importlib.import_module(f"shared.contracts.{service}")
    stale = []
    for path, text in documents():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.relative_to(REPOSITORY))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return stale


def documents() -> Iterator[tuple[Path, str]]:
    """Every document that is made from the code, with its text."""
    yield DOCS / "events.md", catalogue_page()
    for name, kind in CATALOGUE.items():
        yield DOCS / "events" / "schemas" / f"{name}.json", as_text(schema_of(kind))
        sample = SAMPLES / f"{name}.json"
        if not sample.exists():
            yield sample, as_text(json.loads(sample_of(kind).wire_form()))
    yield DOCS / "asyncapi.json", as_text(asyncapi())
    yield DOCS / "openapi.json", as_text(openapi())


def as_text(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def schema_of(kind: type[Event[Any]]) -> dict[str, Any]:
    """JSON Schema (2020-12) of one event type as it is on the wire."""
    schema = kind.model_json_schema(mode="serialization")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = kind.__name__
    schema["description"] = kind.__doc__
    schema["properties"]["type"] = {"const": kind.type_name()}
    schema["properties"]["source"] = {"const": f"/{kind.publisher}"}
    return schema


def catalogue_page() -> str:
    """The event catalogue for people."""
    lines = [
        "# Events",
        "",
        "Made from the code by `renkei catalogue`; do not edit. Every event is a CloudEvent 1.0 in",
        "JSON. `data.state` holds the whole public state of the entity after the change, and",
        "`data.previous` the former values of what changed. Keep the newest `entityversion` of",
        "each `subject`; events may arrive twice or out of order. `audience` lists the members",
        "that may learn of it, or `*`. Schemas: `docs/events/schemas/`; one sample of each",
        "released form: `docs/events/samples/`; AsyncAPI 3: `docs/asyncapi.json`.",
    ]
    for service in SERVICES:
        module = importlib.import_module(f"shared.contracts.{service}")
        kinds = [kind for kind in CATALOGUE.values() if kind.publisher == service]
        lines += ["", f"## {service}", "", (module.__doc__ or "").split("\n")[0], ""]
        lines += [f"Stream `{stream_of(service)}`, subjects `evt.{service}.>`.", ""]
        for entity in dict.fromkeys(kind.entity for kind in kinds):
            of_entity = [kind for kind in kinds if kind.entity == entity]
            lines += [f"### {entity}", "", "| type | what happened |", "| --- | --- |"]
            lines += [
                f"| [`{kind.type_name()}`](events/schemas/{kind.type_name()}.json) |"
                f" {' '.join((kind.__doc__ or '').split())} |"
                for kind in of_entity
            ]
            state = of_entity[0].state_type()
            lines += ["", "State: " + ", ".join(f"`{name}`" for name in state.model_fields), ""]
    return "\n".join(lines).rstrip() + "\n"


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0 document of the streams. Source: asyncapi.com, specification 3.0.0."""
    kinds = sorted(CATALOGUE.values(), key=lambda kind: SERVICES.index(kind.publisher))
    _, schemas = models_json_schema(
        [(kind, "serialization") for kind in kinds],
        ref_template="#/components/schemas/{model}",
    )
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for service in SERVICES:
        own = [kind for kind in kinds if kind.publisher == service]
        channels[service] = {
            "address": f"evt.{service}.{{entity}}.{{id}}.{{happened}}.v1",
            "description": f"Facts published by the {service} service, on {stream_of(service)}.",
            "parameters": {
                "entity": {"enum": sorted({kind.entity for kind in own})},
                "id": {"description": "Identifies the entity."},
                "happened": {"description": "What happened to it."},
            },
            "messages": {
                kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in own
            },
        }
        operations[f"hear_{service}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{service}"},
        }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"{TITLE} events",
            "version": "1",
            "description": "Facts that member cities may hear of: CloudEvents on NATS JetStream.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {
                kind.__name__: {
                    "name": kind.type_name(),
                    "summary": " ".join((kind.__doc__ or "").split()),
                    "payload": {"$ref": f"#/components/schemas/{kind.__name__}"},
                }
                for kind in kinds
            },
            "schemas": schemas["$defs"],
        },
    }


def openapi() -> dict[str, Any]:
    """One OpenAPI 3.1 document of all services, as the edge shows them under one origin.

    Raises:
        ValueError: two services mean different things by one name.
    """
    merged: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": f"{TITLE} API",
            "version": "1",
            "description": (
                "What member cities do together. Errors are problems (RFC 9457); changing a thing"
                " needs its ETag as If-Match; POST takes an Idempotency-Key; lists are paged by"
                " cursor. Get an access token at `/oauth/token` with client credentials."
            ),
        },
        "servers": [{"url": "/"}],
        "tags": [],
        "paths": {},
        "components": {"schemas": {}, "securitySchemes": {}},
    }
    for service in SERVICES:
        create_app = importlib.import_module(f"services.{service}.http.app").create_app
        settings = importlib.import_module(f"services.{service}.settings")
        kind = getattr(settings, f"{service.capitalize()}Settings")
        part = openapi_of(create_app(kind(**_nowhere(kind))))
        _merge(merged["paths"], part["paths"], service)
        for section, found in part.get("components", {}).items():
            _merge(merged["components"].setdefault(section, {}), found, service)
    for path in merged["paths"].values():
        for operation in path.values():
            # What a route does for its caller stands first in its docstring.
            operation["summary"] = operation["description"].split("\n")[0].rstrip(".")
    merged["tags"] = [
        {"name": tag}
        for tag in dict.fromkeys(
            tag
            for path in merged["paths"].values()
            for operation in path.values()
            for tag in operation.get("tags", [])
        )
    ]
    return merged


def _nowhere(kind: type[BaseModel]) -> dict[str, Any]:
    """Settings that lead nowhere: describing an API needs neither database nor broker."""
    needed = {
        "database_url": "postgresql+asyncpg://nowhere/none",
        "nats_url": "nats://nowhere",
        "issuer": "https://renkei.example",
        "jwks_url": "https://renkei.example/oauth/jwks",
        "master_keys": "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    }
    missing = [
        name
        for name, field in kind.model_fields.items()
        if field.default is PydanticUndefined and name not in needed
    ]
    if missing:
        raise ValueError(f"{kind.__name__} needs {missing} and the catalogue knows no value")
    return needed


def _merge(into: dict[str, Any], part: dict[str, Any], service: str) -> None:
    for name, value in part.items():
        if into.setdefault(name, value) != value:
            raise ValueError(f"{service} means something else by {name!r}")
