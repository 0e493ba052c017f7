"""The process table: every process of a platform, by name."""

import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from deploy.embedded.child import Program, Stage
from deploy.embedded.edge import Edge
from deploy.embedded.environment import Environments
from deploy.embedded.layout import (
    DATABASES,
    HOST,
    PORTAL,
    SERVICES,
    WORKER_PARTS,
    Ports,
    Secrets,
    StateDirectory,
)
from deploy.embedded.nats import Nats
from deploy.embedded.postgres import Postgres
from deploy.embedded.probes import http_probe
from deploy.embedded.providers import DemoProviders

DEMO_RECEIVER = "demo-receiver"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a platform is made of.

    Attributes:
        replicas: processes of each kind and service.
        separate: run the parts of each worker as processes of their own.
        demo: with what the demo needs beside the platform.
    """

    replicas: int = 1
    separate: bool = False
    demo: bool = False


@dataclass(frozen=True)
class _Place:
    """A service process before it has a port."""

    service: str
    name: str
    module: str
    arguments: tuple[str, ...]
    stage: Stage


@dataclass(frozen=True, kw_only=True)
class Processes:
    """Builds the programs of one platform."""

    state: StateDirectory
    ports: Ports
    secrets: Secrets
    options: Options
    caller: Mapping[str, str]

    @cached_property
    def postgres(self) -> Postgres:
        return Postgres(
            data=self.state.postgres,
            port=self.ports.postgres,
            password=self.secrets.postgres["postgres"],
            log=self.state.log("postgres"),
        )

    @cached_property
    def nats(self) -> Nats:
        return Nats(
            directory=self.state.nats,
            port=self.ports.nats,
            monitor_port=self.ports.nats_monitor,
            passwords=self.secrets.nats,
        )

    @cached_property
    def edge(self) -> Edge:
        return Edge(directory=self.state.edge, port=self.ports.edge, upstreams=self._upstreams())

    @cached_property
    def environments(self) -> Environments:
        return Environments(
            ports=self.ports,
            secrets=self.secrets,
            jwks_url=f"{self._base_for_keys()}/oauth/jwks",
            caller=self.caller,
            demo=self.options.demo,
        )

    @cached_property
    def demo_providers(self) -> DemoProviders:
        return DemoProviders(
            file=self.state.providers,
            ports=self.ports,
            secrets=self.secrets.demo_logins,
            issuer=self.environments.issuer,
        )

    def backbone(self) -> list[Program]:
        return [self.postgres.program(), self.nats.program()]

    def services(self) -> list[Program]:
        """Every service process."""
        return [self._service(index, place) for index, place in enumerate(self._places())]

    def beside(self) -> list[Program]:
        """The edge, and what the demo needs: these know no database."""
        programs = [self.edge.program()]
        if self.options.demo:
            programs.append(self._demo_receiver())
            programs += self.demo_providers.programs()
        return programs

    def _places(self) -> Iterator[_Place]:
        numbers = range(1, self.options.replicas + 1)
        for service in SERVICES:
            for number in numbers:
                suffix = self._suffix(number)
                yield _Place(service, f"{service}-web{suffix}", "web", (), Stage.WEB)
                if self.options.separate:
                    for part in WORKER_PARTS[service]:
                        name = f"{service}-{part}{suffix}"
                        yield _Place(service, name, "worker", (part,), Stage.WORKER)
                else:
                    yield _Place(service, f"{service}-worker{suffix}", "worker", (), Stage.WORKER)

        for number in numbers:
            name = f"{PORTAL}-web{self._suffix(number)}"
            yield _Place(PORTAL, name, "web", (), Stage.WEB)

    def _suffix(self, number: int) -> str:
        return f"-{number}" if self.options.replicas > 1 else ""

    def _service(self, index: int, place: _Place) -> Program:
        port = self.ports.service(index)
        return Program(
            name=place.name,
            command=(
                sys.executable,
                "-m",
                f"services.{place.service}.{place.module}",
                *place.arguments,
            ),
            environment=self.environments.of_service(place.service, port=port),
            address=f"{HOST}:{port}",
            stage=place.stage,
            ready=http_probe(port, "/readyz", timeout_seconds=3),
            alive=http_probe(port, "/livez"),
            # It is written to survive this, and nothing it hangs in can keep it alive.
            death_signal=signal.SIGKILL,
        )

    def _demo_receiver(self) -> Program:
        port = self.ports.demo_receiver
        environment = self.environments.of_service("notifications", port=port)
        return Program(
            name=DEMO_RECEIVER,
            command=(sys.executable, "-m", "deploy.demo.receiver"),
            environment={
                name: value
                for name, value in environment.items()
                if not name.endswith(("_DATABASE_URL", "_NATS_URL", "_MASTER_KEYS"))
            }
            | {
                "RENKEI_RECEIVER_STATE": str(self.state.receiver),
                "RENKEI_RECEIVER_DEMO": str(self.state.demo),
            },
            address=f"{HOST}:{port}",
            stage=Stage.WEB,
            ready=http_probe(port, "/readyz"),
            alive=http_probe(port, "/livez"),
        )

    def _upstreams(self) -> dict[str, list[str]]:
        upstreams: dict[str, list[str]] = {service: [] for service in DATABASES}
        for index, place in enumerate(self._places()):
            if place.stage is Stage.WEB:
                upstreams[place.service].append(f"{HOST}:{self.ports.service(index)}")
        return upstreams

    def _base_for_keys(self) -> str:
        """One replica is asked directly; of several the edge knows which one answers."""
        addresses = self._upstreams()["members"]
        return (
            f"http://{addresses[0]}" if len(addresses) == 1 else f"http://{HOST}:{self.ports.edge}"
        )
