"""DUKPT as a host does it: from the base derivation key (BDK) and a serial number straight to the keys.

Written from ANSI X9.24-1:2009 annex A and X9.24-3:2017 section 6.3, on the package `cryptography`. A terminal
goes another way (it keeps future keys); the two must meet, and judge each other.
"""

from __future__ import annotations

from typing import Final

from bank.ciphers import aes_encrypt_block, des_encrypt
from bank.errors import HsmError

TDES_KSN_BYTES: Final = 10
AES_KSN_BYTES: Final = 12
_TDES_COUNTER: Final = 0x1FFFFF
_TDES_MASK: Final = bytes.fromhex("C0C0C0C000000000C0C0C0C000000000")
_TDES_VARIANT_BYTE: Final = {"pin": 7, "mac": 6, "data": 5, "mac answer": 4}  # in both halves
_AES_USAGES: Final = {"pin": 0x1000, "mac": 0x2000, "mac answer": 0x2001, "data": 0x3000}
_AES_DERIVATION: Final = 0x8000
_AES_INITIAL: Final = 0x8001
_AES_ALGORITHMS: Final = {16: 2, 24: 3, 32: 4}


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def tdes_initial_key(bdk: bytes, ksn: bytes) -> bytes:
    """The initial key of the terminal that `ksn` (10 bytes) names. Raises HsmError."""
    if len(ksn) != TDES_KSN_BYTES or len(bdk) != 16:
        raise HsmError("TDES DUKPT takes a BDK of 16 bytes and a serial number of 10")
    terminal = (int.from_bytes(ksn, "big") & ~_TDES_COUNTER).to_bytes(TDES_KSN_BYTES, "big")[:8]
    return des_encrypt(bdk, terminal) + des_encrypt(_xor(bdk, _TDES_MASK), terminal)


def _tdes_step(key: bytes, register: bytes) -> bytes:
    """The key below: its right half from the key, its left half from the masked key."""
    halves = []
    for variant in (_xor(key, _TDES_MASK), key):
        left, right = variant[:8], variant[8:]
        halves.append(_xor(des_encrypt(left, _xor(register, right)), right))
    return halves[0] + halves[1]


def tdes_key(bdk: bytes, ksn: bytes, use: str) -> bytes:
    """The key for `use` ("pin", "mac", "mac answer", "data") of the transaction `ksn`. Raises HsmError."""
    key = tdes_initial_key(bdk, ksn)
    whole = int.from_bytes(ksn[2:], "big")
    counter, register = whole & _TDES_COUNTER, whole & ~_TDES_COUNTER
    _require_counter(counter, 10)
    for place in reversed(range(21)):
        if counter & 1 << place:
            register |= 1 << place
            key = _tdes_step(key, register.to_bytes(8, "big"))
    variant = bytearray(16)
    for half in (0, 8):
        variant[half + _TDES_VARIANT_BYTE[use]] = 0xFF
    key = _xor(key, bytes(variant))
    return des_encrypt(key, key) if use == "data" else key


def aes_initial_key(bdk: bytes, key_id: bytes) -> bytes:
    """The initial key of the terminal with `key_id` (8 bytes), as long as the BDK. Raises HsmError."""
    if len(bdk) not in _AES_ALGORITHMS or len(key_id) != 8:
        raise HsmError("AES DUKPT takes a BDK of 16, 24 or 32 bytes and a key id of 8")
    return _aes_derived(bdk, _AES_INITIAL, key_id)


def aes_key(bdk: bytes, ksn: bytes, use: str) -> bytes:
    """As `tdes_key`, for AES; `ksn` has 12 bytes. The keys are as long as the BDK."""
    if len(ksn) != AES_KSN_BYTES:
        raise HsmError("AES DUKPT takes a serial number of 12 bytes")
    key, counter, reached = aes_initial_key(bdk, ksn[:8]), int.from_bytes(ksn[8:], "big"), 0
    _require_counter(counter, 16)
    for place in reversed(range(32)):
        if counter & 1 << place:
            reached |= 1 << place
            key = _aes_derived(key, _AES_DERIVATION, ksn[4:8] + reached.to_bytes(4, "big"))
    return _aes_derived(key, _AES_USAGES[use], ksn[4:])


def _aes_derived(key: bytes, usage: int, tail: bytes) -> bytes:
    """Annex B: version 1, block number, usage, algorithm, length in bits, then `tail` (8 bytes)."""
    fixed = usage.to_bytes(2, "big") + _AES_ALGORITHMS[len(key)].to_bytes(2, "big")
    fixed += (8 * len(key)).to_bytes(2, "big") + tail
    blocks = b"".join(bytes([1, number]) + fixed for number in range(1, -(-len(key) // 16) + 1))
    return aes_encrypt_block(key, blocks)[: len(key)]


def _require_counter(counter: int, ones_max: int) -> None:
    if not 1 <= counter.bit_count() <= ones_max:
        raise HsmError("no transaction has this key serial number")
