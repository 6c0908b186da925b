"""DUKPT with AES (ANSI X9.24-3:2017): a key of its own for every transaction.

The plan of this file. Every key is made in the same way: a block of derivation data says what the key is for,
its algorithm and length, whose it is and which transaction's, and is enciphered under the key above it. The
initial key comes from the base derivation key (BDK); the one bits of the 32-bit counter lead from the initial
key to the transaction's key; the working keys hang below that one.

A key serial number has 12 bytes: the initial key's id (8) and the counter (4). Keys are returned as
`bytearray`, for the caller to wipe.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from enum import Enum

from firmware.secure import aes, aes_engine
from firmware.secure.dukpt_counter import next_counter, require_usable
from firmware.secure.errors import BadInput
from firmware.secure.memory import SecretBytes, wipe
from firmware.secure.tdes import KeyBytes

KSN_BYTES = 12
KEY_ID_BYTES = 8
COUNTER_BITS = 32
COUNTER_ONES_MAX = 16

_VERSION = 1
_UPDATE_COUNTER = 0xFFFF_FFFF


class KeyUsage(Enum):
    """What a key is for; the value stands in the derivation data (table 1)."""

    KEY_ENCRYPTION = 0x0002
    PIN = 0x1000
    MAC_GENERATION = 0x2000
    MAC_VERIFICATION = 0x2001
    MAC_BOTH = 0x2002
    DATA_ENCRYPT = 0x3000
    DATA_DECRYPT = 0x3001
    DATA_BOTH = 0x3002
    DERIVATION = 0x8000
    INITIAL = 0x8001


class KeyType(Enum):
    """Algorithm and length: (code of the algorithm, key bits, strength in bits)."""

    TDES2 = (0, 128, 80)
    TDES3 = (1, 192, 112)
    AES128 = (2, 128, 128)
    AES192 = (3, 192, 192)
    AES256 = (4, 256, 256)
    HMAC128 = (5, 128, 128)
    HMAC192 = (5, 192, 192)
    HMAC256 = (5, 256, 256)

    @property
    def key_bytes(self) -> int:
        """How long a key of this type is."""
        return self.value[1] // 8


_DERIVATION_TYPES = {16: KeyType.AES128, 24: KeyType.AES192, 32: KeyType.AES256}


def initial_key(bdk: KeyBytes, key_id: bytes) -> bytearray:
    """The initial key of the device with `key_id` (8 bytes), as long as the BDK.

    Raises BadInput: bad_key, bad_length.
    """
    if len(key_id) != KEY_ID_BYTES:
        raise BadInput("bad_length", f"an initial key id has {KEY_ID_BYTES} bytes, this one {len(key_id)}")
    return _derive(bdk, KeyUsage.INITIAL, _derivation_type(len(bdk)), key_id)


def transaction_key(initial: KeyBytes, ksn: bytes) -> bytearray:
    """The key of the transaction that `ksn` counts, out of the initial key: working keys hang below it.

    Raises BadInput: bad_key, bad_length, bad_format (no transaction has this counter).
    """
    _require_ksn(ksn)
    counter = int.from_bytes(ksn[KEY_ID_BYTES:], "big")
    require_usable(counter, ones_max=COUNTER_ONES_MAX)
    return _walk(initial, ksn, counter)


def working_key(transaction: KeyBytes, ksn: bytes, usage: KeyUsage, key_type: KeyType) -> bytearray:
    """The key for one use, out of the transaction's key.

    Raises BadInput: bad_length; bad_key when it would be stronger than the key it is made of.
    """
    _require_ksn(ksn)
    return _derive(transaction, usage, key_type, _counted(ksn, int.from_bytes(ksn[KEY_ID_BYTES:], "big")))


def update_key(initial: KeyBytes, key_id: bytes, key_type: KeyType) -> bytearray:
    """The key under which a host sends a new initial key: that of a counter which no transaction has.

    Raises BadInput: bad_key, bad_length.
    """
    if len(key_id) != KEY_ID_BYTES:
        raise BadInput("bad_length", f"an initial key id has {KEY_ID_BYTES} bytes, this one {len(key_id)}")
    key = _walk(initial, key_id, _UPDATE_COUNTER)
    return _derive(key, KeyUsage.KEY_ENCRYPTION, key_type, _counted(key_id, _UPDATE_COUNTER))


def child_key(key: KeyBytes, ksn: bytes, counter: int) -> bytearray:
    """The key of `counter` out of the key of the counter without its lowest one bit (0: the initial key).

    `ksn`: of the device, its counter does not matter. One step down: see `firmware.secure.dukpt_device`.
    """
    return _derive(key, KeyUsage.DERIVATION, _derivation_type(len(key)), _counted(ksn, counter))


def next_ksn(ksn: bytes) -> bytes:
    """The serial number of the next transaction. Raises BadInput: bad_length, exhausted."""
    _require_ksn(ksn)
    counter = int.from_bytes(ksn[KEY_ID_BYTES:], "big")
    following = next_counter(counter, counter_bits=COUNTER_BITS, ones_max=COUNTER_ONES_MAX)
    return ksn[:KEY_ID_BYTES] + following.to_bytes(4, "big")


def _walk(initial: KeyBytes, ksn_or_key_id: bytes, counter: int) -> bytearray:
    """From the initial key down to the derivation key of `counter`, one step for each of its one bits."""
    heads, texts, reached = _derivation_heads(len(initial)), [], 0
    device = ksn_or_key_id[4:KEY_ID_BYTES]
    for place in range(counter.bit_length() - 1, -1, -1):
        if counter >> place & 1:
            reached |= 1 << place
            texts.append(_text(heads, device + reached.to_bytes(4, "big")))
    return aes_engine.engine().chain(initial, texts)


def _derive(key: KeyBytes, usage: KeyUsage, key_type: KeyType, tail: bytes) -> bytearray:
    """A key below `key`; `tail`: the last 8 bytes of the derivation data."""
    if key_type.value[2] > _derivation_type(len(key)).value[2]:
        raise BadInput("bad_key", f"{key_type.name} is stronger than the key it would be derived from")
    derived = SecretBytes(_text(_heads(usage, key_type), tail))
    aes.encrypt_in_place(key, derived)
    if len(derived) == key_type.key_bytes:
        return derived
    try:
        return SecretBytes(memoryview(derived)[: key_type.key_bytes])
    finally:
        wipe(derived)


def _text(heads: Sequence[bytes], tail: bytes) -> bytes:
    """The derivation data of one key: a block for each head."""
    return heads[0] + tail if len(heads) == 1 else b"".join([head + tail for head in heads])


@functools.cache
def _heads(usage: KeyUsage, key_type: KeyType) -> tuple[bytes, ...]:
    """The first half of the derivation data, one for each block of the key: the same for all devices."""
    code, key_bits, _ = key_type.value
    return tuple(
        bytes([_VERSION, number])
        + usage.value.to_bytes(2, "big")
        + code.to_bytes(2, "big")
        + key_bits.to_bytes(2, "big")
        for number in range(1, -(-key_type.key_bytes // aes.BLOCK_BYTES) + 1)
    )


@functools.cache
def _derivation_heads(key_bytes: int) -> tuple[bytes, ...]:
    """Those of a key that leads to others. Raises BadInput (bad_key)."""
    return _heads(KeyUsage.DERIVATION, _derivation_type(key_bytes))


def _derivation_type(key_bytes: int) -> KeyType:
    try:
        return _DERIVATION_TYPES[key_bytes]
    except KeyError:
        raise BadInput("bad_key", f"an AES DUKPT key has 16, 24 or 32 bytes, this one {key_bytes}") from None


def _counted(ksn_or_key_id: bytes, counter: int) -> bytes:
    return ksn_or_key_id[4:KEY_ID_BYTES] + counter.to_bytes(4, "big")


def _require_ksn(ksn: bytes) -> None:
    if len(ksn) != KSN_BYTES:
        raise BadInput("bad_length", f"a key serial number has {KSN_BYTES} bytes, this one {len(ksn)}")
