"""What each process is told through its environment.

A caller's `RENKEI_<SETTING>` wins over ours for every process, and `RENKEI_<SERVICE>_<SETTING>` for
one service only, so that a proxy can be put between any two parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.embedded.layout import DATABASES, HOST, PORTAL, REPOSITORY, Ports, Secrets

PREFIX = "RENKEI_"


@dataclass(frozen=True, kw_only=True)
class Environments:
    """The environments of one platform's processes.

    Attributes:
        jwks_url: where services read the keys that access tokens are signed with.
        caller: the environment the platform was started with.
        demo: whether the demo's names are asked for in place of the real ones.
    """

    ports: Ports
    secrets: Secrets
    jwks_url: str
    caller: Mapping[str, str]
    demo: bool = False

    @property
    def issuer(self) -> str:
        """The public base URL; it is part of every access token."""
        return self.caller.get(f"{PREFIX}ISSUER", f"http://{HOST}:{self.ports.edge}")

    def of_service(self, service: str, *, port: int) -> dict[str, str]:
        """Settings of one process of a service that listens on this port."""
        ours = {
            "DATABASE_URL": self.database_url(service),
            "LISTEN_HOST": HOST,
            "LISTEN_PORT": str(port),
            "ISSUER": self.issuer,
            "LOG_FORMAT": "json",
        }
        if service == PORTAL:
            ours |= self._of_portal() | {"MASTER_KEYS": self.secrets.portal["master_keys"]}
        else:
            ours |= {"NATS_URL": self.nats_url(service), "JWKS_URL": self.jwks_url}
        if service in ("members", "notifications"):
            ours["MASTER_KEYS"] = self.secrets.master_keys
        if service == "projects":
            ours["MASTER_KEYS"] = self.secrets.projects_master_keys
        if service == "members":
            # So do identity providers, of the demo and of whoever develops one.
            ours["IDENTITY_ALLOW_PRIVATE"] = "true"
            if self.demo:
                ours["DNS_SERVERS"] = f"{HOST}:{self.ports.demo_dns}"
        if service == "notifications":
            # Cities' systems run on this machine too; elsewhere private addresses are refused.
            ours["WEBHOOK_ALLOWED_NETWORKS"] = "127.0.0.0/8,::1/128"
        return self._complete(ours | self._for_all() | self._for_service(service))

    def of_operator(self) -> dict[str, str]:
        """Settings of the `renkei` command, which works on every service's database."""
        ours = {
            "NATS_URL": self.nats_url("operator"),
            "NATS_MONITOR_URL": f"http://{HOST}:{self.ports.nats_monitor}",
            "ISSUER": self.issuer,
            "JWKS_URL": self.jwks_url,
            "MASTER_KEYS": self.secrets.master_keys,
            "PROJECTS_MASTER_KEYS": self.secrets.projects_master_keys,
            "LOG_FORMAT": "console",
        }
        for service in DATABASES:
            ours[f"{service.upper()}_DATABASE_URL"] = self.database_url(service)
        ours |= self._of_portal() | {"PORTAL_MASTER_KEYS": self.secrets.portal["master_keys"]}
        overrides = {
            f"{service.upper()}_{setting}": value
            for service in DATABASES
            for setting, value in _settings(self.caller, f"{PREFIX}{service.upper()}_").items()
        }
        return self._complete(ours | self._for_all() | overrides)

    def database_url(self, service: str) -> str:
        password = self.secrets.postgres[service]
        address = f"{HOST}:{self.ports.postgres}"
        return f"postgresql+asyncpg://{service}:{password}@{address}/renkei_{service}"

    def nats_url(self, user: str) -> str:
        return f"nats://{user}:{self.secrets.nats[user]}@{HOST}:{self.ports.nats}"

    def _of_portal(self) -> dict[str, str]:
        """Tell who the portal is; the operator registers it as that."""
        return {
            "PORTAL_CLIENT_ID": self.secrets.portal["client_id"],
            "PORTAL_CLIENT_KEY": self.secrets.portal["client_key"],
        }

    def _for_all(self) -> dict[str, str]:
        """Give the caller's settings that name no service and are not the platform's own."""
        services = tuple(f"{service.upper()}_" for service in DATABASES)
        return {
            setting: value
            for setting, value in _settings(self.caller, PREFIX).items()
            if not setting.startswith(services) and setting not in ("PORT", "STATE")
        }

    def _for_service(self, service: str) -> dict[str, str]:
        """Give the caller's settings for one service: `RENKEI_<SERVICE>_<SETTING>`.

        Under their full name, too, which is that of what no other service has.
        """
        own = _settings(self.caller, f"{PREFIX}{service.upper()}_")
        return own | {f"{service.upper()}_{setting}": value for setting, value in own.items()}

    def _complete(self, settings: Mapping[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in self.caller.items() if not name.startswith(PREFIX)}
        kept |= {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
        return kept | {f"{PREFIX}{setting}": value for setting, value in settings.items()}


def _settings(environment: Mapping[str, str], prefix: str) -> dict[str, str]:
    return {
        name.removeprefix(prefix): value
        for name, value in environment.items()
        if name.startswith(prefix)
    }
