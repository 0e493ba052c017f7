"""The history of a project holds what was announced about it, and shows it to who may know."""

import asyncio
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any, ClassVar
from uuid import UUID

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from services.projects.model.activity import Change, Part, changes_between
from services.projects.model.known import KnownOfficial
from services.projects.use_cases.note_overdue_milestones import note_overdue_milestones
from shared.clock import utc_now
from shared.contracts.event import Event, State
from shared.database import Sessions
from shared.identifiers import new_id
from shared.messaging.outbox import announce
from shared.messaging.partitions import ensure_partitions
from shared.messaging.relay import BATCH_BYTES, TAKE
from tests.conftest import Database
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, actor, working
from tests.projects.test_comments_api import as_person
from tests.projects.test_speed import statements
from tests.servers import Servers, create_database

DRAFT = {"reference": "clean-air", "title": {"en": "Clean air"}, "summary": {"en": "Less dust."}}
MILESTONE = {
    "title": {"en": "Report"},
    "due_on": "2026-10-25",
    "time_zone": "Europe/Berlin",
    "accountable": "tokyo",
}
LONG_AFTER = NOON + timedelta(days=1000)


async def history(cities: Cities, member: str, project: str, query: str = "") -> list[Any]:
    """All of it, page by page, the oldest first."""
    path = f"/projects/{project}/activity?sort=at&limit=7{query}"
    found = []
    while path:
        page = await cities.get(member, path)
        found += page["items"]
        path = (page["next"] or "").removeprefix("/api/v1")
    return found


async def relay(url: str, count: int) -> None:
    """Move facts from the outbox to the event log, as if they had been published."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        await ensure_partitions(connection, utc_now())
        await connection.execute(TAKE, count, BATCH_BYTES)
    finally:
        await connection.close()


async def drafted(cities: Cities, **others: Any) -> str:
    """A draft of Tokyo's that was reworded before anybody else saw it."""
    project: str = (await cities.do("tokyo", "POST", "/projects", DRAFT | others))["id"]
    reworded = {"summary": {"en": "Less dust, soon."}}
    await cities.do("tokyo", "PATCH", f"/projects/{project}", reworded)
    return project


async def invited(cities: Cities, project: str, member: str, answer: str | None = None) -> str:
    path = f"/projects/{project}/participations"
    invitation: str = (await cities.do("tokyo", "POST", path, {"member": member}))["id"]
    if answer is not None:
        await cities.do(member, "POST", f"/participations/{invitation}/{answer}", {})
    return invitation


async def played(cities: Cities, sessions: Sessions, **others: Any) -> str:
    """A whole project, from the draft to its completion, with talk, delay and a parting."""
    project = await drafted(cities, **others)
    here = f"/projects/{project}"
    await cities.do("tokyo", "POST", f"{here}/proposal")
    await invited(cities, project, "seoul", "acceptance")
    await invited(cities, project, "berlin", "declination")
    parting = await invited(cities, project, "jakarta", "acceptance")
    await cities.do("tokyo", "POST", f"{here}/activation")
    milestone = (await cities.do("tokyo", "POST", f"{here}/milestones", MILESTONE))["id"]
    there = f"/milestones/{milestone}"
    await cities.do("tokyo", "PATCH", there, {"title": {"en": "First report"}})
    moved = {"due_on": "2026-11-30", "time_zone": "Europe/Berlin"}
    await cities.do("tokyo", "POST", f"{there}/reschedule", moved)
    wanted = {"member": "seoul", "description": "Measurements"}
    asked = await cities.do("tokyo", "POST", f"{there}/contributions", wanted)
    part = f"{there}/contributions/{asked['contributions'][0]['id']}"
    await cities.do("tokyo", "POST", f"{there}/start")
    comment = await cities.do("seoul", "POST", f"{there}/comments", {"text": {"en": "May?"}})
    reply = {"text": {"en": "June."}, "in_reply_to": comment["id"]}
    await cities.do("tokyo", "POST", f"{there}/comments", reply)
    await cities.do("seoul", "PATCH", f"/comments/{comment['id']}", {"text": {"en": "In May?"}})
    bye = {"text": {"en": "Bye."}, "mentioned_members": ["seoul"]}
    said = await cities.do("jakarta", "POST", f"{here}/comments", bye)
    await cities.do("jakarta", "POST", f"/comments/{said['id']}/removal", {"reason": "Rude."})
    await cities.do("jakarta", "POST", f"/participations/{parting}/withdrawal", {"note": "Time."})
    await cities.do("seoul", "POST", f"{part}/delivery", {"evidence": "Table 1"})
    await cities.do("tokyo", "POST", f"{part}/return", {"reason": "July is missing."})
    async with sessions.begin() as session:
        await note_overdue_milestones(session, LONG_AFTER)
    await cities.do("seoul", "POST", f"{part}/delivery", {"evidence": "Table 2"})
    await cities.do("tokyo", "POST", f"{part}/acceptance")
    await cities.do("tokyo", "POST", f"{here}/suspension", {"reason": "Budget."})
    await cities.do("tokyo", "POST", f"{here}/resumption")
    await cities.do("tokyo", "POST", f"{there}/completion")
    await cities.do("tokyo", "POST", f"{here}/completion")
    return project


