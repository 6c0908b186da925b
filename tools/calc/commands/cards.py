"""`posterm calc cvv`, `dcvv`, `cvc3`, `luhn`."""

from __future__ import annotations

from firmware.secure import tdes
from firmware.secure.errors import BadInput
from tools.calc.algorithms import card_verification, emv_keys
from tools.calc.algorithms.checks import xor
from tools.calc.algorithms.emv_keys import Option as KeyOption
from tools.calc.answer import Answer
from tools.calc.command import Command, Group, Option
from tools.calc.commands.pins import PAN_NEEDED, warn_of_luhn
from tools.calc.inputs import Inputs, hex_of
from wire.pan import luhn_check_digit, luhn_valid

_KINDS: dict[str, str] = {"cvv": "", "icvv": "999", "cvv2": "000"}
_OPTIONS: tuple[KeyOption, ...] = ("A", "B")

_EXPIRY = Option("expiry", "expiry: YYMM for CVV and iCVV, mostly MMYY for CVV2", "DIGITS", required=True)
_SERVICE_CODE = Option("service_code", "service code of the stripe", "DIGITS", default="101")
_IMK = Option("imk", "issuer master key", required=True, secret=True)
_PSN = Option("psn", "card sequence number", "DIGITS", default="00")
_MK_OPTION = Option("mk_option", "how the card's key is derived", choices=_OPTIONS, default="A")
_ATC = Option("atc", "transaction counter, two bytes", required=True)


def _cvv(inputs: Inputs) -> Answer:
    key, pan, expiry = inputs.hex("key"), inputs.text("pan"), inputs.text("expiry")
    service_code = _KINDS[inputs.text("kind")] or inputs.text("service_code")
    answer = Answer({inputs.text("kind"): card_verification.cvv(key, pan, expiry, service_code)})
    _explain_cvv(answer, key, card_verification.cvv_input(pan, expiry, service_code))
    warn_of_luhn(answer, pan)
    return answer


def _explain_cvv(answer: Answer, key: bytes, data: bytes) -> None:
    first = tdes.encrypt(key[:8], data[:8])
    mixed = xor(first, data[8:])
    answer.step("block 1", data[:8])
    answer.step("block 2", data[8:])
    answer.step("E(left key, block 1)", first)
    answer.step("xor block 2", mixed)
    answer.step("E, D, E", tdes.encrypt(key, mixed))


def _card_key(answer: Answer, inputs: Inputs) -> bytes:
    pan, psn, option = inputs.text("pan"), inputs.text("psn"), inputs.text("mk_option")
    key = emv_keys.icc_master_key(inputs.hex("imk"), pan, psn, option)
    answer.step("Y", emv_keys.diversification(pan, psn, option))
    answer.step("the card's key", key)
    warn_of_luhn(answer, pan)
    return key


def _dcvv(inputs: Inputs) -> Answer:
    answer = Answer({})
    key, pan, atc = _card_key(answer, inputs), inputs.text("pan"), inputs.hex("atc")
    value = card_verification.dcvv(key, pan, inputs.text("expiry"), inputs.text("service_code"), atc)
    answer.step("counter and card number", hex_of(atc) + pan[4:])
    answer.result = {"dcvv": value}
    return answer


def _cvc3(inputs: Inputs) -> Answer:
    answer = Answer({})
    key = _card_key(answer, inputs)
    iv = inputs.hex("iv") if inputs.has("iv") else card_verification.iv_cvc3(key, inputs.hex("track"))
    value = card_verification.cvc3(key, iv, inputs.hex("un"), inputs.hex("atc"))
    answer.step("IV", iv)
    answer.step("IV, unpredictable number, counter", iv + inputs.hex("un") + inputs.hex("atc"))
    answer.step("enciphered", tdes.encrypt(key, iv + inputs.hex("un") + inputs.hex("atc")))
    answer.result = {"cvc3": value[-3:], "cvc3_whole": value, "iv_cvc3": hex_of(iv)}
    return answer


def _luhn(inputs: Inputs) -> Answer:
    number = inputs.text("number")
    if not number:
        raise BadInput("missing_data", "the card number has no digits at all")
    valid, digit = luhn_valid(number), luhn_check_digit(number[:-1])
    answer = Answer(
        {"valid": valid, "check_digit": int(digit), "appended": int(luhn_check_digit(number))},
        status=0 if valid else 1,
    )
    doubled = [
        int(figure) * 2 if place % 2 == 0 else int(figure) for place, figure in enumerate(number[-2::-1])
    ]
    answer.step("every second digit doubled", " ".join(map(str, reversed(doubled))))
    answer.step("sum of their digits", str(sum(sum(map(int, str(value))) for value in doubled)))
    return answer


GROUPS = {
    "cvv": Group(
        "cvv",
        "Card verification values by the CVV algorithm.",
        (
            Command(
                "",
                "CVV/CVC of the stripe, iCVV of the chip, CVV2 on the card",
                "cvv --key 0123456789ABCDEFFEDCBA9876543210 --pan 4123456789012345 --expiry 8701",
                (
                    Option("key", "the pair of keys, 16 bytes", required=True, secret=True),
                    PAN_NEEDED,
                    _EXPIRY,
                    _SERVICE_CODE,
                    Option(
                        "kind", "icvv takes service code 999, cvv2 000", choices=tuple(_KINDS), default="cvv"
                    ),
                ),
                _cvv,
            ),
        ),
    ),
    "dcvv": Group(
        "dcvv",
        "The dynamic CVV of a contactless stripe transaction.",
        (
            Command(
                "",
                "the dynamic CVV",
                "dcvv --imk 12345678123456781234567812345678 --pan 1234567890123456 --expiry 1310 "
                "--service-code 226 --atc 3210",
                (_IMK, PAN_NEEDED, _PSN, _MK_OPTION, _EXPIRY, _SERVICE_CODE, _ATC),
                _dcvv,
            ),
        ),
    ),
    "cvc3": Group(
        "cvc3",
        "The dynamic CVC of a contactless stripe transaction.",
        (
            Command(
                "",
                "the dynamic CVC, out of a track's template or of its IV",
                "cvc3 --imk 01234567899876543210012345678998 --pan 5123456789012345 --atc 005E "
                "--un 00000899 --track 5123456789012345D35121010000000000000F",
                (
                    _IMK,
                    PAN_NEEDED,
                    _PSN,
                    _MK_OPTION,
                    _ATC,
                    Option("un", "unpredictable number, four bytes", required=True),
                    Option("track", "the track's template"),
                    Option("iv", "IV CVC3, two bytes, instead of a track"),
                ),
                _cvc3,
            ),
        ),
    ),
    "luhn": Group(
        "luhn",
        "The check digit of ISO/IEC 7812-1; exit code 1 when it is wrong.",
        (
            Command(
                "",
                "check a number's last digit, and say which would be right",
                "luhn 6225880123456783",
                (Option("number", "the number", "DIGITS", required=True, positional=True),),
                _luhn,
            ),
        ),
    ),
}
