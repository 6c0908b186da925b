"""hal.api.Buzzer and hal.api.Leds: one-way devices, which only must take what they are given."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from hal.api import Beep, Buzzer, Led, Leds
from hal.serial.buzzer import BuzzerInDisplay, SerialBuzzer
from hal.serial.vfd import SerialVfd
from hal.virtual.buzzer import VirtualBuzzer
from hal.virtual.clock import VirtualClock
from hal.virtual.leds import VirtualLeds


def _gpio(kind: str, stack: ExitStack) -> Any:
    gpio = pytest.importorskip("hal.pi.gpio", reason="gpiozero: pip install 'posterm[pi]'")
    from tests.hal.mock_pins import mock_pins

    stack.enter_context(mock_pins())
    if kind == "leds":
        return gpio.GpioLeds(power=5, link=6, card=13, alarm=19)
    return gpio.GpioBuzzer(VirtualClock(), pin=18, sounder=kind)


BUZZERS: dict[str, Callable[[ExitStack], Buzzer]] = {
    "virtual": lambda _: VirtualBuzzer(VirtualClock()),
    "gpio-active": lambda stack: _gpio("active", stack),
    "gpio-passive": lambda stack: _gpio("passive", stack),
    "serial-rts": lambda _: SerialBuzzer("loop://", VirtualClock()),
    "serial-bel": lambda _: SerialBuzzer("loop://", VirtualClock(), command="bel"),
    "serial-esc-b": lambda _: SerialBuzzer("loop://", VirtualClock(), command="esc-b"),
    "in-display": lambda _: BuzzerInDisplay(SerialVfd("loop://", VirtualClock()), VirtualClock()),
}
LEDS: dict[str, Callable[[ExitStack], Leds]] = {
    "virtual": lambda _: VirtualLeds(VirtualClock()),
    "gpio": lambda stack: _gpio("leds", stack),
}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("name", BUZZERS)
def test_plays_every_pattern_without_events(name: str, stack: ExitStack) -> None:
    buzzer = BUZZERS[name](stack)
    buzzer.open()
    for beep in Beep:
        buzzer.sound(beep)
    assert list(buzzer.poll()) == []
    buzzer.close()


@pytest.mark.parametrize("name", LEDS)
def test_lights_every_set_without_events(name: str, stack: ExitStack) -> None:
    leds = LEDS[name](stack)
    leds.open()
    for led in Led:
        leds.set(frozenset({led}))
    leds.set(frozenset())
    assert list(leds.poll()) == []
    leds.close()