def told(event: Event[Any]) -> tuple[Any, ...]:
    kind, _, name = (event.actor or "").partition(":")
    return (
        str(event.id),
        event.type,
        event.time,
        {"kind": kind, "id": name, "function": None} if event.actor else None,
        event.actormember,
        event.type.split(".")[1],
        event.subject,
        event.entityversion,
    )


def shown(line: Any) -> tuple[Any, ...]:
    subject = line["subject"]
    return (
        line["id"],
        line["type"],
        datetime.fromisoformat(line["at"]),
        line["actor"],
        line["member"],
        subject["kind"],
        subject["id"],
        subject["version"],
    )


async def test_the_history_of_a_project_is_what_was_announced_of_it(
    cities: Cities, sessions: Sessions
) -> None:
    other = await drafted(cities, reference="clean-water")

    project = await played(cities, sessions)

    lines = await history(cities, "tokyo", project)
    facts = await announced(sessions)
    assert len(facts) == 2 + 30
    assert [shown(line) for line in lines] == [told(event) for event in facts[2:]]
    assert [shown(line) for line in await history(cities, "tokyo", other)] == [
        told(event) for event in facts[:2]
    ]
    newest_first = await cities.get("tokyo", f"/projects/{project}/activity?limit=200")
    assert newest_first["items"] == lines[::-1]
    assert {line["actor"] is None for line in lines if "overdue" in line["type"]} == {True}


async def test_what_has_left_and_what_still_waits_are_one_history(
    cities: Cities, database: Database, sessions: Sessions
) -> None:
    project = await drafted(cities)
    await cities.do("tokyo", "POST", f"/projects/{project}/proposal")
    before = await history(cities, "tokyo", project)

    await relay(database.url, 2)

    assert len(await announced(sessions)) == 1
    assert await history(cities, "tokyo", project) == before
    assert len(before) == 3


async def test_a_line_says_what_changed_from_what_to_what(
    cities: Cities, sessions: Sessions
) -> None:
    project = await played(cities, sessions)

    lines = await history(cities, "tokyo", project)

    def changes(happened: str, which: int = 0) -> dict[str, tuple[Any, Any]]:
        found = [line for line in lines if line["type"] == f"renkei.{happened}.v1"][which]
        return {each["field"]: (each["from"], each["to"]) for each in found["changes"]}

    assert changes("project.changed") == {
        "summary": ({"en": "Less dust."}, {"en": "Less dust, soon."})
    }
    assert changes("project.suspended") == {
        "status": ("active", "suspended"),
        "status_reason": (None, "Budget."),
    }
    assert changes("milestone.rescheduled") == {
        "due_on": ("2026-10-25", "2026-11-30"),
        "due_at": ("2026-10-25T23:00:00Z", "2026-11-30T23:00:00Z"),
    }
    assert changes("milestone.changed") == {"title": ({"en": "Report"}, {"en": "First report"})}
    assert changes("milestone.planned") == {
        "accountable": (None, "tokyo"),
        "baseline_on": (None, "2026-10-25"),
        "due_at": (None, "2026-10-25T23:00:00Z"),
        "due_on": (None, "2026-10-25"),
        "status": (None, "planned"),
        "time_zone": (None, "Europe/Berlin"),
    }
    returned = changes("milestone.contribution_returned")
    assert returned.pop("contributions.decided_at")[0] is None
    assert returned == {
        "contributions.reason": (None, "July is missing."),
        "contributions.status": ("delivered", "returned"),
    }
    assert changes("milestone.became_overdue") == {"is_overdue": (False, True)}


