"""Keys at rest: each record sealed under the device key with AES-256-GCM.

A record is: format version (1 byte), nonce (12), ciphertext, tag (16). Table, record name and version are
authenticated with it, so that a record does not open under another name, nor under another device key. The
device key itself never comes to storage: it lives in the tamper device and dies with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from firmware.secure.errors import KeyMissing, SealBroken
from firmware.secure.memory import wipe
from hal.api import Change, Delete, Put, Rng, Storage, Tamper

TABLE = "keys"

_VERSION = 1
_NONCE_BYTES = 12
_TAG_BYTES = 16


class Vault:
    """The sealed records of the table "keys"."""

    __slots__ = ("_rng", "_storage", "_tamper")

    def __init__(self, storage: Storage, tamper: Tamper, rng: Rng) -> None:
        self._storage = storage
        self._tamper = tamper
        self._rng = rng

    def holds(self, name: str) -> bool:
        """True when the record is there and the device key is too. Does not open it."""
        return not self._tamper.tripped and self._storage.get(TABLE, name) is not None

    def names(self) -> list[str]:
        """The names of all records, in order."""
        return [name for name, _ in self._storage.scan(TABLE)]

    def sealed(self, name: str, secret: bytes | bytearray) -> Put:
        """The change that stores `secret` as the record `name`; commit it. Raises Tampered."""
        from Crypto.Cipher import AES

        nonce = self._rng.token(_NONCE_BYTES)
        cipher = AES.new(self._tamper.device_key(), AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
        cipher.update(_bound_to(name))
        ciphertext, tag = cipher.encrypt_and_digest(secret)
        return Put(TABLE, name, bytes([_VERSION]) + nonce + ciphertext + tag)

    def erased(self, name: str) -> Delete:
        """The change that removes the record `name`; commit it."""
        return Delete(TABLE, name)

    def commit(self, changes: Sequence[Change]) -> None:
        """Make the changes durable, all or none. Raises StorageFailed."""
        if changes:
            self._storage.commit(changes)

    @contextmanager
    def opened(self, name: str) -> Iterator[bytearray]:
        """The record's secret for as long as the `with` lasts; wiped after it.

        Raises KeyMissing: no such record. SealBroken: it does not open. Tampered.
        """
        secret = self._open(name)
        try:
            yield secret
        finally:
            wipe(secret)

    def _open(self, name: str) -> bytearray:
        from Crypto.Cipher import AES

        device_key = self._tamper.device_key()  # first: "tampered with" explains why a record is missing
        record = self._storage.get(TABLE, name)
        if record is None:
            raise KeyMissing(f"there is no key record {name}: load the master key, then sign in")
        if len(record) < 1 + _NONCE_BYTES + _TAG_BYTES or record[0] != _VERSION:
            raise SealBroken(f"the stored key {name} is not of format {_VERSION}: load the keys again")
        nonce, ciphertext, tag = (
            record[1 : 1 + _NONCE_BYTES],
            record[1 + _NONCE_BYTES : -_TAG_BYTES],
            record[-_TAG_BYTES:],
        )
        cipher = AES.new(device_key, AES.MODE_GCM, nonce=nonce, mac_len=_TAG_BYTES)
        cipher.update(_bound_to(name))
        secret = bytearray(len(ciphertext))
        try:
            cipher.decrypt_and_verify(ciphertext, tag, output=secret)
        except ValueError:
            # The library deciphers before it checks: what it wrote is not to be looked at.
            wipe(secret)
            raise SealBroken(
                f"the stored key {name} does not open with this device's key: load the keys again"
            ) from None
        return secret


def _bound_to(name: str) -> bytes:
    """What the seal authenticates beside the secret."""
    return f"{TABLE}/{name}/v{_VERSION}".encode()
