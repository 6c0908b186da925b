"""A terminal alone, in real time: its gateway and its bank are other processes, on this machine or another.

Only the terminal runs here, in the caller's thread. What a `Drive` does to line, gateway and bank is refused.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import NoReturn

from bank.authoriser import Bank
from firmware.app import Terminal
from tools.drive import T
from tools.station import StationError

WAIT_MAX_MS = 20
"""A device without a file descriptor (the virtual keypad) may have news: look at least so often."""


class TerminalDrive:
    """A `Drive` whose line is the serial port of the terminal's board."""

    def now_ms(self) -> int:
        """The machine's monotonic clock."""
        return time.monotonic_ns() // 1_000_000

    def pump(self, terminal: Terminal | None) -> None:
        """Let the terminal work."""
        if terminal is not None:
            terminal.step()

    def wait(self, terminal: Terminal | None, until_ms: int) -> None:
        """Sleep until a device has something or is due."""
        deadline_ms = terminal.deadline_ms() if terminal is not None else None
        soonest_ms = until_ms if deadline_ms is None else min(until_ms, deadline_ms)
        timeout_ms = min(max(soonest_ms - self.now_ms(), 0), WAIT_MAX_MS)
        devices = terminal.board.devices() if terminal is not None else ()
        filenos = [fileno for _, device in devices for fileno in device.filenos()]
        select.select(filenos, [], [], timeout_ms / 1000)

    def ask_bank(self, question: Callable[[Bank], T]) -> T:  # noqa: ARG002 - refused, whatever it is
        """Refuse: raises StationError."""
        _refuse("the bank is another process: ask it with `posterm bank`, on its own database")

    def cut_line(self) -> None:
        """Refuse: raises StationError."""
        _refuse("the line is a real one: pull the cable by hand, or use `posterm run`")

    def mend_line(self) -> None:
        """Refuse: raises StationError."""
        _refuse("the line is a real one: plug the cable in by hand, or use `posterm run`")

    def stop_bank(self) -> None:
        """Refuse: raises StationError."""
        _refuse("the bank is another process: stop it where it runs, or use `posterm run`")

    def start_bank(self) -> None:
        """Refuse: raises StationError."""
        _refuse("the bank is another process: start it where it runs, or use `posterm run`")

    def restart_gateway(self) -> None:
        """Refuse: raises StationError."""
        _refuse("the gateway is another process: restart it where it runs, or use `posterm run`")

    def close(self) -> None:
        """Nothing to end: the board's devices belong to the station."""


def _refuse(text: str) -> NoReturn:
    raise StationError(text)