async def test_a_line_is_about_a_thing_as_it_was_called_then(
    cities: Cities, sessions: Sessions
) -> None:
    project = await played(cities, sessions)

    lines = await history(cities, "tokyo", project, "&kind=milestone")
    [declined] = await history(cities, "tokyo", project, "&type=renkei.participation.declined.v1")

    assert [line["subject"]["title"] for line in lines[:2]] == [
        {"en": "Report"},
        {"en": "First report"},
    ]
    assert declined["subject"]["title"] is None
    assert declined["subject"]["member"] == declined["member"] == "berlin"
    [asked] = [line for line in lines if "requested" in line["type"]]
    [change] = asked["changes"]
    assert (change["field"], change["from"]) == ("contributions", None)
    assert change["of"] == {"id": change["to"]["id"], "member": "seoul"}


async def test_what_was_said_is_shown_as_it_reads_now_or_not_at_all(
    cities: Cities, sessions: Sessions
) -> None:
    project = await played(cities, sessions)

    said = await history(cities, "tokyo", project, "&kind=comment")

    assert [(line["type"].split(".")[2], line["member"], line["text"]) for line in said] == [
        ("posted", "seoul", {"en": "In May?"}),
        ("posted", "tokyo", {"en": "June."}),
        ("edited", "seoul", {"en": "In May?"}),
        ("posted", "jakarta", None),
        ("removed", "jakarta", None),
    ]
    assert "Bye" not in str(said)
    changed = {change["field"] for line in said for change in line["changes"]}
    assert not changed & {"text", "mentioned_members", "mentioned_officials"}
    assert [line["about"]["kind"] for line in said] == [*["milestone"] * 3, *["project"] * 2]
    assert said[3]["about"]["id"] == project
    assert said[0]["subject"]["title"] == {"en": "First report"}


async def test_a_history_can_be_narrowed(cities: Cities, sessions: Sessions) -> None:
    project = await played(cities, sessions)
    [planned] = await history(cities, "tokyo", project, "&type=renkei.milestone.planned.v1")
    day = f"{LONG_AFTER:%Y-%m-%d}T00:00:00Z"

    found = {
        query: len(await history(cities, "tokyo", project, query))
        for query in (
            "&kind=milestone",
            f"&entity_id={planned['subject']['id']}",
            "&member=jakarta",
            "&type=renkei.project.suspended.v1",
            "&kind=milestone&member=seoul",
            "&kind=decision",
            f"&since={day}",
            f"&until={day}",
        )
    }

    assert list(found.values()) == [11, 11, 4, 1, 2, 0, 1, 29]


@pytest.mark.parametrize(
    "query",
    [
        "kind=Milestone",
        "type=milestone.*",
        "entity_id=first",
        "since=today",
        "sort=created",
        "cursor=x",
        "page=2",
    ],
)
async def test_an_odd_question_is_refused(cities: Cities, sessions: Sessions, query: str) -> None:
    scene = await working().store(sessions)

    refused = await cities.call("tokyo", "GET", f"/projects/{scene.project.id}/activity?{query}")

    assert refused.status_code == 422


async def proposed(cities: Cities, **others: Any) -> str:
    """A project with six facts: of the draft two, and one of each later step."""
    project = await drafted(cities, **others)
    await cities.do("tokyo", "POST", f"/projects/{project}/proposal")
    await invited(cities, project, "berlin", "declination")
    await invited(cities, project, "seoul")
    return project


async def test_the_history_of_a_draft_stays_with_its_lead(cities: Cities) -> None:
    project = await proposed(cities)

    lead, participant = [
        [line["id"] for line in await history(cities, member, project)]
        for member in ("tokyo", "seoul")
    ]

    assert (len(lead), participant) == (6, lead[2:])


async def test_who_joins_late_reads_what_happened_since_the_proposal(cities: Cities) -> None:
    project = await drafted(cities)
    await cities.do("tokyo", "POST", f"/projects/{project}/proposal")
    await invited(cities, project, "seoul", "acceptance")
    await invited(cities, project, "delhi")

    lines = await history(cities, "delhi", project)

    assert [line["type"] for line in lines] == [
        "renkei.project.proposed.v1",
        "renkei.participation.invited.v1",
        "renkei.participation.accepted.v1",
        "renkei.participation.invited.v1",
    ]


