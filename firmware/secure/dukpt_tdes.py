"""DUKPT with triple DES (ANSI X9.24-1:2009): a key of its own for every transaction.

The plan of this file. A base derivation key (BDK) and the device's key serial number (KSN, 10 bytes, its
lowest 21 bits the transaction counter) give the initial key; the initial key and the one bits of the counter
give the transaction's key; variants of that are the keys that are used. A terminal holds no BDK: it is given
the initial key and forgets it once it has the keys below it.

Keys are returned as `bytearray`, for the caller to wipe. A terminal takes one step at a time, `child_key`,
which works in buffers only. `transaction_key`, for hosts and calculators, walks the whole way in integers,
which nobody can wipe, and is more than twice as fast.
"""

from __future__ import annotations

from enum import Enum

from firmware.secure import tdes
from firmware.secure.dukpt_counter import next_counter, require_usable
from firmware.secure.errors import BadInput
from firmware.secure.memory import SecretBytes, wipe, xor_in_place
from firmware.secure.tdes import BLOCK_BYTES, KeyBytes, Step

KSN_BYTES = 10
KEY_BYTES = 16
COUNTER_BITS = 21
COUNTER_ONES_MAX = 10

_COUNTER_MASK = (1 << COUNTER_BITS) - 1
_HALF_BITS = 64
_KEY_MASK = 0xC0C0C0C0_00000000  # makes the second key of a pair, in both halves
_KEY_MASKS = 2 * _KEY_MASK.to_bytes(BLOCK_BYTES, "big")


class KeyUse(Enum):
    """What a transaction's key is turned into; the value is XORed to both halves (annex A)."""

    PIN = 0x00000000_000000FF
    MAC_REQUEST = 0x00000000_0000FF00
    MAC_RESPONSE = 0x00000000_FF000000
    DATA_REQUEST = 0x00000000_00FF0000
    DATA_RESPONSE = 0x000000FF_00000000


_ONE_WAY = frozenset({KeyUse.DATA_REQUEST, KeyUse.DATA_RESPONSE})


def initial_key(bdk: KeyBytes, ksn: bytes) -> bytearray:
    """The initial key (IPEK) of the device that `ksn` names, 16 bytes; the counter bits do not matter.

    Raises BadInput: bad_key, bad_length.
    """
    _require_key(bdk)
    _require_ksn(ksn)
    device = (int.from_bytes(ksn, "big") & ~_COUNTER_MASK).to_bytes(KSN_BYTES, "big")[:8]
    masked = int.from_bytes(bdk, "big") ^ (_KEY_MASK << _HALF_BITS | _KEY_MASK)
    left = tdes.encrypt(bdk, device)
    return SecretBytes(left + tdes.encrypt(masked.to_bytes(KEY_BYTES, "big"), device))


def transaction_key(initial: KeyBytes, ksn: bytes) -> bytearray:
    """The key of the transaction that `ksn` counts, 16 bytes, out of the device's initial key.

    Raises BadInput: bad_key, bad_length, bad_format (no transaction has this counter).
    """
    require_transaction(ksn)
    _require_key(initial)
    whole = int.from_bytes(ksn[2:], "big")
    counter, register = whole & _COUNTER_MASK, whole & ~_COUNTER_MASK
    left, right = int.from_bytes(initial[:8], "big"), int.from_bytes(initial[8:], "big")
    encipher = tdes.new_des_step()
    for place in range(counter.bit_length() - 1, -1, -1):
        if counter >> place & 1:
            register |= 1 << place
            left, right = _next_key(encipher, left, right, register)
    return SecretBytes((left << _HALF_BITS | right).to_bytes(KEY_BYTES, "big"))


def working_key(transaction: KeyBytes, use: KeyUse) -> bytearray:
    """The key for one use, out of the transaction's key. Data keys go through one more one-way step."""
    _require_key(transaction)
    key = SecretBytes(transaction)
    xor_in_place(key, 2 * use.value.to_bytes(BLOCK_BYTES, "big"))
    if use in _ONE_WAY:
        own_key = SecretBytes(key)
        try:
            tdes.encrypt_in_place(own_key, key)
        except BaseException:
            wipe(key)
            raise
        finally:
            wipe(own_key)
    return key


def require_transaction(ksn: bytes) -> None:
    """Raise BadInput unless `ksn` counts a transaction: bad_length, bad_format."""
    _require_ksn(ksn)
    require_usable(int.from_bytes(ksn, "big") & _COUNTER_MASK, ones_max=COUNTER_ONES_MAX)


def child_key(key: KeyBytes, ksn: bytes, counter: int) -> bytearray:
    """The key of `counter` out of the key of the counter without its lowest one bit (0: the initial key).

    `ksn`: of the device, its counter bits do not matter. One step down: see `firmware.secure.dukpt_device`.
    """
    register = (int.from_bytes(ksn[2:], "big") & ~_COUNTER_MASK | counter).to_bytes(BLOCK_BYTES, "big")
    masked, child = SecretBytes(key), SecretBytes(KEY_BYTES)
    xor_in_place(masked, _KEY_MASKS)
    try:
        _half_below(masked, register, memoryview(child)[:BLOCK_BYTES])
        _half_below(key, register, memoryview(child)[BLOCK_BYTES:])
    except BaseException:
        wipe(child)
        raise
    finally:
        wipe(masked)
    return child


def next_ksn(ksn: bytes) -> bytes:
    """The serial number of the next transaction. Raises BadInput: bad_length, exhausted."""
    _require_ksn(ksn)
    whole = int.from_bytes(ksn, "big")
    counter = next_counter(whole & _COUNTER_MASK, counter_bits=COUNTER_BITS, ones_max=COUNTER_ONES_MAX)
    return (whole & ~_COUNTER_MASK | counter).to_bytes(KSN_BYTES, "big")


def _half_below(key: KeyBytes, register: bytes, half: memoryview) -> None:
    """Half of one non-reversible step, in place: `register` enciphered, between two times the right half."""
    view = memoryview(key)
    block = SecretBytes(view[BLOCK_BYTES:])
    try:
        xor_in_place(block, register)
        tdes.encrypt_in_place(view[:BLOCK_BYTES], block)
        xor_in_place(block, view[BLOCK_BYTES:])
        half[:] = block
    finally:
        wipe(block)


def _next_key(encipher: Step, left: int, right: int, register: int) -> tuple[int, int]:
    """One such step, both halves, in integers. `register`: the KSN up to the counter's bit."""
    masked_left, masked_right = left ^ _KEY_MASK, right ^ _KEY_MASK
    block = (register ^ masked_right).to_bytes(BLOCK_BYTES, "big")
    lower_left = int.from_bytes(encipher(masked_left.to_bytes(BLOCK_BYTES, "big"), block), "big")
    block = (register ^ right).to_bytes(BLOCK_BYTES, "big")
    lower_right = int.from_bytes(encipher(left.to_bytes(BLOCK_BYTES, "big"), block), "big")
    return lower_left ^ masked_right, lower_right ^ right


def _require_key(key: KeyBytes) -> None:
    if len(key) != KEY_BYTES:
        raise BadInput("bad_key", f"a TDES DUKPT key has {KEY_BYTES} bytes, this one {len(key)}")


def _require_ksn(ksn: bytes) -> None:
    if len(ksn) != KSN_BYTES:
        raise BadInput("bad_length", f"a key serial number has {KSN_BYTES} bytes, this one {len(ksn)}")
