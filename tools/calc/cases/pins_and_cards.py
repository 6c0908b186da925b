"""Cases about PIN blocks, PIN verification and card verification values."""

from __future__ import annotations

from typing import Any

from firmware.secure.errors import BadInput
from tools.calc.algorithms import card_verification, emv_keys, pin_block
from tools.calc.algorithms.pin_verification import Ibm3624, pvv
from tools.calc.inputs import Inputs, hex_of


def _pin_block_encode(inputs: Inputs) -> dict[str, Any]:
    block_format, pan = inputs.number("format"), inputs.text("pan", "")
    block = pin_block.encode(block_format, inputs.text("pin"), pan, inputs.text("random", "").upper())
    result = {"block": hex_of(block)}
    if block_format == 4 and pan:
        result["pan_field"] = hex_of(pin_block.account_field(4, pan))
    return result


def _pin_block_decode(inputs: Inputs) -> dict[str, Any]:
    decoded = pin_block.decode(inputs.number("format"), inputs.hex("block"), inputs.text("pan", ""))
    return {"pin": decoded.pin}


def _pin_block_encrypted(inputs: Inputs) -> dict[str, Any]:
    block_format, pan = inputs.number("format"), inputs.text("pan", "")
    clear = pin_block.decipher(block_format, inputs.hex("key"), inputs.hex("block"), pan)
    return {"pin": pin_block.decode(block_format, clear, pan).pin, "clear_block": hex_of(clear)}


def _pvv(inputs: Inputs) -> dict[str, Any]:
    return {
        "pvv": pvv(inputs.hex("key"), inputs.text("pvki"), inputs.text("pin"), inputs.text("pan")),
    }


def _ibm3624(inputs: Inputs) -> Ibm3624:
    return Ibm3624(
        inputs.text("conversion_table"),
        inputs.number("pan_verify_offset"),
        inputs.number("pan_verify_length"),
        inputs.text("pan_pad"),
    )


def _ibm3624_pin(inputs: Inputs) -> dict[str, Any]:
    pin = _ibm3624(inputs).pin(inputs.hex("pvk"), inputs.text("pan"), inputs.text("offset"))
    return {"pin": pin}


def _ibm3624_offset(inputs: Inputs) -> dict[str, Any]:
    offset = _ibm3624(inputs).offset(inputs.hex("pvk"), inputs.text("pan"), inputs.text("pin"))
    return {"offset": offset}


def _cvv(inputs: Inputs) -> dict[str, Any]:
    value = card_verification.cvv(
        inputs.hex("key"), inputs.text("pan"), inputs.text("expiry"), inputs.text("service_code")
    )
    return {"cvv": value}


def _icc_key(inputs: Inputs) -> bytes:
    return emv_keys.icc_master_key(
        inputs.hex("imk"), inputs.text("pan"), inputs.text("psn", "00"), inputs.text("mk_option", "A")
    )


def _dcvv(inputs: Inputs) -> dict[str, Any]:
    value = card_verification.dcvv(
        _icc_key(inputs),
        inputs.text("pan"),
        inputs.text("expiry"),
        inputs.text("service_code"),
        inputs.hex("atc"),
    )
    return {"dcvv": value}


def _cvc3(inputs: Inputs) -> dict[str, Any]:
    key = _icc_key(inputs)
    if inputs.has("iv_cvc3"):
        iv = inputs.hex("iv_cvc3")
    elif inputs.has("track"):
        iv = card_verification.iv_cvc3(key, inputs.hex("track"))
    else:
        raise BadInput("missing_data", "a CVC3 is made of a track or of its IV")
    value = card_verification.cvc3(key, iv, inputs.hex("un"), inputs.hex("atc"))
    # A track has room for three digits most of the time; the card's own bitmap says how many.
    return {"cvc3": value[-3:], "cvc3_whole": value, "iv_cvc3": hex_of(iv)}


KINDS = {
    "pin_block_encode": _pin_block_encode,
    "pin_block_decode": _pin_block_decode,
    "pin_block_encrypted": _pin_block_encrypted,
    "pvv": _pvv,
    "ibm3624_pin": _ibm3624_pin,
    "ibm3624_offset": _ibm3624_offset,
    "cvv": _cvv,
    "dcvv": _dcvv,
    "cvc3": _cvc3,
}
