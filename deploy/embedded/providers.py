"""The demo's identity providers as processes: one program for each kind."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from deploy.demo.providers.cities import (
    Provider,
    providers_as_json,
    providers_of,
    read_providers,
)
from deploy.embedded.child import Program, Stage
from deploy.embedded.layout import HOST, REPOSITORY, Ports, write_private
from deploy.embedded.node import DEMO_PROVIDERS, node
from deploy.embedded.probes import http_probe


@dataclass(frozen=True)
class DemoProviders:
    """The providers of all cities that have one.

    Attributes:
        file: what they are; for the programs, and for the loader, which registers them.
        secrets: by member, with which the platform authenticates.
        issuer: public base URL of the platform.
    """

    file: Path
    ports: Ports
    secrets: Mapping[str, str]
    issuer: str

    def programs(self) -> list[Program]:
        """Write the file and say how to run the programs that it needs."""
        write_private(self.file, providers_as_json(self._providers))
        programs = [self._mock()]
        if any(each.kind == "node" for each in self._providers):
            programs.append(self._node())
        return programs

    @cached_property
    def _providers(self) -> list[Provider]:
        # A city keeps the kind that it was loaded with, also if Node has come meanwhile.
        has_node = DEMO_PROVIDERS.is_installed() and (
            not self.file.exists() or any(each.kind == "node" for each in read_providers(self.file))
        )
        return providers_of(
            issuer=self.issuer,
            secrets=self.secrets,
            node_port=self.ports.demo_node if has_node else None,
            mock_ports=self.ports.demo_mocks,
        )

    def _mock(self) -> Program:
        port = next(each.port for each in self._providers if each.kind == "mock")
        return Program(
            name="demo-providers-mock",
            command=(
                sys.executable,
                "-m",
                "deploy.demo.providers.mock",
                str(self.file),
                f"--records={self.file.with_suffix('.records')}",
                f"--dns-port={self.ports.demo_dns}",
            ),
            environment={
                **_environment(self.file.parent),
                "PYTHONPATH": str(REPOSITORY),
                "PYTHONWARNINGS": "ignore",
                # Its library refuses http otherwise; nobody but this machine can reach it.
                "AUTHLIB_INSECURE_TRANSPORT": "1",
            },
            address=f"{HOST}:{port}",
            stage=Stage.WEB,
            ready=http_probe(port, "/readyz"),
            alive=http_probe(port, "/livez"),
        )

    def _node(self) -> Program:
        port = self.ports.demo_node
        return Program(
            name="demo-providers-node",
            command=(str(node()), "provider.mjs", str(port), str(self.file)),
            environment=_environment(self.file.parent),
            address=f"{HOST}:{port}",
            stage=Stage.WEB,
            ready=http_probe(port, "/readyz"),
            alive=http_probe(port, "/livez"),
            directory=DEMO_PROVIDERS.place,
        )


def _environment(home: Path) -> dict[str, str]:
    """Nothing of ours: they know neither databases nor keys."""
    return {"PATH": os.defpath, "HOME": str(home), "TZ": "UTC", "LANG": "C.UTF-8"}
