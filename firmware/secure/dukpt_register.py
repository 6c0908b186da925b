"""What a DUKPT terminal keeps at rest: the serial number used last, and the keys of the transactions to come.

`firmware.secure.dukpt_device` says which keys those are. Here they become one record and again a device: the
serial number, and for every key its place, its length and itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from firmware.secure import dukpt_aes, dukpt_device, dukpt_tdes
from firmware.secure.dukpt_device import FutureKeys
from firmware.secure.errors import BadInput, KeyFormat, KeysExhausted
from firmware.secure.memory import SecretBytes
from firmware.secure.scheme import KeyScheme


class _Algorithm(dukpt_device.Scheme, Protocol):
    KSN_BYTES: int


_ALGORITHMS: Mapping[KeyScheme, _Algorithm] = {
    KeyScheme.DUKPT_TDES: cast("_Algorithm", dukpt_tdes),
    KeyScheme.DUKPT_AES: cast("_Algorithm", dukpt_aes),
}
_HEAD_BYTES = 2


@dataclass
class DukptRegister:
    """The register of one terminal, in clear: wipe it after use. `ksn` is the serial number used last."""

    scheme: KeyScheme
    ksn: bytes
    device: FutureKeys

    def __repr__(self) -> str:
        return f"DukptRegister({self.scheme.value})"

    @classmethod
    def begin(cls, scheme: KeyScheme, initial_key: bytes | bytearray, ksn: bytes) -> DukptRegister:
        """The register of a device that was given its initial key, which is not kept.

        `ksn`: counting starts anew behind its device's part. Raises KeyFormat: not the scheme's size.
        """
        algorithm = _ALGORITHMS[scheme]
        if len(ksn) != algorithm.KSN_BYTES:
            raise KeyFormat(
                f"a serial number of {scheme.value} has {algorithm.KSN_BYTES} bytes, not {len(ksn)}"
            )
        bits = algorithm.COUNTER_BITS
        start = (int.from_bytes(ksn, "big") >> bits << bits).to_bytes(len(ksn), "big")
        return cls(scheme, start, FutureKeys(algorithm, SecretBytes(initial_key), start))

    @classmethod
    def decode(cls, scheme: KeyScheme, content: bytearray) -> DukptRegister:
        """The register that `encode` gave."""
        algorithm = _ALGORITHMS[scheme]
        at = algorithm.KSN_BYTES
        ksn = bytes(content[:at])
        keys: dict[int, bytearray] = {}
        view = memoryview(content)
        while at < len(content):
            place, key_bytes = view[at : at + _HEAD_BYTES]
            at += _HEAD_BYTES
            keys[place] = SecretBytes(view[at : at + key_bytes])
            at += key_bytes
        counter = int.from_bytes(ksn, "big") & ((1 << algorithm.COUNTER_BITS) - 1)
        return cls(scheme, ksn, FutureKeys.restore(algorithm, ksn, counter, keys))

    def encode(self) -> bytearray:
        """The register as bytes, to be sealed; the caller wipes them."""
        registers = sorted(self.device.registers.items())
        content = SecretBytes(len(self.ksn) + sum(_HEAD_BYTES + len(key) for _, key in registers))
        at = len(self.ksn)
        content[:at] = self.ksn
        for place, key in registers:
            content[at : at + _HEAD_BYTES] = bytes([place, len(key)])
            at += _HEAD_BYTES
            content[at : at + len(key)] = key  # in place: growing it would leave copies
            at += len(key)
        return content

    def advance(self) -> bytearray:
        """Count on, and the key of that transaction; the caller wipes it. Raises KeysExhausted."""
        try:
            self.ksn, key = self.device.next_transaction()
        except BadInput:
            raise exhausted() from None
        return SecretBytes(key)

    @property
    def is_exhausted(self) -> bool:
        """Whether `advance` would find no key."""
        return not self.device.registers

    def wipe(self) -> None:
        """Forget the keys."""
        self.device.wipe()


def exhausted() -> KeysExhausted:
    """The error of a terminal that has no key left."""
    return KeysExhausted("this terminal has used up its DUKPT keys: load a new initial key")
