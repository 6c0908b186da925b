"""How far a simulation is: a bar on a terminal, and nothing anywhere else."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

QUIET_S = 2.0
"""What is over sooner needs no bar."""


class Bar:
    """So many of `total` are done. It is drawn on the standard error output, if that is a terminal."""

    def __init__(self, total: int, unit: str) -> None:
        self._total = total
        self._unit = unit
        self._is_wanted = sys.stderr.isatty()
        self._begin_s = time.monotonic()
        self._drawn: tuple[Progress, TaskID] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn is not None:
            self._drawn[0].stop()

    def show(self, done: int) -> None:
        """So many are done."""
        if not self._is_wanted or (self._drawn is None and time.monotonic() - self._begin_s < QUIET_S):
            return
        if self._drawn is None:
            self._drawn = self._draw()
        progress, task = self._drawn
        progress.update(task, completed=min(done, self._total))

    def _draw(self) -> tuple[Progress, TaskID]:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        told = TextColumn(f"{{task.completed}} of {{task.total}} {self._unit}")
        progress = Progress(
            *(told, BarColumn(), TimeRemainingColumn()),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),  # a file gets what is written to it
        )
        progress.start()
        return progress, progress.add_task("", total=self._total)
