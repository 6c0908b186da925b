"""A secure module over virtual devices, and the keys of the worked examples."""

from dataclasses import dataclass

import pytest

from firmware.secure.module import SecureModule
from firmware.secure.pin_entry import PinEvent
from hal.api import Key
from hal.virtual.clock import VirtualClock
from hal.virtual.keypad import VirtualKeypad
from hal.virtual.rng import SeededRng
from hal.virtual.storage import MemoryStorage
from hal.virtual.tamper import VirtualTamper

# The worked example of the POS message digest, section 6.2.
TMK = bytes.fromhex("11223344556677888877665544332211")
TMK_CHECK_VALUE = bytes.fromhex("491510CA")
BUNDLE_003 = bytes.fromhex(
    "F9C2452F0F4EFC0908E97821E0A7BCC1 08D7B4FB 45F890CD51133A56 0000000000000000 5FFE0009"
)


@dataclass
class Bench:
    """The module with everything around it. Its time is the clock's."""

    clock: VirtualClock
    keypad: VirtualKeypad
    storage: MemoryStorage
    tamper: VirtualTamper
    rng: SeededRng
    module: SecureModule

    def restart(self) -> None:
        """Cut the power: memory is lost, storage and device key stay."""
        self.keypad.close()
        self.keypad.open()
        self.module = SecureModule(self.storage, self.tamper, self.rng)

    def sign_in(self) -> None:
        self.module.load_tmk(1, TMK, TMK_CHECK_VALUE)
        self.module.accept_working_keys(BUNDLE_003, "003")

    def press(self, *keys: Key | str) -> list[PinEvent]:
        """Press keys and let the terminal poll and ask."""
        self.keypad.press(*keys)
        assert list(self.keypad.poll()) == []
        return self.module.pin_events(now_ms=self.clock.monotonic_ms())

    def wait(self, duration_ms: int) -> list[PinEvent]:
        self.clock.advance(duration_ms)
        return self.module.pin_events(now_ms=self.clock.monotonic_ms())


@pytest.fixture
def bench() -> Bench:
    clock = VirtualClock()
    rng = SeededRng(seed=4)
    storage = MemoryStorage()
    tamper = VirtualTamper(rng)
    keypad = VirtualKeypad(clock)
    for device in (clock, rng, storage, tamper, keypad):
        device.open()
    return Bench(clock, keypad, storage, tamper, rng, SecureModule(storage, tamper, rng))
