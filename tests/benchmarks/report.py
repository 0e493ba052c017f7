"""Writes down what was found: for people, for programs, and as a picture."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.findings import Finding, as_found
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


def write(
    directory: Path,
    measured: Mapping[str, Sequence[Finding]],
    machine: Mapping[str, str],
    order: Sequence[str],
) -> None:
    """Bring `benchmarks.md`, `benchmarks.json` and `benchmarks.svg` up to date.

    Args:
        directory: where they are.
        measured: what was found just now, by the benchmark; the others keep what they found last.
        machine: where, and when.
        order: of the benchmarks.
    """
    path = directory / "benchmarks.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    for name, found in measured.items():
        findings = [{**asdict(each), "holds": each.holds} for each in found]
        known[name] = {"machine": machine, "findings": findings}
    known = {name: known[name] for name in order if name in known}
    path.write_text(json.dumps(known, indent=2) + "\n")
    found = [as_found(each) for name in known for each in known[name]["findings"]]
    (directory / "benchmarks.svg").write_text(picture(found))
    (directory / "benchmarks.md").write_text(document(found, _machines(known)))


def _machines(known: Mapping[str, Any]) -> dict[str, Mapping[str, str]]:
    """Where it was measured, by the benchmarks that were measured together."""
    together: dict[str, list[str]] = {}
    for name, each in known.items():
        together.setdefault(json.dumps(each["machine"]), []).append(name)
    return {", ".join(names): json.loads(machine) for machine, names in together.items()}


def document(found: Sequence[Finding], machines: Mapping[str, Mapping[str, str]]) -> str:
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
    for names, machine in machines.items():
        told = [f"- {name}: {value}" for name, value in machine.items()]
        parts.append("\n".join((f"## Machine and settings of {names}\n", *told, "")))
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
