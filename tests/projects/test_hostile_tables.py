"""Files that mean harm, or are only broken: each is refused, and none harms the process."""

import io
import struct
import warnings
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xlsxwriter import Workbook

from services.projects.http.imports import understood
from services.projects.http.tables import workbook
from services.projects.http.tables.reading import (
    COLUMNS_MAX,
    CSV,
    ROWS_MAX,
    Table,
    read_table,
)
from services.projects.http.tables.workbook import XLSX, FileUnreadable
from shared.database import Sessions
from shared.refusals import Refusal
from tests.projects.conftest import Cities, announced
from tests.projects.scenes import working

HEADER = "id,version,title[en],due_on,time_zone,accountable"


def good_workbook(*cells: tuple[int, int, str]) -> bytes:
    file = io.BytesIO()
    book = Workbook(file)
    sheet = book.add_worksheet("milestones")
    for row, place, text in cells:
        sheet.write_string(row, place, text)
    book.close()
    return file.getvalue()


GOOD = good_workbook(
    *((row, place, name) for row in range(2) for place, name in enumerate(HEADER.split(",")))
)
NAMESPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def with_part(
    name: str, content: bytes | str, *, to: bytes = GOOD, packed_by: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """A workbook with another part in the place of one, or beside its own."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(to)) as old, zipfile.ZipFile(file, "w") as new:
        for entry in old.infolist():
            if entry.filename != name:
                new.writestr(entry.filename, old.read(entry))
        new.writestr(name, content, compress_type=packed_by)
    return file.getvalue()


def sheet_of(cells: str, *, before: str = "", after: str = "") -> str:
    rows = f"<sheetData>{cells}</sheetData>"
    return f"{before}<worksheet {NAMESPACE}>{rows}{after}</worksheet>"


def with_sheet(cells: str, **around: str) -> bytes:
    return with_part("xl/worksheets/sheet1.xml", sheet_of(cells, **around))


def lying_about_its_size() -> bytes:
    """A workbook whose last part has many bytes and is announced with ten."""
    bomb = with_part("xl/sharedStrings.xml", b" " * 50_000_000)
    at = bomb.rindex(b"PK\x01\x02")
    return bomb[: at + 24] + struct.pack("<I", 10) + bomb[at + 28 :]


def with_two_of_one_name() -> bytes:
    file = io.BytesIO(GOOD)
    with zipfile.ZipFile(file, "a") as package, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package.writestr("xl/workbook.xml", "<workbook/>")
    return file.getvalue()


def text_cell(place: str, text: str = "x") -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


DOCTYPE = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]>'

HOSTILE = {
    "nothing": b"",
    "half": GOOD[: len(GOOD) // 2],
    "only the directory": GOOD[GOOD.rindex(b"PK\x01\x02") :],
    "an old workbook": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2_000),
    "another package": with_part("xl/workbook.xml", "<office/>"),
    "no xml": with_part("xl/workbook.xml", b"\x00\x01"),
    "utf-16": with_part("xl/workbook.xml", "<workbook/>".encode("utf-16")),
    "no sheet": with_part("xl/worksheets/sheet1.xml", ""),
    "a document type": with_sheet(text_cell("A1", "&b;"), before=DOCTYPE),
    "merged cells": with_sheet(text_cell("A1"), after='<mergeCell ref="A1:B2"/>'),
    "a cell without a place": with_sheet("<c><v>1</v></c>"),
    "a cell at the end of the world": with_sheet(text_cell("A1") + text_cell("XFD1048576")),
    "a cell behind the end": with_sheet(text_cell("A99999999999999999999")),
    "a cell before the beginning": with_sheet(text_cell("A0")),
    "a text that is not there": with_sheet('<c r="A1" t="s"><v>99999</v></c>'),
    "a text before the first": with_sheet('<c r="A1" t="s"><v>-1</v></c>'),
    "many columns": good_workbook((0, 0, "x"), (0, 10_000, "x")),
    "many rows": good_workbook((0, 0, "x"), (ROWS_MAX + 1, 0, "x")),
    "two parts of one name": with_two_of_one_name(),
    "much when unpacked": with_part("xl/sharedStrings.xml", b" " * 30_000_000),
    "more than it says": lying_about_its_size(),
    "packed in another way": with_part("xl/theme/theme2.xml", b" " * 9, packed_by=zipfile.ZIP_LZMA),
    "a long text in many cells": good_workbook(
        *((row, place, "x" * 32_000) for row in range(20) for place in range(10))
    ),
    "formats that are none": with_part("xl/styles.xml", "<styleSheet><cellXfs><xf"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_workbook_is_refused(name: str) -> None:
    with pytest.raises(Refusal):
        read_table(HOSTILE[name], XLSX, sheet="milestones")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n\r\n",
        b",,\r\n",
        b"id,id\n",
        b"id,,title[en]\n",
        b'id\n"',
        b'id\n"a"b"\n',
        b"id\n\0",
        b"\xff\xfe",
        b"id\n\x93\xfa",
        f"id\n{'x' * 200_000}".encode(),
        ",".join(f"a{n}" for n in range(10_000)).encode(),
        b"id\n" + b"x," * 10_000,
        b"id\n" + b"x\n" * (ROWS_MAX + 1),
    ],
    ids=range(14),
)
def test_a_hostile_csv_file_is_refused(content: bytes) -> None:
    with pytest.raises(Refusal):
        read_table(content, CSV, sheet="")


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        ";",
        "text/html",
        "application/json",
        "text/csv; charset=utf-7",
        "text/csv; charset=rot13",
    ],
)
def test_what_is_no_table_is_refused(media_type: str) -> None:
    with pytest.raises(Refusal, match=r"Send|Encodings"):
        read_table(b"id\n", media_type, sheet="")


def test_as_much_as_is_allowed_is_read() -> None:
    columns = ",".join(f"a{number}" for number in range(COLUMNS_MAX))
    rows = "x\n" * ROWS_MAX

    table = read_table(f"{columns}\n{rows}".encode(), CSV, sheet="")

    assert (len(table.columns), len(table.rows)) == (COLUMNS_MAX, ROWS_MAX)


def test_how_japanese_is_pronounced_is_no_part_of_the_text() -> None:
    plain = "<si><t>東京</t><rPh><t>トウキョウ</t></rPh></si>"
    rich = "<si><r><t>a</t></r><r><t>b</t></r></si>"
    cells = '<c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c>'
    content = with_part(
        "xl/sharedStrings.xml", f"<sst {NAMESPACE}>{plain}{rich}</sst>", to=with_sheet(cells)
    )

    table = read_table(content, XLSX, sheet="")

    assert table.columns == ("東京", "ab")


def read(content: bytes, media_type: str) -> Table | None:
    """Read, and understand what was read, as the route does."""
    try:
        table = read_table(content, media_type, sheet="milestones")
    except Refusal:
        return None
    understood(table)
    return table


@settings(max_examples=60)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=300).map(lambda text: f"{HEADER}\n{text}".encode("utf-8", "replace")),
        st.lists(
            st.lists(st.sampled_from(['"', ",", "\r", "\n", "\0", "'=1", "x", "\ud800", "1"]))
        ).map(lambda rows: "\n".join(map("".join, [[HEADER], *rows])).encode("utf-8", "replace")),
    ),
    st.sampled_from(["", "; charset=utf-16", "; charset=shift_jis", "; charset=utf-16le"]),
)
def test_any_bytes_are_a_table_or_refused(content: bytes, options: str) -> None:
    table = read(content, f"{CSV}{options}")

    assert table is None or len(table.rows) <= ROWS_MAX


@settings(max_examples=150)
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=8))
def test_a_damaged_workbook_is_a_table_or_refused(changes: list[tuple[int, int]]) -> None:
    content = bytearray(GOOD)
    for place, value in changes:
        content[place] = value

    table = read(bytes(content), XLSX)

    assert table is None or len(table.rows) <= ROWS_MAX


XML = st.lists(
    st.sampled_from(
        [
            *('<row r="1">', "</row>", '<c r="A1">', '<c r="B2" t="s">', '<c r="ZZZ9999999">'),
            *('<c r="A1" t="e">', '<c r="C3" t="b">', '<c r="A1" s="1">', '<c r="A1" t="d">'),
            *("</c>", "<v>", "</v>", "<f>", "</f>", "<is><t>", "</t></is>", "<x:c>", "<!--", "-->"),
            *("1", "1e999", "NaN", "-1", "99999999999", "2026-01-01", "_x000D_", "&#0;", "&lt;"),
            *("<![CDATA[", "]]>", '<mergeCell ref="A1:B2"/>', '<dimension ref="A1:XFD1048576"/>'),
        ]
    ),
    max_size=12,
).map("".join)

CELLS = st.lists(
    st.builds(
        '<c r="{}" t="{}" s="{}"><v>{}</v></c>'.format,
        st.sampled_from(["A1", "B1", "A2", "C5", "CV1001", "CW1", "A1002"]),
        st.sampled_from(["n", "s", "b", "str", "e", "d", "inlineStr", "?"]),
        st.sampled_from(["0", "1", "2", "99999", "x"]),
        st.sampled_from(["0", "1", "-1", "1e308", "NaN", "x", "2958466", "45000.5", "", "1 "]),
    ),
    max_size=8,
).map("".join)


@settings(max_examples=150)
@given(st.one_of(XML, CELLS))
def test_any_sheet_is_a_table_or_refused(cells: str) -> None:
    table = read(with_sheet(cells), XLSX)

    assert table is None or len(table.rows) <= ROWS_MAX


@pytest.mark.parametrize("name", ["half", "much when unpacked", "merged cells", "many columns"])
async def test_a_hostile_file_is_answered_with_a_problem(
    cities: Cities, sessions: Sessions, name: str
) -> None:
    scene = await working().store(sessions)
    path = f"/projects/{scene.project.id}/milestones/import"

    refused = await cities.send("tokyo", path, HOSTILE[name], XLSX)

    assert refused.status_code in {413, 422}
    assert refused.headers["content-type"] == "application/problem+json"
    assert await announced(sessions) == []


async def test_another_media_type_is_answered_with_a_problem(
    cities: Cities, sessions: Sessions
) -> None:
    scene = await working().store(sessions)
    path = f"/projects/{scene.project.id}/milestones/import"

    refused = await cities.send("tokyo", path, b"<html>", "text/html")

    assert refused.status_code == 415
    assert refused.json()["type"] == "/problems/table-form-unknown"


def test_the_library_is_given_only_what_was_looked_at() -> None:
    with pytest.raises(FileUnreadable, match="has no place"):
        workbook.cells_of_workbook(
            with_sheet('<c R="A1"><v>1</v></c>'), sheet="", rows_max=10, columns_max=10
        )
