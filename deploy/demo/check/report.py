"""One line per promise: kept or broken."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape


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
            self._console.print(f"[red]✗ {escape(promise)}[/red]: {escape(repr(found)[:600])}")

    def equal(self, promise: str, found: Any, wanted: Any) -> None:
        """Note whether something is exactly as it should be."""
        self.that(promise, found == wanted, f"{found!r}, not {wanted!r}")

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """Group what follows; an error that nobody expected ends the chapter, not the report."""
        self._console.print(f"\n[bold]{escape(title)}[/bold]")
        try:
            yield
        except Exception as error:
            traceback.print_exc()
            self.that(f"{title}: goes to its end", kept=False, found=error)

    def close(self) -> int:
        """Print the sum; returns the exit code."""
        colour = "red" if self.broken else "green"
        self._console.print(f"\n[{colour}]{self.kept} kept, {self.broken} broken[/{colour}]")
        return 1 if self.broken else 0
