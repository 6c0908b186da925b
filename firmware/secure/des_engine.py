"""DES and triple DES by the C functions of the cipher library, called without its Python objects.

Setting a key up takes the library's objects several times as long as the cipher itself, and a payment sets
up a new key for nearly every block: DUKPT up to twenty of them. The functions here call the same C functions
through the library's own bindings, set up and free in one place, and take keys with equal halves, which the
library's triple DES refuses and acquirers do send for test terminals.

The bindings are not part of the library's interface. So they are tried once, against known answers; where
they are not as expected, `public_engine` does the same work through the interface.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from Crypto.Cipher._mode_ecb import EcbMode

BLOCK_BYTES = 8
_PART_OF_A_BLOCK = "DES works on whole blocks of 8 bytes"
KeyBytes = bytes | bytearray | memoryview

EcbWork = Callable[[KeyBytes, bytearray], None]
"""Works on whole blocks in place, under a key of 8, 16 or 24 bytes. Raises ValueError for part of a block."""
CbcWork = Callable[[KeyBytes, bytearray, bytes], None]
"""The same in CBC mode, from a start value of 8 bytes."""


@dataclass(frozen=True, slots=True)
class Engine:
    """DES for a key of 8 bytes, triple DES for 16 (K1, K2, K1) and 24."""

    encrypt: EcbWork
    decrypt: EcbWork
    encrypt_cbc: CbcWork
    decrypt_cbc: CbcWork


@functools.cache
def engine() -> Engine:
    """The faster one of those that give right answers here."""
    try:
        direct = _direct_engine()
        return direct if is_right(direct) else public_engine()
    except (ImportError, AttributeError, TypeError):
        return public_engine()


_KNOWN = (  # key, clear, enciphered: FIPS 81 ("Now is t"), and a zero block under a key of two halves
    ("0123456789ABCDEF", "4E6F772069732074", "3FA40E8A984D4815"),
    ("0123456789ABCDEFFEDCBA9876543210", "0000000000000000", "08D7B4FB629D0885"),
)


def is_right(candidate: Engine) -> bool:
    """Whether it gives the known answers, and takes them back."""
    return all(
        _answers(candidate, bytes.fromhex(key), clear) == [enciphered, enciphered, clear, clear]
        for key, clear, enciphered in _KNOWN
    )


def _answers(candidate: Engine, key: bytes, clear: str) -> list[str]:
    block, chained = bytearray.fromhex(clear), bytearray.fromhex(clear)
    candidate.encrypt(key, block)
    candidate.encrypt_cbc(key, chained, bytes(BLOCK_BYTES))
    answers = [block.hex().upper(), chained.hex().upper()]
    candidate.decrypt(key, block)
    candidate.decrypt_cbc(key, chained, bytes(BLOCK_BYTES))
    return [*answers, block.hex().upper(), chained.hex().upper()]


# --- the C functions themselves ----------------------------------------------------------------------


class _Bindings:
    """The library's C functions, and what their arguments are made with (cffi)."""

    def __init__(self) -> None:
        from Crypto.Cipher import DES, DES3, _mode_cbc, _mode_ecb
        from Crypto.Util import _raw_api

        des: Any = DES._raw_des_lib  # noqa: SLF001 - see the head of this file
        tdes: Any = DES3._raw_des3_lib  # noqa: SLF001 - as above
        ffi: Any = _raw_api.ffi
        start, start_tdes = des.DES_start_operation, tdes.DES3_start_operation
        self.start = {8: start, 16: start_tdes, 24: start_tdes}
        self.ecb: Any = _mode_ecb.raw_ecb_lib
        self.cbc: Any = _mode_cbc.raw_cbc_lib
        # Where a function leaves the address of what it allocated. One for each call: other threads may run
        # while it is written to.
        self.cell = functools.partial(ffi.new, ffi.typeof("void *[1]"))
        self.buffer = functools.partial(ffi.from_buffer, ffi.typeof("uint8_t[]"))


