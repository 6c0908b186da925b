"""A dialect as data: how header, MTI, bitmap and each data element are packed.

The tables lie beside this file in `dialects/*.toml`, one line a field. The keys of a field:

    name, name_zh  what people call it
    type           n digits, an letters and digits, ans text, z track data, x+n sign and digits, b binary
    max            digits, characters or bytes; the exact length where `len_digits` is 0
    len_digits     0 fixed length, 2 LLVAR, 3 LLLVAR
    len            ascii, bcd, binary: how that length is written
    data           ascii; bcd (two digits a byte); hex (binary as hex characters, fixed length only);
                   binary; amount-bcd (sign character, then bcd)
    pad            left, right: where an odd number of bcd digits gets its 0
    charset        the encoding of text: ascii or gbk
    mask           what listings and logs show of it: see wire.iso8583.masking
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from wire.bcd import Pad
from wire.errors import CodecError
from wire.iso8583.masking import Mask

FieldType = Literal["n", "an", "ans", "z", "x+n", "b"]
DataEncoding = Literal["ascii", "bcd", "hex", "binary", "amount-bcd"]
LengthEncoding = Literal["ascii", "bcd", "binary"]

DIALECTS = ("unionpay", "iso87")


@dataclass(frozen=True, slots=True)
class FieldTable:
    """How one data element is packed; see the head of this file."""

    number: int
    type: FieldType
    max: int
    data: DataEncoding
    len_digits: int = 0
    len: LengthEncoding = "ascii"
    pad: Pad = "left"
    charset: str = "ascii"
    mask: Mask = "none"
    name: str = ""
    name_zh: str = ""

    def library_entry(self) -> dict[str, Any]:
        """Return the field as pyiso8583 wants it described."""
        entry: dict[str, Any] = {
            "data_enc": self.charset if self.data in {"ascii", "hex"} else "b",
            "len_enc": {"ascii": "ascii", "bcd": "bcd", "binary": "b"}[self.len],
            "len_type": self.len_digits if self.len == "ascii" else (self.len_digits + 1) // 2,
            "max_len": self._library_length(),
            "desc": self.name,
        }
        if self.data == "bcd":
            entry |= {"len_count": "nibbles", f"{self.pad}_pad": "0"}
        return entry

    def _library_length(self) -> int:
        if self.data == "hex":
            assert self.len_digits == 0, "hex data has a fixed length"
            return 2 * self.max
        if self.data == "amount-bcd":
            return 1 + self.max // 2
        return self.max


@dataclass(frozen=True, slots=True)
class DialectTable:
    """One dialect.

    `header`: bytes of TPDU and header together, 11 or 0. `primary_only`: there is never a second bitmap;
    `wide_bitmap`: there always is one, and bit 1 does not say so (hex bitmaps only).
    """

    name: str
    mti: Literal["bcd", "ascii"]
    bitmap: Literal["binary", "hex"]
    fields: Mapping[int, FieldTable]
    title: str = ""
    header: int = 0
    primary_only: bool = False
    wide_bitmap: bool = False

    @classmethod
    def from_mapping(cls, name: str, table: Mapping[str, Any]) -> Self:
        """Make a dialect out of a table as it stands in a file."""
        fields = {
            int(number): FieldTable(number=int(number), **entry) for number, entry in table["fields"].items()
        }
        return cls(name=name, **{**table, "fields": fields})

    @classmethod
    def load(cls, name: str) -> Self:
        """Read one of `DIALECTS`. Raises CodecError (unsupported) for any other name."""
        if name not in DIALECTS:
            raise CodecError("unsupported", None, f"the dialects are {' and '.join(DIALECTS)}")
        # Imported here: they take as long as the rest of this room, and a test's own table needs neither.
        import tomllib
        from importlib import resources

        source = resources.files("wire.iso8583").joinpath("dialects", f"{name}.toml")
        return cls.from_mapping(name, tomllib.loads(source.read_text(encoding="utf-8")))

    def library_spec(self) -> dict[str, dict[str, Any]]:
        """Return the whole dialect as pyiso8583 wants it described, TPDU and header left out."""
        spec = {
            "h": _fixed(0, "ascii", "header"),
            "t": _fixed(2, "b", "MTI") if self.mti == "bcd" else _fixed(4, "ascii", "MTI"),
            "p": _fixed(8, "b", "bitmap") if self.bitmap == "binary" else _fixed(16, "ascii", "bitmap"),
        }
        if not self.primary_only:
            spec["1"] = spec["p"]
        return spec | {str(entry.number): entry.library_entry() for entry in self.fields.values()}


def _fixed(length: int, encoding: str, name: str) -> dict[str, Any]:
    return {"data_enc": encoding, "len_enc": "ascii", "len_type": 0, "max_len": length, "desc": name}
