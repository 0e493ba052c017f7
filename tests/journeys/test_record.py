"""What the loader remembers from one run to the next."""

import json
from datetime import UTC, datetime
from pathlib import Path

from deploy.demo.load.record import Record

TOKYO = {"client_id": "tokyo-secretariat-1", "client_secret": "rks_1"}


def record(file: Path, *, secretariat: dict[str, str] = TOKYO, port: int = 1) -> Record:
    return Record(
        file,
        url=f"http://127.0.0.1:{port}",
        secretariat=secretariat,
        receiver_url=f"http://127.0.0.1:{port + 4}",
    )


def test_the_day_of_loading_stays_that_of_the_first_run(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    first = record(file)
    first.facts["loaded_on"] = "2026-03-31"
    first.save()

    second = record(file, port=9)

    assert second.loaded_on.isoformat() == "2026-03-31"
    assert second.receiver_url == "http://127.0.0.1:5"
    assert second.facts["url"] == "http://127.0.0.1:9"


def test_another_network_is_loaded_from_today(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"
    first = record(file)
    first.facts |= {"loaded_on": "2026-03-31", "members": {"seoul": {}}}
    first.save()

    second = record(file, secretariat=TOKYO | {"client_id": "tokyo-secretariat-2"})

    assert second.loaded_on == datetime.now(UTC).date()
    assert second.facts["members"] == {}


def test_only_its_owner_can_read_what_was_made(tmp_path: Path) -> None:
    file = tmp_path / "demo.json"

    record(file).save()

    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text())["secretariat"] == TOKYO
