"""Checks of what is given to a calculation. The texts name the field and the rule, never the value."""

from __future__ import annotations

from firmware.secure.errors import BadInput

PIN_DIGITS_MIN, PIN_DIGITS_MAX = 4, 12


def require_digits(name: str, text: str, *, digits_min: int, digits_max: int | None = None) -> None:
    """Raise BadInput unless `text` is decimal digits, as many as allowed: bad_character, bad_length.

    `digits_max`: the same as `digits_min` where it is left out.
    """
    digits_max = digits_min if digits_max is None else digits_max
    if not digits_min <= len(text) <= digits_max:
        allowed = f"{digits_min}" if digits_min == digits_max else f"{digits_min} to {digits_max}"
        raise BadInput("bad_length", f"{name} has {allowed} digits, not {len(text)}")
    if not (text.isascii() and text.isdigit()):
        raise BadInput("bad_character", f"{name} has decimal digits only")


def require_pin(pin: str, name: str = "the PIN") -> None:
    """Raise BadInput unless `pin` has 4 to 12 digits: bad_length, bad_character."""
    require_digits(name, pin, digits_min=PIN_DIGITS_MIN, digits_max=PIN_DIGITS_MAX)


def require_pan(pan: str, *, digits_min: int = 12, digits_max: int = 19) -> None:
    """Raise BadInput unless `pan` is a card number: bad_length, bad_character."""
    require_digits("the card number", pan, digits_min=digits_min, digits_max=digits_max)


def require_key(name: str, key: bytes, *sizes: int) -> None:
    """Raise BadInput (bad_key) unless `key` has one of the `sizes`."""
    if len(key) not in sizes:
        allowed = " or ".join(map(str, sizes))
        raise BadInput("bad_key", f"{name} has {allowed} bytes, this one {len(key)}")


def require_bytes(name: str, data: bytes, size: int) -> None:
    """Raise BadInput (bad_length) unless `data` has `size` bytes."""
    if len(data) != size:
        raise BadInput("bad_length", f"{name} has {size} bytes, not {len(data)}")


def xor(one: bytes, other: bytes) -> bytes:
    """`one` and `other`, of the same length, combined by exclusive or."""
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
