"""PIN blocks taken apart (ISO 9564-1 formats 0 to 4), and made out of text.

The terminal makes PIN blocks (`firmware.secure.pin_block`) and never opens one: opening is for the
calculator, with test keys. Blocks are made by the terminal's own functions.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from firmware.secure import aes, pin_block, tdes
from firmware.secure.errors import BadInput
from tools.calc.algorithms.checks import (
    PIN_DIGITS_MAX,
    PIN_DIGITS_MIN,
    require_bytes,
    require_key,
    require_pan,
    require_pin,
    xor,
)
from wire.pan import Pan

FORMATS = (0, 1, 2, 3, 4)
WITH_PAN = (0, 3)
_LETTERS = frozenset("ABCDEF")
_HEX = frozenset("0123456789ABCDEF")


@dataclass(frozen=True, slots=True)
class DecodedBlock:
    """A PIN block in clear: `pin_field` before the account number was combined with it."""

    pin: str = field(repr=False)
    pin_field: bytes = field(repr=False)


def encode(block_format: int, pin: str, pan: str = "", fill: str = "") -> bytes:
    """The clear block; for format 4 the PIN field. `fill`: the random nibbles of formats 1, 3 and 4, in hex.

    Raises BadInput: bad_format (no such format), bad_length, bad_character.
    """
    _require_format(block_format)
    require_pin(pin)
    digits = bytearray(map(int, pin))
    if block_format in WITH_PAN:
        require_pan(pan, digits_min=13)
    if block_format == 0:
        return bytes(pin_block.format_0(digits, Pan(pan)))
    if block_format == 2:
        return bytes(pin_block.format_2(digits))
    if block_format == 4:
        if pan:
            require_pan(pan, digits_min=1)
        _require_fill(fill, 16)
        return bytes(pin_block.format_4(digits, bytes.fromhex(fill)))
    _require_fill(fill, 14 - len(pin), letters_only=block_format == 3)
    random = bytes.fromhex(fill.rjust(16, "0"))
    if block_format == 1:
        return bytes(pin_block.format_1(digits, random))
    return bytes(pin_block.format_3(digits, Pan(pan), random))


def account_field(block_format: int, pan: str) -> bytes:
    """What is combined with the PIN field: 8 bytes for formats 0 and 3, 16 for format 4. Raises BadInput."""
    if block_format == 4:
        require_pan(pan, digits_min=1)
        body = f"{max(0, len(pan) - 12)}{pan.rjust(12, '0')}"
        return bytes.fromhex(body.ljust(32, "0"))
    require_pan(pan, digits_min=13)
    return pin_block.account_field(Pan(pan))


def decode(block_format: int, block: bytes, pan: str = "") -> DecodedBlock:
    """Open a clear block; for format 4 the PIN field.

    Raises BadInput: bad_length (block, or PIN), bad_format (another format), bad_character (a digit of the
    PIN), bad_padding (the fill: another card number, or another key).
    """
    _require_format(block_format)
    require_bytes("the PIN block", block, pin_block.FORMAT_4_BYTES if block_format == 4 else 8)
    pin_field = xor(block, account_field(block_format, pan)) if block_format in WITH_PAN else block
    nibbles = pin_field.hex().upper()
    if nibbles[0] != str(block_format):
        raise BadInput("bad_format", f"the block is not of format {block_format}: its control nibble differs")
    length = int(nibbles[1], 16)
    if not PIN_DIGITS_MIN <= length <= PIN_DIGITS_MAX:
        raise BadInput("bad_length", f"the PIN inside has not {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits")
    pin, fill = nibbles[2 : 2 + length], nibbles[2 + length : 16]
    if not pin.isdigit():
        raise BadInput("bad_character", "the PIN in the block is not all digits")
    if not _fill_alphabet(block_format).issuperset(fill):
        raise BadInput("bad_padding", f"the fill of the block is not that of format {block_format}")
    return DecodedBlock(pin, pin_field)


def encipher(block_format: int, key: bytes, clear: bytes, pan: str = "") -> bytes:
    """The block as it is sent: triple DES, for format 4 AES. Raises BadInput: bad_key, bad_length."""
    if block_format == 4:
        block = bytearray(clear)
        pin_block.encipher_format_4(key, block, account_field(4, pan))
        return bytes(block)
    require_key("a PIN key", key, 8, 16, 24)
    return tdes.encrypt(key, clear)


def decipher(block_format: int, key: bytes, block: bytes, pan: str = "") -> bytes:
    """The clear block out of what was sent; for format 4 the PIN field. Raises BadInput."""
    _require_format(block_format)
    if block_format == 4:
        require_bytes("a PIN block of format 4", block, pin_block.FORMAT_4_BYTES)
        account = account_field(4, pan)
        return aes.decrypt(key, xor(aes.decrypt(key, block), account))
    require_key("a PIN key", key, 8, 16, 24)
    require_bytes("the PIN block", block, pin_block.BLOCK_BYTES)
    return tdes.decrypt(key, block)


def _fill_alphabet(block_format: int) -> frozenset[str]:
    return {0: frozenset("F"), 1: _HEX, 2: frozenset("F"), 3: _LETTERS, 4: frozenset("A")}[block_format]


def _require_format(block_format: int) -> None:
    if block_format not in FORMATS:
        raise BadInput("bad_format", "the formats of PIN blocks are 0 to 4")


def _require_fill(fill: str, nibbles: int, *, letters_only: bool = False) -> None:
    if len(fill) != nibbles:
        raise BadInput("bad_length", f"the random fill has {nibbles} hex digits here, not {len(fill)}")
    if not (_LETTERS if letters_only else _HEX).issuperset(fill):
        raise BadInput("bad_character", "the random fill is A to F in format 3, hex digits in the others")
