"""Nothing is told to others that does not stand in the audit trail, too."""

import ast
from pathlib import Path
from typing import Final

import pytest

from deploy.embedded.layout import REPOSITORY

USE_CASES: Final = sorted((REPOSITORY / "services" / "members" / "use_cases").glob("*.py"))
RECORDING: Final = frozenset({"record", "record_at_once", "record_change", "record_for_network"})


def called_in(path: Path) -> set[str]:
    """Names of the functions that a module calls."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


ANNOUNCING: Final = [path for path in USE_CASES if "announce" in called_in(path)]


def test_there_are_use_cases_that_tell_facts() -> None:
    assert {"change_official.py", "register_client.py"} <= {path.name for path in ANNOUNCING}


@pytest.mark.parametrize("path", ANNOUNCING, ids=lambda path: path.stem)
def test_a_use_case_that_tells_a_fact_records_it(path: Path) -> None:
    assert called_in(path) & RECORDING
