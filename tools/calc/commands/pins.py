"""`posterm calc pin-block`, `pvv`, `ibm3624`."""

from __future__ import annotations

import secrets

from firmware.secure import aes, tdes
from firmware.secure.errors import BadInput
from tools.calc.algorithms import pin_block
from tools.calc.algorithms.checks import require_key, require_pin, xor
from tools.calc.algorithms.pin_verification import Ibm3624, pvv, pvv_input
from tools.calc.answer import Answer
from tools.calc.command import Command, Group, Option
from tools.calc.inputs import Inputs, hex_of
from wire.pan import luhn_valid

_FORMATS = tuple(map(str, pin_block.FORMATS))
FORMAT = Option("format", "format of the block", choices=_FORMATS, default="0")
PIN = Option("pin", "the PIN", "DIGITS", required=True, secret=True)
PAN = Option("pan", "the card number", "DIGITS")
PAN_NEEDED = Option("pan", "the card number", "DIGITS", required=True)
PIN_KEY = Option("key", "PIN key: DES or triple DES, AES for format 4", secret=True)
PVK = Option("key", "PIN verification key", required=True, secret=True)


def warn_of_luhn(answer: Answer, pan: str) -> None:
    """Warn when the card number's check digit is wrong: calculations go on all the same."""
    if pan and not luhn_valid(pan):
        answer.warnings.append("the check digit of the card number is wrong (Luhn)")


# --- PIN blocks --------------------------------------------------------------------------------------


def _encode(inputs: Inputs) -> Answer:
    block_format, pin, pan = int(inputs.text("format")), inputs.text("pin"), inputs.text("pan", "")
    require_pin(pin)
    _require_pan(inputs, block_format)
    fill = inputs.text("random", "").upper() or _random_fill(block_format, len(pin))
    block = pin_block.encode(block_format, pin, pan, fill)
    answer = Answer({"format": block_format, "clear_block": hex_of(block)})
    warn_of_luhn(answer, pan)
    if block_format in pin_block.WITH_PAN:
        account = pin_block.account_field(block_format, pan)
        answer.step("PIN field", xor(block, account))
        answer.step("account number field", account)
    answer.step("PIN field" if block_format == 4 else "clear block", block)
    if block_format == 4 and pan:
        answer.result = {**answer.result, "pan_field": hex_of(pin_block.account_field(4, pan))}
    if inputs.has("key"):
        key = inputs.hex("key")
        if block_format == 4:
            _explain_format_4(answer, key, block, pin_block.account_field(4, pan))
        enciphered = pin_block.encipher(block_format, key, block, pan)
        answer.step("enciphered block", enciphered)
        answer.result = {**answer.result, "pin_block": hex_of(enciphered)}
    return answer


def _require_pan(inputs: Inputs, block_format: int) -> None:
    if block_format in pin_block.WITH_PAN and not inputs.has("pan"):
        raise BadInput("missing_data", f"--pan is needed: format {block_format} mixes the card number in")


def _random_fill(block_format: int, pin_digits: int) -> str:
    if block_format == 4:
        return secrets.token_hex(8).upper()
    alphabet = {1: "0123456789ABCDEF", 3: "ABCDEF"}.get(block_format, "F")
    return "".join(secrets.choice(alphabet) for _ in range(14 - pin_digits))


def _explain_format_4(answer: Answer, key: bytes, pin_field: bytes, account: bytes) -> None:
    first = aes.encrypt(key, pin_field)
    answer.step("account number field", account)
    answer.step("E(PIN field)", first)
    answer.step("xor account number field", xor(first, account))


def _decode(inputs: Inputs) -> Answer:
    block_format, pan = int(inputs.text("format")), inputs.text("pan", "")
    block = inputs.hex("block")
    _require_pan(inputs, block_format)
    answer = Answer({})
    if inputs.has("key"):
        block = pin_block.decipher(block_format, inputs.hex("key"), block, pan)
    answer.step("PIN field" if block_format == 4 else "clear block", block)
    if block_format in pin_block.WITH_PAN:
        answer.step("account number field", pin_block.account_field(block_format, pan))
    decoded = pin_block.decode(block_format, block, pan)
    answer.step("PIN field, apart", decoded.pin_field)
    answer.result = {"format": block_format, "pin": decoded.pin, "clear_block": hex_of(block)}
    warn_of_luhn(answer, pan)
    return answer


# --- verification ------------------------------------------------------------------------------------


