"""The serial keypad against one in software: both protocols, bounce, repeat, late polls, secrets, cable."""

import pytest

from hal.api import Key, KeyPressed, KeyStuck
from hal.peripherals.keypad import Keypad, KeypadProtocol
from hal.serial.keypad import ESCAPE_ALONE_MS, SerialKeypad
from hal.virtual.clock import VirtualClock
from tests.hal.serial_bench import URL, Bench, connect

PROTOCOLS: tuple[KeypadProtocol, ...] = ("ascii", "scancodes")


def keypad_on(bench: Bench, monkeypatch: pytest.MonkeyPatch, *, debounce_ms: int = 30) -> SerialKeypad:
    connect(monkeypatch, bench)
    far = bench.peripheral
    assert isinstance(far, Keypad)
    keypad = SerialKeypad(URL, bench.clock, protocol=far.protocol, debounce_ms=debounce_ms)
    keypad.open()
    return keypad


def pressed(*names: str) -> list[KeyPressed]:
    return [KeyPressed(Key(name)) for name in names]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_key_crosses_the_line(monkeypatch: pytest.MonkeyPatch, protocol: KeypadProtocol) -> None:
    bench = Bench(far := Keypad(protocol))
    keypad = keypad_on(bench, monkeypatch)
    names = [key.value for key in Key if key is not Key.DOUBLE_ZERO]
    far.press(*names)
    assert bench.run(keypad, 5_000) == pressed(*names)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("bounces", [1, 3])
def test_a_bouncing_contact_types_once_and_a_digit_twice_types_twice(
    monkeypatch: pytest.MonkeyPatch, protocol: KeypadProtocol, bounces: int
) -> None:
    bench = Bench(far := Keypad(protocol, bounces=bounces))
    keypad = keypad_on(bench, monkeypatch)
    far.press("1", "1", "2")
    assert bench.run(keypad, 1_000) == pressed("1", "1", "2")


def test_without_debouncing_bounces_are_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(far := Keypad("ascii", bounces=2))
    keypad = keypad_on(bench, monkeypatch, debounce_ms=0)
    far.press("1")
    assert bench.run(keypad, 1_000) == pressed("1", "1", "1")


