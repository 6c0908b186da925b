"""SM4 (GB/T 32907-2016): blocks, modes, MACs and check value.

The terminal has no SM4 of its own: the cipher is that of the package `cryptography`, which the firmware
does not import.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4

from firmware.secure.errors import BadInput
from firmware.secure.mac import Padding, pad
from tools.calc.algorithms.checks import require_bytes, require_key

_Mode = modes.ECB | modes.CBC | modes.CTR

BLOCK_BYTES = 16
ROUNDS_MAX = 1_000_000
"""How often the standard's second example enciphers its block."""


def encrypt_block(key: bytes, block: bytes, rounds: int = 1) -> bytes:
    """One block, enciphered `rounds` times. Raises BadInput: bad_key, bad_length."""
    require_bytes("a block of SM4", block, BLOCK_BYTES)
    if not 1 <= rounds <= ROUNDS_MAX:
        raise BadInput("bad_length", f"a block is enciphered 1 to {ROUNDS_MAX} times")
    encryptor = _encryptor(key, modes.ECB())  # noqa: S305 - the mode that was asked for
    for _ in range(rounds):
        block = encryptor.update(block)
    return block


def encrypt_ecb(key: bytes, plaintext: bytes) -> bytes:
    """Whole blocks, each for itself. Raises BadInput: bad_key, bad_length."""
    _require_whole_blocks(plaintext)
    return _encryptor(key, modes.ECB()).update(plaintext)  # noqa: S305 - the mode that was asked for


def decrypt_ecb(key: bytes, ciphertext: bytes) -> bytes:
    """The inverse of `encrypt_ecb`."""
    _require_whole_blocks(ciphertext)
    return _decryptor(key, modes.ECB()).update(ciphertext)  # noqa: S305 - the mode that was asked for


def encrypt_cbc(key: bytes, plaintext: bytes, iv: bytes = bytes(BLOCK_BYTES)) -> bytes:
    """Whole blocks, chained. Raises BadInput: bad_key, bad_length."""
    _require_whole_blocks(plaintext)
    require_bytes("the start value", iv, BLOCK_BYTES)
    return _encryptor(key, modes.CBC(iv)).update(plaintext)


def decrypt_cbc(key: bytes, ciphertext: bytes, iv: bytes = bytes(BLOCK_BYTES)) -> bytes:
    """The inverse of `encrypt_cbc`."""
    _require_whole_blocks(ciphertext)
    require_bytes("the start value", iv, BLOCK_BYTES)
    return _decryptor(key, modes.CBC(iv)).update(ciphertext)


def crypt_ctr(key: bytes, data: bytes, iv: bytes) -> bytes:
    """`data` of any length in counter mode, either way. Raises BadInput: bad_key, bad_length."""
    require_bytes("the first counter", iv, BLOCK_BYTES)
    return _encryptor(key, modes.CTR(iv)).update(data)


def cbc_mac(key: bytes, data: bytes, padding: Padding = "iso9797-1") -> bytes:
    """ISO/IEC 9797-1 algorithm 1 on SM4, 16 bytes. Raises BadInput: bad_key, bad_length, bad_format."""
    return encrypt_cbc(key, pad(data, padding, BLOCK_BYTES))[-BLOCK_BYTES:]


def unionpay_mac(key: bytes, mab: bytes) -> bytes:
    """UnionPay's MAC in its 16-byte form: the whole last block; field 64 takes 8 bytes of it.

    As the 8-byte form (`firmware.secure.mac`), with blocks of 16 bytes and SM4. Raises BadInput (bad_key).
    """
    text = fold(mab).hex().upper().encode("ascii")
    first = int.from_bytes(encrypt_block(key, text[:BLOCK_BYTES]), "big")
    second = first ^ int.from_bytes(text[BLOCK_BYTES:], "big")
    return encrypt_block(key, second.to_bytes(BLOCK_BYTES, "big"))


def fold(data: bytes) -> bytes:
    """All 16-byte blocks of `data`, the last one filled with zeros, combined by XOR."""
    folded = 0
    for at in range(0, len(data), BLOCK_BYTES):
        folded ^= int.from_bytes(data[at : at + BLOCK_BYTES].ljust(BLOCK_BYTES, b"\0"), "big")
    return folded.to_bytes(BLOCK_BYTES, "big")


def check_value(key: bytes) -> bytes:
    """A block of zeros enciphered, of which the leading bytes are shown. Raises BadInput (bad_key)."""
    return encrypt_block(key, bytes(BLOCK_BYTES))


def _encryptor(key: bytes, mode: _Mode) -> CipherContext:
    require_key("an SM4 key", key, BLOCK_BYTES)
    return Cipher(SM4(key), mode).encryptor()


def _decryptor(key: bytes, mode: _Mode) -> CipherContext:
    require_key("an SM4 key", key, BLOCK_BYTES)
    return Cipher(SM4(key), mode).decryptor()


def _require_whole_blocks(data: bytes) -> None:
    if len(data) % BLOCK_BYTES:
        raise BadInput("bad_length", f"SM4 works on blocks of {BLOCK_BYTES} bytes in this mode")
