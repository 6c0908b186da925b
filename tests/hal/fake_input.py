"""An input device of Linux without Linux's: events are handed to the driver as evdev hands them over."""

import errno
import os
from collections import deque
from collections.abc import Iterable

import pytest

evdev = pytest.importorskip("evdev", reason="evdev is not installed: pip install 'posterm[pi]'")
ecodes = evdev.ecodes


class FakeDevice:
    """What a driver needs of evdev.InputDevice."""

    def __init__(self, fake: "FakeInput") -> None:
        self._fake = fake
        self.fd = os.open(os.devnull, os.O_RDONLY)

    def read_one(self) -> object:
        if not self._fake.is_plugged:
            raise OSError(errno.ENODEV, "No such device")
        return self._fake.events.popleft() if self._fake.events else None

    def ungrab(self) -> None:
        if not self._fake.is_plugged:
            raise OSError(errno.ENODEV, "No such device")

    def close(self) -> None:
        os.close(self.fd)


class FakeInput:
    """The fingers' side; `grabbed` gives the driver's."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.is_plugged = True
        self.events: deque[object] = deque()

    def grabbed(self, name: str) -> FakeDevice:
        """Stands in for hal.pi.input_devices._grabbed."""
        from hal.api import DeviceMissing

        if not self.is_plugged:
            raise DeviceMissing(f"input device {name}: it is not there: plug it in")
        return FakeDevice(self)

    def send(self, code: int, value: int) -> None:
        microseconds = round(self.seconds * 1_000_000)
        for kind, number, state in ((ecodes.EV_KEY, code, value), (ecodes.EV_SYN, 0, 0)):
            moment = microseconds // 1_000_000, microseconds % 1_000_000
            self.events.append(evdev.InputEvent(*moment, kind, number, state))

    def strike(self, *names: str) -> None:
        """Press and release keys, 50 ms apart, by their names in ecodes without KEY_."""
        for name in names:
            code = ecodes.ecodes[f"KEY_{name}"]
            self.send(code, 1)
            self.seconds += 0.025
            self.send(code, 0)
            self.seconds += 0.025

    def type_text(self, text: str) -> None:
        """Type characters as a keyboard of the U.S. layout does."""
        for character in text:
            name, shifted = KEYS_OF_CHARACTERS[character]
            if shifted:
                self.send(ecodes.KEY_LEFTSHIFT, 1)
            self.strike(name)
            if shifted:
                self.send(ecodes.KEY_LEFTSHIFT, 0)

    def unplug(self) -> None:
        self.is_plugged = False
        self.events.clear()

    def plug(self) -> None:
        self.is_plugged = True


def _keys(names: Iterable[str], plain: str, shifted: str) -> dict[str, tuple[str, bool]]:
    pairs = {}
    for name, low, high in zip(names, plain, shifted, strict=True):
        pairs[low], pairs[high] = (name, False), (name, True)
    return pairs


# Written down from the picture of a U.S. keyboard, not from the driver.
KEYS_OF_CHARACTERS = {
    **_keys("1234567890", "1234567890", "!@#$%^&*()"),
    **_keys("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    **_keys(["MINUS", "EQUAL", "SEMICOLON", "SLASH", "DOT", "COMMA"], "-=;/.,", "_+:?><"),
    " ": ("SPACE", False),
    "\r": ("ENTER", False),
}
