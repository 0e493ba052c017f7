"""What the portal reads from its environment."""

import json
from urllib.parse import urlsplit

from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from pydantic import Field, SecretStr, field_validator

from shared.sealing import Seals
from shared.settings import Seconds, Settings


class PortalSettings(Settings):
    """Settings of the portal. See `deploy/env.example`."""

    # It hears and tells no events, and reads no access token of others.
    nats_url: SecretStr = SecretStr("")
    jwks_url: str = ""

    master_keys: SecretStr = Field(description="What tokens of browsers' sessions are sealed with.")
    portal_url: str = Field(
        default="", description="Its public base URL, if it is not that of the platform."
    )
    portal_client_id: str = Field(
        default="", description="What it is registered as; migrations need none."
    )
    portal_client_key: SecretStr = Field(
        default=SecretStr(""),
        description="Its private key, as a JWK of the curve P-256; migrations need none.",
    )
    portal_session_seconds: Seconds = Field(
        default=36_000, description="How long a session of a browser lasts at most."
    )
    portal_session_rest_seconds: Seconds = Field(
        default=3_600, description="A browser's session ends when nothing was asked for so long."
    )
    portal_login_seconds: Seconds = Field(
        default=600, description="How long somebody may take to log in."
    )
    portal_answer_seconds: Seconds = Field(
        default=4, description="How long the platform may take to answer the portal."
    )

    @property
    def own_url(self) -> str:
        """Where browsers find the portal."""
        return self.portal_url or self.issuer

    @field_validator("master_keys")
    @classmethod
    def _can_seal(cls, keys: SecretStr) -> SecretStr:
        Seals.read(keys.get_secret_value())
        return keys

    @field_validator("portal_client_key")
    @classmethod
    def _can_sign(cls, key: SecretStr) -> SecretStr:
        if key.get_secret_value():
            key_of(key)
        return key

    @field_validator("issuer", "portal_url")
    @classmethod
    def _is_secure(cls, address: str) -> str:
        parts = urlsplit(address)
        is_here = parts.hostname in ("127.0.0.1", "localhost", "::1")
        if address and parts.scheme != "https" and not is_here:
            raise ValueError("must begin with https:// unless it is this machine")
        return address.rstrip("/")


def seals_of(settings: PortalSettings) -> Seals:
    """Make what tokens and logins that have begun are sealed with."""
    return Seals.read(settings.master_keys.get_secret_value())


def key_of(text: SecretStr) -> ECKey:
    """Read the private key that the portal proves itself with.

    Raises:
        ValueError: it is none.
    """
    try:
        key = ECKey.import_key(json.loads(text.get_secret_value()))
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise ValueError("must be a private key, as a JWK") from error
    if not key.is_private or key.curve_name != "P-256":
        raise ValueError("must be a private key of the curve P-256, as a JWK")
    return key
