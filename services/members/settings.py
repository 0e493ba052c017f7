"""What the members service reads from its environment."""

from ipaddress import ip_network
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    SecretStr,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode

from shared.actor import LEEWAY
from shared.sealing import Seals
from shared.settings import Seconds, Settings, split


class MembersSettings(Settings):
    """Settings of the members service. See `deploy/env.example`."""

    master_keys: SecretStr = Field(description="What signing keys are sealed with.")
    access_token_seconds: Annotated[int, Field(ge=30, le=3600)] = 300
    signing_keys_seconds: Seconds = Field(
        default=60, description="How long a process relies on the signing keys it has read."
    )

    sign_in_seconds: Seconds = Field(
        default=36_000, description="How long a person's session lasts at most."
    )
    sign_in_rest_seconds: Seconds = Field(
        default=3_600, description="A person's session ends when nothing was asked for so long."
    )
    identity_allow_private: bool = Field(
        default=False,
        description="Ask identity providers, and tell applications of logouts, at private addresses"
        " and without TLS: only to develop.",
    )
    identity_seconds: Seconds = Field(
        default=5, description="How long an identity provider may take over all that a login needs."
    )
    identity_parallel: Annotated[int, Field(ge=1)] = Field(
        default=6, description="Logins of one process that ask their provider at the same time."
    )
    logout_seconds: Seconds = Field(
        default=5, description="How long an application may take to hear of a logout."
    )
    logout_poll_seconds: Seconds = Field(
        default=1, description="How often it is looked whether an application must hear of one."
    )
    dns_servers: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+:\d{1,5}$")], ...],
        NoDecode,
        BeforeValidator(split),
        Field(description="Asked for mail domains in place of the machine's own, by commas."),
    ] = ()

    trusted_proxies: Annotated[
        tuple[IPvAnyNetwork, ...],
        NoDecode,
        BeforeValidator(split),
        Field(description="From where our proxies ask, by commas: they say who asks them."),
    ] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    guess_seconds: Seconds = Field(
        default=600, description="How long guesses that failed are counted, from the first one on."
    )
    guesses_per_source: Annotated[int, Field(ge=1)] = Field(
        default=100, description="Guesses of one kind that may fail from one network address."
    )
    guesses_per_name: Annotated[int, Field(ge=1)] = Field(
        default=20, description="Guesses that may fail from one address for the same client."
    )
    unfinished_per_source: Annotated[int, Field(ge=1)] = Field(
        default=1_000, description="Logins that may be begun and not ended from one address."
    )

    @field_validator("master_keys")
    @classmethod
    def _can_seal(cls, keys: SecretStr) -> SecretStr:
        Seals.read(keys.get_secret_value())
        return keys

    @field_validator("issuer")
    @classmethod
    def _is_secure(cls, issuer: str) -> str:
        parts = urlsplit(issuer)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("must begin with https:// unless it is this machine (RFC 8414)")
        return issuer

    @model_validator(mode="after")
    def _sessions_outlast_recent_logins(self) -> Self:
        if self.recent_login_seconds + LEEWAY.total_seconds() >= self.sign_in_seconds:
            raise ValueError(
                "sign_in_seconds must be over a minute longer than recent_login_seconds"
            )
        return self
