"""hal.api.Display, over all backends."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from unittest import mock

import pytest

from hal.api import Align, Display, Screen, ScreenLine
from hal.peripherals.vfd import CommandSet, Vfd
from hal.serial.vfd import SerialVfd
from hal.virtual.clock import VirtualClock
from hal.virtual.display import VirtualDisplay
from tests.contract.pty_line import PtyLine

pytestmark = pytest.mark.filterwarnings("ignore:.*getdata is deprecated:DeprecationWarning")  # luma's


def _vfd(stack: ExitStack, command_set: CommandSet) -> Display:
    line = PtyLine(Vfd(command_set), stack)
    return SerialVfd(line.path, VirtualClock(), command_set=command_set)


def _luma(stack: ExitStack) -> Any:
    from tests.hal.test_pi_displays import Recorder, luma_displays

    displays = luma_displays()
    stack.enter_context(mock.patch.object(displays, "_i2c", return_value=Recorder()))
    return displays.LumaDisplay()


def _framebuffer(stack: ExitStack) -> Any:
    from tests.hal.test_pi_displays import luma_displays

    displays = luma_displays()
    from luma.core import device

    dummy = device.dummy(width=800, height=480, mode="RGB")
    stack.enter_context(mock.patch.object(device, "linux_framebuffer", return_value=dummy))
    return displays.FramebufferDisplay()


def _character_lcd(stack: ExitStack) -> Any:
    from tests.hal.test_pi_displays import Pcf8574

    i2c = pytest.importorskip("RPLCD.i2c", reason="RPLCD: pip install 'posterm[pi]'")
    stack.enter_context(mock.patch.object(i2c, "SMBus", return_value=Pcf8574()))
    stack.enter_context(mock.patch("time.sleep"))
    stack.enter_context(mock.patch.object(i2c.c, "usleep"))
    return pytest.importorskip("hal.pi.character_lcd").CharacterLcd()


DISPLAYS: dict[str, Callable[[ExitStack], Display]] = {
    "virtual-mono128x64": lambda _: VirtualDisplay(clock=VirtualClock(), model="mono128x64"),
    "virtual-colour320x240": lambda _: VirtualDisplay(clock=VirtualClock(), model="colour320x240"),
    "luma": _luma,
    "framebuffer": _framebuffer,
    "hd44780": _character_lcd,
    "vfd-cd5220": lambda stack: _vfd(stack, "cd5220"),
    "vfd-epson": lambda stack: _vfd(stack, "epson"),
}

SCREENS = {
    "empty": Screen(),
    "all styles": Screen(
        tuple(
            ScreenLine("金额 RMB 1.00", align, inverse=inverse, double=double)
            for align in Align
            for inverse in (False, True)
            for double in (False, True)
        )
    ),
    "too long": Screen((ScreenLine("长" * 500), ScreenLine("x" * 500)) * 100),
    "strange": Screen((ScreenLine("a\r\n\t\x00b\u0301\U0001f600\ufffe"),)),
    "qr": Screen((ScreenLine("Scan"),), qr="https://pay.example/1"),
    "qr too long": Screen((ScreenLine("Scan"),), qr="x" * 5000),
}


@pytest.fixture(params=DISPLAYS)
def display(request: pytest.FixtureRequest) -> Iterator[Display]:
    with ExitStack() as stack:
        device = DISPLAYS[request.param](stack)
        device.open()
        stack.callback(device.close)
        yield device


def test_can_show_a_short_prompt(display: Display) -> None:
    """The firmware's screens need 16 columns and 2 rows."""
    assert display.columns >= 16
    assert display.rows >= 2
    assert isinstance(display.shows_chinese, bool)


@pytest.mark.parametrize("name", SCREENS)
def test_shows_any_screen_and_has_no_events(display: Display, name: str) -> None:
    display.show(SCREENS[name])
    assert list(display.poll()) == []
    assert display.deadline_ms() is None
    assert display.self_test().ok
