"""Cutter, drawer, buzzer, and the questions that are answered in their turn.

Questions that jump the queue (DLE EOT and its like) are not here: they are answered as they come in, by
`printer`, and mean nothing when their turn comes.
"""

from __future__ import annotations

from collections.abc import Mapping

from hal.peripherals.printer_actions import (
    Answer,
    AutomaticStatus,
    Beeps,
    Cut,
    DrawerStatusWanted,
    PaperStatusWanted,
    Pulse,
)
from hal.peripherals.printer_interpreter import Handler, Interpreter
from hal.peripherals.printer_paper import Strip

HEAD_TO_CUTTER_DOTS = 96
"""From the print head to the cutter: 12 mm."""

PULSE_UNIT_MS, BEEP_UNIT_MS = 2, 50
_BELL_MS = 100

_IDENTITY: Mapping[int, bytes] = {1: b"\x20", 49: b"\x20", 2: b"\x02", 50: b"\x02", 3: b"\x01", 51: b"\x01"}
"""GS I: model, type (bit 1: there is a cutter) and firmware, each one byte."""

_IDENTITY_TEXTS: Mapping[int, bytes] = {65: b"0.1", 66: b"posterm", 67: b"ESC/POS in software", 68: b"1"}
_CHINESE_FONT = 69


def _cut(printer: Interpreter, data: bytes) -> None:
    """GS V m [n]: A, B feed to the cutter and n on; 0, 1 cut where the paper is (here: too)."""
    printer.line.end_if_begun()
    kind = chr(data[0])
    feeds = HEAD_TO_CUTTER_DOTS + data[1] if len(data) > 1 else 0
    if feeds:
        printer.emit_strip(Strip(feeds))
    printer.emit(Cut(partial=kind in "\x011Bbh"))


def _cut_at_once(*, partial: bool) -> Handler:
    """ESC i and ESC m of older models."""

    def cut(printer: Interpreter, _: bytes) -> None:
        printer.line.end_if_begun()
        printer.emit(Cut(partial))

    return cut


def _pulse(printer: Interpreter, data: bytes) -> None:
    """ESC p m t1 t2: on and off times in units of 2 ms."""
    if data[0] in b"\x00\x0101":
        printer.emit(Pulse(data[0] & 1, data[1] * PULSE_UNIT_MS, data[2] * PULSE_UNIT_MS))


def _beep(printer: Interpreter, data: bytes) -> None:
    """ESC B n t, as many makers have it: n beeps of t times 50 ms; both 1 to 9."""
    if 1 <= data[0] <= 9 and 1 <= data[1] <= 9:
        printer.emit(Beeps(data[0], data[1] * BEEP_UNIT_MS))


def _bell(printer: Interpreter, _: bytes) -> None:
    printer.emit(Beeps(1, _BELL_MS))


def _epson_beep(printer: Interpreter, data: bytes) -> None:
    """ESC ( A: fn 97 sounds a pattern so many times; the other functions set up what sounds by itself."""
    if len(data) >= 3 and data[0] == 97:
        printer.emit(Beeps(min(max(data[2], 1), 63), _BELL_MS))


def _status(printer: Interpreter, data: bytes) -> None:
    """GS r n."""
    if data[0] in b"\x011":
        printer.emit(PaperStatusWanted())
    elif data[0] in b"\x022":
        printer.emit(DrawerStatusWanted())


def _automatic_status(printer: Interpreter, data: bytes) -> None:
    printer.emit(AutomaticStatus(data[0]))


def _identity(printer: Interpreter, data: bytes) -> None:
    """GS I n: a byte, or a text between 5Fh and NUL."""
    if answer := _IDENTITY.get(data[0]):
        printer.emit(Answer(answer))
    elif data[0] == _CHINESE_FONT:
        printer.emit(
            Answer(b"\x5fCHINA GB18030\0" if printer.text.kanji_encoding == "gb18030" else b"\x5f\0")
        )
    elif text := _IDENTITY_TEXTS.get(data[0]):
        printer.emit(Answer(b"\x5f" + text + b"\0"))


def _response(printer: Interpreter, data: bytes) -> None:
    """GS ( H fn 48 m d1 d2 d3 d4: sent back when everything before it was done."""
    if len(data) >= 6 and data[:2] == b"00":
        printer.emit(Answer(b"\x37\x22" + data[2:6] + b"\0"))


HANDLERS: Mapping[str, Handler] = {
    "BEL": _bell,
    "ESC ( A": _epson_beep,
    "ESC B": _beep,
    "ESC i": _cut_at_once(partial=False),
    "ESC m": _cut_at_once(partial=True),
    "ESC p": _pulse,
    "GS ( H": _response,
    "GS I": _identity,
    "GS V": _cut,
    "GS a": _automatic_status,
    "GS r": _status,
}
