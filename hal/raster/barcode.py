"""Bar codes as bars: which are wide, which are narrow, and what is printed below them for people.

The plan of this file. `bars` turns data into the widths of bars and spaces, `row` those into dots. The tables
of the symbologies are data (`barcodes.toml`). Widths are in half modules, so that the wide bar of a two-width
symbology (two and a half modules) is a whole number.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from hal.api import Symbology

QUIET_MODULES = 10
"""The light margin at both sides (ISO/IEC 15417, section 4.4; EAN needs 11 at the left, 7 at the right)."""

DATA_MAX = 255
"""Characters that are drawn at all: far more than any paper is wide."""

_NARROW, _WIDE, _MODULE = 2, 5, 2


class BarcodeError(ValueError):
    """The symbology cannot hold the data. The text says what it takes, never what was given."""


@dataclass(frozen=True, slots=True)
class Bars:
    """`widths`: bar, space, bar ... bar, in half modules. `text`: what stands below for people."""

    widths: tuple[int, ...]
    text: str


def bars(symbology: Symbology, data: str) -> Bars:
    """The bars of `data`; a check digit that EAN and UPC lack is added. Raises BarcodeError."""
    if not 0 < len(data) <= DATA_MAX:
        raise BarcodeError(f"a bar code holds 1 to {DATA_MAX} characters")
    return _ENCODERS[symbology](data)


def width_dots(code: Bars, module_dots: int) -> int:
    """How wide the bars are, without quiet zones."""
    return sum(width * module_dots // 2 for width in code.widths)


def row(code: Bars, module_dots: int) -> bytes:
    """One row of dots across the bars, 1 for black."""
    dots = bytearray()
    for place, width in enumerate(code.widths):
        dots += (b"\0" if place % 2 else b"\1") * (width * module_dots // 2)
    return bytes(dots)


# --- Code 128 ----------------------------------------------------------------------------------------

CODE128_START = {"A": 103, "B": 104, "C": 105}
CODE128_SWITCH = {"A": 101, "B": 100, "C": 99}


def code128(values: Sequence[int], text: str) -> Bars:
    """Code 128 from symbol values, the start character first; check character and stop are added."""
    patterns = _patterns("code128")
    check = (values[0] + sum(place * value for place, value in enumerate(values[1:], 1))) % 103
    return Bars(_modules([*(patterns[value] for value in values), patterns[check], patterns[106]]), text)


def _code128_of_text(data: str) -> Bars:
    """Set C for an even run of digits alone, else set B."""
    if data.isdecimal() and data.isascii() and len(data) % 2 == 0:
        pairs = [int(data[at : at + 2]) for at in range(0, len(data), 2)]
        return code128([CODE128_START["C"], *pairs], data)
    if not all(" " <= char <= "\x7f" for char in data):
        raise BarcodeError("Code 128 holds ASCII: leave other characters out")
    return code128([CODE128_START["B"], *(ord(char) - 32 for char in data)], data)


# --- EAN and UPC -------------------------------------------------------------------------------------


def _ean13(data: str) -> Bars:
    digits = _with_check_digit("EAN-13", data, 12)
    return Bars(_ean13_widths(digits), digits)


def _upc_a(data: str) -> Bars:
    digits = _with_check_digit("UPC-A", data, 11)
    return Bars(_ean13_widths(f"0{digits}"), digits)


def _ean13_widths(digits: str) -> tuple[int, ...]:
    sets = _words("ean", "ean13_sets")[int(digits[0])]
    left = [_ean_digit(digit, letter) for digit, letter in zip(digits[1:7], sets, strict=True)]
    right = [_ean_digit(digit, "C") for digit in digits[7:]]
    return _modules(["111", *left, "11111", *right, "111"])


def _ean8(data: str) -> Bars:
    digits = _with_check_digit("EAN-8", data, 7)
    left = [_ean_digit(digit, "A") for digit in digits[:4]]
    right = [_ean_digit(digit, "C") for digit in digits[4:]]
    return Bars(_modules(["111", *left, "11111", *right, "111"]), digits)


def _upc_e(data: str) -> Bars:
    """From six digits (number system 0), seven, eight, or a whole UPC-A that can be shortened."""
    if not _is_digits(data) or len(data) not in {6, 7, 8, 11, 12}:
        raise BarcodeError("UPC-E takes 6, 7, 8, 11 or 12 digits")
    short = _shortened(data) if len(data) > 8 else data.rjust(7, "0")[:7]
    if short[0] not in "01":
        raise BarcodeError("UPC-E has number system 0 or 1")
    check = data[-1] if len(data) in {8, 12} else _check_digit(_lengthened(short))
    sets = _words("ean", "upce_sets")[int(check)]
    if short[0] == "1":
        sets = sets.translate(str.maketrans("AB", "BA"))
    middle = [_ean_digit(digit, letter) for digit, letter in zip(short[1:], sets, strict=True)]
    return Bars(_modules(["111", *middle, "111111"]), short + check)


def _lengthened(short: str) -> str:
    """The eleven digits of UPC-A behind number system and six digits of UPC-E."""
    system, body, last = short[0], short[1:6], short[6]
    if last in "012":
        return f"{system}{body[:2]}{last}0000{body[2:]}"
    if last == "3":
        return f"{system}{body[:3]}00000{body[3:]}"
    if last == "4":
        return f"{system}{body[:4]}00000{body[4]}"
    return f"{system}{body}0000{last}"


def _shortened(digits: str) -> str:
    """Number system and six digits of UPC-E for the eleven digits of UPC-A."""
    for last in "0123456789":
        maker, item = digits[1:6], digits[6:11]
        bodies = {
            "3": f"{maker[:3]}{item[3:]}",
            "4": f"{maker[:4]}{item[4]}",
            **dict.fromkeys("012", f"{maker[:2]}{item[2:]}"),
        }
        short = f"{digits[0]}{bodies.get(last, maker)}{last}"
        if _lengthened(short) == digits[:11]:
            return short
    raise BarcodeError("this UPC-A has no short form")


def _with_check_digit(name: str, data: str, length: int) -> str:
    if not _is_digits(data) or len(data) not in {length, length + 1}:
        raise BarcodeError(f"{name} takes {length} digits, or {length + 1} with the check digit")
    return data if len(data) > length else data + _check_digit(data)


def _check_digit(digits: str) -> str:
    """Modulo 10 with weights 3 and 1 from the right (GS1 General Specifications, section 7.9)."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def _ean_digit(digit: str, letter: str) -> str:
    pattern = _words("ean", "digits")[int(digit)]
    return pattern[::-1] if letter == "B" else pattern


