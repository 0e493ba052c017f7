"""What follows from the positions of members under a rule. Pure arithmetic; no entity, no clock.

Positions may change until a decision closes. "Can no longer" and "irrevocably" therefore speak of
the members that are still silent: what has been said counts as it stands.
"""

from collections import Counter
from collections.abc import Collection
from typing import Literal, NamedTuple

from shared.contracts.projects import DecisionRule, PositionTaken

Verdict = Literal["adopted", "rejected", "lapsed"]


class Tally(NamedTuple):
    """Positions, counted; see `TallyState`."""

    electorate: int
    approve: int
    object: int
    abstain: int
    silent: int
    needed: int


def tally_of(rule: DecisionRule, positions: Collection[PositionTaken | None]) -> Tally:
    """Count the positions of all that are asked; nothing stands for silence."""
    counts = Counter(positions)
    return Tally(
        len(positions),
        approve=counts["approve"],
        object=counts["object"],
        abstain=counts["abstain"],
        silent=counts[None],
        needed=approvals_needed(rule, len(positions)),
    )


def approvals_needed(rule: DecisionRule, electorate: int) -> int:
    """How many must approve: ⌈2/3⌉ or more than half of all that are asked, all, or nobody."""
    if rule == "two_thirds":
        return -(-2 * electorate // 3)
    if rule == "simple_majority":
        return electorate // 2 + 1
    return electorate if rule == "unanimity" else 0


def is_reached(rule: DecisionRule, tally: Tally) -> bool:
    """Whether the rule is met, whatever those who are silent may still say."""
    if tally.electorate == 0:
        return False
    if rule in {"two_thirds", "simple_majority"}:
        return tally.approve >= tally.needed
    return tally.object == 0 and tally.silent == 0


def is_out_of_reach(rule: DecisionRule, tally: Tally) -> bool:
    """Whether the rule cannot be met, whatever those who are silent may still say."""
    if rule in {"two_thirds", "simple_majority"}:
        return tally.approve + tally.silent < tally.needed
    return tally.object > 0


def verdict_meanwhile(rule: DecisionRule, tally: Tally) -> Verdict | None:
    """What a decision becomes before its deadline, by itself; nothing if it stays open."""
    if tally.electorate == 0:
        return "lapsed"  # whoever was asked has withdrawn
    return "rejected" if is_out_of_reach(rule, tally) else None


def verdict_at_deadline(rule: DecisionRule, tally: Tally) -> Verdict:
    """What a decision becomes once its time is over."""
    if is_reached(rule, tally):
        return "adopted"
    if rule == "silence" and tally.electorate > 0 and tally.object == 0:
        return "adopted"
    return "lapsed"
