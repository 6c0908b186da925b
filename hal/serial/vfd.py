"""A customer display of 20 characters by 2 behind a serial port: CD5220, or Epson DM-D.

The firmware lays its screens out for 2 rows of 20 itself; here rows become commands. Only rows that change
are sent: at 9600 bit/s a row takes 25 ms. Such displays say nothing back, and most have Latin letters only.

Source of the commands: Partner Tech, CD5220 user's manual, table 6-1 (the same set in most 2x20 displays);
Epson, ESC/POS display commands of the DM-D series.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from hal.api import Clock, DeviceEvent, Screen
from hal.cores.characters import cell_rows, in_latin
from hal.serial.behind_port import DeviceBehindPort
from hal.serial.opening import FlowControl, Parity

COLUMNS, ROWS = 20, 2
_BRIGHTNESS = range(1, 5)
_CLEAR = b"\x0c"  # CLR, in both sets

CommandSet = Literal["cd5220", "epson"]
Characters = Literal["cp437", "cp858", "gb18030"]


@dataclass(frozen=True, slots=True)
class _Commands:
    """One maker's commands."""

    initialise: bytes  # to a known state: overwrite mode, the U.S. character set, no cursor, an empty screen
    brightness: bytes  # before the level 1 to 4
    row: Callable[[int, bytes], bytes]  # write one row, given from 0, in full


_SETS: Mapping[str, _Commands] = {
    "cd5220": _Commands(
        # ESC @; ESC DC1; ESC f A; ESC _ 0; CLR
        initialise=b"\x1b@\x1b\x11\x1bfA\x1b_\x00\x0c",
        brightness=b"\x1b*",
        # ESC Q A text CR, ESC Q B text CR: whole rows without flicker, wherever the cursor is
        row=lambda row, text: b"\x1bQ" + b"AB"[row : row + 1] + text + b"\r",
    ),
    "epson": _Commands(
        # ESC @; US MD1; ESC R 0; US C 0; CLR
        initialise=b"\x1b@\x1f\x01\x1bR\x00\x1fC\x00\x0c",
        brightness=b"\x1fX",
        # US $ x y, then the text
        row=lambda row, text: bytes((0x1F, 0x24, 1, row + 1)) + text,
    ),
}
_CODE_TABLES: Mapping[tuple[str, str], bytes] = {
    ("epson", "cp437"): b"\x1bt\x00",  # ESC t 0: PC437
    ("epson", "cp858"): b"\x1bt\x13",  # ESC t 19: PC858
}


class SerialVfd(DeviceBehindPort):
    """hal.api.Display on a 2x20 customer display.

    `characters`: the code page that the display has; with "gb18030" (displays made for China) it shows
    Chinese. `brightness`: 1 (a quarter) to 4 (full). A display that was unplugged gets its screen again.
    """

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        bits_per_s: int = 9_600,
        parity: Parity = "none",
        data_bits: int = 8,
        stop_bits: int = 1,
        flow_control: FlowControl = "none",
        command_set: CommandSet = "cd5220",
        characters: Characters = "cp437",
        brightness: int = 4,
    ) -> None:
        super().__init__(
            url,
            clock,
            bits_per_s=bits_per_s,
            parity=parity,
            data_bits=data_bits,
            stop_bits=stop_bits,
            flow_control=flow_control,
        )
        if brightness not in _BRIGHTNESS:
            raise ValueError(f"brightness is 1 to 4, not {brightness}")
        self.columns, self.rows = COLUMNS, ROWS
        self.shows_chinese = characters == "gb18030"
        self._characters = characters
        self._commands = _SETS[command_set]
        self._brightness = brightness
        self._greeting = self._commands.initialise + _CODE_TABLES.get((command_set, characters), b"")
        self._wanted: tuple[str, ...] = (" " * COLUMNS,) * ROWS
        self._sent: tuple[str, ...] = ()

    def open(self) -> None:
        """Take the port and bring the display to a known state. Raises DeviceMissing."""
        if not self.is_open:
            super().open()
            self._begin()

    def set_contrast(self, percent: int) -> None:
        """From now on shine with one of the four brightnesses, a quarter of the percents each."""
        self._brightness = min(4, 1 + percent // 25)
        if self.is_open and self._port.self_test().ok:
            self._port.write(self._brightness_command())

    def close(self) -> None:
        """Clear the display, as far as the line takes it at once, and give the port back."""
        if self.is_open:
            self._port.write(_CLEAR)
            self._wanted = (" " * COLUMNS,) * ROWS
        super().close()

    def show(self, screen: Screen) -> None:
        """Replace what is shown."""
        self._wanted = cell_rows(screen, COLUMNS, ROWS)
        self._send_rows()

    def poll(self) -> Sequence[DeviceEvent]:
        """Return no events: whatever a display says is ignored."""
        for _ in self._received():
            pass
        return ()

    def _begin(self) -> None:
        self._port.write(self._greeting + self._brightness_command())
        self._sent = (" " * COLUMNS,) * ROWS
        self._send_rows()

    def _brightness_command(self) -> bytes:
        return self._commands.brightness + bytes((self._brightness,))

    def _send_rows(self) -> None:
        if not self.is_open or not self._port.self_test().ok:
            return  # it is sent when the display is back
        for row, text in enumerate(self._wanted):
            if text != self._sent[row]:
                self._port.write(self._commands.row(row, self._encoded(text)))
        self._sent = self._wanted

    def _encoded(self, text: str) -> bytes:
        if self._characters == "gb18030":
            return text.encode("gb18030", "replace")
        return in_latin(text, self._characters)

    def _on_restored(self) -> None:
        self._begin()
