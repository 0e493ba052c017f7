"""What every process reads from its environment. See `deploy/env.example`."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.actor import STRONG, LoginDemand

Seconds = Annotated[float, Field(gt=0)]


def split(value: Any) -> Any:
    """Read what an environment lists by commas; nothing between two of them counts for nothing."""
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


class Settings(BaseSettings):
    """Base of the settings of a service; variables are named `RENKEI_<NAME>`."""

    # What is refused may be a secret with one letter missing, and errors stand in logs.
    model_config = SettingsConfigDict(env_prefix="RENKEI_", frozen=True, hide_input_in_errors=True)

    database_url: SecretStr
    nats_url: SecretStr
    issuer: str = Field(description="Public base URL; `iss` of access tokens.")
    jwks_url: str = Field(description="Where the keys of the authorization server are.")
    master_keys: SecretStr = SecretStr("")

    listen_host: str = "127.0.0.1"
    listen_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    otlp_endpoint: str | None = Field(default=None, description="Traces go there, if anywhere.")

    in_flight_limit: int = Field(
        default=20, ge=1, description="Requests at work; also the pool size."
    )
    waiting_limit: int = Field(
        default=400, ge=0, description="Requests that may wait for their turn."
    )
    request_seconds: Seconds = 10
    statement_seconds: Seconds = 8
    streaming_seconds: Seconds = Field(
        default=100, description="For an answer that is sent while it is made, if it moves."
    )
    body_limit_bytes: Annotated[int, Field(ge=1)] = 1_000_000
    token_leeway_seconds: Annotated[float, Field(ge=0)] = 5
    jwks_lifetime_seconds: Seconds = 300
    jwks_believed_seconds: Seconds = Field(
        default=7200, description="How long known keys are good while they cannot be renewed."
    )
    recent_login_seconds: Annotated[int, Field(ge=60, le=86_400)] = Field(
        default=900, description="How old the login of a person may be who changes who gets in."
    )
    recent_login_acr_values: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(split),
        Field(description="Ways of which that login must be one, by commas; any if there is none."),
    ] = ()
    stop_seconds: Seconds = 10

    relay_poll_seconds: Seconds = 1
    relay_batch: Annotated[int, Field(ge=1, le=1000)] = 1000
    relay_linger_seconds: Annotated[float, Field(ge=0)] = 0.003
    publish_seconds: Seconds = 5
    stream_replicas: Annotated[int, Field(ge=1, le=5)] = 1
    consumer_batch: Annotated[int, Field(ge=1, le=1000)] = 100
    consumer_attempts: Annotated[int, Field(ge=1)] = 8
    consumer_ack_seconds: Seconds = 30
    retry_seconds: Seconds = Field(default=0.5, description="First pause after a fault; doubles.")
    retry_seconds_max: Seconds = 15
    timer_seconds: Seconds = Field(default=5, description="How often timers look at the clock.")

    @field_validator("recent_login_acr_values")
    @classmethod
    def _can_be_asked(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if set(values) - {STRONG}:
            raise ValueError(f"can be {STRONG} alone: nothing else is ever asked of a provider")
        return values

    @property
    def recent_login(self) -> LoginDemand:
        """What is asked of the login of a person who changes who gets in."""
        longest = timedelta(seconds=self.recent_login_seconds)
        return LoginDemand(longest, self.recent_login_acr_values)
