"""What is always true of a network once it is quiet, whatever was done to it before.

Each function names what it finds wrong, in a line per finding; nothing found is an empty list.
"""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from deploy.embedded.layout import SERVICES
from deploy.operations.dumping import canonical, dump
from deploy.operations.reconciling import reconcile
from services.notifications.model.concerns import Concern, concerns
from shared.contracts.event import EVERYONE, Event
from shared.contracts.projects import (
    MilestoneBecameOverdue,
    ParticipationEvent,
    ProjectEvent,
)
from tests.faults.city import ENTITIES, NAMED_BY_SLUG, Journal
from tests.faults.network import Network
from tests.faults.receiver import Receiver
from tests.faults.stream import Entity, History, Message, history_of, read_stream

SILENTLY_CHANGED: Final = frozenset({"inbox_item"})
"""Folding a fact into an inbox item changes it and is not told: its versions have holes."""

Dumps = Mapping[str, dict[str, Any]]


async def ensure_true(network: Network) -> None:
    """Wait until the network is quiet, and look at everything.

    Raises:
        AssertionError: something is wrong; the message lists it.
    """
    await network.until_quiet()
    complaints = await complaints_about(network)
    assert not complaints, "\n".join(["", *complaints[:60], f"({len(complaints)} findings)"])


async def complaints_about(network: Network) -> list[str]:
    """Look at everything there is to see of a quiet network."""
    streams = dict(
        zip(
            SERVICES,
            await asyncio.gather(*(read_stream(network.jetstream, name) for name in SERVICES)),
            strict=True,
        )
    )
    dumps = await dumps_of(network)
    history, complaints = history_of(each for stream in streams.values() for each in stream)
    complaints += network.journal.surprises
    complaints += once_and_in_order(history)
    complaints += accepted_is_told(network.journal, history)
    complaints += time_is_noted_once(history)
    complaints += owners_are_as_told(history, dumps)
    complaints += copies_are_as_owned(network, dumps)
    complaints += await logged_is_streamed(network, streams)
    complaints += await inboxes_are_exact(network, history)
    complaints += await webhooks_are_exact(network, history)
    complaints += await nothing_is_left(network)
    complaints += await reconciled(network)
    return complaints


async def dumps_of(network: Network) -> Dumps:
    """What `renkei dump` prints of each service."""
    pictures = await asyncio.gather(*map(dump, network.services))
    return {
        service.name: json.loads(canonical(picture))
        for service, picture in zip(network.services, pictures, strict=True)
    }


def once_and_in_order(history: History) -> list[str]:
    """Each event is there once; each entity's versions are 1, 2, 3, … in this order."""
    twice = [
        f"{event_id} is on the stream {count} times"
        for event_id, count in Counter(event.id for event in history.events).items()
        if count > 1
    ]
    return twice + [
        f"{entity} {subject}: versions {versions}"
        for (entity, subject), events in history.by_entity().items()
        if not _is_in_order(entity, versions := [event.entityversion for event in events])
    ]


def _is_in_order(entity: str, versions: list[int]) -> bool:
    if entity in SILENTLY_CHANGED:
        return versions == sorted(set(versions))
    return versions == list(range(1, len(versions) + 1))


def accepted_is_told(journal: Journal, history: History) -> list[str]:
    """Each accepted write has one event, and each event a write that may have made it."""
    told: defaultdict[tuple[str, str, int], list[Event[Any]]] = defaultdict(list)
    for event in history.events:
        told[event.entity, event.subject, event.entityversion].append(event)
    complaints = []
    keys: defaultdict[tuple[str, str, int], set[str | None]] = defaultdict(set)
    for number, write in enumerate(journal.of("accepted")):
        effect = (write.entity, write.subject, write.version)
        keys[effect].add(write.key or f"write {number}")
        if len(told[effect]) != 1:
            complaints.append(f"{write.method} {write.path}: {len(told[effect])} events {effect}")
        elif told[effect][0].actormember != write.member:
            complaints.append(f"{effect}: told of {told[effect][0].actormember}")
    complaints += [
        f"{effect}: several writes {made}" for effect, made in keys.items() if len(made) > 1
    ]
    return complaints + _unexplained(
        journal, [e for effect, es in told.items() if effect not in keys for e in es]
    )


def _unexplained(journal: Journal, events: Iterable[Event[Any]]) -> list[str]:
    """Events of cities that no accepted write made: there must be a write of unknown outcome."""
    perhaps = Counter((write.entity, write.member) for write in journal.of("unknown"))
    complaints = []
    for event in events:
        if event.actor is None:
            continue  # made by the clock, the sender, or the operator who opened the network
        perhaps[event.entity, str(event.actormember)] -= 1
        if perhaps[event.entity, str(event.actormember)] < 0:
            complaints.append(f"nobody did {event.type} {event.subject} {event.entityversion}")
    return complaints


