"""hal.api.Keypad, for every backend. A new one adds a line to RIGS: the device, and how to press a key."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from unittest import mock

import pytest

from hal.api import Key, Keypad, KeyPressed
from hal.peripherals.keypad import Keypad as FarKeypad
from hal.peripherals.keypad import KeypadProtocol
from hal.serial.keypad import SerialKeypad
from hal.virtual.clock import VirtualClock
from hal.virtual.keypad import VirtualKeypad
from tests.contract.pty_line import PtyLine


@dataclass
class KeypadRig:
    keypad: Keypad
    press: Callable[[Key], None]


def _virtual(_stack: ExitStack) -> KeypadRig:
    keypad = VirtualKeypad(VirtualClock())
    return KeypadRig(keypad, keypad.press)


def _serial(stack: ExitStack, protocol: KeypadProtocol) -> KeypadRig:
    far, clock = FarKeypad(protocol), VirtualClock()
    line = PtyLine(far, stack)
    keypad = SerialKeypad(line.path, clock, protocol=protocol)

    def press(key: Key) -> None:
        far.press(key.value)
        clock.advance(100)  # until the finger is up again
        line.deliver(keypad, clock.monotonic_ms())

    return KeypadRig(keypad, press)


def _evdev(stack: ExitStack) -> KeypadRig:
    drivers = pytest.importorskip("hal.pi.input_devices", reason="evdev: pip install 'posterm[pi]'")
    from tests.hal.fake_input import FakeInput

    fake = FakeInput()
    stack.enter_context(mock.patch.object(drivers, "_grabbed", fake.grabbed))
    names = {Key.CLEAR: "BACKSPACE", Key.ENTER: "KPENTER"}
    keypad = drivers.EvdevKeypad("/dev/input/event5", VirtualClock())
    return KeypadRig(keypad, lambda key: fake.strike(names.get(key, f"KP{key.value}")))


RIGS: dict[str, Callable[[ExitStack], KeypadRig]] = {
    "virtual": _virtual,
    "evdev": _evdev,
    "serial-ascii": lambda stack: _serial(stack, "ascii"),
    "serial-scancodes": lambda stack: _serial(stack, "scancodes"),
}

PIN_KEYS = (Key.DIGIT_1, Key.DIGIT_2, Key.CLEAR, Key.ENTER)


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[KeypadRig]:
    with ExitStack() as stack:
        rig = RIGS[request.param](stack)
        rig.keypad.open()
        stack.callback(rig.keypad.close)
        yield rig


def _press_all(rig: KeypadRig, keys: tuple[Key, ...]) -> None:
    for key in keys:
        rig.press(key)


def test_reports_keys_in_the_order_pressed(rig: KeypadRig) -> None:
    _press_all(rig, PIN_KEYS)
    assert list(rig.keypad.poll()) == [KeyPressed(key) for key in PIN_KEYS]
    assert list(rig.keypad.poll()) == []


def test_secure_keys_reach_the_sink_and_nobody_else(rig: KeypadRig) -> None:
    sink: list[Key] = []
    rig.keypad.begin_secure_entry(sink.append)
    _press_all(rig, PIN_KEYS)
    assert sink == []  # only poll hands keys over: nothing calls the firmware
    assert list(rig.keypad.poll()) == []
    assert sink == list(PIN_KEYS)
    rig.keypad.end_secure_entry()
    rig.press(Key.DIGIT_7)
    assert list(rig.keypad.poll()) == [KeyPressed(Key.DIGIT_7)]
    assert sink == list(PIN_KEYS)


def test_keys_not_handed_over_are_dropped_at_the_end(rig: KeypadRig) -> None:
    sink: list[Key] = []
    rig.keypad.begin_secure_entry(sink.append)
    _press_all(rig, PIN_KEYS)
    rig.keypad.end_secure_entry()
    assert list(rig.keypad.poll()) == []
    assert sink == []


def test_the_sink_may_end_the_secure_entry(rig: KeypadRig) -> None:
    sink: list[Key] = []

    def take(key: Key) -> None:
        sink.append(key)
        if key is Key.ENTER:
            rig.keypad.end_secure_entry()

    rig.keypad.begin_secure_entry(take)
    _press_all(rig, (Key.DIGIT_1, Key.ENTER, Key.DIGIT_2))
    assert list(rig.keypad.poll()) == []
    assert sink == [Key.DIGIT_1, Key.ENTER]
    assert list(rig.keypad.poll()) == []


def test_ending_is_harmless_outside_secure_entry(rig: KeypadRig) -> None:
    rig.press(Key.DIGIT_1)
    rig.keypad.end_secure_entry()
    assert list(rig.keypad.poll()) == [KeyPressed(Key.DIGIT_1)]


def test_a_second_secure_entry_uses_its_own_sink(rig: KeypadRig) -> None:
    first: list[Key] = []
    second: list[Key] = []
    rig.keypad.begin_secure_entry(first.append)
    rig.keypad.end_secure_entry()
    rig.keypad.begin_secure_entry(second.append)
    rig.press(Key.DIGIT_3)
    assert list(rig.keypad.poll()) == []
    assert (first, second) == ([], [Key.DIGIT_3])


def test_closing_ends_the_secure_entry(rig: KeypadRig) -> None:
    sink: list[Key] = []
    rig.keypad.begin_secure_entry(sink.append)
    rig.keypad.close()
    rig.keypad.open()
    rig.press(Key.DIGIT_3)
    assert list(rig.keypad.poll()) == [KeyPressed(Key.DIGIT_3)]
    assert sink == []
