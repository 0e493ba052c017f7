"""What the members service reads from its environment."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from shared.sealing import Seals
from shared.settings import Seconds, Settings


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
        description="Ask identity providers at private addresses and without TLS: only to develop.",
    )
    identity_seconds: Seconds = Field(
        default=5, description="How long an identity provider may take over all that a login needs."
    )
    identity_parallel: Annotated[int, Field(ge=1)] = Field(
        default=6, description="Logins of one process that ask their provider at the same time."
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
