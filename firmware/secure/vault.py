"""Keys at rest: each record sealed under the device key with AES-256-GCM, and the store as a whole dated.

A record is: format version (1 byte), use of the key (1 byte), nonce (12), ciphertext, tag (16). Table, record
name, version and use are authenticated with it, so that a record does not open under another name, for
another use, nor under another device key. The device key itself never comes to storage: it lives in the
tamper device and dies with it.

A seal does not tell an old record from a new one. So every commit also writes the record "generation": a
count, one above the tamper device's, and a digest of all records; then the tamper device counts on. A power
cut in between leaves the store one ahead, which is made good at the next start. A store that is behind, or
does not fit its digest, is an old copy or made of several, and none of its keys is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from firmware.secure.errors import KeyMissing, KeyMisused, SealBroken, StoreOutdated
from firmware.secure.gcm_engine import NONCE_BYTES, TAG_BYTES, engine
from firmware.secure.key_use import KeyUse
from firmware.secure.memory import wipe
from hal.api import Change, Delete, Put, Rng, Storage, Tamper

TABLE = "keys"

_GENERATION = "generation"
_VERSION = 2
_HEAD_BYTES = 2
_SEALED_AT = _HEAD_BYTES + NONCE_BYTES
_COUNT_BYTES = 8


class Vault:
    """The sealed records of the table "keys"."""

    __slots__ = ("_is_checked", "_rng", "_storage", "_tamper")

    def __init__(self, storage: Storage, tamper: Tamper, rng: Rng) -> None:
        self._storage = storage
        self._tamper = tamper
        self._rng = rng
        self._is_checked = False

    def holds(self, name: str) -> bool:
        """True when the record is there in this format and the device key is too. Does not open it."""
        record = None if self._tamper.tripped else self._storage.get(TABLE, name)
        return record is not None and record[:1] == bytes([_VERSION])

    def names(self) -> list[str]:
        """The names of all records, in order."""
        return [name for name, _ in self._storage.scan(TABLE) if name != _GENERATION]

    def sealed(self, name: str, use: KeyUse, secret: bytes | bytearray) -> Put:
        """The change that stores `secret` as the record `name`; commit it. Raises Tampered."""
        head, nonce = bytes([_VERSION, use.number]), self._rng.token(NONCE_BYTES)
        seal = engine().seal(self._device_key(), nonce, _bound_to(name, head), secret)
        return Put(TABLE, name, head + nonce + seal)

    def erased(self, name: str) -> Delete:
        """The change that removes the record `name`; commit it."""
        return Delete(TABLE, name)

    def commit(self, changes: Sequence[Change]) -> None:
        """Make the changes durable, all or none, as the next generation of the store.

        Raises StorageFailed, Tampered, StoreOutdated (nothing is added to an old copy: wipe it).
        """
        if not changes:
            return
        self.require_newest()
        self._commit(changes, dict(self._records()))

    def begin_anew(self, changes: Sequence[Change]) -> None:
        """As `commit`, and every other record goes: for a store none of whose keys is used any more."""
        put = {change.key for change in changes}
        old = [self.erased(name) for name in self.names() if name not in put]
        self._commit([*old, *changes], {})
        self._is_checked = True

    def is_newest(self) -> bool:
        """Whether `require_newest` would pass, and the store belongs to this device's key."""
        try:
            self.require_newest()
        except (StoreOutdated, SealBroken):
            return False
        return True

    def _commit(self, changes: Sequence[Change], records: dict[str, bytes]) -> None:
        count = self._tamper.counter() + 1
        for change in changes:
            records.pop(change.key, None)
            if isinstance(change, Put):
                records[change.key] = change.value
        content = count.to_bytes(_COUNT_BYTES, "big") + _digest(records)
        self._is_checked = False  # should it not be counted now, it is before anything else is stored or used
        self._storage.commit([*changes, self.sealed(_GENERATION, KeyUse.STORE, content)])
        self._tamper.advance()
        self._is_checked = True

    def wipe(self) -> None:
        """Remove every record, durably. Needs no device key. Raises StorageFailed."""
        names = [name for name, _ in self._storage.scan(TABLE)]
        if names:
            self._storage.commit([Delete(TABLE, name) for name in names])
        self._is_checked = False

    @contextmanager
    def opened(self, name: str, use: KeyUse) -> Iterator[bytearray]:
        """The record's secret for as long as the `with` lasts; wiped after it.

        Raises KeyMissing: no such record. KeyMisused: it is a key for another use. SealBroken: it does not
        open. StoreOutdated: it opens, and is not the newest. Tampered.
        """
        secret = self._open(name, use)
        try:
            self.require_newest()
            yield secret
        finally:
            wipe(secret)

    def use_of(self, name: str) -> KeyUse:
        """What the record's key is for. Raises KeyMissing, SealBroken (not of this format)."""
        return KeyUse.numbered(self.record(name)[1])

    def record(self, name: str) -> bytes:
        """A record as it is stored, sealed. Raises KeyMissing, SealBroken (not of this format)."""
        record = self._storage.get(TABLE, name)
        if record is None:
            raise KeyMissing(f"there is no key record {name}: load the master key, then sign in")
        if len(record) < _SEALED_AT + TAG_BYTES or record[0] != _VERSION:
            raise SealBroken(f"the stored key {name} is not of format {_VERSION}: load the keys again")
        return record

    def require_newest(self) -> None:
        """Raise StoreOutdated when the store is an old copy. Looked at once; Tampered once tripped."""
        if self._is_checked:
            return
        records = dict(self._records())
        if self._storage.get(TABLE, _GENERATION) is not None:
            self._compare_generation(records)
        elif records:
            raise StoreOutdated("the key store has lost its generation: load the keys again")
        self._is_checked = True

    def _compare_generation(self, records: dict[str, bytes]) -> None:
        content = bytes(self._open(_GENERATION, KeyUse.STORE))
        count, counter = int.from_bytes(content[:_COUNT_BYTES], "big"), self._tamper.counter()
        if count == counter + 1:
            self._tamper.advance()  # the power went between the commit and the count
        elif count != counter:
            raise StoreOutdated(
                f"the key store is an old copy (generation {count}, this device is at {counter}):"
                " wipe it and load the keys again"
            )
        if content[_COUNT_BYTES:] != _digest(records):
            raise StoreOutdated(
                "the key store is put together from several copies: wipe it and load the keys"
            )

    def _records(self) -> Iterator[tuple[str, bytes]]:
        return ((name, record) for name, record in self._storage.scan(TABLE) if name != _GENERATION)

    def _device_key(self) -> memoryview:
        """A view, which does not print what it shows. Raises Tampered."""
        return memoryview(self._tamper.device_key())

    def _open(self, name: str, use: KeyUse) -> bytearray:
        device_key = self._device_key()  # first: "tampered with" explains why a record is missing
        record = self.record(name)
        head, nonce, sealed = record[:_HEAD_BYTES], record[_HEAD_BYTES:_SEALED_AT], record[_SEALED_AT:]
        try:
            secret = engine().open(device_key, nonce, _bound_to(name, head), sealed)
        except ValueError:
            raise SealBroken(
                f"the stored key {name} does not open with this device's key: load the keys again"
            ) from None
        if head[1] != use.number:
            wipe(secret)
            raise KeyMisused(
                f"the stored key {name} is a {KeyUse.numbered(head[1]).value}, not a {use.value}"
            )
        return secret


def _digest(records: dict[str, bytes]) -> bytes:
    """What all records together come to, in whatever order they were written."""
    whole = hashlib.sha256()
    for name in sorted(records):
        whole.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(records[name]).digest())
    return whole.digest()


def _bound_to(name: str, head: bytes) -> bytes:
    """What the seal authenticates beside the secret."""
    return f"{TABLE}/{name}/v{head[0]}/{head[1]}".encode()
