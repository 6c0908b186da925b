"""VirtualLeds: what is lit, and when it changed."""

from hal.api import Led
from hal.virtual.clock import VirtualClock
from hal.virtual.leds import VirtualLeds


def test_notes_changes_with_their_time() -> None:
    clock = VirtualClock()
    leds = VirtualLeds(clock)
    power, both = frozenset({Led.POWER}), frozenset({Led.POWER, Led.CARD})
    leds.set(power)
    clock.advance(10)
    leds.set(power)
    clock.advance(10)
    leds.set(both)
    assert leds.lit == both
    leds.set(frozenset())
    assert leds.history() == ((0, power), (20, both), (20, frozenset()))


def test_keeps_the_last_changes() -> None:
    leds = VirtualLeds(VirtualClock(), history_max=2)
    for led in (Led.POWER, Led.LINK, Led.CARD):
        leds.set(frozenset({led}))
    assert [lit for _, lit in leds.history()] == [{Led.LINK}, {Led.CARD}]
