"""The bundle of working keys that the bank sends at sign-in (field 62 of the 0810).

Each key is enciphered under the terminal master key (TMK), triple DES ECB, and followed by its check value.
The layouts are a table: network management code -> keys in their order and bytes. The source is the POS
message digest, section 6.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from firmware.secure.errors import KeyCheckFailed, KeyFormat
from firmware.secure.memory import wipe
from firmware.secure.tdes import CHECK_VALUE_BYTES, KeyBytes, check_value, decrypt_in_place


class KeyUse(Enum):
    """What a working key is for. A key has this one use and no other."""

    PIK = "PIK"  # PIN blocks
    MAK = "MAK"  # message authentication
    TDK = "TDK"  # track data


LAYOUTS: Mapping[str, tuple[tuple[KeyUse, int], ...]] = {
    "001": ((KeyUse.PIK, 8), (KeyUse.MAK, 8)),
    "003": ((KeyUse.PIK, 16), (KeyUse.MAK, 16)),
    "004": ((KeyUse.PIK, 16), (KeyUse.MAK, 16), (KeyUse.TDK, 16)),
}


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A working key as the bank sent it: enciphered under the TMK, 8 or 16 bytes, with its check value."""

    use: KeyUse
    cryptogram: bytes = field(repr=False)
    expected_check_value: bytes

    @contextmanager
    def unwrapped(self, tmk: KeyBytes) -> Iterator[bytearray]:
        """The key in clear for as long as the `with` lasts; wiped after it.

        Raises KeyCheckFailed when it does not fit its check value: another TMK, or damaged on its way.
        """
        key = bytearray(self.cryptogram)
        try:
            decrypt_in_place(tmk, key)
            if check_value(key) != self.expected_check_value:
                raise KeyCheckFailed(
                    self.use.value, f"{self.use.value}: key and check value do not fit: sign in again"
                )
            yield key
        finally:
            wipe(key)

    def require_check_value(self, tmk: KeyBytes) -> None:
        """Raise KeyCheckFailed unless the key fits its check value."""
        with self.unwrapped(tmk):
            pass


def parse_bundle(bundle: bytes, layout: str) -> dict[KeyUse, WrappedKey]:
    """Cut `bundle` into its keys. `layout`: "001", "003" or "004", the code of the sign-in (field 60.3).

    Raises KeyFormat: an unknown layout, or a bundle of another length than the layout's.
    """
    if layout not in LAYOUTS:
        raise KeyFormat(f"unknown key layout {layout[:8]!r}: known are {', '.join(LAYOUTS)}")
    parts = LAYOUTS[layout]
    expected_bytes = sum(key_bytes + CHECK_VALUE_BYTES for _, key_bytes in parts)
    if len(bundle) != expected_bytes:
        raise KeyFormat(f"key layout {layout} has {expected_bytes} bytes, field 62 has {len(bundle)}")
    keys = {}
    at = 0
    for use, key_bytes in parts:
        cryptogram = bundle[at : at + key_bytes]
        at += key_bytes + CHECK_VALUE_BYTES
        keys[use] = WrappedKey(use, _without_empty_half(use, cryptogram), bundle[at - CHECK_VALUE_BYTES : at])
    return keys


def _without_empty_half(use: KeyUse, cryptogram: bytes) -> bytes:
    # The MAK is a single-length key even in the double-length layouts: its right half is sent as zeros, and
    # the check value belongs to the 8-byte key. A bank that does use 16 bytes fills the right half.
    if use is KeyUse.MAK and not any(cryptogram[8:]):
        return cryptogram[:8]
    return cryptogram
