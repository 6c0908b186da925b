"""Character LCDs with an HD44780 controller behind a PCF8574 port expander on I2C, by RPLCD."""

from __future__ import annotations

import contextlib

from RPLCD.i2c import CharLCD

from hal.api import DeviceMissing, Screen, SelfTest
from hal.cores.characters import cell_rows, in_latin
from hal.device import QuietDevice


class CharacterLcd(QuietDevice):
    """hal.api.Display on 16x2 to 20x4 characters; Latin letters only.

    Only rows that change are written: a character takes about a millisecond on the bus. `expander`,
    `charmap`: as RPLCD calls the port expander and the controller's character generator.
    """

    def __init__(
        self,
        *,
        columns: int = 20,
        rows: int = 4,
        i2c_port: int = 1,
        i2c_address: int = 0x27,
        expander: str = "PCF8574",
        charmap: str = "A00",
    ) -> None:
        super().__init__()
        if not (16 <= columns <= 40 and 2 <= rows <= 4):
            raise ValueError(f"a character LCD has 16 to 40 columns and 2 to 4 rows, not {columns} by {rows}")
        self.columns, self.rows = columns, rows
        self.shows_chinese = False
        self._where = (expander, i2c_address, i2c_port)
        self._charmap = charmap
        self._lcd: CharLCD | None = None
        self._shown: tuple[str, ...] = ()
        self._fault = ""

    def open(self) -> None:
        """Take the display, cleared. Raises DeviceMissing."""
        if self._lcd is None:
            expander, address, port = self._where
            try:
                self._lcd = CharLCD(
                    expander,
                    address,
                    port=port,
                    cols=self.columns,
                    rows=self.rows,
                    charmap=self._charmap,
                    auto_linebreaks=False,
                )
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise DeviceMissing(
                    f"character LCD at {address:#x} on i2c port {port}: {reason}: check its wires and "
                    "address (i2cdetect -y 1), and that the bus is on (raspi-config)"
                ) from None
            self._shown, self._fault = (" " * self.columns,) * self.rows, ""
        super().open()

    def close(self) -> None:
        """Clear the display, switch its light off, and give it back."""
        lcd, self._lcd = self._lcd, None
        if lcd is not None:
            with contextlib.suppress(OSError):
                lcd.clear()
                lcd.backlight_enabled = False
                lcd.close()
        super().close()

    def self_test(self) -> SelfTest:
        """Report that the display does not take what it is sent."""
        return SelfTest(ok=False, detail=self._fault) if self._fault else super().self_test()

    def show(self, screen: Screen) -> None:
        """Replace what is shown. A display that fails is reported by the next self-test."""
        if self._lcd is None:
            return
        wanted = cell_rows(screen, self.columns, self.rows)
        try:
            for row, text in enumerate(wanted):
                if text != self._shown[row]:
                    self._lcd.cursor_pos = (row, 0)
                    self._lcd.write_string(in_latin(text, "ascii").decode("ascii"))
        except OSError as error:
            self._fault = f"the character LCD does not answer: {error.strerror or error}"
            self._shown = ("",) * self.rows  # unknown: everything is written next time
        else:
            self._shown, self._fault = wanted, ""
