"""Draws how far each figure is from its target: one bar each, from worst to best of its group."""

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from tests.benchmarks.findings import Finding

ROW: Final = 22
LEFT: Final = 500
WIDTH: Final = 980
TITLE: Final = "<title>How many times better than asked</title>"
LEAST, MOST = 0.25, 16.0
"""The axis is logarithmic; what lies beyond it is drawn at its end."""


def picture(found: Sequence[Finding]) -> str:
    """Bars to the right of the line hold their target, bars to the left miss it."""
    bars = [(each, each.target.room(each.judged)) for each in found if each.target is not None]
    height = (len(bars) + 3) * ROW
    zero = place(1)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12">{TITLE}'
        + box(0, 0, WIDTH, height, "#ffffff")
    ]
    for mark in (0.25, 0.5, 1, 2, 4, 8, 16):
        colour = "#333333" if mark == 1 else "#dddddd"
        lines.append(box(place(mark), ROW, 1, height - 2 * ROW, colour))
        lines.append(word(place(mark), ROW - 6, "target" if mark == 1 else f"×{mark:g}", "middle"))
    for number, (finding, room) in enumerate(bars, start=1):
        y, end = number * ROW + 4, place(room)
        colour = "#2a7f62" if room >= 1 else "#c0392b"
        lines.append(word(LEFT, y + 12, shortened(label(finding)), "end"))
        lines.append(box(min(zero, end), y, abs(end - zero) + 1, ROW - 7, colour))
        lines.append(word(max(zero, end) + 5, y + 12, f"{room:.2f}", "start"))
    return "\n".join((*lines, "</svg>\n"))


def place(room: float) -> int:
    """Where on the logarithmic axis a figure lies."""
    share = math.log(min(max(room, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return round(LEFT + 20 + share * (WIDTH - LEFT - 60))


def box(x: int, y: int, width: int, height: int, colour: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{colour}"/>'


def word(x: int, y: int, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="#222222">{escape(text)}</text>'


def label(finding: Finding) -> str:
    against = f" ÷ {finding.limit_is}" if finding.on_ratio else ""
    return f"{finding.subject}: {finding.what}{against}"


def shortened(text: str, length: int = 78) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
