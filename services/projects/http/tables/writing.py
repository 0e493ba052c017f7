"""Exports as files: CSV, workbook, JSON. What has been written part by part is not kept.

CSV is one table of all kinds of rows, by RFC 4180, in UTF-8 with a byte order mark, without which
Excel takes Japanese for something else. A workbook has a sheet of each kind, every text in it
written as text, and is built in temporary files. JSON holds the same states as the API.
"""

import csv
import io
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Literal, Protocol

from services.projects.http.tables.cells import Value, guarded, written
from services.projects.http.tables.columns import (
    CONTRIBUTION,
    FIXED,
    MILESTONE,
    PROJECT,
    Columns,
    Languages,
    cells_of,
    languages_shown,
    places_of,
    text_columns,
)
from services.projects.model.contribution import Contribution
from services.projects.model.milestone import Milestone
from services.projects.model.project import Project
from services.projects.queries.exports import Part
from shared.refusals import Invalid

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

Form = Literal["csv", "xlsx", "json"]

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MEDIA_TYPES: Final[Mapping[Form, str]] = {
    "csv": "text/csv; charset=utf-8; header=present",
    "xlsx": XLSX,
    "json": "application/json",
}

BYTE_ORDER_MARK: Final = "\ufeff"
WORKBOOK_TEXT_MAX: Final = 200_000_000
CELL_TEXT_MAX: Final = 32_767
PIECE_BYTES: Final = 65_536


class ExportTooLarge(Invalid):
    code = "export-too-large"
    title = "The export would be larger than can be made"


class Writer(Protocol):
    """Makes a file of the parts that it is given in turn."""

    @abstractmethod
    def write(self, parts: Sequence[Part]) -> bytes:
        """Take parts; what is ready of the file is given back.

        Raises:
            ExportTooLarge: more than this kind of file may hold.
        """

    @abstractmethod
    def end(self) -> Iterator[bytes]:
        """Give back the rest of the file."""

    @abstractmethod
    def close(self) -> None:
        """Throw away what was made meanwhile, also of a file that has not ended."""


def writer_of(form: Form, languages: Languages) -> Writer:
    """Begin a file."""
    if form == "csv":
        return CsvWriter(languages)
    return WorkbookWriter(languages) if form == "xlsx" else JsonWriter()


def texts_of(languages: Languages) -> dict[str, dict[str, tuple[str, ...]]]:
    """The texts of each kind of thing with their languages."""
    title = languages_shown(languages.title)
    return {
        "project": {"title": title, "summary": languages_shown(languages.summary)},
        "milestone": {"title": title, "description": languages_shown(languages.description)},
        "contribution": {},
    }


COLUMNS: Final[Mapping[str, Columns]] = {
    "project": PROJECT,
    "milestone": MILESTONE,
    "contribution": CONTRIBUTION,
}


def things_in(part: Part) -> Iterator[tuple[str, Project | Milestone | Contribution]]:
    """The things of a part in the order of their rows."""
    if part.is_first:
        yield "project", part.project
    for milestone in part.milestones:
        yield "milestone", milestone
        for contribution in milestone.contributions:
            yield "contribution", contribution


class CsvWriter(Writer):
    """One table; a cell that its row has nothing for is empty."""

    def __init__(self, languages: Languages) -> None:
        self._texts = texts_of(languages)
        all_texts = self._texts["project"] | self._texts["milestone"]
        header = [*FIXED, *text_columns(all_texts)]
        self._places = {
            kind: places_of([*COLUMNS[kind], *text_columns(texts)], header)
            for kind, texts in self._texts.items()
        }
        self._width = len(header)
        self._ready = io.StringIO(newline="")
        self._ready.write(BYTE_ORDER_MARK)
        self._rows = csv.writer(self._ready, lineterminator="\r\n")
        self._rows.writerow(header)

    def write(self, parts: Sequence[Part]) -> bytes:
        for part in parts:
            for kind, thing in things_in(part):
                cells = [""] * self._width
                cells[0] = kind
                found = cells_of(thing, COLUMNS[kind], self._texts[kind])
                for place, value in zip(self._places[kind], found, strict=True):
                    cells[place] = written(value)
                self._rows.writerow(cells)
        return self._taken()

    def end(self) -> Iterator[bytes]:
        yield self._taken()

    def close(self) -> None:
        self._ready.close()

    def _taken(self) -> bytes:
        ready = self._ready.getvalue().encode()
        self._ready.seek(0)
        self._ready.truncate()
        return ready


