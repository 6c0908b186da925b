"""What a printer does, one thing after the other: the language between its interpreter and its mechanism."""

from __future__ import annotations

from dataclasses import dataclass, field

from hal.peripherals.printer_paper import Strip


@dataclass(frozen=True, slots=True)
class Cut:
    """Cut the paper; a partial cut leaves a bridge."""

    partial: bool


@dataclass(frozen=True, slots=True)
class Pulse:
    """A pulse on one of the two drawer pins (0: pin 2, 1: pin 5 of the connector)."""

    pin: int
    on_ms: int
    off_ms: int


@dataclass(frozen=True, slots=True)
class Beeps:
    """The printer's buzzer."""

    times: int
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Bytes for the host, once everything before them is done."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PaperStatusWanted:
    """GS r 1: the state of the paper when its turn has come."""


@dataclass(frozen=True, slots=True)
class DrawerStatusWanted:
    """GS r 2: the level of the drawer's sensor when its turn has come."""


@dataclass(frozen=True, slots=True)
class AutomaticStatus:
    """GS a: report changes of these parts of the status by themselves; 0 reports nothing."""

    mask: int


Action = Strip | Cut | Pulse | Beeps | Answer | PaperStatusWanted | DrawerStatusWanted | AutomaticStatus
