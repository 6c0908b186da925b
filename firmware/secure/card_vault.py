"""Card numbers at rest: what a batch upload and an advice must repeat, sealed until the batch is closed.

A record of the table "cards" is a format version (1 byte), nonce (12), ciphertext and tag (16) of AES-256-GCM
under the device key of the tamper device: a card number is readable on this device only, and lost with its
key. The record's name is authenticated with it. What is sealed is number and expiry; a track, a PIN or a card
check value is never stored, sealed or not.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware.secure.gcm_engine import NONCE_BYTES, engine
from firmware.secure.memory import wipe
from hal.api import Delete, Put, Rng, Storage, Tamper
from wire.pan import Pan

TABLE = "cards"

_VERSION = 1


@dataclass(frozen=True, slots=True)
class SealedCard:
    """What was sealed of a card. The number masks itself wherever it is printed."""

    pan: Pan
    expiry_yymm: str  # "" when it was not known


class CardVault:
    """The sealed records of the table "cards", by the number of their payment."""

    __slots__ = ("_rng", "_storage", "_tamper")

    def __init__(self, storage: Storage, tamper: Tamper, rng: Rng) -> None:
        self._storage = storage
        self._tamper = tamper
        self._rng = rng

    def sealed(self, number: int, card: SealedCard) -> Put:
        """The change that stores a payment's card; commit it. Raises Tampered."""
        name, nonce = _name(number), self._rng.token(NONCE_BYTES)
        secret = bytearray(f"{card.pan.reveal()}={card.expiry_yymm}".encode())
        seal = engine().seal(memoryview(self._tamper.device_key()), nonce, _bound_to(name), secret)
        wipe(secret)
        return Put(TABLE, name, bytes([_VERSION]) + nonce + seal)

    def opened(self, number: int) -> SealedCard | None:
        """A payment's card; None when none is stored, or it does not open. Raises Tampered.

        One that does not open was sealed by a device key that is no more: it is settled by hand.
        """
        device_key, name = memoryview(self._tamper.device_key()), _name(number)
        record = self._storage.get(TABLE, name)
        if record is None:
            return None
        nonce, sealed = record[1 : 1 + NONCE_BYTES], record[1 + NONCE_BYTES :]
        try:
            secret = engine().open(device_key, nonce, _bound_to(name), sealed)
        except ValueError:
            return None
        try:
            digits, _, expiry_yymm = secret.decode().partition("=")
            return SealedCard(Pan(digits), expiry_yymm)
        finally:
            wipe(secret)

    def forgotten(self, number: int) -> Delete:
        """The change that removes a payment's card; commit it. Needs no device key."""
        return Delete(TABLE, _name(number))

    def erased(self) -> list[Delete]:
        """The changes that remove every card; commit them. Needs no device key."""
        return [Delete(TABLE, name) for name, _ in self._storage.scan(TABLE)]


def _name(number: int) -> str:
    return f"{number:08d}"


def _bound_to(name: str) -> bytes:
    return f"{TABLE}/{name}/v{_VERSION}".encode()
