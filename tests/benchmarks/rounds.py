"""Runs the ways to be compared by turns, and shows how far it is."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from rich.progress import Progress, TaskID

R = TypeVar("R")


@dataclass
class Run:
    """One run of `./run bench`.

    Attributes:
        quick: smaller counts and fewer rounds, to see whether anything has changed grossly.
    """

    quick: bool
    progress: Progress
    _task: TaskID | None = None

    def count(self, full: int, quick: int) -> int:
        return quick if self.quick else full

    def begin(self, title: str, steps: int) -> None:
        """Name what is measured now."""
        self.end()
        self._task = self.progress.add_task(title, total=steps, now="")

    def step(self, done: str) -> None:
        if self._task is not None:
            self.progress.update(self._task, advance=1, now=done)

    def end(self) -> None:
        if self._task is not None:
            self.progress.update(self._task, completed=self.progress.tasks[-1].total, now="")
            self._task = None

    async def by_turns(
        self, title: str, rounds: int, ways: Mapping[str, Callable[[], Awaitable[R]]]
    ) -> dict[str, list[R]]:
        """Measure each way once per round, in an order that turns with the rounds.

        A first round is thrown away: it pays for caches, plans and files that later ones find.

        Returns:
            What each way returned, by round.
        """
        names = list(ways)
        results: dict[str, list[R]] = {name: [] for name in names}
        self.begin(title, (rounds + 1) * len(names))
        for number in range(rounds + 1):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                result = await ways[name]()
                self.step(name)
                if number > 0:
                    results[name].append(result)
        self.end()
        return results
