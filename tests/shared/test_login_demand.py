"""What may not be done behind somebody's back needs a login that is recent, or strong."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from shared.actor import ANY_LOGIN, Actor, InsufficientUserAuthentication, LoginDemand

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
QUARTER = LoginDemand(timedelta(minutes=15))
STRONG = LoginDemand(acr_values=("urn:renkei:mfa", "urn:other"))
BOTH = LoginDemand(timedelta(minutes=15), ("urn:renkei:mfa",))


def person(seconds_ago: int | None, acr: str | None = None) -> Actor:
    at = None if seconds_ago is None else NOON - timedelta(seconds=seconds_ago)
    return Actor("seoul", client_id="desk", official_id=UUID(int=1), acr=acr, authenticated_at=at)


@pytest.mark.parametrize(
    ("actor", "demand"),
    [
        (person(36_000), ANY_LOGIN),
        (person(None), ANY_LOGIN),
        (person(0), QUARTER),
        (person(900), QUARTER),
        (person(960), QUARTER),
        (person(-30), QUARTER),
        (person(36_000, "urn:renkei:mfa"), STRONG),
        (person(36_000, "urn:other"), STRONG),
        (person(960, "urn:renkei:mfa"), BOTH),
        (Actor("seoul", client_id="seoul-main"), BOTH),
        (Actor.CLOCK, BOTH),
    ],
)
def test_a_login_that_meets_the_demand_passes_and_so_does_a_machine(
    actor: Actor, demand: LoginDemand
) -> None:
    actor.ensure_logged_in(demand, at=NOON)


@pytest.mark.parametrize(
    ("actor", "demand", "members"),
    [
        (person(961), QUARTER, {"max_age": 900}),
        (person(None), QUARTER, {"max_age": 900}),
        (person(0), STRONG, {"acr_values": "urn:renkei:mfa urn:other"}),
        (person(0, "urn:weak"), STRONG, {"acr_values": "urn:renkei:mfa urn:other"}),
        (person(0), BOTH, {"max_age": 900, "acr_values": "urn:renkei:mfa"}),
        (person(961, "urn:renkei:mfa"), BOTH, {"max_age": 900, "acr_values": "urn:renkei:mfa"}),
    ],
)
def test_another_is_told_what_is_needed(
    actor: Actor, demand: LoginDemand, members: dict[str, object]
) -> None:
    with pytest.raises(InsufficientUserAuthentication) as refused:
        actor.ensure_logged_in(demand, at=NOON)

    assert refused.value.members == members


def test_the_need_is_said_in_a_sentence() -> None:
    refusal = InsufficientUserAuthentication(BOTH)

    assert refusal.detail == (
        "This needs a login that is at most 900 seconds old and of the kind urn:renkei:mfa."
    )
