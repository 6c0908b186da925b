"""How keys come into a terminal: as components of several custodians, or as a TR-31 key block.

The plan of this file. `combined` puts components together; `opened_block` takes a key out of its block after
its header has been judged by the table below. Both give a `LoadedKey`; `KeyLoader` stores it, all or nothing,
and refuses a key that is in the terminal for another use already. Sources: ANSI X9.143 (TR-31), PCI PIN
requirements 6 and 12 (split knowledge), 19 (a key has one use).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from firmware.secure import check_value, sm4, tr31
from firmware.secure.dukpt_register import DukptRegister
from firmware.secure.errors import KeyCheckFailed, KeyFormat, KeyMisused
from firmware.secure.key_use import KeyUse
from firmware.secure.memory import SecretBytes, wipe, xor_in_place
from firmware.secure.message_keys import WORKING, register_name, tmk_name
from firmware.secure.scheme import KeyScheme
from firmware.secure.tdes import KeyBytes
from firmware.secure.tr31_header import VERSIONS, KeyBlockHeader
from firmware.secure.vault import Vault
from hal.api import Change

KEY_INDEX_MAX = 99
TMK_BYTES = 16
COMPONENTS_MAX = 3
_CHECK_VALUE_BYTES_MIN = 3

_ALGORITHM_NAMES = {"T": "triple DES", "A": "AES", "S": "SM4"}
_DUKPT_SCHEMES = {"T": KeyScheme.DUKPT_TDES, "A": KeyScheme.DUKPT_AES}
_SIZES: Mapping[KeyUse, Mapping[str, tuple[int, ...]]] = {  # key bytes by use and algorithm
    KeyUse.TMK: {"T": (TMK_BYTES,), "S": (TMK_BYTES,)},
    KeyUse.TRANSPORT: {"T": (16, 24), "A": (16, 24, 32)},
    KeyUse.DUKPT: {"T": (16,), "A": (16, 24, 32)},
}


@dataclass(frozen=True, slots=True)
class KeyComponent:
    """What one custodian holds, with its check value (3 bytes or more) where the custodian has one."""

    value: bytes | bytearray = field(repr=False)
    check_value: bytes | None = None


@dataclass(frozen=True, slots=True)
class KeyKind:
    """What a key that is being loaded is to be. `algorithm`: T, A or S; `ksn` for the DUKPT uses only."""

    use: KeyUse
    index: int = 1
    algorithm: str = "T"
    ksn: bytes = b""

    @property
    def name(self) -> str:
        """As errors call it."""
        return self.use.value if self.use is KeyUse.DUKPT else f"{self.use.value} {self.index}"


def check_value_of(key: KeyBytes, algorithm: str) -> bytes:
    """The whole check value block: a block of zeros enciphered; for AES the CMAC over one (X9.24-1:2017).

    Raises BadInput (bad_key), KeyFormat.
    """
    if algorithm == "S":
        return sm4.check_value(key)
    return check_value.check_value(key, "aes-cmac" if algorithm == "A" else "des-zero")


def _require_check_value(name: str, key: KeyBytes, algorithm: str, expected: bytes | None) -> None:
    """Raise KeyFormat (too short) or KeyCheckFailed unless `expected`, if any, begins the check value."""
    if expected is None:
        return
    if len(expected) < _CHECK_VALUE_BYTES_MIN:
        raise KeyFormat(f"{name}: a check value has {_CHECK_VALUE_BYTES_MIN} bytes or more")
    if not hmac.compare_digest(check_value_of(key, algorithm)[: len(expected)], expected):
        raise KeyCheckFailed(
            name.partition(" ")[0], f"{name}: key and check value do not fit: enter both again"
        )


def combined(kind: KeyKind, components: Sequence[KeyComponent]) -> bytearray:
    """The key that two or three components make by XOR; the caller wipes it.

    Raises KeyFormat: their number or sizes, or they cancel each other out. KeyCheckFailed: says which one.
    """
    if not 2 <= len(components) <= COMPONENTS_MAX:
        raise KeyFormat(f"{kind.name}: a key has two or three components, not {len(components)}")
    sizes = {len(component.value) for component in components}
    if len(sizes) != 1:
        raise KeyFormat(f"{kind.name}: the components are not equally long")
    for number, component in enumerate(components, 1):
        _require_size(kind, component.value)
        _require_check_value(f"component {number}", component.value, kind.algorithm, component.check_value)
    key = SecretBytes(sizes.pop())
    for component in components:
        xor_in_place(key, component.value)
    if not any(key):
        raise KeyFormat(f"{kind.name}: the components cancel each other out: one was entered twice")
    return key


# --- key blocks --------------------------------------------------------------------------------------


def kind_of_block(header: KeyBlockHeader, index: int) -> KeyKind:
    """What the key in a block with this header is, if a terminal may take it at all.

    K0 (key encryption), mode B, D or N: a TMK. B1 (initial DUKPT key), mode X or N: with its serial number in
    the optional block KS, for AES also IK. Raises KeyMisused: any other use, algorithm or mode, or a key that
    may be exported in clear (S). KeyFormat: no serial number.
    """
    if header.exportability not in {"N", "E"}:
        raise KeyMisused("key block: its key may be exported in clear: a terminal takes no such key")
    if header.key_usage == "K0":
        _require_one_of("algorithm", header.algorithm, "TS")
        _require_one_of("mode of use", header.mode_of_use, "BDN")
        return KeyKind(KeyUse.TMK, index, header.algorithm)
    if header.key_usage == "B1":
        _require_one_of("algorithm", header.algorithm, "TA")
        _require_one_of("mode of use", header.mode_of_use, "XN")
        return KeyKind(KeyUse.DUKPT, index, header.algorithm, _serial_number(header))
    raise KeyMisused(
        f"key block: usage {header.key_usage} is not taken: K0 (terminal master key) and B1 (DUKPT) are"
    )


def _require_one_of(what: str, value: str, allowed: str) -> None:
    if value not in allowed:
        raise KeyMisused(f"key block: {what} {value} does not go with its usage")


def _serial_number(header: KeyBlockHeader) -> bytes:
    text = header.optional_blocks.get("KS") or header.optional_blocks.get("IK") or ""
    try:
        ksn = bytes.fromhex(text)
    except ValueError:
        ksn = b""
    if not ksn:
        raise KeyFormat("key block: the initial DUKPT key has no serial number (optional block KS or IK)")
    # An initial key id is a serial number whose counter has not begun; TDES blocks may leave 8 bytes too.
    return ksn.ljust(12, b"\0") if header.algorithm == "A" else ksn


# --- storing -----------------------------------------------------------------------------------------


class KeyLoader:
    """Puts keys into the vault, all or nothing."""

    __slots__ = ("_vault",)

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def load(self, kind: KeyKind, key: bytes | bytearray, expected: bytes | None = None) -> bytes:
        """Store a key and return its check value, 4 bytes. What was made for the key it replaces goes too.

        In a store whose keys are not used any more (an old copy, another device's) it becomes the only one.

        Raises KeyFormat, KeyCheckFailed, KeyMisused (the same key is here for another use): nothing changed.
        """
        _require_size(kind, key)
        _require_check_value(kind.name, key, kind.algorithm, expected)
        if self._vault.is_newest():
            self._require_other_uses_differ(kind, key)
            self._vault.commit(self._changes(kind, key))
        else:
            self._vault.begin_anew(self._changes(kind, key))
        return check_value_of(key, kind.algorithm)[:4]

    def load_block(self, key_block: str, *, index: int, transport_index: int) -> tuple[KeyKind, bytes]:
        """Store the key of a TR-31 key block under that transport key; what it is, and its check value.

        Raises what `kind_of_block` and `load` do, and BadInput for a block that is malformed, not authentic,
        or of a version that the transport key's algorithm has not: nothing changed.
        """
        name = transport_name(transport_index)
        with self._vault.opened(name, KeyUse.TRANSPORT) as record:
            transport = SecretBytes(memoryview(record)[1:])
            try:
                version = key_block[:1]
                if version in VERSIONS and (version == "D") is not (record[:1] == b"A"):
                    raise KeyMisused(
                        f"{name}: a {_ALGORITHM_NAMES[chr(record[0])]} key opens no version {version}"
                    )
                unwrapped = tr31.unwrap(transport, key_block)
            finally:
                wipe(transport)
        try:
            kind = kind_of_block(unwrapped.header, index)
            return kind, self.load(kind, unwrapped.key)
        finally:
            wipe(unwrapped.key)

    def check_values(self, tmk_algorithm: str) -> dict[str, str]:
        """The check values of the master and transport keys, 8 hex digits, by the names of their records."""
        shown = {}
        for name in self._vault.names():
            use = self._vault.use_of(name)
            if use not in {KeyUse.TMK, KeyUse.TRANSPORT}:
                continue
            with self._vault.opened(name, use) as stored:
                key = _key_in(stored, use)
                algorithm = chr(stored[0]) if use is KeyUse.TRANSPORT else tmk_algorithm
                try:
                    shown[name] = check_value_of(key, algorithm)[:4].hex().upper()
                finally:
                    wipe(key)
        return shown

    def _changes(self, kind: KeyKind, key: bytes | bytearray) -> list[Change]:
        if kind.use is KeyUse.DUKPT:
            return self._register_changes(kind, key)
        if kind.use is KeyUse.TRANSPORT:
            record = SecretBytes(1 + len(key))
            record[:1], record[1:] = kind.algorithm.encode("ascii"), key
            try:
                return [self._vault.sealed(transport_name(kind.index), KeyUse.TRANSPORT, record)]
            finally:
                wipe(record)
        names = [name for name in self._vault.names() if name.startswith(WORKING)]
        erased: list[Change] = [self._vault.erased(name) for name in names]
        return [self._vault.sealed(tmk_name(kind.index), KeyUse.TMK, key), *erased]

    def _register_changes(self, kind: KeyKind, key: bytes | bytearray) -> list[Change]:
        scheme = _DUKPT_SCHEMES[kind.algorithm]
        register = DukptRegister.begin(scheme, key, kind.ksn)
        content = register.encode()
        try:
            return [self._vault.sealed(register_name(scheme), KeyUse.DUKPT, content)]
        finally:
            register.wipe()
            wipe(content)

    def _require_other_uses_differ(self, kind: KeyKind, key: bytes | bytearray) -> None:
        for name in self._vault.names():
            use = self._vault.use_of(name)
            if use is kind.use or use not in {KeyUse.TMK, KeyUse.TRANSPORT}:
                continue
            with self._vault.opened(name, use) as stored:
                value = _key_in(stored, use)
                is_same = hmac.compare_digest(value, key)
                wipe(value)
            if is_same:
                raise KeyMisused(f"{kind.name}: this key is here as {use.value} already: a key has one use")


def _key_in(record: bytearray, use: KeyUse) -> bytearray:
    """A copy of the key in the record of a master or transport key; the caller wipes it."""
    return SecretBytes(memoryview(record)[1 if use is KeyUse.TRANSPORT else 0 :])


def transport_name(index: int) -> str:
    """The record of a transport key: the letter of its algorithm, and the key."""
    return f"transport/{index:02}"


def _require_size(kind: KeyKind, key: KeyBytes) -> None:
    if not 0 <= kind.index <= KEY_INDEX_MAX:
        raise KeyFormat(f"a {kind.use.value} index is 0 to {KEY_INDEX_MAX}, not {kind.index}")
    if kind.use not in _SIZES:
        raise KeyMisused(f"{kind.use.value}: such a key comes from the bank at sign-in, and in no other way")
    sizes = _SIZES[kind.use].get(kind.algorithm)
    if sizes is None:
        raise KeyMisused(f"{kind.name}: it cannot be a key of {_ALGORITHM_NAMES.get(kind.algorithm, 'that')}")
    if len(key) not in sizes:
        words = " or ".join(map(str, sizes))
        raise KeyFormat(f"{kind.name}: such a key has {words} bytes, this one {len(key)}")
