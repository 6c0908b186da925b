"""Finds out what hangs behind a serial port: by asking it, and by listening to it.

Only a receipt printer answers a question (DLE EOT 1: its status, four bits of which never change). Keypads
and swipe readers tell by themselves, once somebody presses a key or swipes a card; a customer display never
does.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Sequence

from hal.api import DeviceMissing
from hal.serial.opening import LineSettings, OpenPort, open_port
from tools.devices_found import Found

RATES = (9_600, 19_200, 38_400, 115_200)
_STATUS_REQUEST = b"\x10\x04\x01"
_FIXED_BITS, _FIXED_VALUE = 0b1001_0011, 0b0001_0010  # of each status byte (Epson, ESC/POS, DLE EOT)
_ANSWER_S = 0.3
_CONNECT_TIMEOUT_S = 1.0
_KEYS = frozenset(b"0123456789.,\r\n\b\x1b\x7f#*ABCD")


def ask(port: Found) -> Found:
    """The port again, as a printer if one answers. Raises DeviceMissing where the port cannot be had."""
    for rate in RATES:
        opened = _open(port, rate)
        try:
            opened.write(_STATUS_REQUEST)
            answer = _heard(opened, _ANSWER_S)
        except OSError:
            return port
        finally:
            opened.close()
        if len(answer) == 1 and answer[0] & _FIXED_BITS == _FIXED_VALUE:
            return _as(port, "printer", "serial", rate, "ESC/POS printer")
    return port


def listen(
    ports: Sequence[Found],
    seconds: float,
    *,
    tell: Callable[[str], None],
    progress: Callable[[float], None] = lambda _done_s: None,
) -> list[Found]:
    """The ports again, as readers and keypads if they send what such devices send within `seconds`.

    `tell` is given the text about a port that cannot be had, `progress` the seconds that have passed.
    """
    lines: list[OpenPort | None] = []
    for port in ports:
        try:
            lines.append(_open(port, RATES[0]))
        except DeviceMissing as error:
            lines.append(None)
            tell(str(error))
    heard = [b""] * len(ports)
    end_s = time.monotonic() + seconds
    try:
        while (left_s := end_s - time.monotonic()) > 0 and not all(map(guess, heard)):
            filenos = [fileno for line in lines if line is not None and (fileno := line.fileno()) is not None]
            select.select(filenos, [], [], min(left_s, 0.1))
            progress(seconds - left_s)
            for index, line in enumerate(lines):
                heard[index] += line.read() if line is not None else b""
    finally:
        for line in lines:
            if line is not None:
                line.close()
    return [_as(port, guess(said), "serial", RATES[0], "") for port, said in zip(ports, heard, strict=True)]


def guess(heard: bytes) -> str:
    """The kind of device that says this; "" when it is not clear."""
    if b"?" in heard and (b"%" in heard or b";" in heard):
        return "card_reader"
    return "keypad" if heard and set(heard) <= _KEYS else ""


def _as(port: Found, kind: str, backend: str, rate: int, name: str) -> Found:
    if not kind:
        return port
    options = {"url": port.identity or port.where, "bits_per_s": rate}
    return Found(port.where, f"{name or kind} behind {port.name}", port.identity, kind, backend, options)


def _open(port: Found, rate: int) -> OpenPort:
    return open_port(port.where, LineSettings(rate), connect_timeout_s=_CONNECT_TIMEOUT_S)


def _heard(port: OpenPort, seconds: float) -> bytes:
    fileno = port.fileno()
    assert fileno is not None
    heard, end_s = b"", time.monotonic() + seconds
    while (left_s := end_s - time.monotonic()) > 0:
        select.select([fileno], [], [], left_s)
        heard += port.read()
        if heard:
            break
    return heard
