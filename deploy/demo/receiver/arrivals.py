"""What has arrived, kept in a file with one line per message."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Arrival:
    """One message that was signed for this member.

    Attributes:
        hook: the member whose address it came to.
        webhook_id: the same in every attempt to deliver the message.
        body: the event.
    """

    hook: str
    webhook_id: str
    received_at: str
    body: dict[str, Any]


class Arrivals:
    """Messages in the order of their arrival, each once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept: dict[tuple[str, str], Arrival] = {}
        if file.exists():
            for line in file.read_text(encoding="utf-8").splitlines():
                self._remember(Arrival(**json.loads(line)))

    def __iter__(self) -> Iterator[Arrival]:
        return iter(self._kept.values())

    def take(self, hook: str, webhook_id: str, body: dict[str, Any]) -> bool:
        """Keep a message, on disk before this returns.

        Returns:
            False, if it had arrived before.
        """
        if (hook, webhook_id) in self._kept:
            return False
        arrival = Arrival(hook, webhook_id, datetime.now(UTC).isoformat(), body)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(arrival), ensure_ascii=False) + "\n")
        self._remember(arrival)
        return True

    def _remember(self, arrival: Arrival) -> None:
        self._kept[arrival.hook, arrival.webhook_id] = arrival
