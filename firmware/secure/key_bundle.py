"""The bundle of working keys that the bank sends at sign-in (field 62 of the 0810).

Each key is enciphered under the terminal master key (TMK) in ECB mode and followed by its check value. The
layouts are a table: network management code -> keys in their order and bytes. The source is the POS message
digest, sections 6.2 and 6.7.

The lengths 56 and 84, which one published terminal also accepts, are not explained there; they are what
triple-length keys come to (24 + 4 for each), and are read so.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from firmware.secure import sm4
from firmware.secure.errors import KeyCheckFailed, KeyFormat
from firmware.secure.key_use import KeyUse
from firmware.secure.memory import SecretBytes, wipe
from firmware.secure.tdes import CHECK_VALUE_BYTES, KeyBytes, check_value, decrypt_in_place

__all__ = ["LAYOUTS", "KeyUse", "WrappedKey", "parse_bundle"]

LAYOUTS: Mapping[str, tuple[tuple[KeyUse, int], ...]] = {
    "001": ((KeyUse.PIK, 8), (KeyUse.MAK, 8)),
    "003": ((KeyUse.PIK, 16), (KeyUse.MAK, 16)),
    "004": ((KeyUse.PIK, 16), (KeyUse.MAK, 16), (KeyUse.TDK, 16)),
    "005": ((KeyUse.PIK, 16), (KeyUse.MAK, 16), (KeyUse.TDK, 16)),
    "056": ((KeyUse.PIK, 24), (KeyUse.MAK, 24)),
    "084": ((KeyUse.PIK, 24), (KeyUse.MAK, 24), (KeyUse.TDK, 24)),
}
SM4_LAYOUT = "005"

_VARIANTS: Mapping[tuple[str, int], str] = {("003", 56): "056", ("004", 84): "084"}
"""Answers to a sign-in that have another length than was asked for, and the layout that they are then."""


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A working key as the bank sent it: enciphered under the TMK, 8 to 24 bytes, with its check value."""

    use: KeyUse
    cryptogram: bytes = field(repr=False)
    expected_check_value: bytes
    is_sm4: bool = False

    @contextmanager
    def unwrapped(self, tmk: KeyBytes) -> Iterator[bytearray]:
        """The key in clear for as long as the `with` lasts; wiped after it.

        Raises KeyCheckFailed when it does not fit its check value: another TMK, or damaged on its way.
        """
        key = SecretBytes(self.cryptogram)
        try:
            (sm4.decrypt_in_place if self.is_sm4 else decrypt_in_place)(tmk, key)
            calculated = (sm4.check_value if self.is_sm4 else check_value)(key)
            if not hmac.compare_digest(calculated, self.expected_check_value):
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
    """Cut `bundle` into its keys. `layout`: the code of the sign-in (field 60.3), see `LAYOUTS`.

    Raises KeyFormat: an unknown layout, or a bundle of another length than the layout's.
    """
    if layout not in LAYOUTS:
        raise KeyFormat(f"unknown key layout {layout[:8]!r}: known are {', '.join(LAYOUTS)}")
    parts = LAYOUTS[_VARIANTS.get((layout, len(bundle)), layout)]
    expected_bytes = sum(key_bytes + CHECK_VALUE_BYTES for _, key_bytes in parts)
    if len(bundle) != expected_bytes:
        raise KeyFormat(f"key layout {layout} has {expected_bytes} bytes, field 62 has {len(bundle)}")
    keys = {}
    at = 0
    for use, key_bytes in parts:
        cryptogram = bundle[at : at + key_bytes]
        at += key_bytes + CHECK_VALUE_BYTES
        if layout != SM4_LAYOUT:
            cryptogram = _without_empty_part(use, cryptogram)
        expected = bundle[at - CHECK_VALUE_BYTES : at]
        keys[use] = WrappedKey(use, cryptogram, expected, layout == SM4_LAYOUT)
    return keys


def _without_empty_part(use: KeyUse, cryptogram: bytes) -> bytes:
    # The MAK is a single-length key even in the double-length layouts: its right half is sent as zeros, and
    # the check value belongs to the 8-byte key. A bank that does use more bytes fills them.
    for key_bytes in (8, 16):
        if use is KeyUse.MAK and not any(cryptogram[key_bytes:]):
            return cryptogram[:key_bytes]
    return cryptogram
