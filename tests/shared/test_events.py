"""The form of an event on the wire: a CloudEvent, a webhook payload, and readable by newer code."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from pydantic import ValidationError
from standardwebhooks.webhooks import Webhook

from shared.actor import Actor
from shared.contracts import members, notifications, projects
from shared.contracts.event import CATALOGUE, EVERYONE, Event
from tests.shared.things import AT, SEOUL, ThingChanged, ThingEvent, ThingMade, ThingState

ID = UUID("0199c7a0-0000-7000-8000-000000000001")
MADE = ThingState(id=ID, title="Pier", note=None, version=1)
CHANGED = ThingState(id=ID, title="Pier 2", note="wider", version=2)


def changed(**changes: Any) -> ThingEvent:
    arguments: dict[str, Any] = {"by": SEOUL, "at": AT, "audience": ["tokyo", "seoul"]}
    return ThingChanged.about(CHANGED, before=MADE, **(arguments | changes))


def test_the_whole_form_on_the_wire() -> None:
    event = changed().model_copy(update={"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"})

    assert json.loads(event.wire_form()) == {
        "specversion": "1.0",
        "id": str(event.id),
        "type": "renkei.thing.changed.v1",
        "source": "/things",
        "subject": str(ID),
        "time": "2026-04-01T09:30:00Z",
        "timestamp": "2026-04-01T09:30:00Z",
        "datacontenttype": "application/json",
        "entityversion": 2,
        "audience": "seoul tokyo",
        "actor": "client:seoul-main",
        "actormember": "seoul",
        "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
        "data": {
            "state": {
                "version": 2,
                "id": str(ID),
                "title": "Pier 2",
                "note": "wider",
                "tags": [],
                "names": {},
                "changed_at": "2026-04-01T09:30:00Z",
            },
            "previous": {"title": "Pier", "note": None},
        },
    }


def test_an_event_is_a_cloud_event() -> None:
    event = changed()

    parsed = JSONFormat().read(CloudEvent, event.wire_form())

    assert parsed.get_specversion() == "1.0"
    assert parsed.get_id() == str(event.id)
    assert parsed.get_type() == "renkei.thing.changed.v1"
    assert parsed.get_source() == "/things"
    assert parsed.get_subject() == str(ID)
    assert parsed.get_time() == AT
    assert parsed.get_datacontenttype() == "application/json"
    assert parsed.get_extension("audience") == "seoul tokyo"
    assert parsed.get_extension("entityversion") == 2


def test_an_event_is_a_webhook_payload_as_it_is() -> None:
    webhook = Webhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = changed().wire_form().decode()
    now = datetime.now(UTC)

    payload = webhook.verify(
        body,
        {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": webhook.sign("msg_1", now, body),
        },
    )

    assert payload["type"] == "renkei.thing.changed.v1"
    assert payload["timestamp"] == "2026-04-01T09:30:00Z"
    assert payload["data"]["state"]["title"] == "Pier 2"


def test_what_is_empty_in_a_state_stays_and_attributes_without_value_are_left_out() -> None:
    event = ThingMade.about(MADE, by=Actor.CLOCK, at=AT, audience=EVERYONE)

    written = json.loads(event.wire_form())

    assert written["data"]["state"]["note"] is None
    assert written["data"]["previous"] == {}
    assert not {"actor", "actormember", "traceparent"} & written.keys()
    assert written["audience"] == "*"
    assert ThingMade.model_validate_json(event.wire_form()) == event


@pytest.mark.parametrize(
    ("actor", "reference", "member"),
    [
        (SEOUL, "client:seoul-main", "seoul"),
        (Actor(member="oslo", official_id=ID, client_id="portal"), f"official:{ID}", "oslo"),
        (Actor.CLOCK, None, None),
    ],
)
def test_an_event_says_who_did_it_and_for_whom(
    actor: Actor, reference: str | None, member: str | None
) -> None:
    event = changed(by=actor)

    assert (event.actor, event.actormember) == (reference, member)


def test_subjects_are_exact_and_filters_match_them() -> None:
    assert changed().nats_subject == f"evt.things.thing.{ID}.changed.v1"
    assert ThingChanged.nats_filter() == "evt.things.thing.*.changed.v1"
    assert ThingEvent.nats_filter() == "evt.things.thing.*.*.v1"


def test_an_audience_has_each_member_once_and_excludes_others() -> None:
    event = changed(audience=["tokyo", "seoul", "tokyo"])

    assert event.audience == ("seoul", "tokyo")
    assert event.concerns("seoul")
    assert not event.concerns("seo")
    assert changed(audience=EVERYONE).concerns("seo")


def test_members_that_a_newer_release_adds_are_passed_over() -> None:
    written = json.loads(changed().wire_form())
    written["newattribute"] = "x"
    written["data"]["newmember"] = [1]
    written["data"]["state"]["new_field"] = {"a": 1}

    event = ThingChanged.received(json.dumps(written).encode())

    assert event.data.state == CHANGED
    assert json.loads(event.wire_form()) == written


def test_what_was_received_goes_out_byte_for_byte() -> None:
    body = b" " + changed().wire_form().replace(b'","', b'", "')

    assert ThingEvent.received(body).wire_form() == body


@pytest.mark.parametrize(
    ("name", "value"),
    [("id", "x"), ("time", "2026-04-01T09:30:00"), ("entityversion", 0), ("data", {"state": {}})],
)
def test_a_body_that_is_no_event_is_refused(name: str, value: Any) -> None:
    written = json.loads(changed().wire_form())
    written[name] = value

    with pytest.raises(ValidationError):
        ThingChanged.received(json.dumps(written).encode())


def published() -> Iterator[type[Event[Any]]]:
    """Every class of the published language that names what happened."""
    for module in (members, notifications, projects):
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, Event) and kind.happened:
                yield kind


def test_every_published_event_is_in_the_catalogue_under_a_type_of_its_own() -> None:
    kinds = list(published())

    assert [t for t, n in Counter(kind.type_name() for kind in kinds).items() if n > 1] == []
    assert {kind.type_name(): kind for kind in kinds} == CATALOGUE


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.__name__) for kind in published()])
def test_every_published_event_says_what_it_means_and_carries_a_whole_state(
    kind: type[Event[Any]],
) -> None:
    state = kind.state_type()

    assert kind.__doc__
    assert f"{kind.__module__}.".startswith(f"shared.contracts.{kind.publisher}.")
    assert state.key in state.model_fields
    assert "version" in state.model_fields
