"""AES on whole blocks (FIPS 197), in the modes that key blocks, PIN blocks and DUKPT use."""

from __future__ import annotations

from firmware.secure.errors import BadInput
from firmware.secure.tdes import KeyBytes

BLOCK_BYTES = 16
KEY_LENGTHS_BYTES = (16, 24, 32)


def encrypt(key: KeyBytes, data: bytes) -> bytes:
    """`data` (whole blocks of 16 bytes) enciphered in ECB mode. Raises BadInput: bad_key, bad_length."""
    from Crypto.Cipher import AES

    _require(key, data)
    return AES.new(key, AES.MODE_ECB).encrypt(data)


def encrypt_in_place(key: KeyBytes, data: bytearray) -> None:
    """Encipher `data` (whole blocks) in ECB mode, so that no clear copy is left. Raises as `encrypt`."""
    from Crypto.Cipher import AES

    _require(key, data)
    AES.new(key, AES.MODE_ECB).encrypt(data, output=data)


def decrypt(key: KeyBytes, data: bytes) -> bytes:
    """`data` (whole blocks) deciphered in ECB mode. Raises BadInput: bad_key, bad_length."""
    from Crypto.Cipher import AES

    _require(key, data)
    return AES.new(key, AES.MODE_ECB).decrypt(data)


def encrypt_cbc(key: KeyBytes, data: bytes, iv: bytes = bytes(BLOCK_BYTES)) -> bytes:
    """`data` (whole blocks) enciphered in CBC mode. Raises BadInput: bad_key, bad_length."""
    from Crypto.Cipher import AES

    _require(key, data)
    return AES.new(key, AES.MODE_CBC, iv).encrypt(data)


def decrypt_cbc(key: KeyBytes, data: bytes, iv: bytes = bytes(BLOCK_BYTES)) -> bytes:
    """`data` (whole blocks) deciphered in CBC mode. Raises BadInput: bad_key, bad_length."""
    from Crypto.Cipher import AES

    _require(key, data)
    return AES.new(key, AES.MODE_CBC, iv).decrypt(data)


def _require(key: KeyBytes, data: KeyBytes) -> None:
    if len(key) not in KEY_LENGTHS_BYTES:
        raise BadInput("bad_key", f"an AES key has 16, 24 or 32 bytes, this one {len(key)}")
    if len(data) % BLOCK_BYTES:
        raise BadInput("bad_length", f"AES works on blocks of {BLOCK_BYTES} bytes")
