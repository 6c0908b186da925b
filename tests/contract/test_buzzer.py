"""hal.api.Buzzer and hal.api.Leds: one-way devices, which only must take what they are given."""

from collections.abc import Callable

import pytest

from hal.api import Beep, Buzzer, Led, Leds
from hal.serial.buzzer import BuzzerInDisplay, SerialBuzzer
from hal.serial.vfd import SerialVfd
from hal.virtual.buzzer import VirtualBuzzer
from hal.virtual.clock import VirtualClock
from hal.virtual.leds import VirtualLeds

BUZZERS: dict[str, Callable[[], Buzzer]] = {
    "virtual": lambda: VirtualBuzzer(VirtualClock()),
    "serial-rts": lambda: SerialBuzzer("loop://", VirtualClock()),
    "serial-bel": lambda: SerialBuzzer("loop://", VirtualClock(), command="bel"),
    "serial-esc-b": lambda: SerialBuzzer("loop://", VirtualClock(), command="esc-b"),
    "in-display": lambda: BuzzerInDisplay(SerialVfd("loop://", VirtualClock()), VirtualClock()),
}
LEDS: dict[str, Callable[[], Leds]] = {"virtual": lambda: VirtualLeds(VirtualClock())}


@pytest.mark.parametrize("name", BUZZERS)
def test_plays_every_pattern_without_events(name: str) -> None:
    buzzer = BUZZERS[name]()
    buzzer.open()
    for beep in Beep:
        buzzer.sound(beep)
    assert list(buzzer.poll()) == []
    buzzer.close()


@pytest.mark.parametrize("name", LEDS)
def test_lights_every_set_without_events(name: str) -> None:
    leds = LEDS[name]()
    leds.open()
    for led in Led:
        leds.set(frozenset({led}))
    leds.set(frozenset())
    assert list(leds.poll()) == []
