"""SM4 (GB/T 32907-2016) as UnionPay's POS messages use it: blocks, check value, MAC, PIN block.

Source: POS message digest, section 6.7, whose details are second-hand. The cipher is that of the package
`cryptography`, which is imported here and nowhere else in the firmware: the terminal's own library has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware.secure.errors import BadInput
from firmware.secure.memory import xor_in_place
from firmware.secure.tdes import KeyBytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import ECB

BLOCK_BYTES = 16
CHECK_VALUE_BYTES = 4
MAC_BYTES = 8


def encrypt_in_place(key: KeyBytes, data: bytearray) -> None:
    """Encipher `data` (whole blocks of 16 bytes) in ECB mode. Raises BadInput: bad_key, bad_length."""
    data[:] = _cipher(key, data).encryptor().update(data)


def decrypt_in_place(key: KeyBytes, data: bytearray) -> None:
    """The inverse of `encrypt_in_place`, with the same errors."""
    data[:] = _cipher(key, data).decryptor().update(data)


def check_value(key: KeyBytes) -> bytes:
    """The first 4 bytes of sixteen enciphered zero bytes. Raises BadInput (bad_key)."""
    block = bytearray(BLOCK_BYTES)
    encrypt_in_place(key, block)
    return bytes(block[:CHECK_VALUE_BYTES])


def mac(key: KeyBytes, mab: bytes) -> bytes:
    """Field 64, the first 8 bytes of UnionPay's MAC with blocks of 16 bytes. Raises BadInput (bad_key)."""
    folded = 0
    for at in range(0, len(mab), BLOCK_BYTES):
        folded ^= int.from_bytes(mab[at : at + BLOCK_BYTES].ljust(BLOCK_BYTES, b"\0"), "big")
    text = f"{folded:032X}".encode("ascii")
    block = bytearray(text[:BLOCK_BYTES])
    encrypt_in_place(key, block)
    xor_in_place(block, text[BLOCK_BYTES:])
    encrypt_in_place(key, block)
    return bytes(block[:MAC_BYTES])


def _cipher(key: KeyBytes, data: bytearray) -> Cipher[ECB]:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    if len(key) != BLOCK_BYTES:
        raise BadInput("bad_key", f"an SM4 key has {BLOCK_BYTES} bytes, this one {len(key)}")
    if len(data) % BLOCK_BYTES:
        raise BadInput("bad_length", f"SM4 works on blocks of {BLOCK_BYTES} bytes")
    return Cipher(algorithms.SM4(bytes(key)), modes.ECB())  # noqa: S305 - the mode that the messages use
