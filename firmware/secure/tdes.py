"""DES and triple DES on whole blocks, and key check values.

Triple DES is put together from single DES (NIST SP 800-67: encrypt, decrypt, encrypt) because the library's
own triple DES refuses keys whose halves are equal, which acquirers do send for test terminals. Everything
works in place, so that no copy of a clear block outlives the buffer that its owner wipes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from firmware.secure.errors import KeyFormat

if TYPE_CHECKING:
    from Crypto.Cipher._mode_ecb import EcbMode

BLOCK_BYTES = 8
CHECK_VALUE_BYTES = 4
KEY_LENGTHS_BYTES = (8, 16, 24)

KeyBytes = bytes | bytearray | memoryview


def encrypt_in_place(key: KeyBytes, data: bytearray) -> None:
    """Encipher `data` (whole blocks) in ECB mode: DES for an 8-byte key, triple DES for 16 or 24 bytes.

    Raises KeyFormat for any other key length. Parity bits are ignored.
    """
    first, *others = _single_des(key)
    first.encrypt(data, output=data)
    if others:
        second, third = others
        second.decrypt(data, output=data)
        third.encrypt(data, output=data)


def decrypt_in_place(key: KeyBytes, data: bytearray) -> None:
    """Decipher `data` (whole blocks): the inverse of `encrypt_in_place`, with the same errors."""
    first, *others = _single_des(key)
    if others:
        second, third = others
        third.decrypt(data, output=data)
        second.encrypt(data, output=data)
    first.decrypt(data, output=data)


def check_value(key: KeyBytes) -> bytes:
    """The key's check value: the first 4 bytes of eight enciphered zero bytes. Raises KeyFormat."""
    block = bytearray(BLOCK_BYTES)
    encrypt_in_place(key, block)
    return bytes(block[:CHECK_VALUE_BYTES])


def _single_des(key: KeyBytes) -> list[EcbMode]:
    """One DES cipher for each 8 bytes of the key; K1, K2, K1 for a key of 16 bytes."""
    from Crypto.Cipher import DES

    if len(key) not in KEY_LENGTHS_BYTES:
        raise KeyFormat(f"a DES key has 8, 16 or 24 bytes, this one {len(key)}")
    view = memoryview(key)
    parts = [view[at : at + BLOCK_BYTES] for at in range(0, len(key), BLOCK_BYTES)]
    ciphers = [
        cast("EcbMode", DES.new(part, DES.MODE_ECB))  # noqa: S304 - the networks' standards say DES
        for part in parts
    ]
    return [*ciphers, ciphers[0]] if len(ciphers) == 2 else ciphers
