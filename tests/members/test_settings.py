"""A members service that could not work does not start."""

from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from services.members.settings import MembersSettings
from tests.web import environment


@pytest.mark.parametrize(
    "wrong",
    [
        {"master_keys": SecretStr("")},
        {"master_keys": SecretStr("k1:c2hvcnQ=")},
        {"issuer": "http://renkei.example"},
        {"access_token_seconds": 5},
        {"access_token_seconds": 86_400},
        {"recent_login_seconds": 59},
        {"recent_login_seconds": 36_000},
        {"recent_login_seconds": 900, "sign_in_seconds": 960},
        {"recent_login_acr_values": "urn:a"},
        {"recent_login_acr_values": "urn:renkei:mfa,urn:a"},
        {"recent_login_acr_values": "urn:renkei:mfa urn:renkei:mfa"},
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MembersSettings(**environment() | wrong)


@pytest.mark.parametrize("issuer", ["https://renkei.example", "http://127.0.0.1:8400"])
def test_tokens_travel_encrypted_unless_they_stay_on_this_machine(issuer: str) -> None:
    assert MembersSettings(**environment() | {"issuer": issuer}).issuer == issuer


def test_a_recent_login_may_be_nearly_as_old_as_a_session() -> None:
    given = {"recent_login_seconds": 900, "sign_in_seconds": 961}

    assert MembersSettings(**environment() | given).recent_login_seconds == 900
