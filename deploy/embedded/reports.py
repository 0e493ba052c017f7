"""What runs, as an operator asks from another terminal."""

import asyncio
import json
from typing import Any

from deploy.embedded.layout import Secrets, StateDirectory
from deploy.embedded.postgres import Postgres
from deploy.embedded.probes import Probe, http_probe, postgres_probe
from deploy.embedded.running import memory_of

_MONITOR_OFFSET = 1


async def status(state: StateDirectory) -> dict[str, Any]:
    """Describe a platform and probe each of its processes.

    Returns:
        `running`, `phase`, `url` and `processes`, each of these with `name`, `pid`, `address`,
        `status`, `healthy`, `restarts` and `memory_bytes`.
    """
    written = state.read_state()
    if not state.is_locked():
        return {"running": False, "phase": "stopped", "url": written.get("url"), "processes": []}
    processes = await asyncio.gather(
        *(_describe(state, entry) for entry in written.get("processes", []))
    )
    return {
        "running": True,
        "phase": written.get("phase", "starting"),
        "url": written.get("url"),
        "processes": processes,
    }


def table(report: dict[str, Any]) -> str:
    """Lay a status out for a person."""
    if not report["running"]:
        return "Renkei does not run."
    lines = [f"{report['phase']}  {report['url']}", ""]
    form = "{:<24} {:>8}  {:<16} {:<11} {:<8} {:>8} {:>9}"
    lines.append(form.format("name", "pid", "address", "status", "healthy", "restarts", "memory"))
    lines.extend(
        form.format(
            process["name"],
            process["pid"] or "-",
            process["address"],
            process["status"],
            "yes" if process["healthy"] else "no",
            process["restarts"],
            f"{process['memory_bytes'] / 2**20:.0f} MiB",
        )
        for process in report["processes"]
    )
    total = sum(process["memory_bytes"] for process in report["processes"])
    return "\n".join([*lines, "", f"{total / 2**20:.0f} MiB in all"])


async def _describe(state: StateDirectory, entry: dict[str, Any]) -> dict[str, Any]:
    probe = _probe_of(state, entry["name"], int(entry["address"].rpartition(":")[2]))
    return {
        "name": entry["name"],
        "pid": entry["pid"],
        "address": entry["address"],
        "status": entry["status"],
        "healthy": await probe(),
        "restarts": entry["restarts"],
        "memory_bytes": memory_of(entry["pid"]) if entry["pid"] else 0,
    }


def _probe_of(state: StateDirectory, name: str, port: int) -> Probe:
    if name == "postgres":
        password = Secrets.load_or_create(state.secrets).postgres["postgres"]
        server = Postgres(
            data=state.postgres, port=port, password=password, log=state.log("postgres")
        )
        return postgres_probe(server.admin_url)
    if name == "nats":
        return http_probe(port + _MONITOR_OFFSET, "/healthz")
    return http_probe(port, "/readyz")


def as_json(report: dict[str, Any]) -> str:
    return json.dumps(report, indent=2)
