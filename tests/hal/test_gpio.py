"""Buzzer, lights and tamper switch on pins, over gpiozero's mock pins."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hal.api import Beep, DeviceMissing, Led, TamperTripped
from hal.virtual.clock import VirtualClock
from hal.virtual.rng import SeededRng
from tests.hal.mock_pins import gpiozero, mock_pins

gpio = pytest.importorskip("hal.pi.gpio")


@pytest.fixture
def pins() -> Iterator[Any]:
    with mock_pins() as factory:
        yield factory


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def states_over_time(device: Any, clock: VirtualClock, pin: Any) -> list[tuple[int, float, float | None]]:
    """Poll when asked to; (when, the pin's state, its PWM frequency) whenever the state has changed."""
    seen = [(clock.monotonic_ms(), float(pin.state), pin.frequency)]
    while (due_ms := device.deadline_ms()) is not None:
        clock.advance_to(due_ms)
        device.poll()
        now = (due_ms, float(pin.state), pin.frequency)
        if now[1:] != seen[-1][1:]:
            seen.append(now)
    return seen


def test_an_active_buzzer_is_on_as_long_as_each_tone(pins: Any, clock: VirtualClock) -> None:
    buzzer = gpio.GpioBuzzer(clock, pin=18)
    buzzer.open()
    buzzer.sound(Beep.AUTHORISED)
    states = states_over_time(buzzer, clock, pins.pin(18))
    assert [(at_ms, state) for at_ms, state, _ in states] == [(0, 1), (120, 0), (200, 1), (320, 0)]
    buzzer.close()


def test_a_passive_buzzer_gets_each_tone_s_frequency(pins: Any, clock: VirtualClock) -> None:
    buzzer = gpio.GpioBuzzer(clock, pin=18, sounder="passive")
    buzzer.open()
    buzzer.sound(Beep.SUCCESS)
    buzzer.sound(Beep.ERROR)
    states = states_over_time(buzzer, clock, pins.pin(18))
    sounding = [(at_ms, frequency) for at_ms, state, frequency in states if state]
    assert sounding == [(0, 2700), (400, 600)]
    assert states[-1][:2] == (900, 0)
    buzzer.close()


def test_a_buzzer_that_is_low_when_it_sounds_is_high_when_it_is_silent(
    pins: Any, clock: VirtualClock
) -> None:
    buzzer = gpio.GpioBuzzer(clock, pin=18, active_high=False)
    buzzer.open()
    assert pins.pin(18).state == 1
    buzzer.sound(Beep.KEY)
    assert pins.pin(18).state == 0
    buzzer.close()
    assert buzzer.deadline_ms() is None


def test_lights_have_a_pin_each(pins: Any) -> None:
    leds = gpio.GpioLeds(power=5, link=6, alarm=13)
    leds.open()
    leds.set(frozenset({Led.LINK, Led.CARD, Led.ALARM}))
    assert [pins.pin(number).state for number in (5, 6, 13)] == [0, 1, 1]
    leds.set(frozenset({Led.POWER}))
    assert [pins.pin(number).state for number in (5, 6, 13)] == [1, 0, 0]
    leds.close()
    leds.open()
    leds.close()
    with pytest.raises(ValueError, match="at least one light"):
        gpio.GpioLeds()


def tamper(folder: Path, **options: Any) -> Any:
    return gpio.GpioTamper(SeededRng(), pin=17, key_file=folder / "device-key.json", **options)


def test_the_switch_opens_and_the_key_is_gone(pins: Any, tmp_path: Path) -> None:
    pins.pin(17).drive_low()  # the lid holds the switch to ground
    device = tamper(tmp_path)
    device.open()
    key = device.device_key()
    assert list(device.poll()) == []
    pins.pin(17).drive_high()
    assert list(device.poll()) == [TamperTripped("case opened")]
    pins.pin(17).drive_low()
    assert list(device.poll()) == []
    assert device.tripped
    assert key.hex() not in (tmp_path / "device-key.json").read_text()
    device.close()


def test_a_cut_wire_is_an_open_case_and_so_is_one_at_power_on(pins: Any, tmp_path: Path) -> None:
    device = tamper(tmp_path)  # nothing pulls the pin down
    device.open()
    assert device.tripped
    device.close()
    other = tamper(tmp_path / "..", closed_is_low=False)
    assert pins.pin(17).state == 1
    other.close()


def test_two_devices_cannot_have_one_pin(pins: Any, clock: VirtualClock) -> None:
    buzzer = gpio.GpioBuzzer(clock, pin=18)
    buzzer.open()
    with pytest.raises(DeviceMissing, match=r"light power on GPIO18: .*choose another pin") as caught:
        gpio.GpioLeds(power=18).open()
    assert "\n" not in str(caught.value)
    buzzer.close()
    assert pins is not None


def test_a_machine_without_pins_is_told(monkeypatch: pytest.MonkeyPatch, clock: VirtualClock) -> None:
    monkeypatch.setattr(gpiozero.Device, "pin_factory", None)
    monkeypatch.setenv("GPIOZERO_PIN_FACTORY", "lgpio")
    with pytest.raises(DeviceMissing, match="gpiozero finds no GPIO pins here"):
        gpio.GpioBuzzer(clock, pin=18).open()
