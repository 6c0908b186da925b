"""Key check values: a few bytes that tell two keys apart and give neither away.

des-zero and aes-zero encipher a block of zeros (ANSI X9.24-1, and long custom for AES); aes-cmac is the CMAC
over a block of zeros (ANSI X9.24-1:2017 and ANSI X9.143 for AES keys).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Literal

from firmware.secure import aes, tdes
from firmware.secure.errors import BadInput
from firmware.secure.mac import aes_cmac
from firmware.secure.tdes import KeyBytes

Method = Literal["des-zero", "aes-zero", "aes-cmac"]

_METHODS: Mapping[str, Callable[[KeyBytes], bytes]] = {
    "des-zero": lambda key: tdes.encrypt(key, bytes(tdes.BLOCK_BYTES)),
    "aes-zero": lambda key: aes.encrypt(key, bytes(aes.BLOCK_BYTES)),
    "aes-cmac": lambda key: aes_cmac(key, bytes(aes.BLOCK_BYTES)),
}


def check_value(key: KeyBytes, method: Method) -> bytes:
    """The whole block. Its leading bytes are shown: 3 by custom, 4 in UnionPay's bundles, 5 for CMAC.

    Raises BadInput: bad_format (unknown method), bad_key; KeyFormat for a DES key of a wrong size.
    """
    if method not in _METHODS:
        raise BadInput("bad_format", f"the check value methods are {', '.join(_METHODS)}")
    return _METHODS[method](key)


def require_check_value(key: KeyBytes, expected: bytes, method: Method) -> None:
    """Raise BadInput (bad_check) unless `expected`, at least 2 bytes, are the leading bytes of the value."""
    if len(expected) < 2 or not hmac.compare_digest(check_value(key, method)[: len(expected)], expected):
        raise BadInput("bad_check", "the key does not fit its check value")
