"""What stands in one cell of a table.

A spreadsheet takes a cell that begins with certain characters for a formula, and a formula may send
away what stands in other cells. Such text is written with an apostrophe before it, and so is text
that begins with apostrophes before such a character; reading takes away exactly that one again.
Source: OWASP ASVS 5.0, 1.2.10. It asks for the same in workbooks, whose strings are no formulas
until somebody saves them as CSV.
"""

import re
from datetime import date, datetime
from typing import Final

Value = str | int | bool | date | None
"""What a cell may hold; an instant is written out."""

FORMULA: Final = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
GUARDED: Final = re.compile("'+[=+\\-@\t\r\n＝＋－＠]")


def guarded(text: str) -> str:
    """Write text so that no spreadsheet evaluates it."""
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """Take away what `guarded` added, and nothing else."""
    return text[1:] if GUARDED.match(text) else text


def instant(moment: datetime | None) -> str | None:
    """Write an instant as the API does: in UTC."""
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


def written(value: Value) -> str:
    """Write a value as text."""
    if isinstance(value, str):
        return guarded(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)
