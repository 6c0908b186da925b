"""The device's side of DUKPT: future keys only, so that a stolen device tells nothing about the past.

The plan of this file (ANSI X9.24-1 annex A.2, and X9.24-3 clause 6.5, which do the same with other ciphers).
The initial key is turned into one key for every bit of the counter and forgotten. Each transaction takes the
key of its counter's lowest one bit, makes the keys below that one, and is wiped when the next one comes. So
there is a register for every bit, a transaction costs one step of derivation on average instead of ten, and
no key in memory leads back to one that was used.

Which scheme it is, the functions of its module say: `firmware.secure.dukpt_tdes` or `dukpt_aes`.
"""

from __future__ import annotations

from typing import Protocol

from firmware.secure.dukpt_counter import next_counter
from firmware.secure.memory import wipe
from firmware.secure.tdes import KeyBytes


class Scheme(Protocol):
    """What the two modules have in common."""

    COUNTER_BITS: int
    COUNTER_ONES_MAX: int

    def child_key(self, key: KeyBytes, ksn: bytes, counter: int) -> bytearray:
        """One step down."""
        ...


class FutureKeys:
    """The keys of the transactions to come.

    `registers`: bit of the counter to key; they and `counter` are what a key store keeps (sealed), and hands
    to `restore` after a restart. Not to be copied: the owner of a copy could go back.
    """

    def __init__(self, scheme: Scheme, initial: bytearray, ksn: bytes) -> None:
        """Take the initial key, which is wiped. `ksn`: the device's; its counter does not matter."""
        self.counter = 0
        self.registers: dict[int, bytearray] = {}
        self._scheme = scheme
        self._ksn = ksn
        self._current: bytearray | None = None
        self._fill_below(initial, scheme.COUNTER_BITS)
        wipe(initial)

    @classmethod
    def restore(cls, scheme: Scheme, ksn: bytes, counter: int, registers: dict[int, bytearray]) -> FutureKeys:
        """Go on where a key store left off: the next transaction is the one behind `counter`."""
        device = cls.__new__(cls)
        device._scheme, device._ksn, device._current = scheme, ksn, None  # noqa: SLF001 - its own
        device.counter, device.registers = counter, registers
        return device

    def next_transaction(self) -> tuple[bytes, bytearray]:
        """The next transaction's key serial number and key; the key before it is wiped.

        The key stays valid until the next call, and is wiped then: do not keep it. Raises BadInput
        (exhausted): the device has no key left, and the last one is wiped.
        """
        if self._current is not None:
            wipe(self._current)
            self._current = None
        self.counter = next_counter(
            self.counter, counter_bits=self._scheme.COUNTER_BITS, ones_max=self._scheme.COUNTER_ONES_MAX
        )
        place = (self.counter & -self.counter).bit_length() - 1
        key = self.registers.pop(place)
        self._fill_below(key, place)
        self._current = key
        return self._serial_number(), key

    def wipe(self) -> None:
        """Wipe every key: the device is at its end, or was tampered with."""
        for key in self.registers.values():
            wipe(key)
        self.registers.clear()
        if self._current is not None:
            wipe(self._current)
            self._current = None

    def _fill_below(self, key: KeyBytes, place: int) -> None:
        """Make the keys whose counter has one more bit below `place`, where the scheme allows one more."""
        if self.counter.bit_count() < self._scheme.COUNTER_ONES_MAX:
            for lower in range(place):
                self.registers[lower] = self._scheme.child_key(key, self._ksn, self.counter | 1 << lower)

    def _serial_number(self) -> bytes:
        bits = self._scheme.COUNTER_BITS
        whole = int.from_bytes(self._ksn, "big") >> bits << bits | self.counter
        return whole.to_bytes(len(self._ksn), "big")
