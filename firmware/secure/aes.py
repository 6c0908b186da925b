"""AES on whole blocks (FIPS 197), in the modes that key blocks, PIN blocks and DUKPT use."""

from __future__ import annotations

from firmware.secure.aes_engine import BLOCK_BYTES, KEY_LENGTHS_BYTES, AesEngine, engine
from firmware.secure.cipher_library import KeyBytes
from firmware.secure.errors import BadInput

__all__ = [
    "BLOCK_BYTES",
    "KEY_LENGTHS_BYTES",
    "decrypt",
    "decrypt_cbc",
    "decrypt_cbc_in_place",
    "encrypt",
    "encrypt_cbc",
    "encrypt_cbc_in_place",
    "encrypt_in_place",
]


def encrypt_in_place(key: KeyBytes, data: bytearray) -> None:
    """Encipher `data` (whole blocks) in ECB mode, so that no clear copy is left.

    Raises BadInput: bad_key, bad_length.
    """
    _cipher(key, data).encrypt(key, data)


def encrypt(key: KeyBytes, data: bytes) -> bytes:
    """`data` (whole blocks of 16 bytes) enciphered in ECB mode. Raises BadInput: bad_key, bad_length."""
    blocks = bytearray(data)
    _cipher(key, blocks).encrypt(key, blocks)
    return bytes(blocks)


def decrypt(key: KeyBytes, data: bytes) -> bytes:
    """`data` (whole blocks) deciphered in ECB mode. Raises BadInput: bad_key, bad_length."""
    blocks = bytearray(data)
    _cipher(key, blocks).decrypt(key, blocks)
    return bytes(blocks)


def encrypt_cbc_in_place(key: KeyBytes, data: bytearray, iv: bytes = bytes(BLOCK_BYTES)) -> None:
    """Encipher `data` (whole blocks) in CBC mode. Raises BadInput: bad_key, bad_length."""
    _cipher(key, data).encrypt_cbc(key, data, iv)


def decrypt_cbc_in_place(key: KeyBytes, data: bytearray, iv: bytes = bytes(BLOCK_BYTES)) -> None:
    """Decipher `data` (whole blocks) in CBC mode. Raises BadInput: bad_key, bad_length."""
    _cipher(key, data).decrypt_cbc(key, data, iv)


def encrypt_cbc(key: KeyBytes, data: bytes, iv: bytes = bytes(BLOCK_BYTES)) -> bytes:
    """`data` (whole blocks) enciphered in CBC mode. Raises BadInput: bad_key, bad_length."""
    blocks = bytearray(data)
    encrypt_cbc_in_place(key, blocks, iv)
    return bytes(blocks)


def decrypt_cbc(key: KeyBytes, data: bytes, iv: bytes = bytes(BLOCK_BYTES)) -> bytes:
    """`data` (whole blocks) deciphered in CBC mode. Raises BadInput: bad_key, bad_length."""
    blocks = bytearray(data)
    decrypt_cbc_in_place(key, blocks, iv)
    return bytes(blocks)


def _cipher(key: KeyBytes, data: KeyBytes = b"") -> AesEngine:
    if len(key) not in KEY_LENGTHS_BYTES:
        raise BadInput("bad_key", f"an AES key has 16, 24 or 32 bytes, this one {len(key)}")
    if len(data) % BLOCK_BYTES:
        raise BadInput("bad_length", f"AES works on blocks of {BLOCK_BYTES} bytes")
    return engine()
