"""PIN blocks (ISO 9564-1). A terminal makes them and never takes one apart: there is no decoder here.

`pin_digits` is one byte a digit, values 0 to 9. Blocks are made in place, in small integers: a string of
digits could not be wiped. The caller wipes both the digits and the clear block that is returned.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware.secure import sm4, tdes
from firmware.secure.errors import PinFormat
from firmware.secure.memory import SecretBytes, wipe, xor_in_place
from firmware.secure.scheme import PinFormat as Format
from firmware.secure.tdes import KeyBytes
from wire.pan import Pan

PIN_DIGITS_MIN = 4
PIN_DIGITS_MAX = 12
BLOCK_BYTES = 8
FORMAT_4_BYTES = 16
FORMAT_4_RANDOM_BYTES = 8

_ACCOUNT_DIGITS = 12


def format_0(pin_digits: bytearray, pan: Pan) -> bytearray:
    """The clear block of format 0: control and length, PIN, fill F; XOR the account number field.

    Raises PinFormat: the PIN has not 4 to 12 digits, or the card number fewer than 13.
    """
    account = account_field(pan)
    block = _pin_field(0, pin_digits, SecretBytes(b"\xff" * BLOCK_BYTES))
    xor_in_place(block, account)
    return block


def format_1(pin_digits: bytearray, random: bytes) -> bytearray:
    """The clear block of format 1, for want of a card number: control and length, PIN, random fill.

    `random`: 8 bytes, of which the last nibbles are used. Raises PinFormat.
    """
    return _pin_field(1, pin_digits, _fill(random, BLOCK_BYTES))


def format_2(pin_digits: bytearray) -> bytearray:
    """The block of format 2, which goes to the chip and never over a line. Raises PinFormat."""
    return _pin_field(2, pin_digits, SecretBytes(b"\xff" * BLOCK_BYTES))


def format_3(pin_digits: bytearray, pan: Pan, random: bytes) -> bytearray:
    """The clear block of format 3: as format 0, its fill random out of A to F.

    `random`: 8 bytes, of which the last nibbles are used, brought into A to F where they are not. A uniform
    source leaves A to D a little likelier than E and F. Raises PinFormat.
    """
    account = account_field(pan)
    block = _pin_field(3, pin_digits, SecretBytes(map(_letters, _fill(random, BLOCK_BYTES))))
    xor_in_place(block, account)
    return block


def format_4(pin_digits: bytearray, random: bytes) -> bytearray:
    """The clear PIN field of format 4, 16 bytes: control and length, PIN, fill A, 8 random bytes.

    Raises PinFormat.
    """
    return _pin_field(
        4, pin_digits, SecretBytes(b"\xaa" * BLOCK_BYTES + _fill(random, FORMAT_4_RANDOM_BYTES))
    )


def format_4_account_field(pan: Pan) -> bytes:
    """The account number field of format 4, 16 bytes: digits beyond 12, the card number, zeros."""
    digits = pan.reveal()
    return bytes.fromhex(f"{len(digits) - _ACCOUNT_DIGITS}{digits}".ljust(2 * FORMAT_4_BYTES, "0"))


def encipher_format_4(key: KeyBytes, pin_field: bytearray, account: bytes) -> None:
    """Turn the clear PIN field into the enciphered block, in place: E(E(field) xor account field).

    `key`: an AES key. Raises BadInput (bad_key).
    """
    from firmware.secure import aes

    aes.encrypt_in_place(key, pin_field)
    xor_in_place(pin_field, account)
    aes.encrypt_in_place(key, pin_field)


def sm4_block(pin_digits: bytearray, pan: Pan) -> bytearray:
    """The clear block of the SM4 variant: as format 0, filled and with zeros in front to 16 bytes.

    The digest (section 6.7) says "format-0-like"; this is the plain reading of it. Raises PinFormat.
    """
    block = _pin_field(0, pin_digits, SecretBytes(b"\xff" * sm4.BLOCK_BYTES))
    xor_in_place(block, account_field(pan).rjust(sm4.BLOCK_BYTES, b"\0"))
    return block


def enciphered(
    block_format: Format, key: KeyBytes, pin_digits: bytearray, pan: Pan, random: Callable[[int], bytes]
) -> bytes:
    """The PIN block under `key`: 8 bytes, 16 in format 4 and SM4. The clear block is wiped.

    Raises PinFormat, KeyFormat, BadInput (bad_key).
    """
    block = _clear(block_format, pin_digits, pan, random)
    try:
        if block_format is Format.ISO_4:
            encipher_format_4(key, block, format_4_account_field(pan))
        elif block_format is Format.SM4:
            sm4.encrypt_in_place(key, block)
        else:
            tdes.encrypt_in_place(key, block)
        return bytes(block)
    finally:
        wipe(block)


def _clear(
    block_format: Format, pin_digits: bytearray, pan: Pan, random: Callable[[int], bytes]
) -> bytearray:
    match block_format:
        case Format.ISO_0:
            return format_0(pin_digits, pan)
        case Format.ISO_1:
            return format_1(pin_digits, random(BLOCK_BYTES))
        case Format.ISO_3:
            return format_3(pin_digits, pan, random(BLOCK_BYTES))
        case Format.ISO_4:
            return format_4(pin_digits, random(FORMAT_4_RANDOM_BYTES))
        case Format.SM4:
            return sm4_block(pin_digits, pan)


def account_field(pan: Pan) -> bytes:
    """The account number field of formats 0 and 3: 0000 and the 12 digits before the check digit, packed.

    Raises PinFormat when the card number has fewer than 13 digits.
    """
    digits = pan.reveal()[:-1][-_ACCOUNT_DIGITS:]
    if len(digits) < _ACCOUNT_DIGITS:
        raise PinFormat("a PIN block needs a card number of at least 13 digits")
    return bytes.fromhex("0000" + digits)


def _pin_field(control: int, pin_digits: bytearray, block: bytearray) -> bytearray:
    """`block`, which is all fill, with control nibble, length and PIN put in front."""
    count = len(pin_digits)
    if not PIN_DIGITS_MIN <= count <= PIN_DIGITS_MAX or max(pin_digits) > 9:
        raise PinFormat(f"a PIN has {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} decimal digits")
    block[0] = control << 4 | count
    for place in range(0, count - 1, 2):
        block[1 + place // 2] = pin_digits[place] << 4 | pin_digits[place + 1]
    if count % 2:
        place = 1 + count // 2
        block[place] = pin_digits[-1] << 4 | (block[place] & 0x0F)
    return block


def _fill(random: bytes, size_bytes: int) -> bytearray:
    if len(random) != size_bytes:
        raise PinFormat(f"the random fill of a PIN block has {size_bytes} bytes")
    return SecretBytes(random)


def _letters(byte: int) -> int:
    """`byte` with both nibbles brought into A to F; those that are there already stay."""
    high, low = byte >> 4, byte & 0x0F
    return (high if high > 9 else 10 + high % 6) << 4 | (low if low > 9 else 10 + low % 6)
