"""Writes down what was found: for people, for programs, and as a picture."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.findings import Finding
from tests.benchmarks.picture import picture

INTRODUCTION = """\
# Benchmarks

What the platform does, beside what the same machine allows, measured by `./run bench`. Every limit
was measured in rounds between ours, so the ratios say more than the numbers: a slower machine
changes both sides. A line whose target has no limit beside it is measured on its own.

![How many times better than asked](benchmarks.svg)
"""


def line(finding: Finding) -> str:
    """One finding, for the terminal."""
    against = ""
    if finding.limit is not None:
        against = f" against {quantity(finding.limit, finding.unit)} ({finding.limit_is})"
    return (
        f"[{'green' if finding.holds else 'red'}]{'●' if finding.target else ' '}[/] "
        f"{finding.subject}: {finding.what}: [bold]{quantity(finding.ours, finding.unit)}[/]"
        f"{against}{_ratio(finding, ', ratio {}')}{_target(finding, ', target {}')}"
    )


def write(directory: Path, found: Sequence[Finding], machine: Mapping[str, str]) -> None:
    """Replace `benchmarks.md`, `benchmarks.json` and `benchmarks.svg`."""
    measured = [{**asdict(each), "holds": each.holds} for each in found]
    content = {"machine": machine, "findings": measured}
    (directory / "benchmarks.json").write_text(json.dumps(content, indent=2) + "\n")
    (directory / "benchmarks.svg").write_text(picture(found))
    (directory / "benchmarks.md").write_text(document(found, machine))


def document(found: Sequence[Finding], machine: Mapping[str, str]) -> str:
    parts = [INTRODUCTION]
    for subject in dict.fromkeys(each.subject for each in found):
        rows = [
            f"| {each.what} | {quantity(each.ours, each.unit)} | {_limit(each)}"
            f" | {_ratio(each)} | {_target(each)} | {_verdict(each)} |"
            for each in found
            if each.subject == subject
        ]
        head = "| what | ours | limit | ratio | target | |\n| --- | --- | --- | --- | --- | --- |"
        parts.append("\n".join((f"## {subject}\n", head, *rows, "")))
    told = [f"- {name}: {value}" for name, value in machine.items()]
    parts.append("\n".join(("## Machine and settings\n", *told, "")))
    return "\n".join(parts)


def quantity(value: float, unit: str) -> str:
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}"


def _limit(finding: Finding) -> str:
    if finding.limit is None:
        return ""
    return f"{quantity(finding.limit, finding.unit)} ({finding.limit_is})"


def _ratio(finding: Finding, form: str = "{}") -> str:
    if finding.ratio is None:
        return ""
    digits = 1 if finding.ratio >= 10 else 2 if finding.ratio >= 0.1 else 3
    return form.format(f"{finding.ratio:.{digits}f}")


def _target(finding: Finding, form: str = "{}") -> str:
    if finding.target is None:
        return ""
    return form.format(f"{finding.target.sign} {finding.target.value:g}")


def _verdict(finding: Finding) -> str:
    if finding.target is None:
        return ""
    return "holds" if finding.holds else "**missed**"
