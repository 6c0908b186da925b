"""Displays of a Raspberry Pi: luma's drivers against a recorder of their bus, an LCD against its chip."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hal.api import DeviceMissing, Screen, ScreenLine
from hal.raster.screen import Grid, Paint, draw, lay_out

pytestmark = pytest.mark.filterwarnings("ignore:.*getdata is deprecated:DeprecationWarning")  # luma's

HELLO = Screen((ScreenLine(" 便利店 ", inverse=True), ScreenLine("RMB 12.34", double=True)))


class Recorder:
    """A bus: what a luma driver sends as commands and as data."""

    def __init__(self) -> None:
        self.commands: list[int] = []
        self.bytes = bytearray()
        self.fails = False

    def command(self, *values: int) -> None:
        if self.fails:
            raise OSError(121, "Remote I/O error")
        self.commands += values

    def data(self, values: Any) -> None:
        self.bytes += bytes(values)

    def cleanup(self) -> None:
        pass


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    displays = luma_displays()
    recorder = Recorder()
    monkeypatch.setattr(displays, "_i2c", lambda *_: recorder)
    return recorder


def luma_displays() -> Any:
    pytest.importorskip("luma.oled", reason="luma is not installed: pip install 'posterm[pi]'")
    return pytest.importorskip("hal.pi.luma_display")


def test_an_oled_shows_the_screen_dot_for_dot(bus: Recorder) -> None:
    display = luma_displays().LumaDisplay(controller="ssd1306")
    display.open()
    assert (display.columns, display.rows, display.shows_chinese) == (16, 4, True)
    bus.bytes.clear()
    display.show(HELLO)
    pages = bytes(bus.bytes[-1024:])  # eight rows of 128 columns, each byte eight dots from the top
    lit = [[pages[y // 8 * 128 + x] >> y % 8 & 1 for x in range(128)] for y in range(64)]
    grid = Grid(16, 4)
    dots = draw(lay_out(HELLO, grid), grid)
    light = {Paint.GROUND, Paint.HEADER_TEXT, Paint.BAR_TEXT}
    expected = [[int(dots.dots[y * 128 + x] not in light) for x in range(128)] for y in range(64)]
    assert lit == expected
    assert sum(map(sum, lit)) > 1_000
    display.close()


def test_the_same_screen_is_not_sent_twice(bus: Recorder) -> None:
    display = luma_displays().LumaDisplay()
    display.open()
    display.show(HELLO)
    sent = len(bus.bytes)
    display.show(HELLO)
    assert len(bus.bytes) == sent
    display.close()


def test_a_display_that_stops_answering_is_reported_and_drawn_again(bus: Recorder) -> None:
    display = luma_displays().LumaDisplay()
    display.open()
    bus.fails = True
    display.show(HELLO)
    assert display.self_test().detail == "the display does not answer: Remote I/O error"
    bus.fails = False
    display.show(HELLO)
    assert display.self_test().ok
    display.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"controller": "ssd9999"}, "neither luma.oled nor luma.lcd has a controller 'ssd9999'"),
        ({"i2c_port": 97}, "display ssd1306 on i2c port 97: .*raspi-config"),
    ],
)
def test_says_in_one_line_what_is_missing(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DeviceMissing, match=message) as caught:
        luma_displays().LumaDisplay(**options).open()
    assert "\n" not in str(caught.value)


def test_a_display_too_small_for_the_screens_is_refused() -> None:
    with pytest.raises(ValueError, match="96 by 16 dots at scale 1 hold no 16 columns"):
        luma_displays().LumaDisplay(width=96, height=16)


@pytest.fixture
def kiosk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """luma's device in memory, where the kernel's framebuffer would be."""
    displays = luma_displays()
    from luma.core import device

    dummy = device.dummy(width=800, height=480, mode="RGB")
    monkeypatch.setattr(device, "linux_framebuffer", lambda _path: dummy)
    display = displays.FramebufferDisplay()
    display.open()
    yield display, dummy
    display.close()


def test_a_kiosk_has_large_letters_in_colour(kiosk: Any) -> None:
    display, dummy = kiosk
    assert (display.columns, display.rows) == (50, 15)  # at scale 2
    display.show(HELLO)
    image: Image.Image = dummy.image
    assert image.size == (800, 480)
    assert image.getpixel((5, 5)) == (0x0F, 0x3D, 0x73)  # the header's bar
    assert image.getpixel((799, 479)) == (0xF7, 0xF9, 0xFC)  # the ground


def test_a_kiosk_of_another_size_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    displays = luma_displays()
    from luma.core import device

    monkeypatch.setattr(device, "linux_framebuffer", lambda _: device.dummy(width=1024, height=600))
    with pytest.raises(DeviceMissing, match="has 1024 by 600 dots: set width = 1024 and height = 600"):
        displays.FramebufferDisplay().open()


def test_no_framebuffer_is_told() -> None:
    with pytest.raises(DeviceMissing, match=r"framebuffer /dev/fb9: .*is a screen connected"):
        luma_displays().FramebufferDisplay(device="/dev/fb9").open()


# --- HD44780 -----------------------------------------------------------------------------------------


class Pcf8574:
    """The port expander and the controller behind it (HD44780U data sheet): E clocks nibbles."""

    def __init__(self) -> None:
        self.cells = bytearray(b" " * 128)  # the display's memory, by address
        self.fails = False
        self._address = 0
        self._last = 0
        self._nibbles: list[tuple[int, int]] = []
        self._four_bit = False

    def write_byte(self, _address: int, value: int) -> None:
        if self.fails:
            raise OSError(121, "Remote I/O error")
        if self._last & 4 and not value & 4:
            self._take(self._last >> 4, self._last & 1)
        self._last = value

    def write_byte_data(self, address: int, _register: int, value: int) -> None:
        self.write_byte(address, value)

    def close(self) -> None:
        pass

    def rows(self, columns: int) -> list[str]:
        starts = (0x00, 0x40, columns, 0x40 + columns)
        return [self.cells[start : start + columns].decode("ascii") for start in starts]

    def _take(self, nibble: int, is_data: int) -> None:
        if not self._four_bit:
            self._four_bit = nibble == 2
            return
        self._nibbles.append((nibble, is_data))
        if len(self._nibbles) == 2:
            byte = self._nibbles[0][0] << 4 | nibble
            self._nibbles.clear()
            self._obey(byte, is_data)

    def _obey(self, byte: int, is_data: int) -> None:
        if is_data:
            self.cells[self._address % 128] = byte
            self._address += 1
        elif byte & 0x80:
            self._address = byte & 0x7F
        elif byte == 1:
            self.cells[:] = b" " * 128
            self._address = 0


@pytest.fixture
def expander(monkeypatch: pytest.MonkeyPatch) -> Pcf8574:
    i2c = pytest.importorskip("RPLCD.i2c", reason="RPLCD is not installed: pip install 'posterm[pi]'")
    chip = Pcf8574()
    monkeypatch.setattr(i2c, "SMBus", lambda _port: chip)
    monkeypatch.setattr(i2c.c, "usleep", lambda _us: None)
    monkeypatch.setattr("time.sleep", lambda _s: None)
    return chip


def lcd(**options: Any) -> Any:
    return pytest.importorskip("hal.pi.character_lcd").CharacterLcd(**options)


def test_an_lcd_shows_its_rows(expander: Pcf8574) -> None:
    display = lcd()
    display.open()
    display.show(Screen((ScreenLine("Total"), ScreenLine("RMB 12.34", double=True), ScreenLine("金额"))))
    assert expander.rows(20) == ["Total" + " " * 15, "RMB 12.34" + " " * 11, " " * 20, "????" + " " * 16]
    display.show(Screen((ScreenLine("Total"), ScreenLine("RMB 12.35"))))
    assert expander.rows(20)[:2] == ["Total" + " " * 15, "RMB 12.35" + " " * 11]
    display.close()
    assert expander.rows(20) == [" " * 20] * 4


def test_an_lcd_that_stops_answering_is_written_anew(expander: Pcf8574) -> None:
    display = lcd(columns=16, rows=2)
    display.open()
    expander.fails = True
    display.show(Screen((ScreenLine("lost"),)))
    assert display.self_test().detail == "the character LCD does not answer: Remote I/O error"
    expander.fails = False
    display.show(Screen((ScreenLine("here"),)))
    assert expander.rows(16)[0].rstrip() == "here"
    assert display.self_test().ok
    display.close()


def test_an_lcd_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    i2c = pytest.importorskip("RPLCD.i2c", reason="RPLCD is not installed: pip install 'posterm[pi]'")

    def absent(_port: int) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(i2c, "SMBus", absent)
    with pytest.raises(DeviceMissing, match=r"character LCD at 0x27 on i2c port 1: .*raspi-config"):
        lcd().open()
    with pytest.raises(ValueError, match="not 8 by 1"):
        lcd(columns=8, rows=1)


def test_luma_s_emulator_shows_the_same_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way into luma: its emulator writes what a display of that size would show."""
    displays = luma_displays()
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    emulator = pytest.importorskip("luma.emulator.device", reason="pip install luma.emulator")
    display = displays.LumaDisplay(width=128, height=64)
    size = {"width": 128, "height": 64, "mode": "1", "transform": "identity", "scale": 1}
    shown = emulator.capture(**size, file_template=str(tmp_path / "shown_{0:04}.png"))
    monkeypatch.setattr(display, "_connect", lambda: shown)
    display.open()
    display.show(HELLO)
    newest = max(tmp_path.glob("shown_*.png"))
    with Image.open(newest) as picture:
        assert picture.convert("1").tobytes() == display._picture(HELLO, "1").tobytes()
        assert picture.convert("1").getbbox() is not None, "something is to be seen"
