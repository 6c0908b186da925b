"""The keyboard of a terminal window, key by key, and its settings given back in every case."""

from __future__ import annotations

import os
import select
import signal
import termios
import tty
from types import FrameType, TracebackType
from typing import Self

_READ_BYTES = 1024
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Terminated(SystemExit):
    """The process was told to end: everything is given back on the way out. The code is 128 + signal."""


class Keyboard:
    """The terminal on a file descriptor, without echo and without waiting for ENTER, in a `with` block.

    Ctrl-C still interrupts. Ctrl-Z and Ctrl-backslash do nothing: they would leave the window as it is.
    Only for the main thread: the signals that end a process are turned into `Terminated` meanwhile.
    """

    def __init__(self, fileno: int) -> None:
        self._fileno = fileno

    def __enter__(self) -> Self:
        self._settings = termios.tcgetattr(self._fileno)
        self._handlers = {number: signal.signal(number, _terminate) for number in _SIGNALS}
        tty.setcbreak(self._fileno)
        changed = termios.tcgetattr(self._fileno)
        for character in (termios.VSUSP, termios.VQUIT):
            changed[6][character] = b"\0"
        termios.tcsetattr(self._fileno, termios.TCSADRAIN, changed)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What was typed and not read (digits of a PIN, perhaps) must not reach the shell: flush.
        termios.tcsetattr(self._fileno, termios.TCSAFLUSH, self._settings)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def read(self) -> bytes | None:
        """What was typed since the last call, without waiting; None when the terminal is gone."""
        if not select.select([self._fileno], [], [], 0)[0]:
            return b""
        try:
            return os.read(self._fileno, _READ_BYTES) or None
        except OSError:
            return None


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise Terminated(128 + number)
