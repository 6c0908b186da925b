"""AES: by the cipher library's C functions, and through its interface.

Where the processor has instructions for AES both use them. Why there are two, and which one is used:
`firmware.secure.cipher_library`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from firmware.secure.cipher_library import (
    Bindings,
    Engine,
    KeyBytes,
    KnownAnswer,
    direct_engine,
    is_right,
    part_of_a_block,
)
from firmware.secure.memory import SecretBytes, wipe

BLOCK_BYTES = 16
KEY_LENGTHS_BYTES = (16, 24, 32)
TEXT_BYTES = {16: 16, 24: 32, 32: 32}
"""How long the text is that makes a key of each size: whole blocks."""

Chain = Callable[[KeyBytes, Sequence[bytes]], bytearray]
"""Enciphers one text after the other, each under the key that came of the one before: the last of them.

Each text is as long as the key, filled up to whole blocks; what it becomes is cut to the key's length. Every
key in between is overwritten. Raises ValueError for a text of another length.
"""

_KEY_192 = "000102030405060708090A0B0C0D0E0F1011121314151617"
_CLEAR = "00112233445566778899AABBCCDDEEFF"
KNOWN = (  # FIPS 197, appendix C
    KnownAnswer(_KEY_192[:32], _CLEAR, "69C4E0D86A7B0430D8CDB78070B4C55A"),
    KnownAnswer(_KEY_192, _CLEAR, "DDA97CA4864CDFE06EAF70A0EC0D7191"),
    KnownAnswer(_KEY_192 + "18191A1B1C1D1E1F", _CLEAR, "8EA2B7CA516745BFEAFC49904B496089"),
)


@dataclass(frozen=True, slots=True)
class AesEngine(Engine):
    """AES for keys of 16, 24 and 32 bytes. `chain`: for derivations."""

    chain: Chain


@functools.cache
def engine() -> AesEngine:
    """The faster one of those that give right answers here."""
    try:
        direct = _direct_engine()
        return direct if gives_right_answers(direct) else public_engine()
    except (ImportError, AttributeError, TypeError):
        return public_engine()


def gives_right_answers(candidate: AesEngine) -> bool:
    """Whether an engine can be trusted."""
    one = KNOWN[0]
    chained = candidate.chain(bytes.fromhex(one.key), [bytes.fromhex(one.clear)])
    return chained.hex().upper() == one.enciphered and is_right(candidate, KNOWN)


# --- the C functions ---------------------------------------------------------------------------------


def _direct_engine() -> AesEngine:
    bindings, start = Bindings(), _start_operation()
    four = direct_engine(bindings, dict.fromkeys(KEY_LENGTHS_BYTES, start))
    return AesEngine(
        four.encrypt, four.decrypt, four.encrypt_cbc, four.decrypt_cbc, _direct_chain(bindings, start)
    )


def _start_operation() -> Any:
    """The function that sets a key up: with the processor's AES instructions where it has them."""
    from Crypto.Cipher import AES

    library: Any = AES
    hardware = getattr(library, "_raw_aes_hw", None)  # from pycryptodome 4 on: functions to start and stop
    if hardware:
        return hardware[0]
    instructions = getattr(library, "_raw_aesni_lib", None)
    if instructions:
        return instructions.AESNI_start_operation
    return library._raw_aes_lib.AES_start_operation  # noqa: SLF001 - see `cipher_library`


def _direct_chain(bindings: Bindings, start: Any) -> Chain:
    ecb = bindings.ecb
    start_mode, encrypt, stop = ecb.ECB_start_operation, ecb.ECB_encrypt, ecb.ECB_stop_operation
    desks = _Desks(bindings)

    def chain(key: KeyBytes, texts: Sequence[bytes]) -> bytearray:
        key_bytes = len(key)
        text_bytes = TEXT_BYTES[key_bytes]
        with_key, buffer, cell = desk = desks.take()
        with_key[:key_bytes] = key
        try:
            for text in texts:
                if len(text) != text_bytes:  # before the C function reads or writes beyond an end
                    raise part_of_a_block()
                if start(buffer, key_bytes, cell) or start_mode(cell[0], cell):
                    raise MemoryError
                state = cell[0]
                encrypt(state, text, buffer, text_bytes)
                stop(state)
            return SecretBytes(memoryview(with_key)[:key_bytes])
        finally:
            with_key[:] = _CLEAN
            desks.free.append(desk)

    return chain


_CLEAN = bytes(max(TEXT_BYTES.values()))

_Desk = tuple[bytearray, Any, Any]


class _Desks:
    """What a chain works on: a buffer, the C functions' view of it, and a cell. Wiped between two chains.

    Making one takes as long as half a step. Each is one caller's at a time: other threads may run meanwhile.
    """

    def __init__(self, bindings: Bindings) -> None:
        self.free: list[_Desk] = []
        self._bindings = bindings

    def take(self) -> _Desk:
        """A free one, or a new one; to be put back into `free`."""
        try:
            return self.free.pop()
        except IndexError:
            buffer = SecretBytes(_CLEAN)
            return buffer, self._bindings.buffer(buffer), self._bindings.cell()


# --- through the library's interface -----------------------------------------------------------------


def public_engine() -> AesEngine:
    """The one that needs nothing but the interface."""
    return AesEngine(_encrypt, _decrypt, _encrypt_cbc, _decrypt_cbc, _chain)


def _encrypt(key: KeyBytes, data: bytearray) -> None:
    from Crypto.Cipher import AES

    AES.new(key, AES.MODE_ECB).encrypt(data, output=data)


def _decrypt(key: KeyBytes, data: bytearray) -> None:
    from Crypto.Cipher import AES

    AES.new(key, AES.MODE_ECB).decrypt(data, output=data)


def _encrypt_cbc(key: KeyBytes, data: bytearray, iv: bytes) -> None:
    from Crypto.Cipher import AES

    AES.new(key, AES.MODE_CBC, iv).encrypt(data, output=data)


def _decrypt_cbc(key: KeyBytes, data: bytearray, iv: bytes) -> None:
    from Crypto.Cipher import AES

    AES.new(key, AES.MODE_CBC, iv).decrypt(data, output=data)


def _chain(key: KeyBytes, texts: Sequence[bytes]) -> bytearray:
    result = SecretBytes(key)
    for text in texts:
        if len(text) != TEXT_BYTES[len(key)]:
            raise part_of_a_block()
        following = SecretBytes(text)
        _encrypt(result, following)
        wipe(result)
        result = SecretBytes(memoryview(following)[: len(key)])
        wipe(following)
    return result
