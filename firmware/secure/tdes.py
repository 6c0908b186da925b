"""DES and triple DES on whole blocks, and key check values.

Triple DES is put together from single DES (NIST SP 800-67: encrypt, decrypt, encrypt) because the library's
own triple DES refuses keys whose halves are equal, which acquirers do send for test terminals. Everything
works in place, so that no copy of a clear block outlives the buffer that its owner wipes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from firmware.secure.errors import KeyFormat

if TYPE_CHECKING:
    from Crypto.Cipher._mode_cbc import CbcMode
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
        others[0].decrypt(data, output=data)
        others[1].encrypt(data, output=data)


def encryptor(key: KeyBytes) -> Callable[[bytearray], None]:
    """`encrypt_in_place` with its key set up once, for callers with several blocks. Raises KeyFormat.

    The library's own triple DES does the work: three times as fast, but copies of the key stay in memory for
    as long as the function does, and after it until that memory is used again.
    """
    from Crypto.Cipher import DES

    cipher = cast("EcbMode", _cipher(key, DES.MODE_ECB))

    def encrypt(data: bytearray) -> None:
        cipher.encrypt(data, output=data)

    return encrypt


def decrypt_in_place(key: KeyBytes, data: bytearray) -> None:
    """Decipher `data` (whole blocks): the inverse of `encrypt_in_place`, with the same errors."""
    first, *others = _single_des(key)
    if others:
        second, third = others
        third.decrypt(data, output=data)
        second.encrypt(data, output=data)
    first.decrypt(data, output=data)


def encrypt(key: KeyBytes, data: bytes) -> bytes:
    """`data` (whole blocks) enciphered in ECB mode, for values that are no secret. Raises KeyFormat."""
    block = bytearray(data)
    encrypt_in_place(key, block)
    return bytes(block)


def decrypt(key: KeyBytes, data: bytes) -> bytes:
    """`data` (whole blocks) deciphered in ECB mode. Raises KeyFormat."""
    block = bytearray(data)
    decrypt_in_place(key, block)
    return bytes(block)


def encrypt_cbc(key: KeyBytes, data: bytes, iv: bytes = bytes(BLOCK_BYTES)) -> bytes:
    """`data` (whole blocks) enciphered in CBC mode. Raises KeyFormat."""
    return _cbc(key, iv).encrypt(data)


def decrypt_cbc(key: KeyBytes, data: bytes, iv: bytes = bytes(BLOCK_BYTES)) -> bytes:
    """`data` (whole blocks) deciphered in CBC mode. Raises KeyFormat."""
    return _cbc(key, iv).decrypt(data)


def check_value(key: KeyBytes) -> bytes:
    """The key's check value: the first 4 bytes of eight enciphered zero bytes. Raises KeyFormat."""
    block = bytearray(BLOCK_BYTES)
    encrypt_in_place(key, block)
    return bytes(block[:CHECK_VALUE_BYTES])


def _cbc(key: KeyBytes, iv: bytes) -> CbcMode:
    from Crypto.Cipher import DES

    return cast("CbcMode", _cipher(key, DES.MODE_CBC, iv))


def _cipher(key: KeyBytes, *mode: Any) -> object:
    """The library's cipher object. Keys whose parts are equal are no obstacle."""
    from Crypto.Cipher import DES, DES3

    _require_length(key)
    parts = [bytes(key[at : at + BLOCK_BYTES]) for at in range(0, len(key), BLOCK_BYTES)]
    first, second, third = (parts * 3)[:3] if len(parts) < 3 else parts
    # EDE with two equal neighbours is single DES under the third key, and the library wants that said.
    if _same_key(first, second):
        return DES.new(third, *mode)  # noqa: S304 - the networks' standards say DES
    if _same_key(second, third):
        return DES.new(first, *mode)  # noqa: S304 - as above
    return DES3.new(first + second + third, *mode)


def _same_key(one: bytes, other: bytes) -> bool:
    # The lowest bit of each byte is parity, which the cipher ignores.
    return all((a ^ b) & 0xFE == 0 for a, b in zip(one, other, strict=True))


def _require_length(key: KeyBytes) -> None:
    if len(key) not in KEY_LENGTHS_BYTES:
        raise KeyFormat(f"a DES key has 8, 16 or 24 bytes, this one {len(key)}")


def _single_des(key: KeyBytes) -> list[EcbMode]:
    """One DES cipher for each 8 bytes of the key; K1, K2, K1 for a key of 16 bytes."""
    from Crypto.Cipher import DES

    _require_length(key)
    view = memoryview(key)
    parts = [view[at : at + BLOCK_BYTES] for at in range(0, len(key), BLOCK_BYTES)]
    ciphers = [
        cast("EcbMode", DES.new(part, DES.MODE_ECB))  # noqa: S304 - the networks' standards say DES
        for part in parts
    ]
    return [*ciphers, ciphers[0]] if len(ciphers) == 2 else ciphers
