"""Everything that differs between installations comes from the environment."""

import pytest
from pydantic import ValidationError

from shared.settings import Settings

NEEDED = {
    "RENKEI_DATABASE_URL": "postgresql+asyncpg://things:hidden@db/things",
    "RENKEI_NATS_URL": "nats://things:hidden@nats:4222",
    "RENKEI_ISSUER": "https://renkei.example",
    "RENKEI_JWKS_URL": "https://renkei.example/oauth/jwks",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in NEEDED.items():
        monkeypatch.setenv(name, value)


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENKEI_IN_FLIGHT_LIMIT", "7")
    monkeypatch.setenv("RENKEI_SOMETHING_ELSE", "x")

    settings = Settings()

    assert settings.issuer == "https://renkei.example"
    assert settings.in_flight_limit == 7


@pytest.mark.parametrize("name", sorted(NEEDED))
def test_what_has_no_default_must_be_given(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.delenv(name)

    with pytest.raises(ValidationError, match=name.removeprefix("RENKEI_").lower()):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RENKEI_RELAY_BATCH", "1001"),
        ("RENKEI_RELAY_BATCH", "0"),
        ("RENKEI_CONSUMER_ATTEMPTS", "0"),
        ("RENKEI_REQUEST_SECONDS", "0"),
        ("RENKEI_PUBLISH_SECONDS", "-1"),
        ("RENKEI_TOKEN_LEEWAY_SECONDS", "-1"),
        ("RENKEI_LOG_LEVEL", "loud"),
        ("RENKEI_LISTEN_PORT", "x"),
        ("RENKEI_IN_FLIGHT_LIMIT", "0"),
        ("RENKEI_WAITING_LIMIT", "-1"),
        ("RENKEI_BODY_LIMIT_BYTES", "0"),
        ("RENKEI_LISTEN_PORT", "65536"),
    ],
)
def test_a_value_that_cannot_work_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError):
        Settings()


def test_secrets_are_not_shown() -> None:
    settings = Settings()

    assert "hidden" not in repr(settings)
    assert "hidden" not in str(settings.model_dump())


def test_settings_do_not_change() -> None:
    settings = Settings()

    with pytest.raises(ValidationError):
        settings.listen_port = 1  # type: ignore[misc]
