"""Displays of dots through luma.core: OLEDs, LCDs, and a screen on HDMI by the kernel's framebuffer.

Which controller, over which bus, is the profile's choice; luma.oled and luma.lcd know dozens by their
names. The screen is laid out and drawn as for every other display (`hal.raster.screen`), in dots enlarged
by a whole number. Sending a picture takes as long as its bus: 128 by 64 dots over I2C at 400 kHz 25 ms;
raise the bus's rate if it is 100 kHz (docs/raspberry-pi.md).
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from typing import Any, Literal

import luma.core.error
from PIL import Image

from hal.api import DeviceMissing, Screen, SelfTest
from hal.device import QuietDevice
from hal.raster.font import CELL_HEIGHT_DOTS, CELL_WIDTH_DOTS
from hal.raster.paints import LIGHT_PAINTS, dot_colours
from hal.raster.screen import Grid, Paint, draw, lay_out

_MODULES = ("luma.oled.device", "luma.lcd.device")
_WIDE_ENOUGH_DOTS = 320  # from here on text is enlarged, so that some 40 columns remain

Interface = Literal["i2c", "spi"]
_Open = Callable[[], Any]


class _DotDisplay(QuietDevice):
    """A luma device with the screen's dots on it. `_connect` makes the device."""

    def __init__(self, *, width: int, height: int, scale: int) -> None:
        super().__init__()
        self._scale = scale or max(1, width // _WIDE_ENOUGH_DOTS)
        columns = width // (CELL_WIDTH_DOTS * self._scale)
        rows = height // (CELL_HEIGHT_DOTS * self._scale)
        if columns < 16 or rows < 2:
            raise ValueError(f"{width} by {height} dots at scale {self._scale} hold no 16 columns and 2 rows")
        self._grid = Grid(columns, rows)
        self.columns, self.rows = columns, rows
        self.shows_chinese = True
        self._device: Any = None
        self._screen: Screen | None = None
        self._fault = ""

    def open(self) -> None:
        """Take the display and clear it. Raises DeviceMissing."""
        if self._device is None:
            self._device = self._connect()
            self._fault = ""
        super().open()

    def close(self) -> None:
        """Switch the display off, and give it back."""
        device, self._device, self._screen = self._device, None, None
        if device is not None:
            with contextlib.suppress(OSError):
                device.cleanup()
        super().close()

    def self_test(self) -> SelfTest:
        """Report that the display does not take what it is sent."""
        return SelfTest(ok=False, detail=self._fault) if self._fault else super().self_test()

    def show(self, screen: Screen) -> None:
        """Replace what is shown. A display that fails is reported by the next self-test."""
        if self._device is None or screen == self._screen:
            return
        try:
            self._device.display(self._picture(screen, self._device.mode))
        except OSError as error:
            self._fault, self._screen = f"the display does not answer: {error.strerror or error}", None
        else:
            self._fault, self._screen = "", screen

    def _connect(self) -> Any:
        raise NotImplementedError

    def _picture(self, screen: Screen, mode: str) -> Image.Image:
        """The screen in the size and mode of the device; what is beyond the cells is ground."""
        dots = draw(lay_out(screen, self._grid), self._grid).enlarged(self._scale)
        picture = Image.frombytes("P", (dots.width, dots.height), bytes(dots.dots))
        colours = dot_colours() if mode == "RGB" else [_glow(paint) for paint in Paint]
        picture.putpalette([part for colour in colours for part in colour[:3]])
        whole = Image.new("RGB", self._device.size, colours[Paint.GROUND][:3])
        whole.paste(picture.convert("RGB"), (0, 0))
        return whole if mode == "RGB" else whole.convert(mode, dither=Image.Dither.NONE)


def _glow(paint: Paint) -> tuple[int, int, int]:
    """On a display that glows, light and dark change places: letters are lit."""
    return (0, 0, 0) if paint in LIGHT_PAINTS else (255, 255, 255)


class LumaDisplay(_DotDisplay):
    """hal.api.Display on a small OLED or LCD.

    `controller`: its name in luma.oled or luma.lcd, such as "ssd1306", "sh1106", "st7789", "ili9341".
    `width`, `height`: dots, before `rotate` (quarter turns). `gpio_dc`, `gpio_reset`: the pins beside SPI,
    BCM numbers. `scale` 0: chosen.
    """

    def __init__(
        self,
        *,
        controller: str = "ssd1306",
        interface: Interface = "i2c",
        width: int = 128,
        height: int = 64,
        rotate: int = 0,
        scale: int = 0,
        i2c_port: int = 1,
        i2c_address: int = 0x3C,
        spi_port: int = 0,
        spi_device: int = 0,
        spi_bits_per_s: int = 8_000_000,
        gpio_dc: int = 24,
        gpio_reset: int = 25,
    ) -> None:
        seen = (height, width) if rotate % 2 else (width, height)
        super().__init__(width=seen[0], height=seen[1], scale=scale)
        self._controller = controller
        self._size = {"width": width, "height": height, "rotate": rotate}
        self._where = f"{interface} port {i2c_port if interface == 'i2c' else spi_port}"
        self._bus: _Open = (
            (lambda: _i2c(i2c_port, i2c_address))
            if interface == "i2c"
            else (lambda: _spi(spi_port, spi_device, spi_bits_per_s, gpio_dc, gpio_reset))
        )

    def _connect(self) -> Any:
        make = _controller(self._controller)
        try:
            return make(self._bus(), **self._size)
        except luma.core.error.Error as error:
            raise DeviceMissing(
                f"display {self._controller} on {self._where}: {' '.join(str(error).split())}: "
                "check its wires and address (i2cdetect -y 1), and that the bus is on (raspi-config)"
            ) from None
        except (OSError, ImportError) as error:
            reason = error.strerror if isinstance(error, OSError) else f"no Python module {error.name}"
            raise DeviceMissing(
                f"display {self._controller} on {self._where}: {reason}: is the bus on (raspi-config), "
                "and are you in the groups i2c and spi?"
            ) from None


class FramebufferDisplay(_DotDisplay):
    """hal.api.Display on the whole of a screen that Linux draws on: HDMI, DSI, a TFT with a kernel driver."""

    def __init__(
        self, *, device: str = "/dev/fb0", width: int = 800, height: int = 480, scale: int = 0
    ) -> None:
        super().__init__(width=width, height=height, scale=scale)
        self._path = device
        self._asked = (width, height)

    def _connect(self) -> Any:
        from luma.core.device import linux_framebuffer

        try:
            device = linux_framebuffer(self._path)
        except (OSError, AssertionError, luma.core.error.Error) as error:
            reason = getattr(error, "strerror", "") or " ".join(str(error).split())
            raise DeviceMissing(
                f"framebuffer {self._path}: {reason}: is a screen connected, and are you in the group video?"
            ) from None
        if device.size != self._asked:
            device.cleanup()
            width, height = device.size
            raise DeviceMissing(
                f"framebuffer {self._path} has {width} by {height} dots: "
                f"set width = {width} and height = {height}"
            )
        return device


def _controller(name: str) -> Any:
    for module_name in _MODULES:
        try:
            found = getattr(importlib.import_module(module_name), name, None)
        except ImportError as error:
            if error.name is not None and module_name.startswith(error.name):
                continue
            raise
        if found is not None:
            return found
    raise DeviceMissing(
        f"display: neither luma.oled nor luma.lcd has a controller {name!r}: "
        "take its name from their documentation, and install them: pip install 'posterm[pi]'"
    )


def _i2c(port: int, address: int) -> Any:
    from luma.core.interface.serial import i2c

    return i2c(port=port, address=address)


def _spi(port: int, device: int, bits_per_s: int, dc: int, reset: int) -> Any:
    from luma.core.interface.serial import spi

    return spi(port=port, device=device, bus_speed_hz=bits_per_s, gpio_DC=dc, gpio_RST=reset)