def test_a_late_poll_loses_no_digit_of_a_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second without a poll: the two strokes of a doubled digit are found at once, and are two."""
    bench = Bench(far := Keypad("ascii"))
    keypad = keypad_on(bench, monkeypatch)
    sink: list[Key] = []
    keypad.begin_secure_entry(sink.append)
    far.press("1", "1", "2", "2")
    for _ in range(10):
        bench.clock.advance(50)
        bench.turn()
    assert bench.run(keypad, 100) == []
    assert sink == [Key.DIGIT_1, Key.DIGIT_1, Key.DIGIT_2, Key.DIGIT_2]


def test_key_codes_tell_a_held_key_which_repeats_by_our_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(far := Keypad("scancodes"))
    keypad = keypad_on(bench, monkeypatch)
    far.hold("clear")
    assert bench.run(keypad, 850) == pressed(*["clear"] * 5)  # at 0, 500, 600, 700, 800 ms
    far.release()
    assert bench.run(keypad, 5_000) == []


def test_a_digit_that_is_held_is_one_digit_and_sticks_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(far := Keypad("scancodes"))
    keypad = keypad_on(bench, monkeypatch)
    far.hold("5")
    assert bench.run(keypad, 9_900) == pressed("5")
    assert bench.run(keypad, 200) == [KeyStuck(Key.DIGIT_5)]


def test_a_lone_escape_is_cancel_and_one_that_goes_on_is_an_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(far := Keypad("ascii"))
    keypad = keypad_on(bench, monkeypatch)
    far.press("cancel")
    assert bench.run(keypad, ESCAPE_ALONE_MS) == []
    assert bench.run(keypad, 5) == pressed("cancel")
    far.press("up", "cancel", "f1")
    assert bench.run(keypad, 1_000) == pressed("up", "cancel", "f1")


class Typist:
    """A peripheral that sends what it is told."""

    def __init__(self) -> None:
        self.output = b""

    def receive(self, data: bytes, now_ms: int) -> None:
        pass

    def take_output(self) -> bytes:
        output, self.output = self.output, b""
        return output

    def deadline_ms(self) -> int | None:
        return None


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"\r\n", ["enter"]),
        (b"\n", ["enter"]),
        (b"#*,", ["enter", "clear", "."]),
        (b"ABCD", ["f1", "f2", "f3", "f4"]),
        (b"\x7f\x18", ["clear", "cancel"]),
        (b"\x1b[5~7", ["7"]),  # page up is no key here, and its 5 is no digit
        (b"\x1b[15;2~\x1bOz8", ["8"]),
        (b"\x1b\x1b", ["cancel", "cancel"]),
        (b"\x1b1", ["cancel", "1"]),
        (b"\xff\x00xyz", []),
    ],
)
def test_characters_as_keypads_send_them(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, keys: list[str]
) -> None:
    bench = Bench(far := Typist(), bits_per_s=115_200)
    connect(monkeypatch, bench)
    keypad = SerialKeypad(URL, bench.clock, debounce_ms=0)
    keypad.open()
    far.output = sent
    assert bench.run(keypad, 200) == pressed(*keys)


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"\x02\x82\x0b\x8b", ["1", "0"]),  # the row above the letters
        (b"\x4f\xcf\x52\xd2\x53\xd3", ["1", "0", "."]),  # the number block
        (b"\xe0\x1c\xe0\x9c", ["enter"]),
        (b"\x1e\x9e\xe0\x5b\xe0\xdb", []),  # A and a logo key
        (b"\x02\x03\x82\x83", ["1", "2"]),  # the second down before the first is up
    ],
)
def test_key_codes_as_keyboards_send_them(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, keys: list[str]
) -> None:
    bench = Bench(far := Typist())
    connect(monkeypatch, bench)
    keypad = SerialKeypad(URL, bench.clock, protocol="scancodes")
    keypad.open()
    far.output = sent
    assert bench.run(keypad, 200) == pressed(*keys)


def test_keys_typed_ahead_reach_neither_the_pin_nor_the_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(far := Typist())
    connect(monkeypatch, bench)
    keypad = SerialKeypad(URL, bench.clock)
    keypad.open()
    sink: list[Key] = []
    far.output = b"123"
    bench.turn()
    bench.clock.advance(50)  # it waits in the port
    keypad.begin_secure_entry(sink.append)
    far.output = b"456"
    bench.turn()
    bench.clock.advance(50)
    keypad.end_secure_entry()
    assert (bench.run(keypad, 500), sink) == ([], [])


def test_the_cable_pulled_with_a_key_down_releases_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(far := Keypad("scancodes"))
    keypad = keypad_on(bench, monkeypatch)
    far.hold("down")
    assert bench.run(keypad, 300) == pressed("down")
    bench.unplug()
    assert bench.run(keypad, 20_000) == []
    far.release()
    far.take_output()
    bench.plug()
    bench.run(keypad, 10_000)
    far.press("7")
    assert bench.run(keypad, 300) == pressed("7")


def test_the_cable_pulled_during_a_pin_leaves_the_digits_that_came(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(far := Keypad("ascii"))
    keypad = keypad_on(bench, monkeypatch)
    sink: list[Key] = []
    keypad.begin_secure_entry(sink.append)
    far.press("1", "2", "3", "4")
    bench.run(keypad, 100)
    bench.unplug()
    bench.run(keypad, 500)
    bench.plug()
    bench.run(keypad, 10_000)
    far.press("9", "enter")
    assert bench.run(keypad, 500) == []
    assert sink == [Key.DIGIT_1, Key.DIGIT_2, Key.DIGIT_9, Key.ENTER]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_noise_types_wrong_keys_at_worst(monkeypatch: pytest.MonkeyPatch, protocol: KeypadProtocol) -> None:
    bench = Bench(
        far := Keypad(protocol), noise={"bit_error_rate": 0.01, "drop_rate": 0.01, "insert_rate": 0.01}
    )
    keypad = keypad_on(bench, monkeypatch)
    for _ in range(100):
        far.press("1", "2", "enter")
        bench.run(keypad, 400)
    keypad.close()
    assert keypad.deadline_ms() is None


def test_the_far_keypad_refuses_keys_that_it_has_not() -> None:
    far = Keypad("scancodes")
    with pytest.raises(ValueError, match="no such key; it has: 7 8 9"):
        far.press("1", "hash")
    assert far.take_output() == b""
    assert VirtualClock().monotonic_ms() == 0
