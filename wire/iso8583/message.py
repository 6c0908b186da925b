"""A message as values: MTI, data elements, and the addresses in front of them.

The values are the same in every dialect, so that a message can be built without knowing how it is packed:
digits and text are `str`, binary data elements are `bytes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from wire.errors import CodecError
from wire.pan import mask_digits

# Shown in clear by repr(). Everything else is hidden, so that a new field cannot leak by being forgotten.
_SHOWN = frozenset(
    {3, 4, 7, 11, 12, 13, 15, 22, 23, 25, 26, 32, 37, 38, 39, 41, 42, 49, 53, 60, 61, 64, 70, 90}
)


@dataclass(frozen=True)
class IsoMessage:
    """One ISO 8583 message.

    `mti`: four digits. `fields`: data element number to value. Digits and text are `str` (field 22 `021`,
    field 35 as hex digits with `D` for the separator, fields 48, 60 and 61 digits, 44 and 63 text); fields
    52, 55, 59, 62, 64 and 128 are `bytes`. `tpdu` (10 digits) and `header` (12 hex digits) are empty in
    dialects that have none. repr() masks whatever is or may be secret.
    """

    mti: str
    fields: Mapping[int, str | bytes] = field(default_factory=dict)
    tpdu: str = "6000060000"
    header: str = "603100320000"

    def __post_init__(self) -> None:
        # Sorted and read-only: two equal messages print alike, and a message does not change once built.
        object.__setattr__(self, "fields", MappingProxyType(dict(sorted(self.fields.items()))))

    def text(self, number: int) -> str:
        """Return a digits or text field, "" when it is absent. Raises CodecError for a binary field."""
        value = self.fields.get(number, "")
        if isinstance(value, bytes):
            raise CodecError("bad_format", number, "it is binary, and was read as text")
        return value

    def binary(self, number: int) -> bytes:
        """Return a binary field, b"" when it is absent. Raises CodecError for a text field."""
        value = self.fields.get(number, b"")
        if isinstance(value, str):
            raise CodecError("bad_format", number, "it is text, and was read as binary")
        return value

    def __repr__(self) -> str:
        shown = ", ".join(f"F{number}={_shown(number, value)}" for number, value in self.fields.items())
        return f"IsoMessage({self.mti} {shown})"


def _shown(number: int, value: str | bytes) -> str:
    if number == 2 and isinstance(value, str):
        return mask_digits(value)
    if number not in _SHOWN:
        return f"<{len(value)}>"
    return value.hex().upper() if isinstance(value, bytes) else value


def response_mti(mti: str) -> str:
    """Return the MTI of the answer to a request or advice: `0200` is `0210`, `0221` is `0230`."""
    return f"{mti[:2]}{int(mti[2]) + 1}0"


def swap_tpdu(tpdu: str) -> str:
    """Return the TPDU of the way back: the two addresses change places, `6000060000` is `6000000006`."""
    if len(tpdu) != 10:
        raise CodecError("bad_length", None, "a TPDU has ten digits")
    return tpdu[:2] + tpdu[6:10] + tpdu[2:6]
