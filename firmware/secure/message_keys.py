"""Where the keys of a message come from: working keys of a sign-in, or DUKPT keys of that message alone.

Both answer the same questions (`MessageKeys`), so that the module above does not ask which scheme it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from firmware.secure import dukpt_aes, dukpt_tdes
from firmware.secure.dukpt_register import DukptRegister, exhausted
from firmware.secure.errors import KeyMissing
from firmware.secure.key_bundle import WrappedKey, parse_bundle
from firmware.secure.key_use import KeyUse
from firmware.secure.memory import wipe
from firmware.secure.scheme import KeyScheme
from firmware.secure.vault import Vault

_LAYOUT_CHARACTERS = 3
WORKING = "working/"


class MessageKeys(Protocol):
    """The keys of the message that is being made, and of the answer to it."""

    def are_there(self) -> bool:
        """Whether messages can be protected: nothing is opened."""

    def require(self, use: KeyUse) -> None:
        """Raise what using such a key would raise; no key is used up."""

    def open_message(self, *, for_pin: bool = False) -> bytes | None:
        """Begin a message, unless a PIN has begun it already; its key serial number, if it has one.

        What it takes is durable before this returns. Raises KeysExhausted, KeyMissing, StorageFailed.
        """

    def key(self, use: KeyUse, *, of_answer: bool = False) -> AbstractContextManager[bytearray]:
        """The key in clear while the `with` lasts. Raises KeyMissing, SealBroken, Tampered."""

    def serial_number(self) -> bytes:
        """That of the newest message, over restarts; nothing where messages have none. Raises as `key`."""

    def forget(self) -> None:
        """Wipe what is held in memory."""


class WorkingKeys:
    """The keys of the newest sign-in, enciphered under the TMK of `index`.

    As the bank enciphered them they have crossed the line: so they are kept at hand, and what is opened for
    each use is the TMK alone.
    """

    __slots__ = ("_index", "_keys", "_record", "_vault")

    def __init__(self, vault: Vault, index: int) -> None:
        self._vault = vault
        self._index = index
        self._record = b""  # the sealed record that `_keys` came out of
        self._keys: dict[KeyUse, WrappedKey] = {}

    def are_there(self) -> bool:
        """True when there is a TMK and a bundle that came under it."""
        return self._vault.holds(tmk_name(self._index)) and self._vault.holds(working_name(self._index))

    def require(self, use: KeyUse) -> None:
        """See MessageKeys."""
        with self.key(use):
            pass

    def open_message(self, *, for_pin: bool = False) -> bytes | None:  # noqa: ARG002 - the protocol's
        """There is nothing to count."""
        return None

    @contextmanager
    def key(self, use: KeyUse, *, of_answer: bool = False) -> Iterator[bytearray]:  # noqa: ARG002 - the protocol's
        """The working key, the same in both directions."""
        with (
            self._vault.opened(tmk_name(self._index), KeyUse.TMK) as tmk,
            self._wrapped(use).unwrapped(tmk) as key,
        ):
            yield key

    def serial_number(self) -> bytes:
        """There are none."""
        return b""

    def forget(self) -> None:
        """Drop the enciphered keys."""
        self._record, self._keys = b"", {}

    def _wrapped(self, use: KeyUse) -> WrappedKey:
        name = working_name(self._index)
        if (record := self._vault.record(name)) != self._record:
            with self._vault.opened(name, KeyUse.WORKING) as content:
                layout = content[:_LAYOUT_CHARACTERS].decode("ascii")
                self._keys = parse_bundle(bytes(content[_LAYOUT_CHARACTERS:]), layout)
            self._record = record
        if use not in self._keys:
            raise KeyMissing(f"{use.value} is not among the working keys: sign in with a layout that has it")
        return self._keys[use]


class TransactionKeys:
    """DUKPT: one transaction for every message. The counter is durable before its key is used.

    The transaction's key stays in memory until the next message, for the answer's MAC. After a power cut it
    is gone for good, and the next message counts on.
    """

    __slots__ = ("_begun_by_pin", "_key", "_ksn", "_scheme", "_vault")

    def __init__(self, vault: Vault, scheme: KeyScheme) -> None:
        self._vault = vault
        self._scheme = scheme
        self._key: bytearray | None = None
        self._ksn = b""
        self._begun_by_pin = False

    def are_there(self) -> bool:
        """True when an initial key was loaded; its keys may be used up."""
        return self._vault.holds(register_name(self._scheme))

    def require(self, use: KeyUse) -> None:  # noqa: ARG002 - there is every use, or none
        """See MessageKeys."""
        with self._opened() as register:
            if register.is_exhausted:
                raise exhausted()

    def open_message(self, *, for_pin: bool = False) -> bytes | None:
        """Count on, durably. A message whose PIN has counted on already keeps that number."""
        if for_pin or not self._begun_by_pin:
            self._advance()
        self._begun_by_pin = for_pin
        return self._ksn

    @contextmanager
    def key(self, use: KeyUse, *, of_answer: bool = False) -> Iterator[bytearray]:
        """The transaction's key for this use and direction. Raises KeyMissing when no message is open."""
        if self._key is None or not self.are_there():
            raise KeyMissing("no message is open: its DUKPT key is gone")
        key = self._derived(self._key, use, of_answer=of_answer)
        try:
            yield key
        finally:
            wipe(key)

    def serial_number(self) -> bytes:
        """See MessageKeys; of an initial key that has protected none yet its own, with counter 0."""
        if not self.are_there():
            return b""
        with self._opened() as register:
            return register.ksn

    def forget(self) -> None:
        """Wipe the transaction's key."""
        if self._key is not None:
            wipe(self._key)
        self._key, self._begun_by_pin = None, False

    def _advance(self) -> None:
        self.forget()
        name = register_name(self._scheme)
        with self._opened() as register:
            key = register.advance()
            encoded = register.encode()
        try:
            self._vault.commit([self._vault.sealed(name, KeyUse.DUKPT, encoded)])
        except BaseException:
            wipe(key)
            raise
        finally:
            wipe(encoded)
        self._key, self._ksn = key, register.ksn

    @contextmanager
    def _opened(self) -> Iterator[DukptRegister]:
        """The register, in clear while the `with` lasts."""
        with self._vault.opened(register_name(self._scheme), KeyUse.DUKPT) as content:
            register = DukptRegister.decode(self._scheme, content)
        try:
            yield register
        finally:
            register.wipe()

    def _derived(self, key: bytearray, use: KeyUse, *, of_answer: bool) -> bytearray:
        if self._scheme is KeyScheme.DUKPT_TDES:
            return dukpt_tdes.working_key(key, _TDES_USES[use, of_answer])
        key_type = _AES_TYPES[len(key)]
        return dukpt_aes.working_key(key, self._ksn, _AES_USES[use, of_answer], key_type)


