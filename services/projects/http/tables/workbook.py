"""Workbooks that people send, read so that no file can harm the process.

The library that knows what a number of a cell means, above all which day, makes room for every
cell between the first and the last one, and ends the process where that fails. So it is given
only cells that have been looked at: they are taken out of the sheet within limits and written into
a workbook of our own. Of what the sender made, only the formats of cells reach the library.
Source: ECMA-376, part 1, 18.3 and 18.4.
"""

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from posixpath import join, normpath
from typing import Any, Final
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from shared.refusals import Invalid, TooLarge

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

ENTRIES_MAX: Final = 500
UNPACKED_MAX: Final = 20_000_000
TEXT_MAX: Final = 5_000_000

NAMESPACE: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"


class FileUnreadable(Invalid):
    code = "file-unreadable"
    title = "The file cannot be read as what it is said to be"


class WorkbookTooLarge(TooLarge):
    code = "workbook-too-large"
    title = "The workbook holds more than is read"


Attributes = dict[str, str]


@dataclass(slots=True)
class Cell:
    """A cell as it stands in the sheet: its kind, its format, and the text of its value."""

    row: int
    column: int
    kind: str
    style: str
    text: str = ""
    is_formula: bool = False


def cells_of_workbook(
    content: bytes, *, sheet: str, rows_max: int, columns_max: int
) -> tuple[list[list[str]], dict[tuple[int, int], str]]:
    """Read a sheet as text: days by ISO 8601, whole numbers without a fraction.

    Returns:
        The rows from the first one on, and what is wrong with cells by row (from 1) and place
        (from 0): formulas, whose results may be of another day, and errors.

    Raises:
        FileUnreadable: it is no workbook, or one with merged cells.
        WorkbookTooLarge: it has more in it than is read.
    """
    parts = _parts(content)
    book = _Book(parts.get("xl/workbook.xml", b""), parts.get("xl/_rels/workbook.xml.rels", b""))
    strings = _shared_strings(parts.get("xl/sharedStrings.xml"))
    found = _Sheet(
        parts.get(book.path_of(sheet), b""), strings, rows_max=rows_max, columns_max=columns_max
    )
    odd = {
        (cell.row, cell.column - 1): "It holds a formula." if cell.is_formula else "It is an error."
        for cell in found.cells
        if cell.is_formula or cell.kind == "e"
    }
    good = [cell for cell in found.cells if not cell.is_formula and cell.kind != "e"]
    styles = parts.get("xl/styles.xml")
    if styles is not None:
        _parse(styles)
    values = _values(_own_workbook(good, styles, is_1904=book.is_1904))
    rows = [[_as_text(value) for value in row] for row in values]
    height = max((row for row, _ in odd), default=0)
    width = max((place + 1 for _, place in odd), default=0)
    rows += [[] for _ in range(height - len(rows))]
    return [row + [""] * (width - len(row)) for row in rows], odd


def _parts(content: bytes) -> dict[str, bytes]:
    """Unpack what is needed, once it is known that all of it together is small."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            entries = package.infolist()
            _ensure_small(entries)
            return {
                entry.filename: _unpacked(package, entry)
                for entry in entries
                if entry.filename.startswith("xl/") and entry.filename.endswith((".xml", ".rels"))
            }
    except (FileUnreadable, WorkbookTooLarge):
        raise
    except Exception as error:  # whatever the modules for packages say of a broken one
        raise FileUnreadable("It is no workbook, or a damaged or encrypted one.") from error


def _ensure_small(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse what says that it would be large once it is unpacked."""
    if len(entries) > ENTRIES_MAX:
        raise WorkbookTooLarge(f"It has more than {ENTRIES_MAX} parts.")
    if sum(entry.file_size for entry in entries) > UNPACKED_MAX:
        raise WorkbookTooLarge(f"Unpacked it has more than {UNPACKED_MAX} bytes.")
    if len({entry.filename for entry in entries}) < len(entries):
        raise FileUnreadable("It has two parts of one name.")


