"""The portal starts with settings that are safe, or not at all."""

import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from pydantic import SecretStr, ValidationError

from services.portal.http.app import create_app
from services.portal.settings import PortalSettings
from tests.portal.browsing import settings_of
from tests.web import ISSUER, environment


def settings(**given: Any) -> PortalSettings:
    base = environment()
    return PortalSettings(
        **{
            "database_url": base["database_url"],
            "issuer": ISSUER,
            "master_keys": base["master_keys"],
        }
        | given
    )


def jwk(key: ECKey | RSAKey, *, private: bool = True) -> SecretStr:
    return SecretStr(json.dumps(key.as_dict(private=private)))


@pytest.mark.parametrize(
    "key",
    [
        SecretStr("not JSON"),
        SecretStr('{"kty": "EC"}'),
        SecretStr("[]"),
        jwk(ECKey.generate_key("P-256"), private=False),
        jwk(ECKey.generate_key("P-384")),
        jwk(RSAKey.generate_key(2048)),
    ],
)
def test_a_key_that_cannot_sign_is_refused_and_not_repeated(key: SecretStr) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(portal_client_key=key)

    assert key.get_secret_value() not in str(refused.value)


@pytest.mark.parametrize("name", ["issuer", "portal_url"])
def test_addresses_without_tls_are_for_this_machine_alone(name: str) -> None:
    here = settings(**{name: "http://127.0.0.1:8400/"})

    assert getattr(here, name) == "http://127.0.0.1:8400"
    with pytest.raises(ValidationError):
        settings(**{name: "http://renkei.example"})


def test_the_portal_serves_only_when_it_is_registered() -> None:
    with pytest.raises(ValueError, match="RENKEI_PORTAL_CLIENT_ID"):
        create_app(settings())

    assert create_app(settings_of()).title == "Portal"


def test_browsers_find_it_at_the_address_of_the_platform_unless_it_has_its_own() -> None:
    assert settings().own_url == ISSUER
    assert settings(portal_url="https://portal.example").own_url == "https://portal.example"
