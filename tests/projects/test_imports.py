"""Milestones entered as a table: under the rules of single changes, and all rows or none."""

import csv
import io
from datetime import date
from typing import Any

import pytest
from httpx2 import Response
from sqlalchemy import select
from xlsxwriter import Workbook

from services.projects.http.tables.reading import CSV
from services.projects.http.tables.workbook import XLSX
from services.projects.model.milestone import Milestone
from services.projects.model.rewording import ALL_LANGUAGES_MAX, TextsTooLong, reworded
from shared.database import Sessions
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import NOON, Scene, working

NEW = "title[en],title[ja],due_on,time_zone,accountable\r\n"


async def enter(
    cities: Cities,
    scene: Scene,
    content: str | bytes,
    *,
    member: str = "tokyo",
    media_type: str = CSV,
    query: str = "",
    **options: Any,
) -> Response:
    path = f"/projects/{scene.project.id}/milestones/import{query}"
    return await cities.send(
        member,
        path,
        content.encode() if isinstance(content, str) else content,
        media_type,
        **options,
    )


def table(*rows: dict[str, Any]) -> str:
    """A CSV file with the columns of the first row."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def workbook(*rows: list[Any], formats: tuple[str, ...] = ("yyyy-mm-dd",)) -> bytes:
    """A workbook as Excel would write it, with one sheet."""
    file = io.BytesIO()
    book = Workbook(file)
    days = [book.add_format({"num_format": each}) for each in formats]
    sheet = book.add_worksheet("Tabelle 1")
    for number, row in enumerate(rows):
        for place, value in enumerate(row):
            if isinstance(value, date):
                sheet.write_datetime(number, place, value, days[number % len(days)])
            elif isinstance(value, str) and value.startswith("="):
                sheet.write_formula(number, place, value, None, "x")
            else:
                sheet.write(number, place, value)
    book.close()
    return file.getvalue()


async def stored(sessions: Sessions) -> list[Milestone]:
    async with sessions() as session:
        return list(await session.scalars(select(Milestone).order_by(Milestone.id)))


def problems(response: Response) -> list[tuple[int, str | None, str]]:
    return [(each["row"], each["column"], each["code"]) for each in response.json()["problems"]]


def results(response: Response) -> dict[int, list[str]]:
    return {row["row"]: row["results"] for row in response.json()["rows"]}


async def test_rows_without_an_id_plan_milestones(cities: Cities, sessions: Sessions) -> None:
    scene = await working().store(sessions)
    content = (
        f"\ufeff{NEW}"
        "Sensors,センサー,2026-09-30,Asia/Tokyo,tokyo\r\n"
        "\r\n"
        "'=1+1,,2026-10-25,Europe/Berlin,seoul\r\n"
    )

    answer = await enter(cities, scene, content)

    first, second = await stored(sessions)
    assert answer.status_code == 200
    assert answer.json() == {
        "dry_run": False,
        "rows": [
            {"row": 2, "id": str(first.id), "results": ["planned"]},
            {"row": 4, "id": str(second.id), "results": ["planned"]},
        ],
        "problems": [],
    }
    assert first.title == {"en": "Sensors", "ja": "センサー"}
    assert (second.title, second.due_on, second.accountable) == (
        {"en": "=1+1"},
        date(2026, 10, 25),
        "seoul",
    )
    events = [event.type for event in await announced(sessions)]
    assert events == ["renkei.milestone.planned.v1"] * 2


async def test_rows_with_an_id_change_that_milestone(cities: Cities, sessions: Sessions) -> None:
    scene = working()
    same, words, moved, both, of_seoul = (*(scene.plan() for _ in range(4)), scene.plan("seoul"))
    words.title = {"en": "Old", "fr": "Vieux"}
    words.description = {"en": "Old"}
    await scene.store(sessions)
    kept = {"title[en]": "Sensors placed", "description[en]": "", "due_on": "2026-09-30"}
    content = table(
        {"id": same.id, "version": 1} | kept,
        {"id": words.id, "version": 1} | kept | {"title[en]": "New"},
        {"id": moved.id, "version": 1} | kept | {"due_on": "2026-12-01"},
        {"id": both.id, "version": ""} | kept | {"title[en]": "New", "due_on": "2026-12-01"},
        {"id": of_seoul.id, "version": 1} | kept | {"title[en]": "New"},
    )

    answer = await enter(cities, scene, content)

    assert answer.status_code == 200, answer.text
    assert results(answer) == {
        2: ["unchanged"],
        3: ["changed"],
        4: ["rescheduled"],
        5: ["changed", "rescheduled"],
        6: ["changed"],
    }
    found = await stored(sessions)
    assert [milestone.version for milestone in found] == [1, 2, 2, 3, 2]
    assert found[1].title == {"en": "New", "fr": "Vieux"}
    assert found[1].description is None
    assert found[3].due_on == date(2026, 12, 1)
    assert [event.type.split(".")[2] for event in await announced(sessions)] == [
        "changed",
        "changed",
        "changed",
        "rescheduled",
        "rescheduled",
    ]


async def test_a_dry_run_says_what_would_happen_and_does_nothing(
    cities: Cities, sessions: Sessions
) -> None:
    scene = working()
    milestone = scene.plan()
    await scene.store(sessions)
    content = table(
        {
            "id": milestone.id,
            "title[en]": "New",
            "due_on": "2026-12-01",
            "time_zone": "Asia/Tokyo",
            "accountable": "tokyo",
        },
        {
            "title[en]": "Another",
            "due_on": "2026-12-01",
            "time_zone": "Asia/Tokyo",
            "accountable": "tokyo",
        },
        {"title[en]": "Lacks all"},
    )

    answer = await enter(cities, scene, content, query="?dry_run=true")

    assert answer.status_code == 200
    assert answer.json() == {
        "dry_run": True,
        "rows": [
            {"row": 2, "id": str(milestone.id), "results": ["changed", "rescheduled"]},
            {"row": 3, "id": None, "results": ["planned"]},
        ],
        "problems": [
            {
                "row": 4,
                "column": "due_on",
                "code": "field-missing",
                "detail": "There is no due_on.",
            }
        ],
    }
    assert [(each.title, each.version) for each in await stored(sessions)] == [
        ({"en": "Sensors placed"}, 1)
    ]
    assert await announced(sessions) == []


async def test_with_one_problem_nothing_is_changed_and_all_are_named(
    cities: Cities, sessions: Sessions
) -> None:
    scene, other = working(), working()
    fine, of_seoul, stale, ended, twice = (
        scene.plan(),
        scene.plan("seoul"),
        scene.plan(),
        scene.plan(),
        scene.plan(),
    )
    ended.cancel("No.", by=scene.as_("tokyo"), at=ended.created_at)
    other.project.reference = "other"
    elsewhere = other.plan()
    await scene.store(sessions)
    await other.store(sessions)
    before = [each.version for each in await stored(sessions)]
    blank = {"id": "", "version": "", "title[en]": "New", "due_on": "2026-12-01"} | {
        "time_zone": "Asia/Tokyo",
        "accountable": "tokyo",
        "status": "",
    }
    content = table(
        blank | {"id": fine.id},
        blank | {"id": of_seoul.id, "accountable": ""},
        blank | {"id": stale.id, "version": 9},
        blank | {"id": ended.id},
        blank | {"id": elsewhere.id},
        blank | {"id": "0199c7a0-0000-7000-8000-000000000001"},
        blank | {"id": twice.id},
        blank | {"id": twice.id},
        blank | {"accountable": "delhi"},
        blank | {"status": "completed"},
        blank | {"id": fine.id, "status": "completed", "due_on": ""},
        blank | {"due_on": "1.12.2026", "time_zone": "Mars/Olympus"},
        blank | {"version": "one", "title[en]": "x" * 301, "accountable": "Tokyo"},
        blank | {"title[en]": ""},
    )

    refused = await enter(cities, scene, content)

    assert refused.status_code == 422
    assert refused.json()["type"] == "/problems/table-refused"
    assert problems(refused) == [
        (3, None, "others-are-affected"),
        (4, None, "version-stale"),
        (5, None, "milestone-ended"),
        (6, None, "milestone-not-found"),
        (7, None, "milestone-not-found"),
        (9, "id", "row-repeated"),
        (10, None, "member-not-participating"),
        (11, "status", "not-changed-here"),
        (12, "due_on", "field-missing"),
        (12, "id", "row-repeated"),
        (13, "due_on", "cell-invalid"),
        (13, "time_zone", "cell-invalid"),
        (14, "accountable", "cell-invalid"),
        (14, "title[en]", "cell-invalid"),
        (14, "version", "cell-invalid"),
        (15, "title", "field-missing"),
    ]
    details = {each["row"]: each["detail"] for each in refused.json()["problems"]}
    assert details[6] == f"You see no milestone with the id {elsewhere.id}."
    assert details[7].startswith("You see no milestone with the id 0199c7a0")
    assert [each.version for each in await stored(sessions)] == before
    assert await announced(sessions) == []


@pytest.mark.parametrize("form", ["csv", "xlsx"])
async def test_what_was_exported_changes_nothing(
    cities: Cities, sessions: Sessions, form: str
) -> None:
    scene = working()
    texts = ["=1+1", "'quoted'", "''=1", '"', "a,b;c", "_x0041_", "@home", "＝", "000123", "TRUE"]
    for text in texts:
        milestone = scene.begin() if text == "@home" else scene.plan("seoul")
        milestone.title = {"en": text, "ja": "センサー"}
        milestone.description = {"en": f"{text}\n\n- {text}\t<&>", "zh-Hant-TW": "碼頭 🏙"}
    last = scene.plan()
    scene.ask(last, "seoul")
    scene.wait(last, *scene.milestones[:3], lag_days=0)
    last.report_progress(20, date(2026, 10, 2), by=scene.as_("tokyo"), at=NOON)
    await scene.store(sessions)
    here = f"/projects/{scene.project.id}"
    exported = await cities.call("tokyo", "GET", f"{here}/export?format={form}")

    answer = await enter(
        cities, scene, exported.content, media_type=exported.headers["content-type"]
    )

    assert answer.status_code == 200, answer.text
    milestones = [row for row in answer.json()["rows"] if row["results"] != ["skipped"]]
    assert [row["results"] for row in milestones] == [["unchanged"]] * 11
    assert [row["id"] for row in milestones] == [str(each.id) for each in scene.milestones]
    assert await announced(sessions) == []


async def test_a_table_is_entered_once_under_one_key(cities: Cities, sessions: Sessions) -> None:
    scene = await working().store(sessions)
    row = f"{NEW}Sensors,,2026-09-30,Asia/Tokyo,tokyo\n"

    first = await enter(cities, scene, row, key="once")
    again = await enter(cities, scene, row, key="once")
    another = await enter(cities, scene, f"{row}\n", key="once")
    in_another_encoding = await enter(
        cities, scene, row, key="once", media_type=f"{CSV}; charset=utf-8"
    )

    assert first.status_code == 200
    assert again.json() == first.json()
    assert another.json()["type"] == "/problems/idempotency-key-reused"
    assert in_another_encoding.json()["type"] == "/problems/idempotency-key-reused"
    assert len(await stored(sessions)) == 1


@pytest.mark.parametrize(
    ("member", "status", "code"),
    [
        ("seoul", 403, "not-project-lead"),
        ("paris", 403, "not-project-lead"),
        ("berlin", 404, "project-not-found"),
        ("delhi", 404, "project-not-found"),
    ],
)
@pytest.mark.parametrize("content", [f"{NEW}A,,2026-09-30,Asia/Tokyo,tokyo", "\0"])
async def test_others_enter_nothing_and_learn_nothing_of_their_file(
    cities: Cities, sessions: Sessions, member: str, status: int, code: str, content: str
) -> None:
    scene = await working().store(sessions)

    refused = await enter(cities, scene, content, member=member)

    assert refused.status_code == status
    assert refused.json()["type"] == f"/problems/{code}"
    assert await stored(sessions) == []


@pytest.mark.parametrize(
    ("media_type", "encoding"),
    [
        ("text/csv", "utf-8"),
        ("text/csv", "utf-8-sig"),
        ("Text/CSV; charset=UTF-8; header=present", "utf-8"),
        ('text/csv; charset="Shift_JIS"', "cp932"),
        ("text/csv;charset=utf-16", "utf-16"),
        ("text/csv;charset=utf-16le", "utf-16-le"),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
async def test_text_is_read_as_it_is_declared(
    cities: Cities, sessions: Sessions, media_type: str, encoding: str, delimiter: str
) -> None:
    scene = await working().store(sessions)
    rows = f"{NEW}Sensors,第①回,2026-09-30,Asia/Tokyo,tokyo\r\n".replace(",", delimiter)

    answer = await enter(cities, scene, rows.encode(encoding), media_type=media_type)

    assert answer.status_code == 200, answer.text
    assert [each.title for each in await stored(sessions)] == [{"en": "Sensors", "ja": "第①回"}]


async def test_a_workbook_has_real_days_and_numbers(cities: Cities, sessions: Sessions) -> None:
    scene = working()
    milestone = scene.plan()
    await scene.store(sessions)
    day = date(2026, 12, 1)
    content = workbook(
        ["id", "version", "title[en]", "due_on", "time_zone", "accountable"],
        [str(milestone.id), 1, "Sensors", day, "Asia/Tokyo"],
        [None, None, 2030, day, "Asia/Tokyo", "tokyo"],
        [None, None, "Text", "2026-12-01", "Asia/Tokyo", "tokyo"],
        formats=("yyyy-mm-dd", "d.m.yy", 'yyyy"年"m"月"d"日"'),
    )

    answer = await enter(cities, scene, content, media_type=XLSX)

    assert answer.status_code == 200, answer.text
    assert results(answer) == {2: ["changed", "rescheduled"], 3: ["planned"], 4: ["planned"]}
    assert [(each.title["en"], each.due_on) for each in await stored(sessions)] == [
        ("Sensors", day),
        ("2030", day),
        ("Text", day),
    ]


async def test_a_formula_is_no_value(cities: Cities, sessions: Sessions) -> None:
    scene = await working().store(sessions)
    content = workbook(
        ["title[en]", "due_on", "time_zone", "accountable"],
        ["=A1", date(2026, 12, 1), "Asia/Tokyo", "tokyo"],
    )

    refused = await enter(cities, scene, content, media_type=XLSX)

    assert refused.status_code == 422
    assert problems(refused) == [(2, "title[en]", "cell-unreadable")]
    assert await stored(sessions) == []


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ("id,titel[en]", [(1, "titel[en]", "column-unknown")]),
        ("title", [(1, "title", "column-unknown")]),
        ("title[english]", [(1, "title[english]", "column-unknown")]),
        ("kind,title[en]", [(2, "kind", "kind-unknown")]),
        ("id", [(2, "id", "cell-invalid")]),
    ],
)
async def test_a_column_that_is_not_known_is_refused(
    cities: Cities, sessions: Sessions, columns: str, expected: list[Any]
) -> None:
    scene = await working().store(sessions)

    refused = await enter(cities, scene, f"{columns}\nx,x\n")

    assert refused.status_code == 422
    assert [each for each in problems(refused) if each[2] != "cell-without-column"] == expected


def test_words_replace_those_in_their_language() -> None:
    assert reworded({"en": "Old", "fr": "Vieux"}, {"en": "New", "ja": "新"}) == {
        "en": "New",
        "fr": "Vieux",
        "ja": "新",
    }
    assert reworded({"en": "Old"}, {"en": None}) == {}
    assert reworded(None, {"en": None}) == {}


@pytest.mark.parametrize(
    "words",
    [
        {"en": "x" * (ALL_LANGUAGES_MAX - 2)},
        {f"{first}{second}": "x" for first in "abc" for second in "abcdefghij"},
    ],
    ids=["length", "languages"],
)
def test_words_that_are_too_much_with_what_stays_are_refused(words: dict[str, str | None]) -> None:
    with pytest.raises(TextsTooLong):
        reworded({"zz": "abc"}, words)