_TDES_USES = {
    (KeyUse.PIK, False): dukpt_tdes.KeyUse.PIN,
    (KeyUse.MAK, False): dukpt_tdes.KeyUse.MAC_REQUEST,
    (KeyUse.MAK, True): dukpt_tdes.KeyUse.MAC_RESPONSE,
    (KeyUse.TDK, False): dukpt_tdes.KeyUse.DATA_REQUEST,
}
_AES_USES = {
    (KeyUse.PIK, False): dukpt_aes.KeyUsage.PIN,
    (KeyUse.MAK, False): dukpt_aes.KeyUsage.MAC_GENERATION,
    (KeyUse.MAK, True): dukpt_aes.KeyUsage.MAC_VERIFICATION,
    (KeyUse.TDK, False): dukpt_aes.KeyUsage.DATA_ENCRYPT,
}
_AES_TYPES = {
    16: dukpt_aes.KeyType.AES128,
    24: dukpt_aes.KeyType.AES192,
    32: dukpt_aes.KeyType.AES256,
}


def tmk_name(index: int) -> str:
    """The record of a terminal master key."""
    return f"tmk/{index:02}"


def working_name(index: int) -> str:
    """The record of the working keys under that master key: with another in use nobody is signed in."""
    return f"{WORKING}{index:02}"


def register_name(scheme: KeyScheme) -> str:
    """The record of a DUKPT register."""
    return f"dukpt/{scheme.value.removeprefix('dukpt-')}"