def _unpacked(package: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Unpack as much as was announced: what lies about its size would fill the memory."""
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise FileUnreadable("It is packed in an unusual way.")
    with package.open(entry) as file:
        return file.read(entry.file_size)


def _parse(
    part: bytes,
    *,
    start: Callable[[str, Attributes], None] | None = None,
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    """Read XML in UTF-8 without a document type, and so without entities of its own."""

    def refuse(*_: Any) -> None:
        raise FileUnreadable("It declares a document type.")

    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    if start is not None:
        on_start = start
        parser.StartElementHandler = lambda name, found: on_start(_local(name), found)
    if end is not None:
        on_end = end
        parser.EndElementHandler = lambda name: on_end(_local(name))
    if text is not None:
        parser.CharacterDataHandler = text
    try:
        parser.Parse(part, True)
    except expat.ExpatError as error:
        raise FileUnreadable("A part of it is no XML, or missing.") from error


def _local(name: str) -> str:
    return name.rpartition(":")[2]


class _Book:
    """Which part holds which sheet."""

    def __init__(self, workbook: bytes, relations: bytes) -> None:
        self.is_1904 = False
        self._sheets: dict[str, str] = {}
        self._targets: dict[str, str] = {}
        _parse(workbook, start=self._workbook)
        _parse(relations, start=self._relation)

    def path_of(self, sheet: str) -> str:
        """The part of the sheet, or of the first one if none has the name."""
        relation = self._sheets.get(sheet) or next(iter(self._sheets.values()), "")
        return normpath(join("/xl", self._targets.get(relation, ""))).lstrip("/")

    def _workbook(self, name: str, found: Attributes) -> None:
        if name == "workbookPr":
            self.is_1904 = found.get("date1904", "0") in {"1", "true"}
        if name == "sheet":
            relation = next((v for k, v in found.items() if k.endswith(":id")), "")
            self._sheets.setdefault(found.get("name", ""), relation)

    def _relation(self, name: str, found: Attributes) -> None:
        if name == "Relationship" and found.get("TargetMode") != "External":
            self._targets[found.get("Id", "")] = found.get("Target", "")


@dataclass
class _Text:
    """Collects the text of an element, without what only says how to pronounce it."""

    pieces: list[str] = field(default_factory=list)
    is_within: bool = False
    is_reading: bool = False

    def start(self, name: str) -> None:
        self.is_reading = self.is_reading or name == "rPh"
        self.is_within = name in {"t", "v"} and not self.is_reading

    def end(self, name: str) -> None:
        self.is_within = False
        if name == "rPh":
            self.is_reading = False

    def add(self, text: str) -> None:
        if self.is_within:
            self.pieces.append(text)

    def taken(self) -> str:
        text = "".join(self.pieces)
        self.pieces = []
        return text


def _shared_strings(part: bytes | None) -> list[str]:
    strings: list[str] = []
    text = _Text()

    def end(name: str) -> None:
        text.end(name)
        if name == "si":
            strings.append(text.taken())

    if part is not None:
        _parse(part, start=lambda name, _: text.start(name), end=end, text=text.add)
    return strings


class _Sheet:
    """The cells of a sheet that hold something."""

    def __init__(self, part: bytes, strings: list[str], *, rows_max: int, columns_max: int) -> None:
        self.cells: list[Cell] = []
        self._strings = strings
        self._rows_max = rows_max
        self._columns_max = columns_max
        self._current: Cell | None = None
        self._text = _Text()
        self._length = 0
        _parse(part, start=self._start, end=self._end, text=self._text.add)

    def _start(self, name: str, found: Attributes) -> None:
        self._text.start(name)
        if name == "mergeCell":
            raise FileUnreadable(f"Its cells {found.get('ref', '')[:20]} are merged.")
        if name == "c":
            place = re.fullmatch(r"([A-Z]{1,3})([1-9][0-9]{0,6})", found.get("r", ""))
            if place is None:
                raise FileUnreadable("A cell of it has no place.")
            style = found.get("s", "0")
            self._current = Cell(
                row=int(place[2]),
                column=_number_of(place[1]),
                kind=found.get("t", "n"),
                style=style if re.fullmatch("[0-9]{1,5}", style) else "0",
            )
        if self._current is not None and name == "f":
            self._current.is_formula = True

    def _end(self, name: str) -> None:
        self._text.end(name)
        if name != "c" or self._current is None:
            return
        cell, self._current = self._current, None
        cell.text = self._text.taken()
        if not cell.text and not cell.is_formula:
            return
        if cell.row > self._rows_max or cell.column > self._columns_max:
            raise WorkbookTooLarge(
                f"A sheet has at most {self._rows_max} rows and {self._columns_max} columns."
            )
        if cell.kind == "s":
            index = int(cell.text) if re.fullmatch("[0-9]{1,7}", cell.text) else len(self._strings)
            if index >= len(self._strings):
                raise FileUnreadable("A cell of it shares a text that is not there.")
            cell.text = self._strings[index]
        self._length += len(cell.text)
        if self._length > TEXT_MAX:
            raise WorkbookTooLarge(f"Its cells hold more than {TEXT_MAX} characters.")
        self.cells.append(cell)


def _number_of(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _letters_of(number: int) -> str:
    letters = ""
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def _own_workbook(cells: list[Cell], styles: bytes | None, *, is_1904: bool) -> bytes:
    """Write cells into a workbook that has one sheet and nothing else."""
    rows: dict[int, list[str]] = {1: ['<c r="A1" t="inlineStr"><is><t> </t></is></c>']}
    if any((cell.row, cell.column) == (1, 1) for cell in cells):
        rows = {}
    for cell in sorted(cells, key=lambda cell: (cell.row, cell.column)):
        place = f"{_letters_of(cell.column)}{cell.row}"
        if cell.kind in {"n", "b"}:
            value = f't="{cell.kind}" s="{cell.style}"><v>{escape(cell.text)}</v>'
        else:
            text = f'<t xml:space="preserve">{escape(cell.text)}</t>'
            value = f't="inlineStr"><is>{text}</is>'
        rows.setdefault(cell.row, []).append(f'<c r="{place}" {value}</c>')
    sheet_rows = "".join(f'<row r="{row}">{"".join(found)}</row>' for row, found in rows.items())
    parts = {
        "[Content_Types].xml": (
            f'<Types xmlns="{PACKAGE}/content-types">'
            '<Default Extension="xml" ContentType="application/xml"/></Types>'
        ),
        "_rels/.rels": (
            f'<Relationships xmlns="{PACKAGE}/relationships">'
            f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
            "</Relationships>"
        ),
        "xl/workbook.xml": (
            f'<workbook xmlns="{NAMESPACE}" xmlns:r="{OFFICE}">'
            f"<workbookPr date1904={quoteattr(str(int(is_1904)))}/>"
            '<sheets><sheet name="table" sheetId="1" r:id="r1"/></sheets></workbook>'
        ),
        "xl/_rels/workbook.xml.rels": (
            f'<Relationships xmlns="{PACKAGE}/relationships">'
            f'<Relationship Id="r1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
            f'<Relationship Id="r2" Type="{OFFICE}/styles" Target="styles.xml"/>'
            "</Relationships>"
        ),
        "xl/worksheets/sheet1.xml": (
            f'<worksheet xmlns="{NAMESPACE}"><sheetData>{sheet_rows}</sheetData></worksheet>'
        ),
        "xl/styles.xml": styles or f'<styleSheet xmlns="{NAMESPACE}"/>',
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as package:
        for name, part in parts.items():
            package.writestr(name, part)
    return file.getvalue()


def _values(content: bytes) -> list[list[Any]]:
    # Not needed by most processes, most of the time.
    from python_calamine import CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        return list(book.get_sheet_by_index(0).to_python(skip_empty_area=False))
    except BaseException as error:
        # A panic of the library is no `Exception`.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise FileUnreadable("Its cells or their formats cannot be read.") from error


def _as_text(value: float | str | bool | date | time | timedelta) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime) and value.time() == time.min:
        value = value.date()
    return value.isoformat() if isinstance(value, date | time) else str(value)
