"""One line per promise: kept or broken."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

LENGTH_MAX: Final = 1_000


class Report:
    """Prints each promise as soon as it has been looked at."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self.kept = 0
        self.broken = 0

    def that(self, promise: str, kept: bool, found: Any = None) -> None:
        """Note whether a promise is kept; `found` says what is there instead, if not."""
        if kept:
            self.kept += 1
            self._console.print(f"[green]✓[/green] {escape(promise)}")
        else:
            self.broken += 1
            self._console.print(
                f"[red]✗ {escape(promise)}[/red]: {escape(str(found)[:LENGTH_MAX])}"
            )

    def equal(self, promise: str, found: Any, wanted: Any) -> None:
        """Note whether something is exactly as it should be."""
        self.that(promise, found == wanted, _difference(found, wanted))

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """Group what follows; an error that nobody expected ends the chapter, not the report."""
        self._console.print(f"\n[bold]{escape(title)}[/bold]")
        try:
            yield
        except Exception as error:
            traceback.print_exception(error, limit=-3, chain=False)
            self.that(f"{title}: goes to its end", kept=False, found=error)

    def close(self) -> int:
        """Print the sum; returns the exit code."""
        colour = "red" if self.broken else "green"
        self._console.print(f"\n[{colour}]{self.kept} kept, {self.broken} broken[/{colour}]")
        return 1 if self.broken else 0


def _difference(found: Any, wanted: Any) -> str:
    """Say what is there and should not be, and the other way round; of collections only that."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        found, wanted = list(found.items()), list(wanted.items())
    if isinstance(found, list) and isinstance(wanted, list):
        return (
            f"{[each for each in found if each not in wanted]!r},"
            f" not {[each for each in wanted if each not in found]!r}"
        )
    return f"{found!r}, not {wanted!r}"
