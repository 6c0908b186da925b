"""EMV's elements that are made of bits: TVR, TSI, AIP, AUC, capabilities, CID, AFL, CVM list and results.

What each bit means stands in `emv_bits.toml`. Sources: EMV Book 3, annex C and sections 5.4, 6.5.5 and 10.5;
Book 4, annex A.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wire.errors import EmvError

__all__ = [
    "BitMeaning",
    "CryptogramInformation",
    "CvmList",
    "CvmResults",
    "CvmRule",
    "Element",
    "ElementValue",
    "EmvError",
    "FileRecord",
    "cryptogram_information",
    "cvm_list",
    "cvm_results",
    "elements",
    "file_records",
]


@dataclass(frozen=True, slots=True)
class BitMeaning:
    """One bit: `byte` from 1, `mask` with one bit, what it says in English and Chinese."""

    byte: int
    mask: int
    text: str
    text_zh: str = ""


@dataclass(frozen=True, slots=True)
class ElementValue:
    """What a value says: the meanings of its set bits, and set bits that have none."""

    set: tuple[BitMeaning, ...]
    without_meaning: tuple[BitMeaning, ...]


@dataclass(frozen=True, slots=True)
class Element:
    """One element: what it is called and what its bits mean."""

    key: str
    name: str
    name_zh: str
    tag: str
    length_bytes: int
    bits: tuple[BitMeaning, ...]

    def read(self, value: bytes) -> ElementValue:
        """Put `value` in words. Raises EmvError (bad_length)."""
        if len(value) != self.length_bytes:
            raise EmvError("bad_length", f"{self.name} has {self.length_bytes} bytes, not {len(value)}")
        known = {(bit.byte, bit.mask) for bit in self.bits}
        others = (
            BitMeaning(byte, 0x80 >> place, "")
            for byte in range(1, self.length_bytes + 1)
            for place in range(8)
            if (byte, 0x80 >> place) not in known
        )
        return ElementValue(
            tuple(bit for bit in self.bits if value[bit.byte - 1] & bit.mask),
            tuple(bit for bit in others if value[bit.byte - 1] & bit.mask),
        )


@functools.cache
def elements() -> Mapping[str, Element]:
    """All elements by their key: TVR, TSI, AIP, AUC, TERMINAL_CAPABILITIES, ..."""
    return {key: _element(key, table) for key, table in _tables().items() if key != "CVM"}


@functools.cache
def _tables() -> dict[str, Any]:
    import tomllib
    from importlib import resources

    source = resources.files("wire").joinpath("emv_bits.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))


def _element(key: str, table: dict[str, Any]) -> Element:
    bits = tuple(BitMeaning(byte, int(mask, 16), text, zh) for byte, mask, text, zh in table["bits"])
    return Element(key, table["name"], table["name_zh"], table["tag"], table["length_bytes"], bits)


# --- cryptogram information data (9F27) --------------------------------------------------------------

_CRYPTOGRAM_TYPES = ("AAC", "TC", "ARQC", "RFU")
_ADVICE_REASONS = ("none", "service not allowed", "PIN try limit exceeded", "issuer authentication failed")


@dataclass(frozen=True, slots=True)
class CryptogramInformation:
    """What the card decided. `type`: AAC declined, TC approved, ARQC ask the issuer, RFU."""

    type: str
    advice_required: bool
    reason_code: int

    @property
    def reason(self) -> str:
        """Why an advice is wanted."""
        return _ADVICE_REASONS[self.reason_code] if self.reason_code < len(_ADVICE_REASONS) else "RFU"


def cryptogram_information(value: bytes) -> CryptogramInformation:
    """Take 9F27 apart. Raises EmvError (bad_length)."""
    if len(value) != 1:
        raise EmvError("bad_length", "cryptogram information data has one byte")
    return CryptogramInformation(_CRYPTOGRAM_TYPES[value[0] >> 6], bool(value[0] & 0x08), value[0] & 0x07)


# --- application file locator (94) -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One record that a terminal reads. `authenticated`: it enters offline data authentication."""

    sfi: int
    record: int
    authenticated: bool


def file_records(afl: bytes) -> list[FileRecord]:
    """Return the records that `afl` names, in their order. Raises EmvError: bad_length, bad_format."""
    if not afl or len(afl) % 4:
        raise EmvError("bad_length", "a file locator has four bytes for each file, and at least one file")
    records = []
    for at in range(0, len(afl), 4):
        sfi_byte, first, last, authenticated = afl[at : at + 4]
        sfi = sfi_byte >> 3
        if not 1 <= sfi <= 30 or sfi_byte & 0x07:
            raise EmvError("bad_format", "a file locator names a file outside 1 to 30")
        if first == 0 or last < first or authenticated > last - first + 1:
            raise EmvError("bad_format", "a file locator names impossible records")
        records += [
            FileRecord(sfi, number, number - first < authenticated) for number in range(first, last + 1)
        ]
    return records


# --- cardholder verification (8E, 9F34) --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CvmRule:
    """One rule. `method`: six bits; `next_if_failed`: go on with the next rule when this one fails."""

    method: int
    next_if_failed: bool
    condition: int

    @property
    def method_text(self) -> str:
        """The method in words."""
        return _cvm_text("methods", self.method)

    @property
    def condition_text(self) -> str:
        """The condition in words."""
        return _cvm_text("conditions", self.condition)


@dataclass(frozen=True, slots=True)
class CvmList:
    """A card's list of verification methods. `x`, `y`: amounts in minor units that conditions compare to."""

    x_minor: int
    y_minor: int
    rules: tuple[CvmRule, ...]


@dataclass(frozen=True, slots=True)
class CvmResults:
    """How the cardholder was verified (9F34): the rule as listed, and its result."""

    rule: CvmRule
    result: int

    @property
    def result_text(self) -> str:
        """The result in words."""
        return _cvm_text("results", self.result)


def cvm_list(value: bytes) -> CvmList:
    """Take 8E apart. Raises EmvError (bad_length): no rule, or half a rule at the end."""
    if len(value) < 10 or len(value) % 2:
        raise EmvError(
            "bad_length", "a CVM list has two amounts of four bytes and rules of two, at least one"
        )
    rules = tuple(_cvm_rule(value[at], value[at + 1]) for at in range(8, len(value), 2))
    return CvmList(int.from_bytes(value[:4], "big"), int.from_bytes(value[4:8], "big"), rules)


def cvm_results(value: bytes) -> CvmResults:
    """Take 9F34 apart. Raises EmvError (bad_length)."""
    if len(value) != 3:
        raise EmvError("bad_length", "CVM results have three bytes")
    return CvmResults(_cvm_rule(value[0], value[1]), value[2])


def _cvm_rule(method: int, condition: int) -> CvmRule:
    return CvmRule(method & 0x3F, bool(method & 0x40), condition)


def _cvm_text(table: str, code: int) -> str:
    entry = _tables()["CVM"][table].get(f"{code:02X}")
    return entry[0] if entry else "unknown"
