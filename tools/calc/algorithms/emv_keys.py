"""The keys of a chip: master keys out of the issuer's key, session keys out of the master key.

Sources: EMV Book 2, annexes A1.3 (session keys), A1.4.1 and A1.4.2 (options A and B); EMV 4.1 Book 2
A1.3.2 for the tree; Mastercard M/Chip; Visa secure messaging; PBOC 3.0 part 7. All keys have 16 bytes and odd
parity.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Literal, get_args

from firmware.secure import tdes
from firmware.secure.errors import BadInput
from tools.calc.algorithms.checks import require_bytes, require_digits, require_key, require_pan, xor
from tools.calc.algorithms.decimalise import decimal_digits

Option = Literal["A", "B"]
Method = Literal["none", "common", "mastercard", "visa-sm", "pboc", "emv2000-tree"]
METHODS: tuple[str, ...] = get_args(Method)

KEY_BYTES = 16
_ONES = b"\xff" * 8


def diversification(pan: str, psn: str, option: str) -> bytes:
    """Y: the 8 bytes made of card number and sequence number. Raises BadInput: bad_format, bad_length."""
    require_pan(pan)
    require_digits("the card sequence number", psn, digits_min=2)
    if option not in get_args(Option):
        raise BadInput("bad_format", "the options of key diversification are A and B")
    digits = pan + psn
    if option == "B" and len(pan) > 16:
        padded = digits if len(digits) % 2 == 0 else "0" + digits
        digest = hashlib.sha1(bytes.fromhex(padded), usedforsecurity=False).digest()
        return bytes.fromhex(decimal_digits(digest, 16))
    return bytes.fromhex(digits[-16:].rjust(16, "0"))


def icc_master_key(imk: bytes, pan: str, psn: str = "00", option: str = "A") -> bytes:
    """The master key of one card. Raises BadInput: bad_key, bad_format, bad_length, bad_character."""
    require_key("an issuer master key", imk, KEY_BYTES)
    y = diversification(pan, psn, option)
    return with_odd_parity(tdes.encrypt(imk, y + xor(y, _ONES)))


def common_session_key(icc_mk: bytes, r: bytes) -> bytes:
    """EMV common session key. `r`: 8 bytes, the counter and six zeros, or a cryptogram. Raises BadInput."""
    require_key("a master key", icc_mk, KEY_BYTES)
    require_bytes("the diversification value R", r, 8)
    left, right = r[:2] + b"\xf0" + r[3:], r[:2] + b"\x0f" + r[3:]
    return with_odd_parity(tdes.encrypt(icc_mk, left + right))


def mastercard_session_key(icc_mk: bytes, atc: bytes, un: bytes) -> bytes:
    """Mastercard's session key out of counter and unpredictable number. Raises BadInput."""
    _require_atc(atc)
    require_bytes("the unpredictable number", un, 4)
    return common_session_key(icc_mk, atc + b"\0\0" + un)


def visa_sm_session_key(icc_mk: bytes, atc: bytes) -> bytes:
    """Visa's key for scripts: the counter into the left half, its complement into the right."""
    require_key("a master key", icc_mk, KEY_BYTES)
    _require_atc(atc)
    mask = bytes(6) + atc + bytes(6) + xor(atc, b"\xff\xff")
    return with_odd_parity(xor(icc_mk, mask))


def pboc_session_key(icc_mk: bytes, atc: bytes) -> bytes:
    """PBOC's session key: the counter and its complement, each behind six zeros, enciphered."""
    require_key("a master key", icc_mk, KEY_BYTES)
    _require_atc(atc)
    return with_odd_parity(tdes.encrypt(icc_mk, bytes(6) + atc + bytes(6) + xor(atc, b"\xff\xff")))


def emv2000_session_key(
    icc_mk: bytes, atc: bytes, *, height: int = 8, branch: int = 4, iv: bytes = bytes(KEY_BYTES)
) -> bytes:
    """EMV 2000's session key: down a tree of `height` levels with `branch` children, along the counter.

    Raises BadInput: bad_key, bad_length, bad_format (the tree has too few leaves for all counters).
    """
    require_key("a master key", icc_mk, KEY_BYTES)
    _require_atc(atc)
    require_bytes("the initial value of the tree", iv, KEY_BYTES)
    if branch < 2 or not 2 <= height <= 16 or branch**height < 1 << 16:
        raise BadInput("bad_format", "the tree of session keys has a leaf for each of 65536 counters")
    leaf = int.from_bytes(atc, "big")
    above, grandparent, parent = iv, iv, icc_mk
    for level in range(1, height + 1):
        place = leaf // branch ** (height - level) % branch
        mask = place.to_bytes(8, "big") + (place ^ 0xF0).to_bytes(8, "big")
        child = tdes.encrypt(parent, xor(grandparent, mask))
        above, grandparent, parent = grandparent, parent, child
    return with_odd_parity(xor(parent, above))


def session_key(
    icc_mk: bytes,
    method: str,
    *,
    r: bytes | None = None,
    atc: bytes | None = None,
    un: bytes | None = None,
    tree: tuple[int, int, bytes] = (8, 4, bytes(KEY_BYTES)),
) -> bytes:
    """The session key by any method; `none` is the master key itself. `tree`: height, branch, initial value.

    Raises BadInput: bad_format (unknown method), missing_data, and what the method raises.
    """
    counter: Callable[[], bytes] = lambda: _needed("the transaction counter", atc)  # noqa: E731 - asked for when used
    methods: dict[str, Callable[[], bytes]] = {
        "none": lambda: icc_mk,
        "common": lambda: common_session_key(icc_mk, r if r is not None else _counted(counter())),
        "mastercard": lambda: mastercard_session_key(
            icc_mk, counter(), _needed("the unpredictable number", un)
        ),
        "visa-sm": lambda: visa_sm_session_key(icc_mk, counter()),
        "pboc": lambda: pboc_session_key(icc_mk, counter()),
        "emv2000-tree": lambda: emv2000_session_key(
            icc_mk, counter(), height=tree[0], branch=tree[1], iv=tree[2]
        ),
    }
    if method not in methods:
        raise BadInput("bad_format", f"the methods for session keys are {', '.join(methods)}")
    return methods[method]()


def with_odd_parity(key: bytes) -> bytes:
    """`key` with the lowest bit of each byte set so that the byte has an odd number of ones."""
    return bytes(byte & 0xFE | (byte >> 1).bit_count() % 2 ^ 1 for byte in key)


def _counted(atc: bytes) -> bytes:
    _require_atc(atc)
    return atc + bytes(6)


def _needed(name: str, value: bytes | None) -> bytes:
    if value is None:
        raise BadInput("missing_data", f"{name} is needed for this method")
    return value


def _require_atc(atc: bytes) -> None:
    require_bytes("the transaction counter", atc, 2)