async def test_who_only_looks_on_reads_what_was_told_to_all(cities: Cities) -> None:
    project = await drafted(cities)
    here = f"/projects/{project}"
    await cities.do("tokyo", "POST", f"{here}/proposal")
    await invited(cities, project, "seoul", "acceptance")
    secret = {"summary": {"en": "Among ourselves."}}
    await cities.do("tokyo", "PATCH", here, secret)
    cleaned = {"summary": {"en": "For all."}, "visibility": "network"}
    await cities.do("tokyo", "PATCH", here, cleaned)
    await cities.do("seoul", "POST", f"{here}/comments", {"text": {"en": "Welcome."}})

    lines = await history(cities, "delhi", project)

    assert [line["type"] for line in lines] == [
        "renkei.project.changed.v1",
        "renkei.comment.posted.v1",
    ]
    assert [change["field"] for change in lines[0]["changes"]] == ["visibility"]
    assert "ourselves" not in str(lines)
    assert len(await history(cities, "seoul", project)) == 6
    assert len(await history(cities, "tokyo", project)) == 8


class NoteState(State):
    """Something that a member keeps for itself in a project."""

    id: UUID
    project_id: UUID
    member: str


class NoteTaken(Event[NoteState]):
    """A member noted something."""

    publisher: ClassVar[str] = "projects"
    entity: ClassVar[str] = "note"
    happened: ClassVar[str | None] = "taken"


async def test_what_a_member_keeps_for_itself_is_no_history_of_the_project(
    cities: Cities, sessions: Sessions
) -> None:
    project = await proposed(cities)
    state = NoteState(id=new_id(), project_id=UUID(project), member="tokyo", version=1)
    note = NoteTaken.about(state, by=actor("tokyo"), at=NOON, audience=["tokyo"])

    async with sessions.begin() as session:
        announce(session, note)

    for member, count in (("tokyo", 6), ("seoul", 4)):
        lines = await history(cities, member, project)
        assert len(lines) == count
        assert "note" not in {line["subject"]["kind"] for line in lines}


async def test_what_was_told_to_all_is_not_read_in_words_that_were_not(cities: Cities) -> None:
    project = await drafted(cities, visibility="network")
    here = f"/projects/{project}"
    await cities.do("tokyo", "POST", f"{here}/proposal")
    said = await cities.do("tokyo", "POST", f"{here}/comments", {"text": {"en": "May?"}})
    shown = await history(cities, "delhi", project, "&kind=comment")
    await cities.do("tokyo", "PATCH", here, {"visibility": "participants"})
    among = {"text": {"en": "Among ourselves: June."}}
    await cities.do("tokyo", "PATCH", f"/comments/{said['id']}", among)
    await cities.do("tokyo", "PATCH", here, {"visibility": "network"})

    left = await history(cities, "delhi", project, "&kind=comment")

    assert [line["text"] for line in shown] == [{"en": "May?"}]
    assert [(line["id"], line["text"], line["about"]) for line in left] == [
        (shown[0]["id"], None, None)
    ]


async def test_who_was_told_reads_it_again_after_leaving(
    cities: Cities, sessions: Sessions
) -> None:
    project = await proposed(cities)
    here = f"/projects/{project}"
    parting = await invited(cities, project, "jakarta", "acceptance")
    await cities.do("jakarta", "POST", f"/participations/{parting}/withdrawal", {"note": "Time."})
    await cities.do("tokyo", "PATCH", here, {"summary": {"en": "Less."}})
    await cities.do("tokyo", "PATCH", here, {"visibility": "network"})

    lines = await history(cities, "jakarta", project)

    facts = [event for event in await announced(sessions) if event.concerns("jakarta")]
    assert [line["id"] for line in lines] == [str(event.id) for event in facts]
    assert [line["type"].split(".")[2] for line in lines] == [
        "invited",
        "accepted",
        "withdrawn",
        "changed",
    ]


@pytest.mark.parametrize("member", ["berlin", "delhi"])
async def test_a_stranger_learns_nothing_of_a_history(cities: Cities, member: str) -> None:
    project, nowhere = await proposed(cities), str(new_id())

    hidden = await cities.call(member, "GET", f"/projects/{project}/activity?kind=comment")
    absent = await cities.call(member, "GET", f"/projects/{nowhere}/activity?kind=comment")

    assert hidden.status_code == absent.status_code == 404
    assert hidden.text.replace(project, "…") == absent.text.replace(nowhere, "…")