def _direct_engine() -> Engine:
    bindings = _Bindings()
    ecb, cbc = bindings.ecb, bindings.cbc
    return Engine(
        _direct_ecb(bindings, ecb.ECB_encrypt),
        _direct_ecb(bindings, ecb.ECB_decrypt),
        _direct_cbc(bindings, cbc.CBC_encrypt),
        _direct_cbc(bindings, cbc.CBC_decrypt),
    )


def _direct_ecb(bindings: _Bindings, crypt: Any) -> EcbWork:
    start, new_cell, buffer_of = bindings.start, bindings.cell, bindings.buffer
    start_mode, stop = bindings.ecb.ECB_start_operation, bindings.ecb.ECB_stop_operation

    def work(key: KeyBytes, data: bytearray) -> None:
        cell, size, buffer = new_cell(), len(key), buffer_of(data)
        held_key = key if isinstance(key, bytes) else buffer_of(key)
        if start[size](held_key, size, cell) or start_mode(cell[0], cell):
            raise MemoryError
        state = cell[0]
        code = crypt(state, buffer, buffer, len(data))
        stop(state)
        if code:
            raise ValueError(_PART_OF_A_BLOCK)

    return work


def _direct_cbc(bindings: _Bindings, crypt: Any) -> CbcWork:
    start, new_cell, buffer_of = bindings.start, bindings.cell, bindings.buffer
    start_mode, stop = bindings.cbc.CBC_start_operation, bindings.cbc.CBC_stop_operation

    def work(key: KeyBytes, data: bytearray, iv: bytes) -> None:
        cell, size, buffer = new_cell(), len(key), buffer_of(data)
        held_key = key if isinstance(key, bytes) else buffer_of(key)
        if start[size](held_key, size, cell) or start_mode(cell[0], iv, len(iv), cell):
            raise MemoryError
        state = cell[0]
        code = crypt(state, buffer, buffer, len(data))
        stop(state)
        if code:
            raise ValueError(_PART_OF_A_BLOCK)

    return work


# --- through the library's interface -----------------------------------------------------------------


def public_engine() -> Engine:
    """The one that needs nothing but the interface. Chains blocks itself, and is slow at that."""
    return Engine(_encrypt, _decrypt, _encrypt_cbc, _decrypt_cbc)


def _encrypt(key: KeyBytes, data: bytearray | memoryview) -> None:
    first, *others = _single_des(key)
    first.encrypt(data, output=data)
    if others:
        others[0].decrypt(data, output=data)
        others[1].encrypt(data, output=data)


def _decrypt(key: KeyBytes, data: bytearray | memoryview) -> None:
    first, *others = _single_des(key)
    if others:
        others[1].decrypt(data, output=data)
        others[0].encrypt(data, output=data)
    first.decrypt(data, output=data)


def _encrypt_cbc(key: KeyBytes, data: bytearray, iv: bytes) -> None:
    for block in _blocks(data):
        block[:] = _xor(block, iv)
        _encrypt(key, block)
        iv = bytes(block)


def _decrypt_cbc(key: KeyBytes, data: bytearray, iv: bytes) -> None:
    for block in _blocks(data):
        enciphered = bytes(block)
        _decrypt(key, block)
        block[:] = _xor(block, iv)
        iv = enciphered


def _single_des(key: KeyBytes) -> list[EcbMode]:
    """One DES cipher for each 8 bytes of the key; K1, K2, K1 for a key of 16 bytes (NIST SP 800-67)."""
    from Crypto.Cipher import DES

    view = memoryview(key)
    parts = [view[at : at + BLOCK_BYTES] for at in range(0, len(key), BLOCK_BYTES)]
    ciphers = [
        cast("EcbMode", DES.new(part, DES.MODE_ECB))  # noqa: S304 - the networks' standards say DES
        for part in parts
    ]
    return [*ciphers, ciphers[0]] if len(ciphers) == 2 else ciphers


def _blocks(data: bytearray) -> list[memoryview]:
    if len(data) % BLOCK_BYTES:
        raise ValueError(_PART_OF_A_BLOCK)
    view = memoryview(data)
    return [view[at : at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES)]


def _xor(one: memoryview, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(BLOCK_BYTES, "big")
