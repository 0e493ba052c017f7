"""The published language: complete, described, and readable for ever."""

import json
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from jsonschema import Draft202012Validator

from deploy.catalogue import SAMPLES, schema_of, write_documents
from shared.contracts import members, notifications, projects
from shared.contracts.event import CATALOGUE, Event
from shared.contracts.samples import sample_of

PUBLISHERS = {module.__name__.rpartition(".")[2] for module in (members, notifications, projects)}
KINDS = [pytest.param(kind, id=name) for name, kind in CATALOGUE.items()]
STORED = [pytest.param(path, id=path.stem) for path in sorted(SAMPLES.glob("*.json"))]


def test_the_documents_say_what_the_code_says() -> None:
    assert write_documents(check=True) == []


def test_every_event_that_was_ever_released_is_still_known() -> None:
    assert {path.stem for path in SAMPLES.glob("*.json")} == set(CATALOGUE)


@pytest.mark.parametrize("path", STORED)
def test_a_stored_sample_stays_readable(path: Path) -> None:
    stored = path.read_bytes()

    event = CATALOGUE[path.stem].model_validate_json(stored)

    # What was said then is still said, whatever has been added since.
    assert_contains(json.loads(event.wire_form()), json.loads(stored))


def assert_contains(now: Any, then: Any) -> None:
    if isinstance(then, dict):
        for name, value in then.items():
            assert_contains(now[name], value)
    else:
        assert now == then


@pytest.mark.parametrize("kind", KINDS)
def test_a_published_schema_accepts_what_is_sent(kind: type[Event[Any]]) -> None:
    validator = Draft202012Validator(schema_of(kind))

    validator.validate(json.loads(sample_of(kind).wire_form()))


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_is_a_cloud_event(kind: type[Event[Any]]) -> None:
    event = JSONFormat().read(CloudEvent, sample_of(kind).wire_form())

    assert event.get_specversion() == "1.0"
    assert event.get_type() == kind.type_name()
    assert event.get_extension("audience") == "seoul tokyo"


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_says_what_it_means_and_who_publishes_it(kind: type[Event[Any]]) -> None:
    assert kind.__doc__
    assert kind.publisher in PUBLISHERS
    assert kind.nats_filter().startswith(f"evt.{kind.publisher}.{kind.entity}.*.")
