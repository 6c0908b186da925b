"""What makes a terminal run: something that carries bytes, answers for the bank, and lets time pass.

There are two drives. `tools.drive_virtual` does it all in one thread in virtual time: the same seed gives the
same run, and a minute's timeout takes no time. `tools.drive_live` uses real pseudo-terminals, a real TCP bank
and the machine's clock. Whatever uses a drive (scripts, scenarios, tests, a person) cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from bank.authoriser import Bank
from firmware.app import Terminal

T = TypeVar("T")

Tap = Callable[[int, str, bytes], None]
"""Is told what crosses the line: when (ms), from which side ("terminal" or "gateway"), which bytes."""

PowerLost = Callable[[], None]


class Drive(Protocol):
    """Runs one terminal, its line, the gateway and the bank."""

    def now_ms(self) -> int:
        """The monotonic clock that everything here goes by."""

    def pump(self, terminal: Terminal | None) -> None:
        """Do everything that can be done at this moment. `terminal`: None while it has no power."""

    def wait(self, terminal: Terminal | None, until_ms: int) -> None:
        """Let time pass until something may have happened, `until_ms` at the latest."""

    def ask_bank(self, question: Callable[[Bank], T]) -> T:
        """The answer to a question to the bank, asked where the bank lives."""

    def cut_line(self) -> None:
        """Pull the cable between terminal and gateway. What is on its way is lost."""

    def mend_line(self) -> None:
        """Plug the cable in again."""

    def stop_bank(self) -> None:
        """Take the bank's server down: connections break, new ones are refused. The database stays."""

    def start_bank(self) -> None:
        """Bring the bank's server up again."""

    def restart_gateway(self) -> None:
        """Cut the gateway's power and give it back: its session is a new one."""

    def close(self) -> None:
        """End everything. May be called twice."""
