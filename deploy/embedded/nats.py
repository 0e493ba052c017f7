"""Real NATS with JetStream, where what was acknowledged survives a power cut."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.embedded.child import Program, Stage
from deploy.embedded.layout import HOST, SERVICES, write_private
from deploy.embedded.probes import http_probe


@dataclass(frozen=True, kw_only=True)
class Nats:
    """A server below one directory.

    Attributes:
        passwords: by user: one per service, `operator` and `partner`.
        for_tests: acknowledges before the disk has it.
    """

    directory: Path
    port: int
    monitor_port: int
    passwords: dict[str, str]
    for_tests: bool = False

    def url(self, user: str) -> str:
        return f"nats://{user}:{self.passwords[user]}@{HOST}:{self.port}"

    def program(self) -> Program:
        """Write the configuration and say how to run it."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        configuration = self.directory / "nats.json"
        write_private(configuration, json.dumps(self._configuration(), indent=2) + "\n")
        healthy = http_probe(self.monitor_port, "/healthz")
        return Program(
            name="nats",
            command=(str(Path(sys.executable).with_name("nats-server")), "-c", str(configuration)),
            environment={"PATH": os.defpath, "TZ": "UTC", "GOMEMLIMIT": "192MiB"},
            address=f"{HOST}:{self.port}",
            stage=Stage.NATS,
            ready=healthy,
            # Not "is JetStream enabled": after a full disk only /healthz says that it is stuck.
            alive=healthy,
            directory=self.directory,
        )

    def _configuration(self) -> dict[str, Any]:
        """NATS reads JSON as its own configuration language."""
        return {
            "server_name": "renkei",
            "host": HOST,
            "port": self.port,
            "http": f"{HOST}:{self.monitor_port}",
            "max_payload": 1_048_576,
            "max_connections": 1_000,
            "write_deadline": "10s",
            "lame_duck_duration": "30s",
            "lame_duck_grace_period": "2s",
            "jetstream": {
                "store_dir": str(self.directory / "store"),
                "max_memory_store": 67_108_864,
                "max_file_store": 8_589_934_592,
                "sync_interval": "2m" if self.for_tests else "always",
            },
            "accounts": {
                "RENKEI": {
                    "jetstream": "enabled",
                    "users": [
                        {
                            "user": user,
                            "password": password,
                            "permissions": _permissions(user),
                        }
                        for user, password in self.passwords.items()
                    ],
                }
            },
        }


def _permissions(user: str) -> dict[str, list[str] | dict[str, list[str]]]:
    """What a user may say and hear: a service announces in its own name only."""
    if user == "operator":
        return {"publish": [">"], "subscribe": [">"]}
    if user in SERVICES:
        return {
            "publish": [
                f"evt.{user}.>",
                f"wake.{user}",
                "$JS.API.>",
                "$JS.ACK.>",
                "$JS.FC.>",
                "_INBOX.>",
            ],
            "subscribe": ["_INBOX.>", f"wake.{user}", "evt.>"],
        }
    return {"publish": {"deny": [">"]}, "subscribe": [f"{user}.>"]}
