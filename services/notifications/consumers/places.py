"""How many requests a sender may have under way, and whose they are."""

from collections import Counter
from typing import Final

from services.notifications.model.webhook_lane import Pace

SLOW_SHARE: Final = 0.2
MEMBER_SHARE: Final = 0.25


class Places:
    """The places for requests of one sender: most for fast receivers, the rest for slow ones.

    However many receivers hang, those that answer keep their places. No member has more than a
    quarter of them while others wait.
    """

    def __init__(self, many: int) -> None:
        slow = max(1, int(many * SLOW_SHARE))
        self._all: dict[Pace, int] = {"fast": max(1, many - slow), "slow": slow}
        self._taken: dict[Pace, int] = {"fast": 0, "slow": 0}
        self._by_member: Counter[str] = Counter()
        self._of_member = max(1, int(many * MEMBER_SHARE))

    def free(self, pace: Pace) -> int:
        """Places that are left; none if more are taken than there are."""
        return max(0, self._all[pace] - self._taken[pace])

    def are_free(self, pace: Pace) -> bool:
        return self._taken[pace] < self._all[pace]

    def crowded(self) -> list[str]:
        """Members that have their share."""
        return [member for member, taken in self._by_member.items() if taken >= self._of_member]

    def take(self, pace: Pace, member: str) -> None:
        self._taken[pace] += 1
        self._by_member[member] += 1

    def give(self, pace: Pace, member: str) -> None:
        self._taken[pace] -= 1
        self._by_member[member] -= 1
        if not self._by_member[member]:
            del self._by_member[member]

    def move(self, many: int) -> None:
        """Count fast places among the slow ones, even if those are more than there are."""
        self._taken["fast"] -= many
        self._taken["slow"] += many