# --- symbologies of two widths, and Code 93 ----------------------------------------------------------


def _code39(data: str) -> Bars:
    data = data.upper()
    body = data if len(data) > 1 and data[0] == data[-1] == "*" else f"*{data}*"
    if "*" in body[1:-1]:
        raise BarcodeError("Code 39 has * at both ends alone")
    return Bars(_two_widths(_look_up("code39", "Code 39", body), "n"), data)


def _itf(data: str) -> Bars:
    """Digits in pairs: the first of a pair is in the bars, the second in the spaces."""
    if not _is_digits(data) or len(data) % 2:
        raise BarcodeError("ITF takes an even number of digits")
    patterns = _patterns("itf")
    pairs = [
        "".join(bar + space for bar, space in zip(patterns[int(first)], patterns[int(second)], strict=True))
        for first, second in zip(data[::2], data[1::2], strict=True)
    ]
    return Bars(_two_widths(["nnnn", *pairs, "wnn"], ""), data)


def _codabar(data: str) -> Bars:
    body = data.upper()
    if len(body) < 2 or body[0] not in "ABCD" or body[-1] not in "ABCD" or set(body[1:-1]) & set("ABCD"):
        raise BarcodeError("Codabar begins and ends with one of A, B, C, D")
    return Bars(_two_widths(_look_up("codabar", "Codabar", body), "n"), data)


def _code93(data: str) -> Bars:
    if not data.isascii():
        raise BarcodeError("Code 93 holds ASCII: leave other characters out")
    values = [value for char in data for value in _code93_values(char)]
    for weights in (20, 15):
        check = sum(place % weights * value + value for place, value in enumerate(reversed(values)))
        values.append(check % 47)
    patterns = _patterns("code93")
    return Bars(_modules([patterns[47], *(patterns[value] for value in values), patterns[47], "1"]), data)


_SHIFT_DOLLAR, _SHIFT_PERCENT, _SHIFT_SLASH, _SHIFT_PLUS = 43, 44, 45, 46


def _code93_values(char: str) -> list[int]:
    """A character of ASCII as one or two values (AIM USS-93, table of the full ASCII set)."""
    alphabet = str(_tables()["code93"]["characters"])
    if char in alphabet:
        return [alphabet.index(char)]
    point = ord(char)
    runs = (  # first code point, last, shift, letter of the first
        (0, 0, _SHIFT_PERCENT, "U"),
        (1, 26, _SHIFT_DOLLAR, "A"),
        (27, 31, _SHIFT_PERCENT, "A"),
        (33, 57, _SHIFT_SLASH, "A"),
        (58, 58, _SHIFT_SLASH, "Z"),
        (59, 63, _SHIFT_PERCENT, "F"),
        (64, 64, _SHIFT_PERCENT, "V"),
        (91, 95, _SHIFT_PERCENT, "K"),
        (96, 96, _SHIFT_PERCENT, "W"),
        (97, 122, _SHIFT_PLUS, "A"),
        (123, 127, _SHIFT_PERCENT, "P"),
    )
    first, _, shift, letter = next(run for run in runs if run[0] <= point <= run[1])
    return [shift, alphabet.index(letter) + point - first]


# --- tables ------------------------------------------------------------------------------------------


@cache
def _tables() -> Mapping[str, Mapping[str, str]]:
    return tomllib.loads((resources.files("hal") / "raster" / "barcodes.toml").read_text("utf-8"))


@cache
def _words(table: str, key: str) -> list[str]:
    return _tables()[table][key].split()


def _patterns(table: str) -> list[str]:
    return _words(table, "patterns")


def _look_up(table: str, name: str, data: str) -> list[str]:
    alphabet, patterns = _tables()[table]["characters"], _patterns(table)
    if not set(data) <= set(alphabet):
        raise BarcodeError(f"{name} holds no other characters than {alphabet}")
    return [patterns[alphabet.index(char)] for char in data]


def _modules(patterns: Iterable[str]) -> tuple[int, ...]:
    return tuple(int(digit) * _MODULE for pattern in patterns for digit in pattern)


def _two_widths(patterns: Iterable[str], gap: str) -> tuple[int, ...]:
    return tuple(_NARROW if element == "n" else _WIDE for element in gap.join(patterns))


def _is_digits(data: str) -> bool:
    return data.isascii() and data.isdecimal()


_ENCODERS: Mapping[Symbology, Callable[[str], Bars]] = {
    Symbology.UPC_A: _upc_a,
    Symbology.UPC_E: _upc_e,
    Symbology.EAN13: _ean13,
    Symbology.EAN8: _ean8,
    Symbology.CODE39: _code39,
    Symbology.ITF: _itf,
    Symbology.CODABAR: _codabar,
    Symbology.CODE93: _code93,
    Symbology.CODE128: _code128_of_text,
}
