"""Shows how far the loading is: bars for a person at a terminal, lines for a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Advance = Callable[[], None]


class Display:
    """To be entered once; `phase` gives each part of the work its bar or line."""

    def __init__(self) -> None:
        self._bars = (
            Progress(
                TextColumn("{task.description:<14}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
            )
            if sys.stdout.isatty()
            else None
        )

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    @contextmanager
    def phase(self, name: str, total: int) -> Iterator[Advance]:
        """Work on so many things; call what this gives after each of them."""
        began = time.monotonic()
        if self._bars is None:
            yield lambda: None
            print(f"{time.monotonic() - began:5.1f} s  {name}: {total}", flush=True)
        else:
            task = self._bars.add_task(name, total=total)
            bars = self._bars
            yield lambda: bars.advance(task)
