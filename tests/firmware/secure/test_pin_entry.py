"""PIN entry, key by key: a table of cases, then the timers and the hourly limit."""

import pytest

from firmware.secure.errors import PinFormat
from firmware.secure.pin_entry import (
    PinBypassed,
    PinCancelled,
    PinDigits,
    PinEntry,
    PinEvent,
    PinReady,
    PinRules,
    PinTimedOut,
    PinTooShort,
)
from hal.api import Key

STARS_4 = [PinDigits(1), PinDigits(2), PinDigits(3), PinDigits(4)]


def entry(rules: PinRules | None = None, *, now_ms: int = 0) -> PinEntry:
    return PinEntry(rules or PinRules(), now_ms=now_ms)


def press(target: PinEntry, keys: str) -> None:
    for name in keys.split():
        target.press(Key(name))


@pytest.mark.parametrize(
    ("rules", "keys", "expected", "pin"),
    [
        pytest.param({}, "1 2 3 4 enter", [*STARS_4, PinReady()], "1234", id="plain"),
        pytest.param({}, "0 0 0 0 enter", [*STARS_4, PinReady()], "0000", id="zeros"),
        pytest.param({}, "1 2 3 4", STARS_4, None, id="not-yet-entered"),
        pytest.param(
            {},
            "1 2 clear 3 4 5 6 enter",
            [PinDigits(1), PinDigits(2), PinDigits(0), *STARS_4, PinReady()],
            "3456",
            id="clear-empties",
        ),
        pytest.param({}, "clear clear 1", [PinDigits(1)], None, id="clear-of-nothing-says-nothing"),
        pytest.param(
            {},
            "1 2 3 enter 4 enter",
            [*STARS_4[:3], PinTooShort(), PinDigits(4), PinReady()],
            "1234",
            id="too-short-goes-on",
        ),
        pytest.param({}, "enter", [PinTooShort()], None, id="empty-is-too-short"),
        pytest.param({"bypass_allowed": True}, "enter", [PinBypassed()], None, id="bypass"),
        pytest.param(
            {"bypass_allowed": True},
            "1 clear enter",
            [PinDigits(1), PinDigits(0), PinBypassed()],
            None,
            id="bypass-after-clear",
        ),
        pytest.param(
            {"bypass_allowed": True},
            "1 enter",
            [PinDigits(1), PinTooShort()],
            None,
            id="half-a-pin-is-no-bypass",
        ),
        pytest.param({}, "1 2 cancel", [PinDigits(1), PinDigits(2), PinCancelled()], None, id="cancel"),
        pytest.param({}, "cancel 1 2 3 4 enter", [PinCancelled()], None, id="nothing-after-cancel"),
        pytest.param(
            {}, "1 2 3 4 enter 9 clear cancel", [*STARS_4, PinReady()], "1234", id="nothing-after-enter"
        ),
        pytest.param({}, "00 . f1 up 1 00", [PinDigits(1)], None, id="keys-that-mean-nothing"),
        pytest.param(
            {"digits_max": 6},
            "1 2 3 4 5 6 7 8 enter",
            [*STARS_4, PinDigits(5), PinDigits(6), PinReady()],
            "123456",
            id="no-more-than-the-maximum",
        ),
        pytest.param(
            {},
            "1 2 3 4 5 6 7 8 9 0 1 2 3 enter",
            [*(PinDigits(count) for count in range(1, 13)), PinReady()],
            "123456789012",
            id="twelve-digits",
        ),
        pytest.param(
            {"digits_min": 6},
            "1 2 3 4 enter 5 6 enter",
            [*STARS_4, PinTooShort(), PinDigits(5), PinDigits(6), PinReady()],
            "123456",
            id="six-digits-at-least",
        ),
    ],
)
def test_keys(rules: dict[str, int], keys: str, expected: list[PinEvent], pin: str | None) -> None:
    target = entry(PinRules(**rules))  # type: ignore[arg-type]  # bypass_allowed is a bool among the ints
    press(target, keys)
    assert target.events(now_ms=1) == expected
    assert target.events(now_ms=2) == []
    over = isinstance(expected[-1], PinReady | PinBypassed | PinCancelled)
    assert target.is_open is not over
    assert (target.deadline_ms() is None) is over
    if pin is not None:
        assert target.take_digits() == bytes(int(digit) for digit in pin)
    elif over:
        assert not target.take_digits()


def test_taking_the_digits_leaves_none_behind() -> None:
    target = entry()
    press(target, "9 8 7 6 enter")
    assert target.take_digits() == bytes((9, 8, 7, 6))
    assert not any(target._digits)
    assert not target.take_digits()


@pytest.mark.parametrize("keys", ["1 2 3 4 clear", "1 2 3 4 cancel"])
def test_digits_are_wiped_as_soon_as_they_are_not_wanted(keys: str) -> None:
    target = entry()
    press(target, keys)
    assert not any(target._digits)


def test_no_key_for_thirty_seconds_ends_the_entry() -> None:
    target = entry(now_ms=1_000)
    assert target.deadline_ms() == 31_000
    assert target.events(now_ms=30_999) == []
    assert target.events(now_ms=31_000) == [PinTimedOut()]
    assert not target.is_open
    assert target.deadline_ms() is None


def test_each_key_gives_another_thirty_seconds_but_sixty_in_all() -> None:
    target = entry(now_ms=0)
    press(target, "1")
    assert target.events(now_ms=20_000) == [PinDigits(1)]
    assert target.deadline_ms() == 50_000
    press(target, "2")
    assert target.events(now_ms=45_000) == [PinDigits(2)]
    assert target.deadline_ms() == 60_000
    assert target.events(now_ms=60_000) == [PinTimedOut()]
    assert not any(target._digits)


def test_a_key_handed_over_at_the_last_moment_counts() -> None:
    target = entry(now_ms=0)
    press(target, "1")
    assert target.events(now_ms=30_000) == [PinDigits(1)]
    press(target, "2 3 4 enter")
    assert target.events(now_ms=60_000)[-1] == PinReady()


def test_a_late_digit_does_not_prolong_the_whole() -> None:
    target = entry(now_ms=0)
    press(target, "1")
    assert target.events(now_ms=60_000) == [PinDigits(1), PinTimedOut()]


def test_what_there_is_to_tell_is_due_at_once() -> None:
    target = entry(now_ms=500)
    press(target, "1")
    assert target.deadline_ms() == 500


@pytest.mark.parametrize(("digits_min", "digits_max"), [(3, 12), (4, 13), (8, 6), (0, 4)])
def test_lengths_outside_the_standard_are_refused(digits_min: int, digits_max: int) -> None:
    with pytest.raises(PinFormat, match="not within 4 to 12"):
        PinRules(digits_min=digits_min, digits_max=digits_max)
