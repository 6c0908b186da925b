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

Value = str | bytes
"""A data element: digits and text are `str`, binary is `bytes`."""

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
