"""What follows from positions under a rule."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.projects.model.verdict import (
    Tally,
    approvals_needed,
    is_out_of_reach,
    is_reached,
    tally_of,
    verdict_at_deadline,
    verdict_meanwhile,
)
from shared.contracts.projects import DecisionRule, PositionTaken

RULES: tuple[DecisionRule, ...] = ("unanimity", "two_thirds", "simple_majority", "silence")
POSITIONS: tuple[PositionTaken | None, ...] = ("approve", "object", "abstain", None)


def said(
    approve: int = 0, object_: int = 0, abstain: int = 0, silent: int = 0
) -> list[PositionTaken | None]:
    counts = zip(POSITIONS, (approve, object_, abstain, silent), strict=True)
    return [position for position, count in counts for _ in range(count)]


def test_seven_for_and_four_against_among_twelve_do_not_carry_two_thirds() -> None:
    tally = tally_of("two_thirds", said(approve=7, object_=4, silent=1))

    assert tally == Tally(electorate=12, approve=7, object=4, abstain=0, silent=1, needed=8)
    assert not is_reached("two_thirds", tally)
    assert verdict_meanwhile("two_thirds", tally) is None  # the twelfth could still carry it
    assert verdict_at_deadline("two_thirds", tally) == "lapsed"


def test_an_abstention_of_the_twelfth_rejects_it_at_once() -> None:
    tally = tally_of("two_thirds", said(approve=7, object_=4, abstain=1))

    assert verdict_meanwhile("two_thirds", tally) == "rejected"


@pytest.mark.parametrize(
    ("electorate", "two_thirds", "majority"),
    [(1, 1, 1), (2, 2, 2), (3, 2, 2), (4, 3, 3), (6, 4, 4), (12, 8, 7), (13, 9, 7)],
)
def test_two_thirds_are_rounded_up_and_a_majority_is_more_than_half(
    electorate: int, two_thirds: int, majority: int
) -> None:
    assert approvals_needed("two_thirds", electorate) == two_thirds
    assert approvals_needed("simple_majority", electorate) == majority


def test_half_is_no_majority() -> None:
    tally = tally_of("simple_majority", said(approve=3, abstain=3))

    assert verdict_at_deadline("simple_majority", tally) == "lapsed"
    assert verdict_meanwhile("simple_majority", tally) == "rejected"


def test_abstaining_is_presence_under_unanimity_and_no_approval_under_a_majority() -> None:
    assert verdict_at_deadline("unanimity", tally_of("unanimity", said(1, 0, 2))) == "adopted"
    assert verdict_at_deadline("two_thirds", tally_of("two_thirds", said(1, 0, 2))) == "lapsed"


def test_unanimity_needs_everybody_and_silence_nobody() -> None:
    one_is_silent = said(approve=2, silent=1)

    assert verdict_at_deadline("unanimity", tally_of("unanimity", one_is_silent)) == "lapsed"
    assert verdict_at_deadline("silence", tally_of("silence", said(silent=3))) == "adopted"


@pytest.mark.parametrize("rule", ["unanimity", "silence"])
def test_one_objection_breaks_consent_at_once(rule: DecisionRule) -> None:
    tally = tally_of(rule, said(approve=11, object_=1))

    assert verdict_meanwhile(rule, tally) == "rejected"
    assert verdict_at_deadline(rule, tally) == "lapsed"


@pytest.mark.parametrize("rule", RULES)
def test_where_all_have_withdrawn_nothing_is_adopted(rule: DecisionRule) -> None:
    assert verdict_meanwhile(rule, tally_of(rule, [])) == "lapsed"
    assert verdict_at_deadline(rule, tally_of(rule, [])) == "lapsed"


@given(
    rule=st.sampled_from(RULES),
    positions=st.lists(st.sampled_from(POSITIONS), min_size=1, max_size=9),
)
def test_settled_is_what_no_answer_of_the_silent_can_turn(
    rule: DecisionRule, positions: list[PositionTaken | None]
) -> None:
    tally = tally_of(rule, positions)
    spoken = [each for each in positions if each is not None]

    endings = {
        verdict_at_deadline(rule, tally_of(rule, [*spoken, *rest]))
        for rest in product(POSITIONS[:3], repeat=min(tally.silent, 4))
        if tally.silent <= 4
    }

    if tally.silent <= 4:
        assert is_reached(rule, tally) == (endings == {"adopted"} and not _waits(rule, tally))
        assert is_out_of_reach(rule, tally) == ("adopted" not in endings)


def _waits(rule: DecisionRule, tally: Tally) -> bool:
    """Under consent, somebody who is silent could still object."""
    return rule in {"unanimity", "silence"} and tally.silent > 0
