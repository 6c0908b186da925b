"""A chip's cryptograms and the issuer's answers: ARQC/TC/AAC, ARPC, script MAC, PIN change.

Sources: EMV Book 2, clauses 8 and 9, annex A1.2; Visa VIS for its padding and PIN block. Second
opinions in the tests: pyemv.
"""

from __future__ import annotations

from typing import Literal, get_args

from firmware.secure import tdes
from firmware.secure.errors import BadInput
from firmware.secure.mac import Padding, pad, retail_mac
from tools.calc.algorithms.checks import require_bytes, require_key, require_pin, xor

CryptogramPadding = Literal["emv", "visa"]
PinBlockType = Literal["iso9564-2", "visa"]
Encipherment = Literal["mastercard", "visa", "emv"]

_KEY_BYTES = 16
_PADDINGS: dict[str, Padding] = {"emv": "iso9797-2", "visa": "iso9797-1"}


def padded(data: bytes, padding: str) -> bytes:
    """`data` as it is authenticated: `emv` 80 and zeros, `visa` zeros only when needed. Raises BadInput."""
    if padding not in _PADDINGS:
        raise BadInput("bad_format", f"the paddings of cryptograms are {', '.join(_PADDINGS)}")
    return pad(data, _PADDINGS[padding])


def application_cryptogram(session_key: bytes, data: bytes, padding: str = "emv") -> bytes:
    """ARQC, TC or AAC, 8 bytes. Raises BadInput: bad_key, bad_format."""
    require_key("a session key", session_key, _KEY_BYTES)
    return retail_mac(session_key, padded(data, padding), "none")


def arpc_1(key: bytes, arqc: bytes, arc: bytes) -> bytes:
    """The issuer's answer by method 1, 8 bytes; `arc`: the response code, 2 bytes. Raises BadInput."""
    require_key("a session key", key, _KEY_BYTES)
    require_bytes("the cryptogram", arqc, 8)
    require_bytes("the response code", arc, 2)
    return tdes.encrypt(key, xor(arqc, arc + bytes(6)))


def arpc_2(key: bytes, arqc: bytes, csu: bytes, proprietary: bytes = b"") -> bytes:
    """The issuer's answer by method 2, 4 bytes; `csu`: card status update, 4 bytes. Raises BadInput."""
    require_key("a session key", key, _KEY_BYTES)
    require_bytes("the cryptogram", arqc, 8)
    require_bytes("the card status update", csu, 4)
    if len(proprietary) > 8:
        raise BadInput("bad_length", "the proprietary authentication data have up to 8 bytes")
    return retail_mac(key, arqc + csu + proprietary, "iso9797-2")[:4]


def script_mac(session_key: bytes, data: bytes) -> bytes:
    """The MAC of a script command, 8 bytes, of which a command carries the first 4 to 8. Raises BadInput."""
    require_key("a session key", session_key, _KEY_BYTES)
    return retail_mac(session_key, data, "iso9797-2")


def change_pin_block(block_type: str, pin: str, *, icc_mk_ac: bytes = b"", current_pin: str = "") -> bytes:
    """The block of a PIN change, in clear, 8 bytes.

    `iso9564-2`: format 2. `visa`: control and length, PIN, fill F; its right half combined with the end of
    the left half of the master key for cryptograms, the whole with the current PIN where there is one. Raises
    BadInput: bad_format, bad_length, bad_character, bad_key.
    """
    require_pin(pin)
    if block_type == "iso9564-2":
        return bytes.fromhex(f"2{len(pin):X}{pin}".ljust(16, "F"))
    if block_type != "visa":
        raise BadInput("bad_format", f"the PIN blocks of scripts are {', '.join(get_args(PinBlockType))}")
    require_key("the master key for cryptograms", icc_mk_ac, _KEY_BYTES)
    block = xor(bytes.fromhex(f"0{len(pin):X}{pin}".ljust(16, "F")), bytes(4) + icc_mk_ac[4:8])
    if current_pin:
        require_pin(current_pin, "the current PIN")
        block = xor(block, bytes.fromhex(current_pin.ljust(16, "0")))
    return block


def encipher_script_data(session_key: bytes, data: bytes, encipherment: str) -> bytes:
    """The data of a script command, enciphered.

    `visa`: a length byte in front, then 80 and zeros; `mastercard`: 80 and zeros only when needed, `emv`:
    always. Raises BadInput: bad_key, bad_format.
    """
    require_key("a session key", session_key, _KEY_BYTES)
    if encipherment == "visa":
        return tdes.encrypt(session_key, pad(bytes([len(data)]) + data, "iso9797-2"))
    if encipherment == "mastercard":
        return tdes.encrypt_cbc(session_key, data if len(data) % 8 == 0 else pad(data, "iso9797-2"))
    if encipherment == "emv":
        return tdes.encrypt_cbc(session_key, pad(data, "iso9797-2"))
    raise BadInput("bad_format", f"script data are enciphered as {', '.join(get_args(Encipherment))}")
