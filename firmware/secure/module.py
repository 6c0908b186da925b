"""The secure module: the only part of the terminal that holds keys and PIN digits.

The plan. Keys are loaded once (`key_loading`) and sealed under the device key (`vault`): a transport key that
opens key blocks, terminal master keys (TMK), or a DUKPT register. What protects a message comes out of
`message_keys`: working keys that the bank sends at every sign-in, or DUKPT keys of that message alone. A
clear key exists in a buffer for the length of one operation and is wiped after it. Whoever holds the module
gets results (a MAC, an enciphered PIN block, yes or no) and can get nothing else out of it.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from firmware.secure import mac, sm4
from firmware.secure.errors import KeyFormat, KeyMisused, PinUnavailable, SecureError, StoreOutdated
from firmware.secure.key_bundle import parse_bundle
from firmware.secure.key_loading import KEY_INDEX_MAX, KeyComponent, KeyKind, KeyLoader, combined
from firmware.secure.key_use import KeyUse
from firmware.secure.memory import wipe
from firmware.secure.message_keys import (
    WORKING,
    MessageKeys,
    TransactionKeys,
    WorkingKeys,
    register_name,
    tmk_name,
    working_name,
)
from firmware.secure.pin_block import account_field, enciphered
from firmware.secure.pin_entry import PinEntry, PinEvent, PinReady, PinRules
from firmware.secure.pin_rate import PinRateLimit
from firmware.secure.scheme import KeyScheme, MacAlgorithm, Security, TrackEncryption
from firmware.secure.security_log import SecurityEvent, SecurityLog
from firmware.secure.tdes import CHECK_VALUE_BYTES
from firmware.secure.track_cipher import encrypt_track, encrypt_whole_track
from firmware.secure.vault import Vault
from hal.api import Delete, HalError, Keypad, Rng, SelfTest, Storage, Tamper
from wire.pan import Pan

TMK_INDEX_MAX = KEY_INDEX_MAX


class SecureModule:
    """Keys, MACs and PIN entry of one terminal.

    `master_key_index`: the TMK under which the bank enciphers the working keys (terminal parameter 25);
    `security`: key scheme and algorithms. Besides its own errors (`firmware.secure.errors`) every method that
    needs a key raises Tampered once the tamper switch has tripped, StoreOutdated when the key store is an old
    copy, and StorageFailed when the storage fails.
    """

    __slots__ = (
        "_index",
        "_keypad",
        "_keys",
        "_loader",
        "_log",
        "_pan",
        "_pin_block",
        "_pin_entry",
        "_pin_rate",
        "_rng",
        "_security",
        "_vault",
    )

    def __init__(
        self,
        storage: Storage,
        tamper: Tamper,
        rng: Rng,
        *,
        master_key_index: int = 1,
        security: Security | None = None,
    ) -> None:
        if not 0 <= master_key_index <= TMK_INDEX_MAX:
            raise KeyFormat(f"a TMK index is 0 to {TMK_INDEX_MAX}, not {master_key_index}")
        self._security = security or Security()
        self._vault = Vault(storage, tamper, rng)
        self._loader = KeyLoader(self._vault)
        self._log = SecurityLog(storage)
        self._rng = rng
        self._index = master_key_index
        self._keys: MessageKeys = (
            TransactionKeys(self._vault, self._security.key_scheme)
            if self._security.is_dukpt
            else WorkingKeys(self._vault, master_key_index)
        )
        self._pin_rate = PinRateLimit(self._vault)
        self._keypad: Keypad | None = None
        self._pin_entry: PinEntry | None = None
        self._pan: Pan | None = None
        self._pin_block: bytes | None = None

    # --- keys ----------------------------------------------------------------------------------------

    @property
    def security(self) -> Security:
        """The key scheme and the algorithms in use."""
        return self._security

    @property
    def has_tmk(self) -> bool:
        """True when the terminal master key in use is loaded and the terminal is not tampered with."""
        return self._vault.holds(tmk_name(self._index))

    @property
    def has_root_key(self) -> bool:
        """True when the key that the scheme begins with is loaded: the TMK, or a DUKPT register."""
        if self._security.is_dukpt:
            return self._vault.holds(register_name(self._security.key_scheme))
        return self.has_tmk

    @property
    def has_working_keys(self) -> bool:
        """True when messages can be protected.

        Keys of a sign-in under this TMK are there, since before a restart perhaps; with DUKPT, an initial key
        was loaded.
        """
        return self._keys.are_there()

    def select_master_key(self, index: int) -> None:
        """Take the working keys under another TMK from now on (parameter 25); no effect with DUKPT."""
        if index != self._index and not self._security.is_dukpt:
            self._index = index
            self._keys = WorkingKeys(self._vault, index)

    def kind_of_key(self, use: KeyUse, index: int = 1, ksn: bytes = b"") -> KeyKind:
        """What a key for this use is under the key scheme. `ksn`: of an initial key.

        A transport key brings keys of the scheme's own algorithm: AES for `dukpt-aes`, else triple DES.
        """
        is_aes = self._security.key_scheme is KeyScheme.DUKPT_AES
        is_sm4_tmk = self._security.key_scheme is KeyScheme.SM4 and use is KeyUse.TMK
        algorithm = "S" if is_sm4_tmk else "A" if is_aes and use is not KeyUse.TMK else "T"
        return KeyKind(use, index, algorithm, ksn)

    def load_key(self, kind: KeyKind, key: bytes | bytearray, check_value: bytes | None = None) -> bytes:
        """Store a whole key, and return its check value (4 bytes). Raises as `load_tmk`."""
        with self._refusals_noted():
            loaded = self._loader.load(kind, key, check_value)
        self._drop_pin()
        return loaded

    def load_tmk(self, index: int, key: bytes | bytearray, check_value: bytes | None = None) -> None:
        """Store a terminal master key of 16 bytes; the working keys, made for another one, are discarded.

        `index`: 0 to 99. `check_value`: its first 4 bytes of an enciphered zero block, when known.
        Raises KeyFormat, KeyCheckFailed, KeyMisused (it is here for another use): nothing was changed.
        """
        if check_value is not None and len(check_value) != CHECK_VALUE_BYTES:
            raise KeyFormat(f"TMK {index}: a check value has {CHECK_VALUE_BYTES} bytes")
        self.load_key(self.kind_of_key(KeyUse.TMK, index), key, check_value)

    def load_transport_key(
        self, key: bytes, check_value: bytes | None = None, *, index: int = 1, algorithm: str = "T"
    ) -> bytes:
        """Store a key that opens key blocks, and return its check value. `algorithm`: T or A (AES).

        Raises as `load_tmk`.
        """
        return self.load_key(KeyKind(KeyUse.TRANSPORT, index, algorithm), key, check_value)

    def load_initial_key(self, key: bytes, ksn: bytes, check_value: bytes | None = None) -> bytes:
        """Begin DUKPT with this initial key and serial number (10 bytes for TDES, 12 for AES).

        The initial key itself is not kept. Returns its check value. Raises as `load_tmk`.
        """
        return self.load_key(self.kind_of_key(KeyUse.DUKPT, ksn=ksn), key, check_value)

    def load_components(
        self, kind: KeyKind, components: Sequence[KeyComponent], check_value: bytes | None = None
    ) -> bytes:
        """Combine two or three components by XOR and store the key; returns its check value (4 bytes).

        Raises KeyFormat, KeyCheckFailed (says which component, or the combined key), KeyMisused: nothing was
        changed.
        """
        with self._refusals_noted():
            key = combined(kind, components)
        try:
            return self.load_key(kind, key, check_value)
        finally:
            wipe(key)

    def load_key_block(
        self, key_block: str, *, index: int | None = None, transport_index: int = 1
    ) -> tuple[KeyKind, bytes]:
        """Store the key of a TR-31 key block (versions A to D) that the transport key opens.

        `index`: where a TMK goes; None: the one in use. Returns what the key is for, and its check value.
        Raises KeyMissing (no transport key), BadInput (malformed or not authentic), KeyMisused (a usage,
        algorithm, mode of use or exportability that a terminal does not take), KeyFormat: nothing changed.
        """
        target = self._index if index is None else index
        with self._refusals_noted():
            loaded = self._loader.load_block(key_block, index=target, transport_index=transport_index)
        self._drop_pin()
        return loaded

    def accept_working_keys(self, bundle: bytes, layout: str) -> None:
        """Replace the working keys by those of a sign-in answer (field 62).

        `layout`: "001", "003", "004" or "005". The old keys are discarded first, durably: none are left after
        KeyMissing (no TMK), KeyFormat or KeyCheckFailed (says which key).
        """
        self.discard_working_keys()
        keys = parse_bundle(bundle, layout)
        with self._vault.opened(tmk_name(self._index), KeyUse.TMK) as tmk:
            for wrapped in keys.values():
                wrapped.require_check_value(tmk)
        record = layout.encode("ascii") + bundle
        self._vault.commit([self._vault.sealed(working_name(self._index), KeyUse.WORKING, record)])

    def discard_working_keys(self) -> None:
        """Forget the working keys, durably (sign-out, A0, 99, header digit 3). TMK and register stay."""
        self._drop_pin()
        self._vault.commit(self._working_keys_erased())

    def wipe(self) -> None:
        """Forget everything, in memory and in storage: somebody opened the case. Needs no device key."""
        try:
            self.end_pin_entry()
        finally:
            # Even when the keypad is gone and fails.
            self._keys.forget()
            self._vault.wipe()

    def self_test(self) -> SelfTest:
        """Open every stored key once, as at power-on; `detail` names the first record that is bad."""
        for name in self._vault.names():
            try:
                with self._vault.opened(name, self._vault.use_of(name)):
                    pass
            except (SecureError, HalError) as error:
                return SelfTest(ok=False, detail=f"{error.code} {error}")
        return SelfTest(ok=True)

    def check_values(self) -> dict[str, str]:
        """The check values (8 hex digits) of the master and transport keys, by the names of their records."""
        return self._loader.check_values(self.kind_of_key(KeyUse.TMK).algorithm)

    def serial_number(self) -> bytes:
        """DUKPT: the key serial number of the newest message; nothing without an initial key, or DUKPT."""
        return self._keys.serial_number()

    def security_log(self) -> list[SecurityEvent]:
        """What was refused so far, oldest first."""
        return self._log.events()

    # --- messages ------------------------------------------------------------------------------------

    def open_message(self) -> bytes | None:
        """Begin a request that will carry a MAC: its key serial number, or None without DUKPT.

        A PIN that was entered for it has begun it already. Raises KeysExhausted, KeyMissing, StorageFailed.
        """
        return self._keys.open_message()

    def mac(self, mab: bytes) -> bytes:
        """Field 64 for a request, 8 bytes, by the algorithm in use. `mab`: see `unionpay_ecb_mac`.

        Raises KeyMissing when the terminal is not signed in, or (DUKPT) no message is open.
        """
        return self._mac(mab, of_answer=False)

    def verify_mac(self, mab: bytes, mac: bytes) -> bool:
        """Say whether `mac` is the field 64 of the answer `mab`. Raises as `mac`."""
        # The time taken must not tell how many of the bytes were right.
        return hmac.compare_digest(self._mac(mab, of_answer=True), mac)

    def enciphered_track(self, nibbles: str) -> str:
        """A track (hex digits, its separator as D) as it may leave: under the TDK, or the message's data key.

        Raises KeyMissing; BadInput when it is too short to be enciphered.
        """
        with self._key(KeyUse.TDK) as tdk:
            if self._security.track_encryption is TrackEncryption.DUKPT:
                is_aes = self._security.key_scheme is KeyScheme.DUKPT_AES
                return encrypt_whole_track(tdk, nibbles, is_aes=is_aes)
            return encrypt_track(tdk, nibbles, is_sm4=self._security.key_scheme is KeyScheme.SM4)

    def _mac(self, mab: bytes, *, of_answer: bool) -> bytes:
        with self._key(KeyUse.MAK, of_answer=of_answer) as mak:
            match self._security.mac_algorithm:
                case MacAlgorithm.UNIONPAY:
                    return mac.unionpay_ecb_mac(mak, mab)
                case MacAlgorithm.X9_9:
                    return mac.cbc_mac(mak, mab)
                case MacAlgorithm.X9_19:
                    return mac.retail_mac(mak, mab)
                case MacAlgorithm.SM4:
                    return sm4.mac(mak, mab)
                case MacAlgorithm.CMAC if self._security.key_scheme is KeyScheme.DUKPT_AES:
                    return mac.aes_cmac(mak, mab)[: mac.MAC_BYTES]
                case MacAlgorithm.CMAC:
                    return mac.tdes_cmac(mak, mab)

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
        PinFormat (lengths, or a card number too short for a PIN block), PinRateExceeded (120 an hour, over
        restarts).
        """
        self.end_pin_entry()
        rules = PinRules(digits_min, digits_max, total_timeout_ms, key_timeout_ms, bypass_allowed)
        account_field(pan)
        with self._refusals_noted():
            self._keys.require(KeyUse.PIK)  # only to see that it can be had when ENTER comes
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
        """The enciphered PIN block: 8 bytes for field 52, 16 in format 4 and SM4. It can be taken once.

        Raises PinUnavailable when there is none.
        """
        block, self._pin_block = self._pin_block, None
        if block is None:
            raise PinUnavailable("no PIN block is waiting: ask for the PIN first; a block can be taken once")
        return block

    def _enciphered_pin(self, entry: PinEntry, pan: Pan) -> bytes:
        digits = entry.take_digits()
        try:
            self._keys.open_message(for_pin=True)
            with self._key(KeyUse.PIK) as pik:
                return enciphered(self._security.pin_format, pik, digits, pan, self._rng.token)
        finally:
            wipe(digits)

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

    @contextmanager
    def _key(self, use: KeyUse, *, of_answer: bool = False) -> Iterator[bytearray]:
        try:
            with self._keys.key(use, of_answer=of_answer) as key:
                yield key
        except (KeyMisused, StoreOutdated) as error:
            self._log.note(error)
            raise

    @contextmanager
    def _refusals_noted(self) -> Iterator[None]:
        try:
            yield
        except (KeyMisused, StoreOutdated) as error:
            self._log.note(error)
            raise

    def _working_keys_erased(self) -> list[Delete]:
        return [self._vault.erased(name) for name in self._vault.names() if name.startswith(WORKING)]
