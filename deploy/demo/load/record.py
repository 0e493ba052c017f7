"""What the loader has made so far: read by people, by the receiver, and by its own next run."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from deploy.embedded.layout import write_private


class Record:
    """A file, readable by its owner only, that is complete at any moment.

    Args:
        file: made anew, unless it tells of the same network.
        url: base URL of the platform.
        secretariat: what `renkei init` printed.
        receiver_url: where the demo's receiver of webhooks is.
    """

    def __init__(
        self, file: Path, *, url: str, secretariat: dict[str, str], receiver_url: str
    ) -> None:
        self._file = file
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        if known.get("secretariat", {}).get("client_id") != secretariat["client_id"]:
            # What follows from these two must stay the same in the next run: the platform holds us
            # to what we first sent with a key.
            known = {
                "loaded_on": datetime.now(UTC).date().isoformat(),
                "receiver_url": receiver_url,
            }
        self.facts: dict[str, Any] = {
            "members": {},
            "webhooks": {},
            "projects": {},
            "logins": {},
            "liaisons": {},
            **known,
            "url": url,
            "secretariat": secretariat,
        }

    @property
    def loaded_on(self) -> date:
        """The day from which deadlines are counted."""
        return date.fromisoformat(self.facts["loaded_on"])

    @property
    def receiver_url(self) -> str:
        return str(self.facts["receiver_url"])

    def save(self) -> None:
        text = json.dumps(self.facts, ensure_ascii=False, indent=2)
        write_private(self._file, f"{text}\n")
