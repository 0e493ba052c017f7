"""What the processes of this service read from their environment."""

from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, FilePath, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode

from shared.sealing import Seals
from shared.settings import Seconds, Settings, split


def _split(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


class NotificationsSettings(Settings):
    """Settings of the notifications service."""

    master_keys: SecretStr = Field(description="What the secrets of webhooks are sealed with.")
    webhook_allowed_networks: Annotated[
        tuple[IPv4Network | IPv6Network, ...],
        NoDecode,
        BeforeValidator(split),
        Field(description="Networks that webhooks may go to though not public, and without TLS."),
    ] = ()
    webhook_ca_file: FilePath | None = Field(
        default=None, description="Certificates (PEM) to trust beside those of the system."
    )
    webhook_schedule_seconds: Annotated[
        tuple[Annotated[float, Field(ge=0)], ...],
        NoDecode,
        BeforeValidator(_split),
        Field(min_length=1, description="Pause before each attempt, separated by commas."),
    ] = (0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
    webhook_jitter: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.2, description="A pause is longer by up to this share of itself, never shorter."
    )
    webhook_connect_seconds: Seconds = 5
    webhook_total_seconds: Seconds = 15
    webhook_lease_seconds: Seconds = Field(
        default=60, description="After this another sender takes over what one has begun."
    )
    webhook_turn_seconds: Seconds = Field(
        default=20, description="After this a sender begins nothing more for the same endpoint."
    )
    webhook_parallel: Annotated[int, Field(ge=2)] = Field(
        default=300, description="Attempts of one process at the same time."
    )
    webhook_hold_seconds: Seconds = Field(
        default=30, description="First pause of an endpoint that fails again and again; doubles."
    )
    webhook_warn_hours: Annotated[
        tuple[Annotated[float, Field(gt=0)], ...],
        NoDecode,
        BeforeValidator(_split),
        Field(description="Its owner is warned when an endpoint has failed for so long."),
    ] = (6, 96)
    webhook_disable_hours: Annotated[float, Field(gt=0)] = Field(
        default=120, description="An endpoint that has failed for so long is disabled."
    )
    webhook_poll_seconds: Seconds = 1
    webhook_retention_days: Annotated[int, Field(ge=1)] = Field(
        default=90,
        description="How long deliveries can be looked at; what is missed is told from them.",
    )
    feed_retention_days: Annotated[int, Field(ge=1)] = Field(
        default=90, description="How long facts can be read from the event feed."
    )
    feed_waiting: Annotated[int, Field(ge=1)] = Field(
        default=2000, description="Readers of feeds that wait, or are streamed to, in one process."
    )
    feed_waiting_of_member: Annotated[int, Field(ge=1)] = Field(
        default=100, description="Of these, of the same member."
    )
    feed_poll_seconds: Seconds = Field(
        default=1, description="How often those who wait look for what no hint told them of."
    )
    feed_stream_seconds: Seconds = Field(
        default=110, description="After this a stream ends; the edge allows no longer answer."
    )
    feed_heartbeat_seconds: Seconds = 15

    @field_validator("master_keys")
    @classmethod
    def _can_seal(cls, keys: SecretStr) -> SecretStr:
        Seals.read(keys.get_secret_value())
        return keys

    @model_validator(mode="after")
    def _leases_outlast_attempts(self) -> Self:
        if self.webhook_lease_seconds <= self.webhook_turn_seconds + self.webhook_total_seconds:
            raise ValueError(
                "webhook_lease_seconds must be longer than webhook_turn_seconds and"
                " webhook_total_seconds together"
            )
        return self
