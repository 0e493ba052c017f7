"""When a failed attempt is repeated, and when it is given up."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from services.notifications.model.retrying import Answer, Schedule, Verdict, pause_asked_for
from services.notifications.settings import NotificationsSettings
from tests.web import environment

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
SCHEDULE = Schedule((0, 5, 300), jitter=0.2)


def answered(status: int | None, *, retry_after: str | None = None) -> Answer:
    return Answer(NOON, 12, status=status, retry_after=retry_after)


def in_seconds(seconds: float) -> Verdict:
    return Verdict("pending", due_at=NOON + timedelta(seconds=seconds))


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_only_2xx_is_success(status: int) -> None:
    verdict = SCHEDULE.judge(answered(status), step=0, now=NOON, chance=0)

    assert verdict == Verdict("delivered")


@pytest.mark.parametrize("status", [None, 199, 301, 302, 307, 400, 401, 404, 415, 429, 500, 503])
def test_everything_else_is_tried_again(status: int | None) -> None:
    verdict = SCHEDULE.judge(answered(status), step=0, now=NOON, chance=0)

    assert verdict == in_seconds(5)


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 300), (0.5, 330), (1.0, 360)])
def test_chance_only_ever_adds(chance: float, seconds: float) -> None:
    verdict = SCHEDULE.judge(answered(500), step=1, now=NOON, chance=chance)

    assert verdict == in_seconds(seconds)


def test_after_the_last_attempt_it_has_failed() -> None:
    verdict = SCHEDULE.judge(answered(500), step=2, now=NOON, chance=0)

    assert verdict == Verdict("failed", "attempts_exhausted")


def test_gone_is_gone_at_once() -> None:
    verdict = SCHEDULE.judge(answered(410), step=0, now=NOON, chance=0)

    assert verdict == Verdict("failed", "gone")


@pytest.mark.parametrize(
    ("status", "retry_after", "seconds"),
    [
        (429, "120", 120),
        (503, "120", 120),
        (429, "1", 5),
        (429, "Mon, 04 May 2026 12:10:00 GMT", 600),
        (429, "Mon, 04 May 2026 11:00:00 GMT", 5),
        (429, "99999999999999999999", 86_400),
        (429, "Sun, 04 May 2031 12:00:00 GMT", 86_400),
        (503, "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", 5),
        (503, "Fri, 31 Dec 9999 23:59:59 -2359", 86_400),
        (503, "Mon, 01 Jan 2026 00:00:00 +99999999999", 5),
        (429, "soon", 5),
        (429, "-5", 5),
        (429, "٣", 5),
        (500, "120", 5),
    ],
)
def test_the_receiver_may_ask_for_a_longer_pause(
    status: int, retry_after: str, seconds: float
) -> None:
    verdict = SCHEDULE.judge(answered(status, retry_after=retry_after), step=0, now=NOON, chance=0)

    assert verdict == in_seconds(seconds)


def test_a_date_without_a_zone_is_in_utc() -> None:
    pause = pause_asked_for("Mon, 04 May 2026 12:00:09 -0000", now=NOON)

    assert pause == timedelta(seconds=9)


def test_the_schedule_is_a_list_with_commas() -> None:
    settings = NotificationsSettings(
        **environment(),
        webhook_schedule_seconds="0,0.5,60",
    )

    assert settings.webhook_schedule_seconds == (0, 0.5, 60)


@pytest.mark.parametrize("keys", ["", "k1:short"])
def test_without_keys_the_service_does_not_start(keys: str) -> None:
    with pytest.raises(ValueError, match="key"):
        NotificationsSettings(**environment() | {"master_keys": SecretStr(keys)})


def test_a_lease_must_outlast_an_attempt() -> None:
    with pytest.raises(ValueError, match="webhook_lease_seconds"):
        NotificationsSettings(**environment(), webhook_lease_seconds=15, webhook_total_seconds=15)
