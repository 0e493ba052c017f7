"""How fast a receiver is sent to, and when it is left in peace."""

from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.consumers.places import Places
from services.notifications.model.retrying import Answer
from services.notifications.model.webhook_lane import (
    FAST_AGAIN,
    QUANTUM,
    SLOW_PARALLEL_MAX,
    Bounds,
    Lane,
)

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIXTEEN = Bounds(parallel=16, rate_per_minute=None)

FINE = Answer(NOON, 20, status=204)
LATE = Answer(NOON, 10_000, status=204)
BROKEN = Answer(NOON, 20, status=500)
HANGING = Answer(NOON, 15_000, error="timeout")


def asked_to_wait(retry_after: str, status: int = 429) -> Answer:
    return Answer(NOON, 20, status=status, retry_after=retry_after)


def after(lane: Lane, *answers: Answer, bounds: Bounds = SIXTEEN, at: datetime = NOON) -> Lane:
    return reduce(lambda now, answer: now.after(answer, bounds, now=at, chance=0), answers, lane)


def test_a_new_receiver_is_sent_one_at_a_time() -> None:
    assert (Lane().pace, Lane().parallel, Lane().turn_length) == ("fast", 1, QUANTUM)


@pytest.mark.parametrize(("fine", "parallel"), [(1, 2), (2, 2), (3, 4), (7, 8), (15, 16), (99, 16)])
def test_requests_at_once_double_with_as_many_fast_answers(fine: int, parallel: int) -> None:
    assert after(Lane(), *[FINE] * fine).parallel == parallel


def test_there_are_never_more_at_once_than_the_owner_allows() -> None:
    assert after(Lane(), *[FINE] * 50, bounds=Bounds(3, None)).parallel == 3


@pytest.mark.parametrize("answer", [HANGING, asked_to_wait("0"), asked_to_wait("0", 503)])
def test_who_cannot_keep_up_is_sent_half_as_many_at_once(answer: Answer) -> None:
    assert after(Lane(parallel=8), answer).parallel == 4


def test_a_receiver_that_hangs_is_slow_at_once() -> None:
    assert after(Lane(parallel=8), HANGING).pace == "slow"


def test_a_receiver_that_takes_long_but_succeeds_is_slow_and_gets_a_few_at_once() -> None:
    lane = after(Lane(parallel=8), LATE, LATE)

    assert (lane.pace, lane.failing_since) == ("slow", None)
    assert lane.parallel == SLOW_PARALLEL_MAX


def test_a_slow_receiver_is_fast_again_after_twenty_fast_answers() -> None:
    slow = Lane(pace="slow", mean_ms=0)

    assert after(slow, *[FINE] * (FAST_AGAIN - 1)).pace == "slow"
    assert after(slow, *[FINE] * FAST_AGAIN).pace == "fast"


def test_the_fifth_failure_in_a_row_holds_the_lane_for_half_a_minute() -> None:
    fourth = after(Lane(), *[BROKEN] * 4)
    fifth = after(fourth, BROKEN)

    assert (fourth.held_until, fourth.tries) == (None, 0)
    assert fifth.held_until == NOON + timedelta(seconds=30)
    assert (fifth.tries, fifth.turn_length, fifth.parallel) == (1, 1, 1)


def test_half_of_twenty_failing_holds_the_lane() -> None:
    mixed = after(Lane(), *[FINE, BROKEN] * 9, FINE)

    assert mixed.held_until is None
    assert after(mixed, BROKEN).held_until == NOON + timedelta(seconds=30)


def test_old_failures_are_forgotten() -> None:
    mixed = after(Lane(), *[FINE, BROKEN] * 9, FINE)

    assert after(mixed, BROKEN, at=NOON + timedelta(minutes=6)).held_until is None


def test_each_further_try_that_fails_doubles_the_pause_up_to_half_an_hour() -> None:
    lane, pauses = after(Lane(), *[BROKEN] * 4), []
    for _ in range(9):
        lane = after(lane, BROKEN)
        pauses.append((lane.held_until or NOON) - NOON)

    assert pauses == [timedelta(seconds=30 * 2**n) for n in range(6)] + [timedelta(minutes=30)] * 3


