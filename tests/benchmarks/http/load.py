"""Load over HTTP/1.1, by a process of its own that does little else per request.

`python -m tests.benchmarks.http.load SPEC.json` prints a line when it begins to count, and what it
counted when it has ended.
"""

import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import uvloop

from tests.benchmarks.findings import percentile

LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
ETAG: Final = re.compile(rb'\r\netag: *"(\d+)"', re.IGNORECASE)
WARM_UP_SECONDS: Final = 0.5
WARM_UP_ANSWERS: Final = 3
WARM_UP_SECONDS_MAX: Final = 20.0


@dataclass
class Target:
    """A request to be made again and again.

    Attributes:
        body: `%d` in it becomes another number each time.
        version: sent as If-Match; follows what the answers say. 0 sends none.
    """

    method: str
    path: str
    token: str
    body: str = ""
    version: int = 0

    def request(self, number: int) -> bytes:
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: benchmark\r\n"
        head += f"Authorization: Bearer {self.token}\r\n" if self.token else ""
        head += f'If-Match: "{self.version}"\r\n' if self.version else ""
        if not self.body:
            return f"{head}\r\n".encode()
        body = (self.body % number).encode()
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


@dataclass
class Counted:
    """What came of it, between warm-up and end."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    counting: bool = False


class Connection(asyncio.Protocol):
    """Sends one request after another, each when the answer before is there."""

    transport: asyncio.Transport

    def __init__(self, targets: Sequence[Target], counted: Counted) -> None:
        self.targets = targets
        self.counted = counted
        self.number = 0
        self.received = b""
        self.needed = 0
        self.sent_at = 0.0
        self.lost = False
        self.warm = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._send()

    def connection_lost(self, _: Exception | None) -> None:
        self.lost = True

    def _send(self) -> None:
        self.number += 1
        self.target = self.targets[self.number % len(self.targets)]
        self.sent_at = time.perf_counter()
        self.transport.write(self.target.request(self.number))

    def data_received(self, data: bytes) -> None:
        self.received += data
        if not self.needed:
            end = self.received.find(b"\r\n\r\n")
            if end < 0:
                return
            length = LENGTH.search(self.received, 0, end + 2)
            self.needed = end + 4 + (int(length[1]) if length else 0)
        if len(self.received) < self.needed:
            return
        status = int(self.received[9:12])
        if self.target.version and (found := ETAG.search(self.received)):
            self.target.version = int(found[1])
        if self.number == WARM_UP_ANSWERS:
            self.warm.set()
        if self.counted.counting:
            self.counted.latencies.append(time.perf_counter() - self.sent_at)
            self.counted.statuses[status] += 1
        self.received, self.needed = b"", 0
        self._send()


async def load(spec: dict[str, Any]) -> dict[str, Any]:
    """Put a load on addresses for a while; every connection has targets of its own."""
    counted = Counted()
    targets = [Target(**target) for target in spec["targets"]]
    connections = spec["connections"]
    loop = asyncio.get_running_loop()
    open_ = []
    for number in range(connections):
        host, port = spec["addresses"][number % len(spec["addresses"])]
        share = targets[number::connections]

        def connection(share: Sequence[Target] = share) -> Connection:
            return Connection(share, counted)

        open_.append((await loop.create_connection(connection, host, port))[1])
    await asyncio.sleep(WARM_UP_SECONDS)
    # Every connection of theirs to the database has its statements prepared by then.
    with suppress(TimeoutError):
        async with asyncio.timeout(WARM_UP_SECONDS_MAX):
            await asyncio.gather(*(connection.warm.wait() for connection in open_))
    print("counting", flush=True)  # noqa: T201 -- for the process that started us
    counted.counting = True
    began, used = time.perf_counter(), time.process_time()
    await asyncio.sleep(spec["seconds"])
    counted.counting = False
    seconds, used = time.perf_counter() - began, time.process_time() - used
    if any(connection.lost for connection in open_) or not counted.latencies:
        raise SystemExit(f"connections were lost, or nothing answered: {counted.statuses}")
    return {
        "statuses": counted.statuses,
        "rate": len(counted.latencies) / seconds,
        "p50": percentile(counted.latencies, 50) * 1000,
        "p99": percentile(counted.latencies, 99) * 1000,
        "processor_seconds": used,
    }


def spec(
    addresses: Sequence[tuple[str, int]],
    targets: Sequence[Target],
    *,
    connections: int,
    seconds: float,
) -> str:
    return json.dumps(
        {
            "addresses": addresses,
            "targets": [asdict(target) for target in targets],
            "connections": connections,
            "seconds": seconds,
        }
    )


if __name__ == "__main__":
    print(json.dumps(uvloop.run(load(json.loads(Path(sys.argv[1]).read_text())))))  # noqa: T201