def time_is_noted_once(history: History) -> list[str]:
    """Each missed deadline is noted once, by the clock and in nobody's name."""
    overdue = [event for event in history.events if isinstance(event, MilestoneBecameOverdue)]
    noted = Counter(
        (event.subject, event.data.state.due_at.isoformat(), event.actor) for event in overdue
    )
    return [
        f"milestone {missed} became overdue {times} times"
        for missed, times in noted.items()
        if times > 1 or missed[2] is not None
    ]


def owners_are_as_told(history: History, dumps: Dumps) -> list[str]:
    """The newest event of each entity carries the state that its owner has, and none is missing."""
    owned: dict[Entity, Any] = {}
    for publisher, entity in ENTITIES.values():
        if entity not in SILENTLY_CHANGED:
            for state in dumps[publisher][entity]:
                owned[entity, str(state["slug" if entity in NAMED_BY_SLUG else "id"])] = state
    newest = {
        (entity, subject): event
        for (entity, subject), event in history.newest().items()
        if entity not in SILENTLY_CHANGED
    }
    complaints = [f"{gone} is told of and not there" for gone in newest.keys() - owned.keys()]
    for thing, state in owned.items():
        if thing not in newest:
            complaints.append(f"{thing} is there and was never told of")
        elif (told := newest[thing].data.state.model_dump(mode="json")) != state:
            complaints.append(f"{thing} is {state}, told as {told}")
    return complaints


def copies_are_as_owned(network: Network, dumps: Dumps) -> list[str]:
    """Each copy has each entity of its owner, in its newest state, and nothing else."""
    complaints = []
    for service in network.services:
        for copy in service.copies:
            event = copy.event
            key = event.state_type().key
            copied = {row[key]: row for row in dumps[service.name][copy.table.__tablename__]}
            owned = {state[key]: state for state in dumps[event.publisher][event.entity]}
            complaints += [
                f"{copy.durable} {missing} is only on one side"
                for missing in copied.keys() ^ owned.keys()
            ]
            complaints += [
                f"{copy.durable} {same}: {copied[same]} is not {owned[same]}"
                for same in copied.keys() & owned.keys()
                if any(owned[same][name] != value for name, value in copied[same].items())
            ]
    return complaints


async def logged_is_streamed(network: Network, streams: Mapping[str, list[Message]]) -> list[str]:
    """The event log of each service is its stream: the same events with the same bytes."""
    complaints = []
    for service, messages in streams.items():
        rows = await network.fetch(service, "SELECT event_id, subject, body FROM event_log")
        logged = Counter((str(row["event_id"]), row["subject"], row["body"]) for row in rows)
        streamed = Counter(
            (message.message_id.partition(".")[0], message.subject, message.body)
            for message in messages
        )
        complaints += [
            f"{service}: {event_id} {subject} is on the stream and not in the log"
            for event_id, subject, _ in streamed - logged
        ]
        complaints += [
            f"{service}: {event_id} {subject} is in the log and not on the stream"
            for event_id, subject, _ in logged - streamed
        ]
    return complaints


@dataclass(frozen=True)
class Bounds:
    """How many facts are in an inbox item, where chance decides within limits."""

    least: int
    most: int


async def inboxes_are_exact(network: Network, history: History) -> list[str]:
    """Each inbox item counts each fact about its subject that concerns its official, once."""
    rows = await network.fetch(
        "notifications",
        "SELECT official_id::text, subject_kind, subject_id::text, count FROM inbox_item",
    )
    found = {(row[0], row[1], row[2]): row[3] for row in rows}
    expected = _expected_counts(history)
    complaints = []
    for item in found.keys() | expected.keys():
        bounds = expected.get(item, Bounds(0, 0))
        if not bounds.least <= found.get(item, 0) <= bounds.most:
            complaints.append(f"inbox item {item} counts {found.get(item)}, expected {bounds}")
    return complaints


def _expected_counts(history: History) -> dict[tuple[str, str, str], Bounds]:
    newest = history.newest()
    officials = [event.data.state for (kind, _), event in newest.items() if kind == "official"]
    least: Counter[tuple[str, str, str]] = Counter()
    most: Counter[tuple[str, str, str]] = Counter()
    for event in history.events:
        surely: set[str] = set()
        perhaps: set[str] = set()
        for concern in concerns(event):
            sure, possible = _members_concerned(event, concern, newest)
            for official in officials:
                if event.audience != EVERYONE and official.member not in event.audience:
                    continue
                if not set(official.roles) & set(concern.roles):
                    continue
                if official.member in sure:
                    surely.add(str(official.id))
                if official.member in possible:
                    perhaps.add(str(official.id))
        least.update((official, event.entity, event.subject) for official in surely)
        most.update((official, event.entity, event.subject) for official in surely | perhaps)
    return {item: Bounds(least[item], count) for item, count in most.items()}


