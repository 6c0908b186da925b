"""What every peripheral in software has in common, so that one shell serves all of them.

A peripheral is a state machine without I/O. It is given the bytes that the other side sent, and the moment;
it is asked for the bytes that it sends, and for the moment at which it wants to be called again although
nothing came. So the same peripheral runs on a pseudo-terminal in real time, and wired to a driver in
virtual time.

Moments are milliseconds of a clock of the caller's choice, which never runs backwards. Bytes are foreign: a
peripheral takes any whatever, in pieces of any length, and neither memory nor time grows without bound.
Hands and faults (a card swiped, paper out) are methods of the peripheral's own; so is what a test looks at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


class Peripheral(Protocol):
    """The far side of a serial line."""

    def receive(self, data: bytes, now_ms: int) -> None:
        """Take what the host sent up to `now_ms`, and do what is due by then; `data` may be empty."""

    def take_output(self) -> bytes:
        """What is sent to the host since the last call, in order; empty when there is nothing."""

    def deadline_ms(self) -> int | None:
        """When to call `receive` again, with or without data; None: only when the host sends something."""


@dataclass(frozen=True, slots=True)
class HostLines:
    """The control lines that the host drives. True is asserted ("on", a positive voltage)."""

    dtr: bool = True
    rts: bool = True


@dataclass(frozen=True, slots=True)
class DeviceLines:
    """The control lines that the host reads. True is asserted."""

    cts: bool = True
    dsr: bool = True
    dcd: bool = True


@runtime_checkable
class LinePeripheral(Peripheral, Protocol):
    """A peripheral that also uses the control lines: a buzzer on RTS, a card reader reset by DTR, DTR pacing.

    A pseudo-terminal has no such lines: there the host sees none, and the peripheral sees the defaults.
    """

    @property
    def lines(self) -> DeviceLines:
        """How the peripheral drives its lines now."""

    def set_host_lines(self, lines: HostLines, now_ms: int) -> None:
        """The host has changed its lines."""
