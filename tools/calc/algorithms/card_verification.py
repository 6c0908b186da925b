"""Card verification values: CVV/CVC, iCVV and CVV2 (one algorithm), dCVV, CVC3.

Sources: Visa CVV and dCVV; Mastercard CVC3 (PayPass - Mag Stripe). Second opinions in the tests: psec, pyemv.
"""

from __future__ import annotations

from firmware.secure import tdes
from firmware.secure.errors import BadInput
from firmware.secure.mac import retail_mac
from tools.calc.algorithms.checks import require_bytes, require_digits, require_key, require_pan, xor
from tools.calc.algorithms.decimalise import decimal_digits

CVV_DIGITS = 3
_KEY_BYTES = 16
_DATA_NIBBLES = 32


def cvv_input(pan: str, expiry: str, service_code: str) -> bytes:
    """The 16 bytes that a CVV is made of: card number, expiry, service code, zeros. Raises BadInput."""
    require_pan(pan)
    require_digits("the expiry", expiry, digits_min=4)
    require_digits("the service code", service_code, digits_min=3)
    return bytes.fromhex(f"{pan}{expiry}{service_code}".ljust(_DATA_NIBBLES, "0"))


def cvv(key: bytes, pan: str, expiry: str, service_code: str) -> str:
    """The card verification value, three digits.

    `expiry`: YYMM, or MMYY, as the card organisation says; `service_code`: that of the stripe for CVV, 999
    for iCVV, 000 for CVV2. Raises BadInput: bad_key, bad_length, bad_character.
    """
    require_key("a card verification key pair", key, _KEY_BYTES)
    data = cvv_input(pan, expiry, service_code)
    first = tdes.encrypt(key[:8], data[:8])
    return decimal_digits(tdes.encrypt(key, xor(first, data[8:])), CVV_DIGITS)


def dcvv(icc_key: bytes, pan: str, expiry: str, service_code: str, atc: bytes) -> str:
    """The dynamic CVV of a contactless stripe transaction: the counter stands in front of the card number.

    Raises BadInput: bad_key, bad_length, bad_character (the counter is shown in decimal digits).
    """
    require_bytes("the transaction counter", atc, 2)
    counter = atc.hex().upper()
    if not counter.isdigit():
        raise BadInput("bad_character", "the transaction counter of a dCVV is four decimal digits")
    require_pan(pan)
    return cvv(icc_key, counter + pan[4:], expiry, service_code)


def iv_cvc3(icc_key: bytes, track: bytes) -> bytes:
    """What stands for the track in a CVC3, two bytes. `track`: the track's template with its blanks zero."""
    require_key("a CVC3 key", icc_key, _KEY_BYTES)
    return retail_mac(icc_key, track, "iso9797-2")[-2:]


def cvc3(icc_key: bytes, iv: bytes, un: bytes, atc: bytes) -> str:
    """The dynamic CVC, five digits, of which a track carries the rightmost. Raises BadInput."""
    require_key("a CVC3 key", icc_key, _KEY_BYTES)
    require_bytes("the IV of a CVC3", iv, 2)
    require_bytes("the unpredictable number", un, 4)
    require_bytes("the transaction counter", atc, 2)
    enciphered = tdes.encrypt(icc_key, iv + un + atc)
    return f"{int.from_bytes(enciphered[-2:], 'big'):05d}"
