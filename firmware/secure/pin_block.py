"""PIN blocks (ISO 9564-1). A terminal makes them and never takes one apart: there is no decoder here."""

from __future__ import annotations

from firmware.secure.errors import PinFormat
from wire.pan import Pan

PIN_DIGITS_MIN = 4
PIN_DIGITS_MAX = 12
BLOCK_BYTES = 8

_ACCOUNT_DIGITS = 12


def format_0(pin_digits: bytearray, pan: Pan) -> bytearray:
    """The clear block of format 0: control and length, PIN, fill F; XOR the account number field.

    `pin_digits`: one byte a digit, values 0 to 9. The caller wipes both that and the 8-byte result.
    Raises PinFormat: the PIN has not 4 to 12 digits, or the card number fewer than 13.
    """
    account = account_field(pan)
    if not PIN_DIGITS_MIN <= len(pin_digits) <= PIN_DIGITS_MAX or max(pin_digits) > 9:
        raise PinFormat(f"a PIN has {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} decimal digits")
    block = bytearray(b"\xff" * BLOCK_BYTES)
    block[0] = len(pin_digits)
    for place, digit in enumerate(pin_digits, start=2):
        _put_nibble(block, place, digit)
    for place, byte in enumerate(account):
        block[place] ^= byte
    return block


def account_field(pan: Pan) -> bytes:
    """The account number field of formats 0 and 3: 0000 and the 12 digits before the check digit, packed.

    Raises PinFormat when the card number has fewer than 13 digits.
    """
    digits = pan.reveal()[:-1][-_ACCOUNT_DIGITS:]
    if len(digits) < _ACCOUNT_DIGITS:
        raise PinFormat("a PIN block needs a card number of at least 13 digits")
    return bytes.fromhex("0000" + digits)


def _put_nibble(block: bytearray, place: int, value: int) -> None:
    # Small integers and in-place writes only: a string of digits could not be wiped.
    byte = block[place // 2]
    block[place // 2] = (value << 4) | (byte & 0x0F) if place % 2 == 0 else (byte & 0xF0) | value
