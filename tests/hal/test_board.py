"""A board asks every device that has something to tell, whatever the device is made of."""

from __future__ import annotations

from typing import Any

from hal.api import Key, KeyPressed
from hal.profile import load_profile
from hal.registry import build_board
from hal.virtual.clock import VirtualClock
from hal.virtual.keypad import VirtualKeypad


class Wrapped:
    """A layer of somebody's own around a device: its class has none of the methods."""

    def __init__(self, device: object) -> None:
        self._device = device

    def __getattr__(self, name: str) -> Any:
        return getattr(self._device, name)


def test_a_wrapped_device_is_asked_like_any_other() -> None:
    clock = VirtualClock()
    keypad = VirtualKeypad(clock)
    wrapped: Any = Wrapped(keypad)
    board = build_board(load_profile("virtual"), devices={"clock": clock, "keypad": wrapped})
    board.open()
    keypad.press(Key.DIGIT_5)
    assert KeyPressed(Key.DIGIT_5) in board.poll()


def test_a_quiet_device_that_is_given_something_to_tell_is_asked() -> None:
    clock = VirtualClock()
    board = build_board(load_profile("virtual"), devices={"clock": clock})
    clock.deadline_ms = lambda: 7  # type: ignore[method-assign]
    assert board.deadline_ms() == 7
