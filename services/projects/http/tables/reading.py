"""Tables that people send: CSV and workbooks, from programs that we do not know.

What cannot be read is refused as a whole; what is wrong with one cell is noted, so that all of it
is known at once. The body is not larger than the platform takes; beyond that a table has at most
5 000 rows below its header and 100 columns.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.projects.http.tables.cells import unguarded
from services.projects.http.tables.workbook import XLSX, FileUnreadable, cells_of_workbook
from shared.refusals import MediaTypeUnsupported, TooLarge

CSV: Final = "text/csv"
ROWS_MAX: Final = 5_000
COLUMNS_MAX: Final = 100

ENCODINGS: Final = {
    "utf-8": "utf-8-sig",
    "utf8": "utf-8-sig",
    "us-ascii": "ascii",
    # What Windows calls by that name has characters that the standard lacks, such as ①.
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "windows-31j": "cp932",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
"""Encodings by the names that they are declared with. Source: IANA character sets."""

DELIMITERS: Final = (",", ";", "\t")


class TableFormUnknown(MediaTypeUnsupported):
    code = "table-form-unknown"
    title = "A table is text/csv in a known encoding, or a workbook"


class TableTooLarge(TooLarge):
    code = "table-too-large"
    title = "The table has more rows or columns than are read"


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong in one place of a table. Rows are counted from 1, the header."""

    row: int
    column: str | None
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Row:
    """What stands in a row, by column; an empty cell holds nothing but is there."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a table that are not empty, and what is wrong with them."""

    columns: tuple[str, ...]
    rows: list[Row]
    flaws: list[Flaw]


def read_table(content: bytes, media_type: str, *, sheet: str) -> Table:
    """Read a table.

    Args:
        content: the file.
        media_type: with the encoding as parameter; without one text is UTF-8.
        sheet: of a workbook; without one of that name the first one is read.

    Raises:
        TableFormUnknown: the media type or the encoding is none that is read.
        FileUnreadable: it is not what the media type says.
        TableTooLarge: it has too many rows or columns.
    """
    kind, _, options = media_type.partition(";")
    kind = kind.strip().lower()
    if kind == CSV:
        return _table(_csv_rows(_decoded(content, options)), {})
    if kind == XLSX:
        rows, odd = cells_of_workbook(
            content, sheet=sheet, rows_max=ROWS_MAX + 1, columns_max=COLUMNS_MAX
        )
        return _table(enumerate(rows, start=1), odd)
    raise TableFormUnknown(f"Send {CSV} or {XLSX}.")


def _decoded(content: bytes, options: str) -> str:
    found = re.search(r'(?:^|;)\s*charset\s*=\s*"?([^\s";]*)', options, re.IGNORECASE)
    name = found[1].lower() if found else "utf-8"
    if name not in ENCODINGS:
        raise TableFormUnknown(f"Encodings that are read are {', '.join(ENCODINGS)}.")
    try:
        text = content.decode(ENCODINGS[name])
    except UnicodeError as error:
        raise FileUnreadable(f"It is not in the encoding {name}.") from error
    if "\0" in text:
        raise FileUnreadable("It contains the character U+0000, which is not text.")
    return text.removeprefix("\ufeff")


def _csv_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    first_line = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first_line.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from enumerate(rows, start=1)
    except csv.Error as error:
        raise FileUnreadable(f"Line {rows.line_num} is no CSV: {error}.") from error


def _table(numbered: Iterable[tuple[int, Sequence[str]]], odd: dict[tuple[int, int], str]) -> Table:
    """Name the cells by the header, and leave out empty rows."""
    columns: tuple[str, ...] = ()
    rows: list[Row] = []
    flaws: list[Flaw] = []
    for number, cells in numbered:
        if len(cells) > COLUMNS_MAX:
            raise TableTooLarge(f"Row {number} has more than {COLUMNS_MAX} columns.")
        if number == 1:
            columns = _header(cells)
            continue
        is_odd = any((number, place) in odd for place in range(len(cells)))
        if not is_odd and not any(cell.strip() for cell in cells):
            continue
        if len(rows) == ROWS_MAX:
            raise TableTooLarge(f"It has more than {ROWS_MAX} rows.")
        if any(cell.strip() for cell in cells[len(columns) :]):
            flaws.append(Flaw(number, None, "cell-without-column", "There is more than a header."))
        values = [cell.replace("\r\n", "\n") for cell in cells[: len(columns)]]
        values += [""] * (len(columns) - len(values))
        flaws += [
            Flaw(number, column, "cell-unreadable", odd[number, place])
            for place, column in enumerate(columns)
            if (number, place) in odd
        ]
        rows.append(Row(number, dict(zip(columns, map(unguarded, values), strict=True))))
    if not columns:
        raise FileUnreadable("It is empty.")
    return Table(columns, rows, flaws)


def _header(cells: Sequence[str]) -> tuple[str, ...]:
    columns = [cell.strip() for cell in cells]
    while columns and not columns[-1]:
        columns.pop()
    if not columns:
        raise FileUnreadable("Its first row names no columns.")
    if "" in columns or len(set(columns)) < len(columns):
        raise FileUnreadable("Its first row names a column twice, or one not at all.")
    return tuple(columns)
