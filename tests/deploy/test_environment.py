"""Which settings reach which process."""

import os
import stat
from pathlib import Path
from unittest.mock import patch

from deploy.embedded.environment import Environments
from deploy.embedded.layout import Ports, Secrets
from services.portal.settings import PortalSettings


def environments(tmp_path: Path, **caller: str) -> Environments:
    return Environments(
        ports=Ports(8400),
        secrets=Secrets.load_or_create(tmp_path / "secrets.json"),
        jwks_url="http://127.0.0.1:8410/oauth/jwks",
        caller=caller,
    )


def test_a_service_is_told_its_own_database_and_name(tmp_path: Path) -> None:
    told = environments(tmp_path).of_service("projects", port=8412)

    assert told["RENKEI_DATABASE_URL"].startswith("postgresql+asyncpg://projects:")
    assert told["RENKEI_DATABASE_URL"].endswith("@127.0.0.1:8401/renkei_projects")
    assert told["RENKEI_NATS_URL"].startswith("nats://projects:")
    assert told["RENKEI_LISTEN_PORT"] == "8412"
    assert told["RENKEI_ISSUER"] == "http://127.0.0.1:8400"
    assert "RENKEI_WEBHOOK_ALLOWED_NETWORKS" not in told
    assert "RENKEI_IDENTITY_ALLOW_PRIVATE" not in told


def test_systems_of_cities_may_run_on_the_machine_of_an_embedded_platform(tmp_path: Path) -> None:
    members = environments(tmp_path).of_service("members", port=8410)
    notifications = environments(tmp_path).of_service("notifications", port=8414)

    assert members["RENKEI_IDENTITY_ALLOW_PRIVATE"] == "true"
    assert notifications["RENKEI_WEBHOOK_ALLOWED_NETWORKS"] == "127.0.0.0/8,::1/128"


def test_who_keeps_no_secrets_of_others_is_not_told_their_keys(tmp_path: Path) -> None:
    told = {
        service: environments(tmp_path).of_service(service, port=1)["RENKEI_MASTER_KEYS"]
        for service in ("members", "projects", "notifications")
    }

    assert told["members"] == told["notifications"]
    assert told["projects"] not in told["members"]
    operator = environments(tmp_path).of_operator()
    assert operator["RENKEI_PROJECTS_MASTER_KEYS"] == told["projects"]


def test_the_portal_is_told_nothing_of_others(tmp_path: Path) -> None:
    told = environments(tmp_path).of_service("portal", port=8416)
    members = environments(tmp_path).of_service("members", port=8410)

    assert told["RENKEI_DATABASE_URL"].startswith("postgresql+asyncpg://portal:")
    assert told["RENKEI_MASTER_KEYS"] != members["RENKEI_MASTER_KEYS"]
    assert told.keys() & {"RENKEI_NATS_URL", "RENKEI_JWKS_URL"} == set()
    assert {name for name in members if name.startswith("RENKEI_PORTAL")} == set()


def test_what_the_portal_is_told_can_be_overruled(tmp_path: Path) -> None:
    told = environments(
        tmp_path, RENKEI_PORTAL_SESSION_SECONDS="60", RENKEI_PORTAL_LOG_LEVEL="debug"
    )

    with patch.dict(os.environ, told.of_service("portal", port=1), clear=True):
        settings = PortalSettings()
    assert (settings.portal_session_seconds, settings.log_level) == (60, "debug")


def test_the_callers_setting_wins_for_every_process(tmp_path: Path) -> None:
    all_of_them = environments(tmp_path, RENKEI_LOG_LEVEL="debug", RENKEI_LOG_FORMAT="console")

    for service in ("members", "projects", "notifications"):
        told = all_of_them.of_service(service, port=1)
        assert (told["RENKEI_LOG_LEVEL"], told["RENKEI_LOG_FORMAT"]) == ("debug", "console")


def test_a_setting_for_one_service_reaches_no_other(tmp_path: Path) -> None:
    proxied = environments(
        tmp_path, RENKEI_NATS_URL="nats://all", RENKEI_PROJECTS_NATS_URL="nats://proxy"
    )

    assert proxied.of_service("projects", port=1)["RENKEI_NATS_URL"] == "nats://proxy"
    assert proxied.of_service("members", port=1)["RENKEI_NATS_URL"] == "nats://all"
    assert proxied.of_operator()["RENKEI_PROJECTS_NATS_URL"] == "nats://proxy"


def test_what_concerns_the_platform_itself_reaches_no_service(tmp_path: Path) -> None:
    told = environments(tmp_path, RENKEI_PORT="9000", HOME="/home/me").of_service("members", port=1)

    assert "RENKEI_PORT" not in told
    assert told["HOME"] == "/home/me"


def test_secrets_are_kept_and_private(tmp_path: Path) -> None:
    file = tmp_path / "secrets.json"

    made, kept = Secrets.load_or_create(file), Secrets.load_or_create(file)

    assert made == kept
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len({*made.postgres.values(), *made.nats.values()}) == 10
