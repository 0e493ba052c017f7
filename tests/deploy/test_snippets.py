"""What the documentation tells developers to verify webhooks with does verify them."""

import shutil
import subprocess
import sys
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from standardwebhooks import Webhook

from deploy.embedded.node import node

SNIPPETS: Final = Path(__file__).parents[2] / "docs" / "webhooks"
SECRET: Final = "whsec_" + b64encode(b"s" * 32).decode()
OTHER: Final = "whsec_" + b64encode(b"o" * 32).decode()
BODY: Final = '{"type":"renkei.project.proposed.v1","title":"東京"}'

PROGRAMS: Final = {
    "verify.py": sys.executable,
    "verify.mjs": node(),
    "verify.php": shutil.which("php"),
    "verify.go": shutil.which("go"),
    "Verify.java": shutil.which("javac") and shutil.which("java"),
}
RUNNABLE: Final = [snippet for snippet, program in PROGRAMS.items() if program is not None]
"""Those that this machine can run; the others, and C#, are only read."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where what needs a compiler is built."""
    return tmp_path_factory.mktemp("built")


def command(snippet: str, built: Path) -> list[str]:
    program, source = str(PROGRAMS[snippet]), SNIPPETS / snippet
    if snippet == "verify.go":
        return [program, "run", str(source)]
    if snippet != "Verify.java":
        return [program, str(source)]
    if not (built / "Verify.class").exists():
        subprocess.run(["javac", "-d", built, source], check=True)
    return [program, "-XX:TieredStopAtLevel=1", "-cp", str(built), "Verify"]


def is_right(
    command: list[str], *, body: str = BODY, ago: timedelta = timedelta(), add: str = ""
) -> bool:
    moment = datetime.now(UTC) - ago
    signature = Webhook(SECRET).sign("msg_1", moment, BODY)
    stamp = str(int(moment.timestamp()))
    ended = subprocess.run(
        [*command, SECRET, "msg_1", stamp, add + signature],
        input=body.encode(),
        check=False,
        timeout=60,
    )
    assert ended.returncode in {0, 1}
    return ended.returncode == 0


def test_the_languages_of_every_machine_are_run() -> None:
    assert {"verify.py", "verify.mjs"} <= set(RUNNABLE)


@pytest.mark.parametrize("snippet", RUNNABLE)
def test_what_is_genuine_is_right_and_nothing_else(snippet: str, built: Path) -> None:
    verify = command(snippet, built)
    other = Webhook(OTHER).sign("msg_1", datetime.now(UTC), BODY)

    assert is_right(verify)
    assert is_right(verify, add=f"v1a,AAAA {other} ")
    assert not is_right(verify, body=BODY.replace("東京", "大阪"))
    assert not is_right(verify, ago=timedelta(minutes=6))
