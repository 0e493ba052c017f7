"""What the figures were measured on."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import psutil

from deploy.embedded.layout import REPOSITORY

PACKAGES = ("asyncpg", "fastapi", "granian", "nats-py", "pydantic", "sqlalchemy", "uvloop")
_FLUSHES = 100


def description(state: Path, others: float) -> dict[str, str]:
    """Name the machine, the versions and the settings that matter.

    Args:
        state: where the servers keep their data.
        others: share of the processors that other programs took.
    """
    return {
        "processor": f"{os.cpu_count()} × {_processor()}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "other programs": f"took {others:.0%} of the processors meanwhile",
        "flush to disk": f"{flush_milliseconds(state):.2f} ms",
        "system": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "PostgreSQL": "18, fsync on, synchronous_commit on",
        "NATS": f"{_nats()}, sync_interval always, one replica",
        "packages": ", ".join(f"{name} {version(name)}" for name in PACKAGES),
        "events": "1 KB, with message id",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "revision": _revision(),
    }


class Others:
    """How much of the processors went to programs that were not ours, once all of ours have ended.

    What the host of a virtual machine gave to other machines counts too.
    """

    def __init__(self) -> None:
        self.began_at = time.monotonic()
        self.began = _used_by_others()

    def share(self) -> float:
        used = _used_by_others() - self.began
        return max(used, 0) / (time.monotonic() - self.began_at) / (os.cpu_count() or 1)


def _used_by_others() -> float:
    times = psutil.cpu_times()._asdict()
    # Time for guests is counted in that of users already.
    idle = sum(times.get(name, 0) for name in ("idle", "iowait", "guest", "guest_nice"))
    return float(sum(times.values()) - idle - sum(os.times()[:4]))


def flush_milliseconds(directory: Path) -> float:
    """How long the disk takes to have 4 KB for certain; near 0 where it only pretends."""
    with tempfile.TemporaryFile(dir=directory) as file:
        began = time.perf_counter()
        for _ in range(_FLUSHES):
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
        return (time.perf_counter() - began) / _FLUSHES * 1000


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _nats() -> str:
    server = Path(sys.executable).with_name("nats-server")
    return subprocess.run(
        [server, "--version"], check=True, capture_output=True, text=True
    ).stdout.split()[-1]


def _revision() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=REPOSITORY,
        check=False,
        capture_output=True,
        text=True,
    )
    return found.stdout.strip() or "unknown"
