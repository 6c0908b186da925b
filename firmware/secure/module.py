"""The secure module: the only part of the terminal that holds keys and PIN digits.

The plan. Terminal master keys (TMK) are loaded once and sealed under the device key (`vault`). Working keys
come enciphered under a TMK at every sign-in and are stored as they came, sealed once more. A clear key exists
in a buffer for the length of one operation and is wiped after it. Whoever holds the module gets results (a
MAC, an enciphered PIN block, yes or no) and can get nothing else out of it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from firmware.secure.errors import KeyCheckFailed, KeyFormat, KeyMissing, PinUnavailable, SecureError
from firmware.secure.key_bundle import KeyUse, WrappedKey, parse_bundle
from firmware.secure.mac import unionpay_ecb_mac
from firmware.secure.memory import wipe
from firmware.secure.pin_block import account_field, format_0
from firmware.secure.pin_entry import PinEntry, PinEvent, PinRateLimit, PinReady, PinRules
from firmware.secure.tdes import CHECK_VALUE_BYTES, check_value, encrypt_in_place
from firmware.secure.vault import Vault
from hal.api import Delete, HalError, Keypad, Rng, SelfTest, Storage, Tamper
from wire.pan import Pan

TMK_BYTES = 16
TMK_INDEX_MAX = 99

_LAYOUT_CHARACTERS = 3
_WORKING = "working/"


class SecureModule:
    """Keys, MACs and PIN entry of one terminal.

    `master_key_index`: the TMK under which the bank enciphers the working keys (terminal parameter 25).
    Besides its own errors (`firmware.secure.errors`) every method that needs a key raises Tampered once the
    tamper switch has tripped, and StorageFailed when the storage does.
    """

    __slots__ = ("_index", "_keypad", "_pan", "_pin_block", "_pin_entry", "_pin_rate", "_vault")

    def __init__(self, storage: Storage, tamper: Tamper, rng: Rng, *, master_key_index: int = 1) -> None:
        _require_index(master_key_index)
        self._vault = Vault(storage, tamper, rng)
        self._index = master_key_index
        self._pin_rate = PinRateLimit()
        self._keypad: Keypad | None = None
        self._pin_entry: PinEntry | None = None
        self._pan: Pan | None = None
        self._pin_block: bytes | None = None

    # --- keys ----------------------------------------------------------------------------------------

    @property
    def has_tmk(self) -> bool:
        """True when the terminal master key in use is loaded and the terminal is not tampered with."""
        return self._vault.holds(_tmk_name(self._index))

    @property
    def has_working_keys(self) -> bool:
        """True when working keys of a sign-in under this TMK are there, since before a restart perhaps."""
        return self.has_tmk and self._vault.holds(_working_name(self._index))

    def load_tmk(self, index: int, key: bytes, check_value: bytes | None = None) -> None:
        """Store a terminal master key of 16 bytes; the working keys, made for another one, are discarded.

        `index`: 0 to 99. `check_value`: its first 4 bytes of eight enciphered zero bytes, when known.
        Raises KeyFormat, KeyCheckFailed: nothing was changed.
        """
        _require_index(index)
        if len(key) != TMK_BYTES:
            raise KeyFormat(f"TMK {index}: a terminal master key has {TMK_BYTES} bytes, this one {len(key)}")
        if check_value is not None:
            _require_check_value(index, key, check_value)
        self._drop_pin()
        self._vault.commit([self._vault.sealed(_tmk_name(index), key), *self._working_keys_erased()])

    def accept_working_keys(self, bundle: bytes, layout: str) -> None:
        """Replace the working keys by those of a sign-in answer (field 62).

        `layout`: "001", "003" or "004". The old keys are discarded first, durably: none are left after
        KeyMissing (no TMK), KeyFormat or KeyCheckFailed (says which key).
        """
        self.discard_working_keys()
        keys = parse_bundle(bundle, layout)
        with self._tmk() as tmk:
            for wrapped in keys.values():
                wrapped.require_check_value(tmk)
        self._vault.commit([self._vault.sealed(_working_name(self._index), layout.encode("ascii") + bundle)])

    def discard_working_keys(self) -> None:
        """Forget the working keys, durably (sign-out, A0, 99, header digit 3). The TMK stays."""
        self._drop_pin()
        self._vault.commit(self._working_keys_erased())

    def wipe(self) -> None:
        """Forget everything, in memory and in storage: somebody opened the case. Needs no device key."""
        try:
            self.end_pin_entry()
        finally:
            # Even when the keypad is gone and fails.
            self._vault.commit([self._vault.erased(name) for name in self._vault.names()])

    def self_test(self) -> SelfTest:
        """Open every stored key once, as at power-on; `detail` names the first record that is bad."""
        for name in self._vault.names():
            try:
                with self._vault.opened(name):
                    pass
            except (SecureError, HalError) as error:
                return SelfTest(ok=False, detail=f"{error.code} {error}")
        return SelfTest(ok=True)

    # --- message authentication ----------------------------------------------------------------------

    def mac(self, mab: bytes) -> bytes:
        """Field 64 for a message: 8 ASCII bytes (UnionPay's ECB algorithm). `mab`: see `unionpay_ecb_mac`.

        Raises KeyMissing when the terminal is not signed in.
        """
        with self._working_key(KeyUse.MAK) as mak:
            return unionpay_ecb_mac(mak, mab)

    def verify_mac(self, mab: bytes, mac: bytes) -> bool:
        """Say whether `mac` is the field 64 that belongs to `mab`. Raises KeyMissing when not signed in."""
        # The time taken must not tell how many of the bytes were right.
        return hmac.compare_digest(self.mac(mab), mac)

    # --- PIN entry -----------------------------------------------------------------------------------

    def begin_pin_entry(
        self,
        keypad: Keypad,
        pan: Pan,
        *,
        now_ms: int,
        digits_min: int = 4,
        digits_max: int = 12,
        total_timeout_ms: int = 60_000,
        key_timeout_ms: int = 30_000,
        bypass_allowed: bool = False,
    ) -> None:
        """Take the keypad over until the entry ends. An entry or a PIN block from before is dropped first.

        Raises, before a cardholder is asked: KeyMissing, SealBroken (a PIN could not be enciphered),
        PinFormat (lengths, or a card number too short for a PIN block), PinRateExceeded (120 an hour).
        """
        self.end_pin_entry()
        rules = PinRules(digits_min, digits_max, total_timeout_ms, key_timeout_ms, bypass_allowed)
        account_field(pan)
        with self._working_key(KeyUse.PIK):
            pass  # only to see that it can be had when ENTER comes
        self._pin_rate.admit(now_ms=now_ms)
        entry = PinEntry(rules, now_ms=now_ms)
        keypad.begin_secure_entry(entry.press)
        self._keypad, self._pin_entry, self._pan = keypad, entry, pan

    def pin_events(self, *, now_ms: int) -> list[PinEvent]:
        """What happened in the PIN entry since the last call; to be asked after each poll of the devices.

        After PinReady, PinBypassed, PinCancelled or PinTimedOut the entry is over, the keypad is in ordinary
        mode again and the digits are wiped. Raises KeyMissing or SealBroken when the keys went away
        meanwhile: the entry is over then too.
        """
        entry, pan = self._pin_entry, self._pan
        if entry is None or pan is None:
            return []
        events = entry.events(now_ms=now_ms)
        if not entry.is_open:
            try:
                if isinstance(events[-1], PinReady):
                    self._pin_block = self._enciphered_pin(entry, pan)
            finally:
                self._leave_pin_entry()
        return events

    def pin_deadline_ms(self) -> int | None:
        """When to call `pin_events` although no key was pressed; None when no entry is on."""
        return None if self._pin_entry is None else self._pin_entry.deadline_ms()

    def end_pin_entry(self) -> None:
        """End the entry, give the keypad back, wipe the digits and a PIN block not taken. Always harmless."""
        self._pin_block = None
        self._leave_pin_entry()

    def take_pin_block(self) -> bytes:
        """Field 52: the PIN block of format 0, 8 bytes, enciphered under the PIK. It can be taken once.

        Raises PinUnavailable when there is none.
        """
        block, self._pin_block = self._pin_block, None
        if block is None:
            raise PinUnavailable("no PIN block is waiting: ask for the PIN first; a block can be taken once")
        return block

    def _enciphered_pin(self, entry: PinEntry, pan: Pan) -> bytes:
        digits = entry.take_digits()
        try:
            block = format_0(digits, pan)
        finally:
            wipe(digits)
        try:
            with self._working_key(KeyUse.PIK) as pik:
                encrypt_in_place(pik, block)
            return bytes(block)
        finally:
            wipe(block)

    def _leave_pin_entry(self) -> None:
        entry, keypad = self._pin_entry, self._keypad
        self._pin_entry = self._keypad = self._pan = None
        if entry is not None:
            entry.wipe()
        if keypad is not None:
            keypad.end_secure_entry()

    def _drop_pin(self) -> None:
        # It was enciphered under the keys that go now: the bank could not read it.
        self._pin_block = None

    # --- keys in use ---------------------------------------------------------------------------------

    def _tmk(self) -> AbstractContextManager[bytearray]:
        return self._vault.opened(_tmk_name(self._index))

    @contextmanager
    def _working_key(self, use: KeyUse) -> Iterator[bytearray]:
        """The working key in clear while the `with` lasts. Raises KeyMissing, SealBroken, Tampered."""
        with self._tmk() as tmk, self._wrapped(use).unwrapped(tmk) as key:
            yield key

    def _wrapped(self, use: KeyUse) -> WrappedKey:
        with self._vault.opened(_working_name(self._index)) as record:
            layout = record[:_LAYOUT_CHARACTERS].decode("ascii")
            keys = parse_bundle(bytes(record[_LAYOUT_CHARACTERS:]), layout)
        if use not in keys:
            raise KeyMissing(f"{use.value} is not among the working keys of layout {layout}")
        return keys[use]

    def _working_keys_erased(self) -> list[Delete]:
        return [self._vault.erased(name) for name in self._vault.names() if name.startswith(_WORKING)]


def _tmk_name(index: int) -> str:
    return f"tmk/{index:02}"


def _working_name(index: int) -> str:
    # Under the TMK's index: with another master key in use the terminal is not signed in.
    return f"{_WORKING}{index:02}"


def _require_index(index: int) -> None:
    if not 0 <= index <= TMK_INDEX_MAX:
        raise KeyFormat(f"a TMK index is 0 to {TMK_INDEX_MAX}, not {index}")


def _require_check_value(index: int, key: bytes, expected: bytes) -> None:
    if len(expected) != CHECK_VALUE_BYTES:
        raise KeyFormat(f"TMK {index}: a check value has {CHECK_VALUE_BYTES} bytes, this one {len(expected)}")
    if check_value(key) != expected:
        raise KeyCheckFailed("TMK", f"TMK {index}: key and check value do not fit: enter both again")