def _members_concerned(
    event: Event[Any], concern: Concern, newest: Mapping[Entity, Event[Any]]
) -> tuple[set[str], set[str]]:
    """Who is certainly concerned, and who may be, depending on what was known at the moment.

    Of a fact for everyone those are told who take part by then, and that moment is not on the
    stream.
    """
    if concern.found_by == "name":
        return set(concern.members), set()
    state = event.data.state
    project_id = str(state.id if isinstance(event, ProjectEvent) else state.project_id)
    lead = {newest["project", project_id].data.state.lead}
    if concern.found_by == "lead":
        return lead, set()
    return lead, {
        told.data.state.member
        for told in newest.values()
        if isinstance(told, ParticipationEvent) and str(told.data.state.project_id) == project_id
    }


async def webhooks_are_exact(network: Network, history: History) -> list[str]:
    """Each receiver got each event that its member may hear of, and nothing else.

    What a member was not told any more, as it had left the project, it may have got before.
    """
    receiver = network.receiver
    rows = await network.fetch(
        "notifications",
        "SELECT id, url, member, created_at FROM webhook_endpoint ORDER BY created_at",
    )
    held_back = await network.fetch(
        "notifications",
        "SELECT endpoint_id, event_id FROM webhook_delivery WHERE state = 'cancelled'"
        " AND state_reason = 'left_project'",
    )
    expected: set[tuple[str, UUID]] = set()
    withheld: set[tuple[str, UUID]] = set()
    told = {event.id: event for event in history.events}
    for row in rows:
        hook = row["url"].rpartition("/")[2]
        if hook in receiver.secrets:
            expected |= _may_hear(history, row["member"], hook, since=row["created_at"])
            withheld |= {
                (hook, event_id)
                for endpoint_id, event_id in held_back
                if endpoint_id == row["id"]
                and event_id in told
                and _was_out_of(history, told[event_id], row["member"])
            }
    arrived = set(receiver.arrived)
    complaints = [f"webhook {hook} misses {event}" for hook, event in expected - withheld - arrived]
    complaints += [f"webhook {hook} got {event}" for hook, event in arrived - expected]
    complaints += [f"webhook {doubt}" for doubt in receiver.doubted]
    return complaints + _altered(receiver, history)


def _may_hear(
    history: History, member: str, hook: str, *, since: datetime
) -> set[tuple[str, UUID]]:
    return {
        (hook, event.id)
        for event in history.events
        if event.concerns(member) and event.time >= since
    }


def _was_out_of(history: History, fact: Event[Any], member: str) -> bool:
    """Tell whether a member has left the project of a fact, at any moment from the fact on.

    Nobody leaves what everybody sees, or leads; and each hears what became of its own place.
    """
    project_id = _project_of(fact)
    about_itself = isinstance(fact, ParticipationEvent) and fact.data.state.member == member
    if project_id is None or fact.audience == EVERYONE or about_itself:
        return False
    project: Any = None
    places: dict[str, str] = {}
    for event in sorted(history.events, key=lambda each: (each.time, each.entityversion)):
        state = event.data.state
        if _project_of(event) != project_id:
            continue
        if isinstance(event, ProjectEvent):
            project = state
        elif isinstance(event, ParticipationEvent) and state.member == member:
            places[event.subject] = state.status
        has_left = bool(places) and not {"invited", "accepted"}.intersection(places.values())
        is_open = project is None or project.lead == member or project.visibility == "network"
        if event.time >= fact.time and has_left and not is_open:
            return True
    return False


def _project_of(event: Event[Any]) -> UUID | None:
    state = event.data.state
    found: UUID | None = (
        state.id if isinstance(event, ProjectEvent) else getattr(state, "project_id", None)
    )
    return found


def _altered(receiver: Receiver, history: History) -> list[str]:
    said = {event.id: json.loads(event.wire_form()) for event in history.events}
    return [
        f"webhook body of {event} is not what was said"
        for event, body in receiver.bodies.items()
        if event in said and said[event] != body
    ]


async def nothing_is_left(network: Network) -> list[str]:
    """No dead letter waits, nothing is in an outbox, no webhook was given up."""
    complaints = []
    for service in SERVICES:
        letters = await network.fetch(
            service, "SELECT consumer, reason FROM dead_letter WHERE settled_at IS NULL"
        )
        complaints += [f"dead letter of {row['consumer']}: {row['reason']:.200}" for row in letters]
        [row] = await network.fetch(service, "SELECT count(*) FROM outbox")
        if row[0]:
            complaints.append(f"{row[0]} events are in the outbox of {service}")
    failed = await network.fetch(
        "notifications",
        "SELECT event_id, state_reason FROM webhook_delivery WHERE state = 'failed'",
    )
    return complaints + [f"webhook {row[0]} failed: {row[1]}" for row in failed]


async def reconciled(network: Network) -> list[str]:
    """`renkei reconcile` finds nothing."""
    complaints = []
    for service in network.services:
        report = await reconcile(service, network.services, network.nats)
        complaints += [f"reconcile {gap.where}: {gap.what}: {gap.events}" for gap in report.gaps]
    return complaints
