"""Message authentication codes: UnionPay's own, and those of ANSI X9 and ISO/IEC 9797-1 and CMAC.

UnionPay's "ECB algorithm" (POS message digest, section 6.3): the message is folded by XOR to one block X; X
is written as sixteen upper-case hexadecimal characters, halves L and R; A = E(L), C = E(A xor R); field 64 is
the first eight hexadecimal characters of C, as ASCII. E is DES for a key of 8 bytes, triple DES for 16.

The others chain blocks (CBC) after padding the message to whole ones. Sources: ANSI X9.9 (DES), ANSI X9.19
and ISO/IEC 9797-1 algorithm 3 (the "retail MAC"), NIST SP 800-38B (CMAC).
"""

from __future__ import annotations

import functools
from binascii import hexlify
from collections.abc import Callable, Sequence
from typing import Literal, get_args

from firmware.secure import aes, tdes
from firmware.secure.errors import BadInput
from firmware.secure.memory import SecretBytes
from firmware.secure.tdes import BLOCK_BYTES, KeyBytes

MAC_BYTES = 8

Padding = Literal["none", "iso9797-1", "iso9797-2", "iso9797-3"]
_PADDINGS = get_args(Padding)


def unionpay_ecb_mac(key: KeyBytes, mab: bytes) -> bytes:
    """Field 64 of a message: 8 ASCII bytes.

    `mab`: the message from its MTI to the field before 64, as on the wire, with bit 64 set in the bitmap; any
    length, zeros are appended to whole blocks. Raises KeyFormat.
    """
    # C is the second block of L and R enciphered in CBC mode.
    text = hexlify(fold(mab)).upper()
    return hexlify(tdes.encrypt_cbc(key, text)[BLOCK_BYTES:]).upper()[:MAC_BYTES]


def fold(data: bytes) -> bytes:
    """All 8-byte blocks of `data`, the last one filled with zeros, combined by XOR: X of UnionPay's MAC."""
    blocks = -(-len(data) // BLOCK_BYTES)
    # Halves are folded onto each other: a few steps over long integers are faster than one for each block.
    block_count = 1 << (blocks - 1).bit_length() if blocks else 1
    folded = int.from_bytes(data.ljust(block_count * BLOCK_BYTES, b"\0"), "big")
    half_bits = block_count * BLOCK_BYTES * 4
    while half_bits >= 8 * BLOCK_BYTES:
        folded = (folded >> half_bits) ^ (folded & ((1 << half_bits) - 1))
        half_bits //= 2
    return folded.to_bytes(BLOCK_BYTES, "big")


# --- padding (ISO/IEC 9797-1, 6.3) -------------------------------------------------------------------


def pad(data: bytes, padding: Padding, block_bytes: int = BLOCK_BYTES) -> bytes:
    """Fill `data` to whole blocks.

    Method 1: zeros where needed, one block for no data; method 2: 80, then zeros, always; method 3: method 1
    behind a block that holds the length in bits; none: it has to be whole blocks already, at least one.
    Raises BadInput: bad_length for those that are not, bad_format for an unknown method.
    """
    if padding not in _PADDINGS:
        raise BadInput("bad_format", f"the padding methods are {', '.join(_PADDINGS)}")
    if padding == "none" and (not data or len(data) % block_bytes):
        raise BadInput("bad_length", f"without padding there have to be whole blocks of {block_bytes} bytes")
    if padding == "iso9797-2":
        data += b"\x80"
    zeros = bytes(-len(data) % block_bytes if data else block_bytes)
    if padding == "iso9797-3":
        return (8 * len(data)).to_bytes(block_bytes, "big") + data + zeros
    return data + zeros


# --- codes by chaining -------------------------------------------------------------------------------


def cbc_mac(key: KeyBytes, data: bytes, padding: Padding = "iso9797-1") -> bytes:
    """ISO/IEC 9797-1 algorithm 1, 8 bytes: DES for a key of 8 bytes (ANSI X9.9), else triple DES.

    Raises KeyFormat, BadInput (see `pad`).
    """
    return tdes.encrypt_cbc(key, pad(data, padding))[-BLOCK_BYTES:]


def retail_mac(key: KeyBytes, data: bytes, padding: Padding = "iso9797-1") -> bytes:
    """ISO/IEC 9797-1 algorithm 3, ANSI X9.19, 8 bytes: DES chaining, triple DES for the last block only.

    `key`: 16 bytes, left half for the chain; 24 for three different keys. Raises BadInput: bad_key, and as
    `pad` does.
    """
    if len(key) not in {16, 24}:
        raise BadInput("bad_key", f"a retail MAC takes a key of 16 or 24 bytes, this one has {len(key)}")
    padded = pad(data, padding)
    chained = tdes.encrypt_cbc(memoryview(key)[:BLOCK_BYTES], padded[:-BLOCK_BYTES])[-BLOCK_BYTES:]
    # The chain's own step for the last block is the first of the three that triple DES is made of.
    last = int.from_bytes(padded[-BLOCK_BYTES:], "big") ^ int.from_bytes(chained, "big")
    return tdes.encrypt(key, last.to_bytes(BLOCK_BYTES, "big"))


def tdes_cmac(key: KeyBytes, *data: KeyBytes) -> bytes:
    """CMAC on triple DES (on DES for a key of 8 bytes) over `data` joined, 8 bytes. Raises KeyFormat."""
    return _cmac(functools.partial(tdes.encrypt_cbc_in_place, key), data, BLOCK_BYTES)


def aes_cmac(key: KeyBytes, *data: KeyBytes) -> bytes:
    """CMAC on AES over `data` joined, 16 bytes. Raises BadInput (bad_key)."""
    return _cmac(functools.partial(aes.encrypt_cbc_in_place, key), data, aes.BLOCK_BYTES)


_CMAC_POLYNOMIALS = {8: 0x1B, 16: 0x87}


def _cmac(encrypt_cbc: Callable[[bytearray], None], data: Sequence[KeyBytes], block_bytes: int) -> bytes:
    """CMAC on any block cipher. `encrypt_cbc`: CBC with a zero start value over whole blocks, in place.

    The data may hold a key, as in a key block: it is put together in one buffer, enciphered in place.
    """
    length = sum(map(len, data))
    is_whole = length > 0 and length % block_bytes == 0
    message = SecretBytes(length if is_whole else length // block_bytes * block_bytes + block_bytes)
    at = 0
    for part in data:
        message[at : at + len(part)] = part
        at += len(part)
    if not is_whole:
        message[at] = 0x80
    subkey = bytearray(block_bytes)
    encrypt_cbc(subkey)
    last = memoryview(message)[-block_bytes:]
    for place, byte in enumerate(_doubled(subkey, 1 if is_whole else 2)):
        last[place] ^= byte
    encrypt_cbc(message)
    return bytes(last)


def _doubled(subkey: bytearray, times: int) -> bytes:
    """`subkey` multiplied by x in the field of its size, once or twice (NIST SP 800-38B, 6.1)."""
    bits, value = 8 * len(subkey), int.from_bytes(subkey, "big")
    for _ in range(times):
        value <<= 1
        if value >> bits:
            value = (value ^ _CMAC_POLYNOMIALS[len(subkey)]) & ((1 << bits) - 1)
    return value.to_bytes(len(subkey), "big")