def test_one_success_ends_the_pause_and_begins_anew() -> None:
    held = after(Lane(), *[BROKEN] * 7)

    well = after(held, FINE)

    assert (well.held_until, well.tries, well.failures, well.parallel) == (None, 0, 0, 1)
    assert (well.failing_since, well.succeeded_at) == (None, NOON)


def test_failing_begins_with_the_first_failure_after_the_last_success() -> None:
    lane = after(Lane(), FINE)
    lane = after(lane, BROKEN, at=NOON + timedelta(minutes=1))
    lane = after(lane, BROKEN, at=NOON + timedelta(minutes=2))

    assert lane.failing_since == NOON + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("120", 120),
        ("Sun, 01 Mar 2026 12:02:00 GMT", 120),
        ("999999999", 86_400),
        ("Sun, 01 Mar 2026 11:00:00 GMT", None),
        ("soon", None),
    ],
)
def test_a_receiver_says_when_to_come_again(retry_after: str, seconds: int | None) -> None:
    expected = None if seconds is None else NOON + timedelta(seconds=seconds)

    assert after(Lane(), asked_to_wait(retry_after)).held_until == expected


def test_chance_only_makes_a_pause_longer() -> None:
    fourth = after(Lane(), *[BROKEN] * 4)

    held = fourth.after(BROKEN, SIXTEEN, now=NOON, chance=1).held_until

    assert held == NOON + timedelta(seconds=36)


def test_the_rate_allows_a_second_at_once_and_then_its_share() -> None:
    bounds, lane, sent = Bounds(16, rate_per_minute=120), Lane(), 0
    while not lane.is_held(NOON):
        lane, sent = lane.sending(bounds, now=NOON), sent + 1

    assert sent == 2
    assert lane.held_until == NOON + timedelta(seconds=0.5)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([FINE, LATE, BROKEN, HANGING, asked_to_wait("60")]),
            st.integers(0, 400),
        ),
        max_size=60,
    ),
    st.integers(1, 16),
)
def test_whatever_a_receiver_says_its_lane_keeps_within_bounds(
    answers: list[tuple[Answer, int]], parallel: int
) -> None:
    lane, now, bounds = Lane(), NOON, Bounds(parallel, None)
    for answer, seconds in answers:
        now += timedelta(seconds=seconds)
        lane = lane.after(answer, bounds, now=now, chance=1)

        assert 1 <= lane.parallel <= max(parallel, SLOW_PARALLEL_MAX)
        assert 0 <= lane.window_failed <= lane.window_sent
        assert (lane.failing_since is None) == answer.is_success
        assert (lane.failures == 0) == answer.is_success
        assert (lane.turn_length == 1) == (lane.tries > 0)
        assert lane.held_until is None or lane.held_until <= now + timedelta(hours=24)


def test_a_low_rate_allows_one_at_once() -> None:
    lane = Lane().sending(Bounds(16, rate_per_minute=6), now=NOON)

    assert lane.held_until == NOON + timedelta(seconds=10)


def test_the_slow_cannot_take_the_places_of_the_fast() -> None:
    places = Places(10)
    for _ in range(20):
        places.take("slow", "delhi")

    assert (places.free("slow"), places.free("fast")) == (0, 8)


def test_who_becomes_slow_frees_a_fast_place_even_if_no_slow_one_is_left() -> None:
    places = Places(10)
    for _ in range(8):
        places.take("fast", "delhi")

    places.move(8)

    assert (places.free("fast"), places.free("slow")) == (8, 0)


def test_a_member_has_its_share_at_a_quarter_of_the_places() -> None:
    places = Places(8)
    places.take("fast", "delhi")
    assert places.crowded() == []

    places.take("slow", "delhi")
    assert places.crowded() == ["delhi"]

    places.give("slow", "delhi")
    assert places.crowded() == []