async def test_a_person_is_shown_with_the_function_that_they_have_now(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)
    official = new_id()
    async with sessions.begin() as session:
        session.add(
            KnownOfficial(
                id=official,
                version=1,
                member="seoul",
                function={"en": "A former official of Seoul"},
                roles=("coordinator",),
                scopes=("projects:read", "projects:contribute"),
                status="active",
            )
        )
    here = f"/projects/{scene.project.id}"

    await as_person(cities, "seoul", official, "POST", f"{here}/comments", {"text": {"en": "May?"}})

    [line] = await history(cities, "tokyo", str(scene.project.id))
    assert line["actor"] == {
        "kind": "official",
        "id": str(official),
        "function": {"en": "A former official of Seoul"},
    }


async def test_a_refusal_leaves_no_line(cities: Cities) -> None:
    project = await drafted(cities)

    await cities.call("tokyo", "POST", f"/projects/{project}/activation")
    await cities.call("tokyo", "PATCH", f"/projects/{project}", {"ends_on": None}, match='"7"')

    assert len(await history(cities, "tokyo", project)) == 2


async def test_a_page_of_history_is_one_statement(cities: Cities, database: Database) -> None:
    project = await proposed(cities)

    with statements(database) as asked:
        await cities.get("seoul", f"/projects/{project}/activity")
        await asyncio.sleep(0)  # the driver tells in the next turn of the loop

    assert len(asked) == 1


LINES = text(
    "SELECT project_id, position, event_id, type, audience, subject_title, was, became"
    " FROM activity ORDER BY position"
)
INTO_OUTBOX = text(
    "INSERT INTO outbox (position, event_id, subject, body, recorded_at) OVERRIDING SYSTEM VALUE"
    " VALUES (:position, :event_id, :subject, :body, :recorded_at)"
)


async def test_a_release_that_brings_the_history_finds_what_was_announced_before(
    servers: Servers, cities: Cities, sessions: Sessions
) -> None:
    await played(cities, sessions)
    async with sessions() as session:
        rows = await session.execute(text("SELECT * FROM outbox ORDER BY position"))
        messages = [dict(row) for row in rows.mappings()]
        expected = (await session.execute(LINES)).all()
    module = "services.projects.migrations.versions.2026_11_28_discussion"
    url = await create_database(servers, None)
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "projects", import_module(module).down_revision)
        await connection.execute(INTO_OUTBOX, messages)
    await relay(url, 20)

    async with engine.begin() as connection:
        await connection.run_sync(upgrade, "projects", "head")

    async with engine.begin() as connection:
        filled = (await connection.execute(LINES)).all()
    await engine.dispose()
    assert len(filled) == 30
    assert filled == expected


def upgrade(connection: Connection, service: str, revision: str) -> None:
    config = Config("alembic.ini", ini_section=service)
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


@pytest.mark.parametrize(
    ("was", "became", "expected"),
    [
        (
            {"due_on": "2026-01-01"},
            {"due_on": "2026-02-01"},
            [("due_on", "2026-01-01", "2026-02-01")],
        ),
        ({"title": {"en": "A"}}, {"title": {"en": "B"}}, [("title", {"en": "A"}, {"en": "B"})]),
        ({"objectives": ["a"]}, {"objectives": []}, [("objectives", ["a"], [])]),
        ({}, {}, []),
    ],
)
def test_fields_are_compared(
    was: dict[str, Any], became: dict[str, Any], expected: list[tuple[Any, ...]]
) -> None:
    assert list(changes_between(was, became)) == [Change(*each) for each in expected]


def test_parts_are_compared_one_by_one() -> None:
    seoul = {"id": "1", "member": "seoul", "status": "pending", "reason": None}
    paris = {"id": "2", "member": "paris", "status": "pending", "reason": None}
    delhi = {"id": "3", "member": "delhi", "status": "pending", "reason": None}

    found = list(
        changes_between(
            {"contributions": [seoul, paris]},
            {"contributions": [seoul | {"status": "returned", "reason": "Late"}, delhi]},
        )
    )

    assert found == [
        Change("contributions.reason", None, "Late", Part("1", "seoul")),
        Change("contributions.status", "pending", "returned", Part("1", "seoul")),
        Change("contributions", None, delhi, Part("3", "delhi")),
        Change("contributions", paris, None, Part("2", "paris")),
    ]


def test_of_a_new_thing_what_is_empty_is_left_out() -> None:
    became = {
        "id": "1",
        "title": {"en": "A"},
        "note": None,
        "role": "observer",
        "is_overdue": False,
    }

    assert list(changes_between({}, became, is_new=True)) == [Change("role", None, "observer")]
