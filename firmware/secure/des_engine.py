"""DES and triple DES: by the cipher library's C functions, and through its interface.

Both take keys with equal halves, which the library's own triple DES refuses and acquirers do send for test
terminals. Why there are two, and which one is used: `firmware.secure.cipher_library`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from firmware.secure.cipher_library import (
    Bindings,
    Engine,
    KeyBytes,
    KnownAnswer,
    direct_engine,
    is_right,
    part_of_a_block,
)

if TYPE_CHECKING:
    from Crypto.Cipher._mode_ecb import EcbMode

BLOCK_BYTES = 8

Step = Callable[[bytes, bytes], bytearray]
"""Enciphers one block under a single DES key; the result is good until the next call, which reuses it.

Raises ValueError when either has not 8 bytes.
"""

KNOWN = (  # FIPS 81 ("Now is t"), and a zero block under a key of two halves
    KnownAnswer("0123456789ABCDEF", "4E6F772069732074", "3FA40E8A984D4815"),
    KnownAnswer("0123456789ABCDEFFEDCBA9876543210", "0000000000000000", "08D7B4FB629D0885"),
)


@dataclass(frozen=True, slots=True)
class DesEngine(Engine):
    """DES for a key of 8 bytes, triple DES for 16 (K1, K2, K1) and 24.

    `new_step`: single DES for a derivation that sets a new key up for every block.
    """

    new_step: Callable[[], Step]


@functools.cache
def engine() -> DesEngine:
    """The faster one of those that give right answers here."""
    try:
        direct = _direct_engine()
        return direct if gives_right_answers(direct) else public_engine()
    except (ImportError, AttributeError, TypeError):
        return public_engine()


def gives_right_answers(candidate: DesEngine) -> bool:
    """Whether an engine can be trusted."""
    single = KNOWN[0]
    stepped = candidate.new_step()(bytes.fromhex(single.key), bytes.fromhex(single.clear))
    return stepped.hex().upper() == single.enciphered and is_right(candidate, KNOWN)


# --- the C functions ---------------------------------------------------------------------------------


def _direct_engine() -> DesEngine:
    from Crypto.Cipher import DES, DES3

    single: Any = DES._raw_des_lib.DES_start_operation  # noqa: SLF001 - see `cipher_library`
    triple: Any = DES3._raw_des3_lib.DES3_start_operation  # noqa: SLF001 - as above
    bindings = Bindings()
    both = direct_engine(bindings, {8: single, 16: triple, 24: triple})
    return DesEngine(
        both.encrypt, both.decrypt, both.encrypt_cbc, both.decrypt_cbc, _direct_steps(bindings, single)
    )


def _direct_steps(bindings: Bindings, start: Any) -> Callable[[], Step]:
    ecb = bindings.ecb
    start_mode, encrypt, stop = ecb.ECB_start_operation, ecb.ECB_encrypt, ecb.ECB_stop_operation

    def new_step() -> Step:
        result, cell = bytearray(BLOCK_BYTES), bindings.cell()
        result_buffer = bindings.buffer(result)

        def step(key: bytes, block: bytes) -> bytearray:
            if len(key) != BLOCK_BYTES or len(block) != BLOCK_BYTES:  # the C functions would read beyond it
                raise part_of_a_block()
            if start(key, BLOCK_BYTES, cell) or start_mode(cell[0], cell):
                raise MemoryError
            state = cell[0]
            encrypt(state, block, result_buffer, BLOCK_BYTES)
            stop(state)
            return result

        return step

    return new_step


# --- through the library's interface -----------------------------------------------------------------


def public_engine() -> DesEngine:
    """The one that needs nothing but the interface. Chains blocks itself, and is slow at that."""
    return DesEngine(_encrypt, _decrypt, _encrypt_cbc, _decrypt_cbc, _new_step)


def _new_step() -> Step:
    return _step


def _step(key: bytes, block: bytes) -> bytearray:
    if len(key) != BLOCK_BYTES or len(block) != BLOCK_BYTES:
        raise part_of_a_block()
    result = bytearray(block)
    _encrypt(key, result)
    return result


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
        raise part_of_a_block()
    view = memoryview(data)
    return [view[at : at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES)]


def _xor(one: memoryview, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(BLOCK_BYTES, "big")
