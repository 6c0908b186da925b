"""DES and triple DES on whole blocks, and key check values.

A key of 16 bytes is K1, K2, K1 (NIST SP 800-67: encrypt, decrypt, encrypt); equal halves are no obstacle. ECB
works in place, so that no copy of a clear block outlives the buffer that its owner wipes.
"""

from __future__ import annotations

from firmware.secure.cipher_library import KeyBytes
from firmware.secure.des_engine import BLOCK_BYTES, DesEngine, Step, engine
from firmware.secure.errors import KeyFormat

__all__ = [
    "BLOCK_BYTES",
    "CHECK_VALUE_BYTES",
    "KEY_LENGTHS_BYTES",
    "KeyBytes",
    "Step",
    "check_value",
    "decrypt",
    "decrypt_cbc",
    "decrypt_cbc_in_place",
    "decrypt_in_place",
    "encrypt",
    "encrypt_cbc",
    "encrypt_cbc_in_place",
    "encrypt_in_place",
    "new_des_step",
]

CHECK_VALUE_BYTES = 4
KEY_LENGTHS_BYTES = (8, 16, 24)


def encrypt_in_place(key: KeyBytes, data: bytearray) -> None:
    """Encipher `data` (whole blocks) in ECB mode: DES for an 8-byte key, triple DES for 16 or 24 bytes.

    Raises KeyFormat for any other key length. Parity bits are ignored.
    """
    _cipher(key).encrypt(key, data)


def decrypt_in_place(key: KeyBytes, data: bytearray) -> None:
    """Decipher `data` (whole blocks): the inverse of `encrypt_in_place`, with the same errors."""
    _cipher(key).decrypt(key, data)


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


def encrypt_cbc_in_place(key: KeyBytes, data: bytearray, iv: bytes = bytes(BLOCK_BYTES)) -> None:
    """Encipher `data` (whole blocks) in CBC mode. Raises KeyFormat."""
    _cipher(key).encrypt_cbc(key, data, iv)


def decrypt_cbc_in_place(key: KeyBytes, data: bytearray, iv: bytes = bytes(BLOCK_BYTES)) -> None:
    """Decipher `data` (whole blocks) in CBC mode. Raises KeyFormat."""
    _cipher(key).decrypt_cbc(key, data, iv)


def encrypt_cbc(key: KeyBytes, data: bytes, iv: bytes = bytes(BLOCK_BYTES)) -> bytes:
    """`data` (whole blocks) enciphered in CBC mode. Raises KeyFormat."""
    blocks = bytearray(data)
    encrypt_cbc_in_place(key, blocks, iv)
    return bytes(blocks)


def decrypt_cbc(key: KeyBytes, data: bytes, iv: bytes = bytes(BLOCK_BYTES)) -> bytes:
    """`data` (whole blocks) deciphered in CBC mode. Raises KeyFormat."""
    blocks = bytearray(data)
    decrypt_cbc_in_place(key, blocks, iv)
    return bytes(blocks)


def new_des_step() -> Step:
    """Single DES for a derivation, which sets a key up for every block of it: see `Step`."""
    return engine().new_step()


def check_value(key: KeyBytes) -> bytes:
    """The key's check value: the first 4 bytes of eight enciphered zero bytes. Raises KeyFormat."""
    block = bytearray(BLOCK_BYTES)
    encrypt_in_place(key, block)
    return bytes(block[:CHECK_VALUE_BYTES])


def _cipher(key: KeyBytes) -> DesEngine:
    if len(key) not in KEY_LENGTHS_BYTES:
        raise KeyFormat(f"a DES key has 8, 16 or 24 bytes, this one {len(key)}")
    return engine()
