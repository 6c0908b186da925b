"""What the program writes into its log, as a log file would have it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

PROGRAM = "posterm"
"""The logger above all of the program's own."""


class Log(logging.Handler):
    """Keeps what is logged while it listens: of the program all levels, of its libraries what they warn of.

    In lines as `logging.basicConfig` writes them, with the arguments and the traceback. Costs nothing while
    nobody logs, and keeps the lines off stderr, where `logging` writes what no handler has taken.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(logging.BASIC_FORMAT))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one; of one whose arguments do not fit, what `logging` would show instead."""
        try:
            self.lines.append(self.format(record))
        except Exception:  # noqa: BLE001 - as in `Handler.handleError`: a log line ends no program
            self.lines.append(f"{record.msg} {record.args}")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen until the `with` is left; everything is as it was afterwards."""
        program, root = logging.getLogger(PROGRAM), logging.getLogger()
        level = program.level
        program.setLevel(logging.DEBUG)
        root.addHandler(self)
        try:
            yield
        finally:
            root.removeHandler(self)
            program.setLevel(level)

    def take(self) -> str:
        """What was written since the last time."""
        text, self.lines = "\n".join(self.lines), []
        return text