def _pvv(inputs: Inputs) -> Answer:
    key, pvki, pin, pan = inputs.hex("key"), inputs.text("pvki"), inputs.text("pin"), inputs.text("pan")
    answer = Answer({"pvv": pvv(key, pvki, pin, pan)})
    data = pvv_input(pvki, pin, pan)
    answer.step("card number, index, PIN", data)
    answer.step("enciphered", tdes.encrypt(key, bytes.fromhex(data)))
    answer.step("decimal digits, then A-F less 10", answer.result["pvv"])
    warn_of_luhn(answer, pan)
    return answer


_IBM_OPTIONS = (
    PVK,
    PAN_NEEDED,
    Option("table", "conversion table, 16 decimal digits", "DIGITS", default="0123456789012345"),
    Option("verify_offset", "first digit of the card number that is used, from 0", "N", "number", default=0),
    Option("verify_length", "how many digits of it are used", "N", "number", default=12),
    Option("pad", "fill of the validation data, one hex digit", "DIGIT", default="F"),
)


def _method(inputs: Inputs) -> Ibm3624:
    return Ibm3624(
        inputs.text("table"),
        inputs.number("verify_offset"),
        inputs.number("verify_length"),
        inputs.text("pad"),
    )


def _explain_ibm(answer: Answer, inputs: Inputs, digits: int) -> None:
    method, key, pan = _method(inputs), inputs.hex("key"), inputs.text("pan")
    data = method.validation_data(pan)
    answer.step("validation data", data)
    answer.step("enciphered", tdes.encrypt(key, bytes.fromhex(data)))
    answer.step("natural PIN", method.natural_pin(key, pan, digits))
    warn_of_luhn(answer, pan)


def _ibm_pin(inputs: Inputs) -> Answer:
    offset = inputs.text("offset")
    key = inputs.hex("key")
    require_key("a PIN verification key", key, 8, 16, 24)
    answer = Answer({"pin": _method(inputs).pin(key, inputs.text("pan"), offset)})
    _explain_ibm(answer, inputs, len(offset))
    return answer


def _ibm_offset(inputs: Inputs) -> Answer:
    pin = inputs.text("pin")
    answer = Answer({"offset": _method(inputs).offset(inputs.hex("key"), inputs.text("pan"), pin)})
    _explain_ibm(answer, inputs, len(pin))
    return answer


GROUPS = {
    "pin-block": Group(
        "pin-block",
        "PIN blocks of ISO 9564-1: made, enciphered, opened.",
        (
            Command(
                "encode",
                "make a PIN block; encipher it when there is a key",
                "pin-block encode --format 0 --pin 1234 --pan 6225880123456783",
                (
                    FORMAT,
                    PIN,
                    PAN,
                    Option("random", "the random fill of formats 1, 3, 4 (else this machine's)"),
                    PIN_KEY,
                ),
                _encode,
            ),
            Command(
                "decode",
                "open a PIN block; decipher it when there is a key",
                "pin-block decode --format 0 --block 04126C7FEDCBA987 --pan 6225880123456783",
                (FORMAT, Option("block", "the block", required=True), PAN, PIN_KEY),
                _decode,
            ),
        ),
    ),
    "pvv": Group(
        "pvv",
        "Visa's PIN verification value.",
        (
            Command(
                "",
                "the PIN verification value",
                "pvv --key 0123456789ABCDEFFEDCBA9876543210 --pin 4524 --pan 1122334455667788",
                (PVK, PIN, PAN_NEEDED, Option("pvki", "index of the key", "DIGIT", default="1")),
                _pvv,
            ),
        ),
    ),
    "ibm3624": Group(
        "ibm3624",
        "The IBM 3624 method of PIN verification.",
        (
            Command(
                "pin",
                "the PIN that card number and offset give; offset 0000 gives the natural PIN",
                "ibm3624 pin --key 0123456789ABCDEFFEDCBA9876543210 --pan 1122334455667788 --offset 0000",
                (*_IBM_OPTIONS, Option("offset", "the offset, as long as the PIN", "DIGITS", default="0000")),
                _ibm_pin,
            ),
            Command(
                "offset",
                "the offset that an issuer stores for a PIN",
                "ibm3624 offset --key 0123456789ABCDEFFEDCBA9876543210 --pan 1122334455667788 --pin 1234",
                (*_IBM_OPTIONS, PIN),
                _ibm_offset,
            ),
        ),
    ),
}
