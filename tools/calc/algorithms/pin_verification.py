"""How an issuer verifies a PIN: Visa's PVV and the IBM 3624 method with offset.

Sources: Visa PIN verification value; IBM 3624 (as described in ANSI X9.8 and HSM manuals). Second opinions
in the tests: psec.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware.secure import tdes
from firmware.secure.errors import BadInput
from tools.calc.algorithms.checks import require_digits, require_key, require_pan, require_pin
from tools.calc.algorithms.decimalise import decimal_digits

_HEX = frozenset("0123456789ABCDEFabcdef")


def pvv_input(pvki: str, pin: str, pan: str) -> str:
    """The 16 digits that are enciphered: 11 of the card number, key index, four of the PIN."""
    if len(pvki) != 1 or not (pvki.isascii() and pvki.isdigit()):
        raise BadInput("bad_format", "the key index of a PVV is one digit")
    if len(pin) != 4 or not (pin.isascii() and pin.isdigit()):
        raise BadInput("bad_format", "a PVV is made of the first four digits of the PIN")
    require_pan(pan)
    return f"{pan[-12:-1]}{pvki}{pin}"


def pvv(key: bytes, pvki: str, pin: str, pan: str) -> str:
    """The PIN verification value, four digits. Raises BadInput: bad_key, bad_format, bad_length."""
    require_key("a PIN verification key", key, 8, 16, 24)
    return decimal_digits(tdes.encrypt(key, bytes.fromhex(pvv_input(pvki, pin, pan))), 4)


@dataclass(frozen=True, slots=True)
class Ibm3624:
    """The parameters of the IBM 3624 method.

    `conversion_table`: 16 decimal digits that replace the hex digits 0 to F. The validation data are
    `pan_verify_length` digits of the card number from `pan_verify_offset` on, filled with `pan_pad` to 16.
    """

    conversion_table: str = "0123456789012345"
    pan_verify_offset: int = 0
    pan_verify_length: int = 12
    pan_pad: str = "F"

    def validation_data(self, pan: str) -> str:
        """The 16 hex digits that are enciphered. Raises BadInput: bad_length, bad_character."""
        require_pan(pan)
        end = self.pan_verify_offset + self.pan_verify_length
        if self.pan_verify_offset < 0 or not 0 < self.pan_verify_length <= 16 or end > len(pan):
            raise BadInput("bad_length", "the digits to verify are not inside the card number, or over 16")
        if len(self.pan_pad) != 1 or self.pan_pad not in _HEX:
            raise BadInput("bad_character", "the fill of the validation data is one hex digit")
        return pan[self.pan_verify_offset : end].ljust(16, self.pan_pad.upper())

    def natural_pin(self, pvk: bytes, pan: str, digits: int) -> str:
        """The PIN that key and card number give. Raises BadInput: bad_key, bad_length, bad_character."""
        require_key("a PIN verification key", pvk, 8, 16, 24)
        require_digits("the conversion table", self.conversion_table, digits_min=16)
        enciphered = tdes.encrypt(pvk, bytes.fromhex(self.validation_data(pan))).hex()
        return "".join(self.conversion_table[int(digit, 16)] for digit in enciphered[:digits])

    def pin(self, pvk: bytes, pan: str, offset: str) -> str:
        """The cardholder's PIN: natural PIN plus offset, digit by digit. Raises BadInput."""
        require_pin(offset, "the offset")
        natural = self.natural_pin(pvk, pan, len(offset))
        return "".join(str((int(n) + int(o)) % 10) for n, o in zip(natural, offset, strict=True))

    def offset(self, pvk: bytes, pan: str, pin: str) -> str:
        """The offset that the issuer stores: PIN minus natural PIN, digit by digit. Raises BadInput."""
        require_pin(pin)
        natural = self.natural_pin(pvk, pan, len(pin))
        return "".join(str((int(p) - int(n)) % 10) for p, n in zip(pin, natural, strict=True))
