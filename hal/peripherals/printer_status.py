"""A printer's health, and the bytes in which it tells of it.

Source: Epson, "ESC/POS Command Reference": DLE EOT (real-time status), GS a (automatic status), GS r.
"""

from __future__ import annotations

from dataclasses import dataclass

_FIXED = 0x12  # bits 1 and 4 of every answer to DLE EOT


@dataclass(frozen=True, slots=True)
class Health:
    """What the sensors say now."""

    cover_open: bool = False
    paper_out: bool = False
    paper_near_end: bool = False
    cutter_error: bool = False
    overheated: bool = False
    feeding: bool = False
    """Somebody holds the feed button."""
    drawer_open: bool = False
    """The drawer's sensor: pin 3 of its connector is high."""

    @property
    def is_online(self) -> bool:
        """Whether it prints."""
        return not self.trouble

    @property
    def trouble(self) -> str:
        """Why it does not print, in words; empty when it does."""
        names = ("cover_open", "paper_out", "cutter_error", "overheated", "feeding")
        return ", ".join(name.replace("_", " ") for name in names if getattr(self, name))


def _bits(*flags: tuple[int, bool]) -> int:
    return sum(1 << bit for bit, is_set in flags if is_set)


def real_time(health: Health, number: int) -> bytes | None:
    """The answer to DLE EOT n; None for a number that asks nothing."""
    match number:
        case 1:  # printer
            bits = _bits((2, health.drawer_open), (3, not health.is_online), (6, health.feeding))
        case 2:  # why it is off-line
            bits = _bits(
                (2, health.cover_open),
                (3, health.feeding),
                (5, health.paper_out),
                (6, health.cutter_error or health.overheated),
            )
        case 3:  # errors
            bits = _bits((3, health.cutter_error), (6, health.overheated))
        case 4:  # roll paper sensors
            bits = _bits(
                (2, health.paper_near_end),
                (3, health.paper_near_end),
                (5, health.paper_out),
                (6, health.paper_out),
            )
        case _:
            return None
    return bytes([_FIXED | bits])


def automatic(health: Health) -> bytes:
    """The four bytes of GS a."""
    first = 0x10 | _bits(
        (2, health.drawer_open), (3, not health.is_online), (5, health.cover_open), (6, health.feeding)
    )
    second = _bits((1, False), (3, health.cutter_error), (6, health.overheated))
    third = _bits(
        (0, health.paper_near_end),
        (1, health.paper_near_end),
        (2, health.paper_out),
        (3, health.paper_out),
    )
    return bytes([first, second, third, 0])


def paper_sensors(health: Health) -> bytes:
    """The answer to GS r 1."""
    return automatic(health)[2:3]


def drawer_sensor(health: Health) -> bytes:
    """The answer to GS r 2."""
    return bytes([_bits((0, health.drawer_open))])


DRAWER_PART, ONLINE_PART, ERROR_PART, PAPER_PART = 1, 2, 4, 8
"""The parts of the status that GS a n chooses, by its bits."""


def chosen(health: Health, mask: int) -> tuple[object, ...]:
    """What must change for an automatic status to be sent under `mask`."""
    return (
        health.drawer_open if mask & DRAWER_PART else None,
        (health.is_online, health.cover_open, health.feeding) if mask & ONLINE_PART else None,
        (health.cutter_error, health.overheated) if mask & ERROR_PART else None,
        (health.paper_near_end, health.paper_out) if mask & PAPER_PART else None,
    )
