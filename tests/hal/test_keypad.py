"""VirtualKeypad beyond the contract: layouts, repeat, stuck keys, bounds, and what secure mode hides."""

import pytest

from hal.api import Key, KeyPressed, KeyStuck
from hal.virtual.clock import VirtualClock
from hal.virtual.keypad import VirtualKeypad


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def keypad(clock: VirtualClock) -> VirtualKeypad:
    keypad = VirtualKeypad(clock)
    keypad.open()
    return keypad


def test_presses_keys_by_name_and_by_member(keypad: VirtualKeypad) -> None:
    keypad.press("7", Key.DOUBLE_ZERO, "enter")
    assert keypad.poll() == [KeyPressed(Key.DIGIT_7), KeyPressed(Key.DOUBLE_ZERO), KeyPressed(Key.ENTER)]


def test_types_digits_one_key_each(keypad: VirtualKeypad) -> None:
    keypad.type_digits("1009")
    assert keypad.poll() == [KeyPressed(Key(digit)) for digit in "1009"]


@pytest.mark.parametrize("digits", ["", "12a", "1.5", "１２", "²"])
def test_types_nothing_but_digits(keypad: VirtualKeypad, digits: str) -> None:
    with pytest.raises(ValueError, match="digits 0 to 9"):
        keypad.type_digits(digits)


def test_refuses_unknown_keys_and_presses_none_of_them(keypad: VirtualKeypad) -> None:
    with pytest.raises(ValueError, match="the names are: f1 f2"):
        keypad.press("1", "hash")
    assert keypad.poll() == []


def test_the_compact_layout_has_no_function_keys(clock: VirtualClock) -> None:
    keypad = VirtualKeypad(clock, layout="compact")
    keypad.open()
    assert keypad.layout[0] == (Key.DIGIT_1, Key.DIGIT_2, Key.DIGIT_3, Key.CANCEL)
    with pytest.raises(ValueError, match="has no key 'f1'"):
        keypad.press("f1")


def test_the_full_layout_has_every_key_once(keypad: VirtualKeypad) -> None:
    keys = [key for row in keypad.layout for key in row]
    assert len(keys) == len(set(keys))
    assert set(keys) == set(Key)


def test_a_full_queue_loses_the_newest_keys(clock: VirtualClock) -> None:
    keypad = VirtualKeypad(clock, queue_keys_max=3)
    keypad.open()
    keypad.type_digits("12345")
    assert keypad.poll() == [KeyPressed(Key(digit)) for digit in "123"]
    assert keypad.dropped_keys == 2
    keypad.press("6")
    assert keypad.poll() == [KeyPressed(Key.DIGIT_6)]


def test_keys_of_a_closed_keypad_are_lost(clock: VirtualClock) -> None:
    keypad = VirtualKeypad(clock)
    keypad.press("1")
    keypad.open()
    assert keypad.poll() == []


def _events_while_held(keypad: VirtualKeypad, clock: VirtualClock) -> list[tuple[int, object]]:
    """Poll exactly when the keypad asks for it, and note when each event came."""
    events: list[tuple[int, object]] = [(clock.monotonic_ms(), event) for event in keypad.poll()]
    while (at_ms := keypad.deadline_ms()) is not None:
        clock.advance_to(at_ms)
        events += [(at_ms, event) for event in keypad.poll()]
    return events


def test_a_held_digit_counts_once_and_is_stuck_after_ten_seconds(
    keypad: VirtualKeypad, clock: VirtualClock
) -> None:
    keypad.hold("5")
    assert _events_while_held(keypad, clock) == [
        (0, KeyPressed(Key.DIGIT_5)),
        (10_000, KeyStuck(Key.DIGIT_5)),
    ]


def test_a_held_clear_key_repeats_until_it_is_stuck(keypad: VirtualKeypad, clock: VirtualClock) -> None:
    keypad.hold("clear")
    repeats_ms = [0, *range(500, 10_000, 100)]
    assert _events_while_held(keypad, clock) == [
        *((at_ms, KeyPressed(Key.CLEAR)) for at_ms in repeats_ms),
        (10_000, KeyStuck(Key.CLEAR)),
    ]


def test_a_late_poll_loses_no_repeat(keypad: VirtualKeypad, clock: VirtualClock) -> None:
    keypad.hold("down")
    clock.advance(800)
    keypad.release()
    clock.advance(5_000)
    assert keypad.poll() == [KeyPressed(Key.DOWN)] * 5  # at 0, 500, 600, 700, 800 ms
    assert keypad.deadline_ms() is None


def test_a_released_key_is_never_stuck(keypad: VirtualKeypad, clock: VirtualClock) -> None:
    keypad.hold("5")
    clock.advance(9_999)
    keypad.release()
    clock.advance(1)
    assert keypad.poll() == [KeyPressed(Key.DIGIT_5)]


def test_secure_entry_drops_keys_typed_ahead(keypad: VirtualKeypad) -> None:
    sink: list[Key] = []
    keypad.type_digits("12")
    keypad.begin_secure_entry(sink.append)
    assert (keypad.poll(), sink) == ((), [])


def test_secure_entry_tells_nobody_which_key_is_held(keypad: VirtualKeypad, clock: VirtualClock) -> None:
    sink: list[Key] = []
    keypad.begin_secure_entry(sink.append)
    keypad.hold("5")
    clock.advance(30_000)
    assert keypad.deadline_ms() is None
    assert (keypad.poll(), sink) == ((), [Key.DIGIT_5])
    keypad.end_secure_entry()
    clock.advance(9_999)
    assert keypad.poll() == []
    clock.advance(1)
    assert keypad.poll() == [KeyStuck(Key.DIGIT_5)]


def test_a_repeating_key_stops_repeating_in_secure_entry(keypad: VirtualKeypad, clock: VirtualClock) -> None:
    sink: list[Key] = []
    keypad.hold("clear")
    keypad.begin_secure_entry(sink.append)
    clock.advance(2_000)
    assert (keypad.poll(), sink) == ((), [])


def test_a_sink_that_fails_loses_only_its_own_key(keypad: VirtualKeypad) -> None:
    taken: list[Key] = []

    def take(key: Key) -> None:
        if key is Key.DIGIT_1:
            raise RuntimeError
        taken.append(key)

    keypad.begin_secure_entry(take)
    keypad.type_digits("12")
    with pytest.raises(RuntimeError):
        keypad.poll()
    keypad.poll()
    assert taken == [Key.DIGIT_2]
