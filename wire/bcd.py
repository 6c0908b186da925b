"""Packed decimal digits (BCD): two digits a byte, an odd number padded with one 0 at either side.

`pack` and `unpack` are for numbers; the `_nibbles` pair also takes A to F, for track data whose separator
is the nibble D and which may be enciphered.
"""

from __future__ import annotations

from typing import Literal

from wire.errors import BcdError

__all__ = ["BcdError", "Pad", "pack", "pack_nibbles", "unpack", "unpack_nibbles"]

Pad = Literal["left", "right"]

_DIGITS = frozenset("0123456789")
_NIBBLES = frozenset("0123456789ABCDEF")


def pack(digits: str, *, pad: Pad = "left") -> bytes:
    """Pack `digits`, two a byte; `pad` says where the 0 goes when their number is odd. Raises BcdError.

    >>> pack("021", pad="right").hex()
    '0210'
    """
    _require(digits, _DIGITS)
    return pack_nibbles(digits, pad=pad)


def unpack(data: bytes, digit_count: int, *, pad: Pad = "left") -> str:
    """Unpack `digit_count` digits out of exactly the bytes that hold so many.

    Raises BcdError: bad_length, bad_padding (the spare nibble is not 0), bad_character (a nibble above 9).
    """
    digits = unpack_nibbles(data, digit_count, pad=pad)
    _require(digits, _DIGITS)
    return digits


def pack_nibbles(nibbles: str, *, pad: Pad = "left") -> bytes:
    """Pack hex digits (upper case), two a byte; otherwise like `pack`."""
    _require(nibbles, _NIBBLES)
    if len(nibbles) % 2:
        nibbles = "0" + nibbles if pad == "left" else nibbles + "0"
    return bytes.fromhex(nibbles)


def unpack_nibbles(data: bytes, nibble_count: int, *, pad: Pad = "left") -> str:
    """Unpack hex digits (upper case); otherwise like `unpack`."""
    if len(data) != (nibble_count + 1) // 2:
        raise BcdError("bad_length", f"{nibble_count} digits do not take {len(data)} bytes")
    nibbles = data.hex().upper()
    if nibble_count % 2 == 0:
        return nibbles
    spare, kept = (nibbles[0], nibbles[1:]) if pad == "left" else (nibbles[-1], nibbles[:-1])
    if spare != "0":
        raise BcdError("bad_padding", "the spare half byte of an odd number of digits is not 0")
    return kept


def _require(text: str, alphabet: frozenset[str]) -> None:
    if not alphabet.issuperset(text):
        raise BcdError("bad_character", "there is a character that is no digit")
