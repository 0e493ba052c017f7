"""What was measured, what was asked for, and whether it holds."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Bound:
    """What a figure must reach (`>=`) or not exceed (`<=`)."""

    sign: str
    value: float

    def holds(self, figure: float) -> bool:
        compare = operator.ge if self.sign == "≥" else operator.le
        return bool(compare(figure, self.value))

    def room(self, figure: float) -> float:
        """How many times better than asked; 1 is exactly what was asked."""
        better, worse = (figure, self.value) if self.sign == "≥" else (self.value, figure)
        return better / worse if worse else float("inf")


def at_least(value: float) -> Bound:
    return Bound("≥", value)


def at_most(value: float) -> Bound:
    return Bound("≤", value)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report.

    Attributes:
        limit: what the machine allows, or what ours is compared with.
        ratio: ours divided by the limit, the median over the rounds.
        target: none for a mere statement.
        on_ratio: whether the target is about the ratio and not about ours.
    """

    subject: str
    what: str
    unit: str
    ours: float
    limit: float | None = None
    limit_is: str = ""
    ratio: float | None = None
    target: Bound | None = None
    on_ratio: bool = False

    @property
    def judged(self) -> float:
        return self.ratio if self.on_ratio and self.ratio is not None else self.ours

    @property
    def holds(self) -> bool:
        return self.target is None or self.target.holds(self.judged)


def as_found(written: Mapping[str, Any]) -> Finding:
    """Read a finding that `dataclasses.asdict` made."""
    target = written["target"]
    fields = {name: value for name, value in written.items() if name != "holds"}
    return Finding(**{**fields, "target": None if target is None else Bound(**target)})


def compared(
    subject: str,
    what: str,
    unit: str,
    ours: Sequence[float],
    limit: Sequence[float],
    limit_is: str,
    target: Bound | None,
    *,
    on_ratio: bool = True,
) -> Finding:
    """Compare round by round: both sides of one round met the same state of the machine."""
    return Finding(
        subject=subject,
        what=what,
        unit=unit,
        ours=median(ours),
        limit=median(limit),
        limit_is=limit_is,
        ratio=median(a / b for a, b in zip(ours, limit, strict=True)),
        target=target,
        on_ratio=on_ratio,
    )


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