class WorkbookWriter(Writer):
    """Sheets `projects`, `milestones` and `contributions`; nothing is ready before the end."""

    def __init__(self, languages: Languages) -> None:
        # Not needed by most processes, most of the time.
        from xlsxwriter import Workbook

        self._texts = texts_of(languages)
        self._directory = TemporaryDirectory(ignore_cleanup_errors=True)
        self._path = Path(self._directory.name) / "export.xlsx"
        options = {"constant_memory": True, "tmpdir": self._directory.name}
        self._book = Workbook(self._path, options)
        self._day = self._book.add_format({"num_format": "yyyy-mm-dd"})
        self._sheets: dict[str, Worksheet] = {}
        self._next_rows: dict[str, int] = {}
        self._text_length = 0
        for kind, texts in self._texts.items():
            self._sheets[kind] = self._book.add_worksheet(f"{kind}s")
            self._next_rows[kind] = 0
            self._add(kind, [*COLUMNS[kind], *text_columns(texts)])
            self._sheets[kind].freeze_panes(1, 0)

    def write(self, parts: Sequence[Part]) -> bytes:
        for part in parts:
            for kind, thing in things_in(part):
                self._add(kind, cells_of(thing, COLUMNS[kind], self._texts[kind]))
        if self._text_length > WORKBOOK_TEXT_MAX:
            raise ExportTooLarge("Its texts are too long for a workbook. Take CSV or JSON.")
        return b""

    def end(self) -> Iterator[bytes]:
        self._book.close()
        with self._path.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                yield piece

    def close(self) -> None:
        for sheet in self._sheets.values():
            sheet.row_data_fh.close()
        self._directory.cleanup()

    def _add(self, kind: str, cells: Sequence[Value]) -> None:
        row, sheet = self._next_rows[kind], self._sheets[kind]
        self._next_rows[kind] += 1
        for column, value in enumerate(cells):
            if isinstance(value, str):
                self._text_length += len(value)
                # Never `write`, which looks for formulas and addresses.
                sheet.write_string(row, column, fitting(guarded(value)))
            elif isinstance(value, bool):
                sheet.write_boolean(row, column, value)
            elif isinstance(value, date):
                sheet.write_datetime(row, column, value, self._day)
            elif value is not None:
                sheet.write_number(row, column, value)


def fitting(text: str) -> str:
    """Cut off what a cell cannot hold: with more in it, Excel opens no part of the workbook."""
    if len(text) <= CELL_TEXT_MAX // 2:
        return text
    units = text.encode("utf-16-le")[: CELL_TEXT_MAX * 2]
    return units.decode("utf-16-le", "ignore")


class JsonWriter(Writer):
    """`{"projects": [...]}`; each is its state, with its participations and milestones."""

    def __init__(self) -> None:
        self._has_begun = False
        self._has_milestones = False

    def write(self, parts: Sequence[Part]) -> bytes:
        ready: list[str] = []
        for part in parts:
            if part.is_first:
                ready.append("]},\n" if self._has_begun else '{"projects": [\n')
                state = part.project.state().model_dump_json()
                asked = ",\n".join(each.state().model_dump_json() for each in part.participations)
                ready.append(f'{state[:-1]},"participations":[\n{asked}],"milestones":[')
                self._has_begun, self._has_milestones = True, False
            for milestone in part.milestones:
                ready.append(",\n" if self._has_milestones else "\n")
                ready.append(milestone.state().model_dump_json())
                self._has_milestones = True
        return "".join(ready).encode()

    def end(self) -> Iterator[bytes]:
        yield b"]}\n]}\n" if self._has_begun else b'{"projects": []}\n'

    def close(self) -> None:
        """Nothing is left open."""
