"""What counts as the consent of a receiver."""

import pytest

from services.notifications.model.webhook_verification import agreement_of


@pytest.mark.parametrize(
    ("written", "rate"), [(None, None), ("*", None), (" 120 ", 120), ("9" * 40, 60_000)]
)
def test_a_rate_is_read_as_it_is_meant(written: str | None, rate: int | None) -> None:
    agreement = agreement_of("*", written, origin="renkei.example")

    assert getattr(agreement, "rate", "none") == rate
