"""What the start script says when it cannot start."""

import ast
import os
import socket
import subprocess
from pathlib import Path

from deploy.embedded.layout import HOST, REPOSITORY, reserved_base_port

RUN = REPOSITORY / "run"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RENKEI_")}
    return subprocess.run(
        [RUN, *arguments],
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_an_old_python_can_read_the_start_script() -> None:
    ast.parse(RUN.read_text(), feature_version=(3, 7))


def test_an_old_python_is_told_what_is_needed() -> None:
    tree = ast.parse(RUN.read_text())
    check = next(node for node in tree.body if isinstance(node, ast.FunctionDef))
    first_use = next(
        node for node in tree.body if isinstance(node, ast.Expr) and node is not tree.body[0]
    )

    source = (
        "import collections, sys\n"
        "Version = collections.namedtuple('Version', 'major minor')\n"
        "sys.version_info = Version(3, 8)\n"
        "import shutil\n"
        "shutil.which = lambda name: None\n"
        "OLDEST, NEWEST_TRIED = (3, 11), 15\n"
    ) + "\n".join(map(ast.unparse, (check, first_use)))
    told = subprocess.run(["python3", "-c", source], capture_output=True, text=True, check=False)

    assert told.returncode == 1
    assert told.stderr == "Renkei needs Python 3.11 or newer; this is Python 3.8.\n"


def test_an_unknown_command_is_refused_in_one_line() -> None:
    refused = run("dmeo")

    assert refused.returncode == 1
    assert refused.stderr == "There is no command 'dmeo'. `./run help` shows all.\n"


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with reserved_base_port() as base, socket.create_server((HOST, base + 2)):
        refused = run("up", f"--state={tmp_path}", f"--port={base}")

    assert refused.returncode == 1
    assert refused.stderr == (
        f"Port {base + 2} (nats) is taken by another program."
        f" Choose others: `--port {base + 100}` or RENKEI_PORT={base + 100}.\n"
    )


def test_status_of_nothing_says_so(tmp_path: Path) -> None:
    said = run("status", f"--state={tmp_path}")

    assert said.returncode == 1
    assert said.stdout == "Renkei does not run.\n"


def test_a_reset_without_a_person_needs_to_be_confirmed(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text("{}")

    refused = run("reset", f"--state={tmp_path}")

    assert refused.returncode == 1
    assert (tmp_path / "secrets.json").exists()
    assert run("reset", f"--state={tmp_path}", "--yes").returncode == 0
    assert not tmp_path.exists()
