"""The cipher library's C functions, called without its Python objects; and the proof that they can be.

Setting a key up takes the library's objects several times as long as the cipher itself, and a payment sets
up a new key for nearly every block: DUKPT up to twenty of them. The functions here call the same C functions
through the library's own bindings, set up and free in one place, and leave no copy of a key: what they are
given are the owner's buffers.

The bindings are not part of the library's interface. So an engine made of them is tried once, against known
answers; where it is not as expected, one through the interface does the same work. `des_engine`,
`aes_engine` and `gcm_engine` each bring both.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KeyBytes = bytes | bytearray | memoryview

EcbWork = Callable[[KeyBytes, bytearray], None]
"""Works on whole blocks in place, under a key of a size that its caller has checked.

Raises ValueError for part of a block.
"""
CbcWork = Callable[[KeyBytes, bytearray, bytes], None]
"""The same in CBC mode, from a start value of one block. Raises ValueError for one of another length too."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A block cipher."""

    encrypt: EcbWork
    decrypt: EcbWork
    encrypt_cbc: CbcWork
    decrypt_cbc: CbcWork


# --- the C functions ---------------------------------------------------------------------------------


class Bindings:
    """The library's modes as C functions, and what their arguments are made with (cffi).

    Raises ImportError or AttributeError where the library has them no more.
    """

    def __init__(self) -> None:
        from Crypto.Cipher import _mode_cbc, _mode_ecb
        from Crypto.Util import _raw_api

        ffi: Any = _raw_api.ffi
        self.ecb: Any = _mode_ecb.raw_ecb_lib
        self.cbc: Any = _mode_cbc.raw_cbc_lib
        # Where a function leaves the address of what it allocated. Never shared: other threads may run while
        # it is written to.
        self.cell = functools.partial(ffi.new, ffi.typeof("void *[1]"))
        self.buffer = functools.partial(ffi.from_buffer, ffi.typeof("uint8_t[]"))


def direct_engine(bindings: Bindings, start: Mapping[int, Any]) -> Engine:
    """An engine of C functions. `start`: key bytes to the function that sets such a key up."""
    ecb, cbc = bindings.ecb, bindings.cbc
    return Engine(
        _direct_ecb(bindings, start, ecb.ECB_encrypt),
        _direct_ecb(bindings, start, ecb.ECB_decrypt),
        _direct_cbc(bindings, start, cbc.CBC_encrypt),
        _direct_cbc(bindings, start, cbc.CBC_decrypt),
    )


def _direct_ecb(bindings: Bindings, start: Mapping[int, Any], crypt: Any) -> EcbWork:
    new_cell, buffer_of = bindings.cell, bindings.buffer
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
            raise part_of_a_block()

    return work


def _direct_cbc(bindings: Bindings, start: Mapping[int, Any], crypt: Any) -> CbcWork:
    new_cell, buffer_of = bindings.cell, bindings.buffer
    start_mode, stop = bindings.cbc.CBC_start_operation, bindings.cbc.CBC_stop_operation

    def work(key: KeyBytes, data: bytearray, iv: bytes) -> None:
        cell, size, buffer = new_cell(), len(key), buffer_of(data)
        held_key = key if isinstance(key, bytes) else buffer_of(key)
        if start[size](held_key, size, cell):
            raise MemoryError
        if start_mode(cell[0], iv, len(iv), cell):
            raise part_of_a_block()
        state = cell[0]
        code = crypt(state, buffer, buffer, len(data))
        stop(state)
        if code:
            raise part_of_a_block()

    return work


def part_of_a_block() -> ValueError:
    """The error of every engine for data that is not whole blocks."""
    return ValueError("a block cipher works on whole blocks, and starts from one")


# --- which engine ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class KnownAnswer:
    """One block of a published example, in hexadecimal digits."""

    key: str
    clear: str
    enciphered: str


def is_right(candidate: Engine, known: Sequence[KnownAnswer]) -> bool:
    """Whether it gives the known answers in both modes, and takes them back."""
    return all(_answers(candidate, one) == _expected(one) for one in known)


def _expected(one: KnownAnswer) -> list[str]:
    return [one.enciphered, one.enciphered, one.clear, one.clear]


def _answers(candidate: Engine, one: KnownAnswer) -> list[str]:
    key, block, chained = bytes.fromhex(one.key), bytearray.fromhex(one.clear), bytearray.fromhex(one.clear)
    no_chain = bytes(len(block))
    candidate.encrypt(key, block)
    candidate.encrypt_cbc(key, chained, no_chain)
    answers = [block.hex().upper(), chained.hex().upper()]
    candidate.decrypt(key, block)
    candidate.decrypt_cbc(key, chained, no_chain)
    return [*answers, block.hex().upper(), chained.hex().upper()]
