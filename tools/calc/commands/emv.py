"""`posterm calc emv`."""

from __future__ import annotations

from firmware.secure.errors import BadInput
from tools.calc.algorithms import emv_cryptogram, emv_keys
from tools.calc.algorithms.checks import xor
from tools.calc.answer import Answer
from tools.calc.cases.emv import KINDS as CASES
from tools.calc.command import Command, Group, Option
from tools.calc.commands.pins import warn_of_luhn
from tools.calc.inputs import Inputs, bytes_of, hex_of

_KEY_OPTIONS = (
    Option("session_key", "the session key itself, instead of what follows", secret=True),
    Option("imk", "issuer master key", secret=True),
    Option("pan", "the card number", "DIGITS"),
    Option("psn", "card sequence number", "DIGITS", default="00"),
    Option("mk_option", "how the card's key is derived", choices=("A", "B"), default="A"),
    Option("sk_method", "how the session key is derived", choices=emv_keys.METHODS, default="common"),
    Option("atc", "transaction counter, two bytes"),
    Option("un", "unpredictable number, four bytes (mastercard)"),
    Option("r", "diversification value of common, instead of the counter: 8 bytes"),
)
_ARQC = Option("arqc", "the card's cryptogram, 8 bytes", required=True)


def _require_key(inputs: Inputs) -> None:
    if not inputs.has("session_key") and not inputs.has("imk"):
        raise BadInput("missing_data", "--session-key is needed, or --imk with --pan")


def _calculated(kind: str, inputs: Inputs) -> Answer:
    """The answer of a kind of case, with the keys that lead to it as steps."""
    _require_key(inputs)
    answer = Answer(CASES[kind](inputs))
    _explain_keys(answer, inputs)
    return answer


def _explain_keys(answer: Answer, inputs: Inputs) -> None:
    if inputs.has("session_key"):
        return
    pan, psn, option = inputs.text("pan"), inputs.text("psn"), inputs.text("mk_option")
    master = emv_keys.icc_master_key(inputs.hex("imk"), pan, psn, option)
    answer.step("Y", emv_keys.diversification(pan, psn, option))
    answer.step("the card's key", master)
    session = CASES["emv_session_key"](_session_inputs(inputs, master))
    answer.step("session key", session["session_key"])
    warn_of_luhn(answer, pan)


def _session_inputs(inputs: Inputs, master: bytes) -> Inputs:
    values = {"icc_mk": hex_of(master), "method": inputs.text("sk_method")}
    return Inputs(values | {name: inputs.text(name) for name in ("atc", "un", "r") if inputs.has(name)})


def _master_key(inputs: Inputs) -> Answer:
    answer = Answer(CASES["emv_icc_mk"](inputs))
    pan = inputs.text("pan")
    answer.step("Y", emv_keys.diversification(pan, inputs.text("psn"), inputs.text("option")))
    warn_of_luhn(answer, pan)
    return answer


def _session_key(inputs: Inputs) -> Answer:
    answer = Answer(CASES["emv_session_key"](inputs))
    answer.step("method", inputs.text("method"))
    if inputs.text("method") == "common":
        r = inputs.hex("r") if inputs.has("r") else inputs.hex("atc") + bytes(6)
        answer.step("R", r)
        answer.step("enciphered for the left half", r[:2] + b"\xf0" + r[3:])
        answer.step("enciphered for the right half", r[:2] + b"\x0f" + r[3:])
    return answer


def _arqc(inputs: Inputs) -> Answer:
    data = b"".join(bytes_of("a part of the data", text) for text in inputs.items("data"))
    _require_key(inputs)
    answer = Answer({})
    _explain_keys(answer, inputs)
    answer.step("padded data", emv_cryptogram.padded(data, inputs.text("padding")))
    names = ("session_key", "imk", "pan", "psn", "mk_option", "sk_method", "atc", "un", "r", "padding")
    values = {name: inputs.text(name) for name in names if inputs.has(name)} | {"data": hex_of(data)}
    answer.result = CASES["emv_ac"](Inputs(values))
    return answer


def _arpc(inputs: Inputs) -> Answer:
    if inputs.has("csu") == inputs.has("arc"):
        raise BadInput("missing_data", "either --arc (method 1) or --csu (method 2) is needed")
    answer = _calculated("emv_arpc2" if inputs.has("csu") else "emv_arpc1", inputs)
    arpc = answer.result["arpc"]
    if inputs.has("csu"):
        data = inputs.hex("arqc") + inputs.hex("csu") + inputs.hex("prop_auth_data", b"")
        answer.step("padded data", emv_cryptogram.padded(data, "emv"))
    else:
        answer.step("ARQC xor response code", xor(inputs.hex("arqc"), inputs.hex("arc") + bytes(6)))
    # Method 1 puts the response code behind the ARPC, method 2 the card status update and what follows it.
    behind = inputs.hex("arc", b"") + inputs.hex("csu", b"") + inputs.hex("prop_auth_data", b"")
    answer.result = {"arpc": arpc, "tag_91": arpc + hex_of(behind)}
    return answer


def _script_mac(inputs: Inputs) -> Answer:
    answer = _calculated("emv_script_mac", inputs)
    answer.step("padded data", emv_cryptogram.padded(inputs.hex("data"), "emv"))
    return answer


def _script_pin(inputs: Inputs) -> Answer:
    answer = _calculated("emv_script_pin", inputs)
    answer.step("PIN block in clear", str(answer.result["block"]))
    answer.step("enciphered as", inputs.text("encryption"))
    return answer


_IMK = Option("imk", "issuer master key", required=True, secret=True)
_PAN = Option("pan", "the card number", "DIGITS", required=True)
_PSN = Option("psn", "card sequence number", "DIGITS", default="00")

GROUPS = {
    "emv": Group(
        "emv",
        "Keys and cryptograms of chips.",
        (
            Command(
                "master-key",
                "the key of one card out of the issuer's",
                "emv master-key --imk 0123456789ABCDEFFEDCBA9876543210 --pan 6225880123456783 --psn 01",
                (_IMK, _PAN, _PSN, Option("option", "option", choices=("A", "B"), default="A")),
                _master_key,
            ),
            Command(
                "session-key",
                "a session key out of the card's key",
                "emv session-key --icc-mk 26989431670EB03B435D83F43101A461 --method common --atc 0001",
                (
                    Option("icc_mk", "the card's key", required=True, secret=True),
                    Option("method", "method", choices=emv_keys.METHODS[1:], default="common"),
                    *_KEY_OPTIONS[-3:],
                    Option("height", "height of the tree (emv2000-tree)", "N", "number", default=8),
                    Option("branch", "branches of the tree", "N", "number", default=4),
                    Option("iv", "initial value of the tree", default="00" * 16),
                ),
                _session_key,
            ),
            Command(
                "arqc",
                "an application cryptogram: ARQC, TC or AAC",
                "emv arqc --imk-file imk.hex --pan 6225880123456783 --atc 0001 --data 0000000123450000",
                (
                    *_KEY_OPTIONS,
                    Option("data", "the data; parts may be given one by one", required=True, many=True),
                    Option(
                        "padding", "emv: 80 and zeros; visa: zeros", choices=("emv", "visa"), default="emv"
                    ),
                ),
                _arqc,
            ),
            Command(
                "arpc",
                "the issuer's answer, by method 1 (--arc) or 2 (--csu)",
                "emv arpc --session-key-file sk.hex --arqc 3778034E7ED1100B --csu 00820000",
                (
                    *_KEY_OPTIONS,
                    _ARQC,
                    Option("arc", "response code, two bytes: 3030"),
                    Option("csu", "card status update, four bytes"),
                    Option("prop_auth_data", "proprietary data, up to 8 bytes"),
                ),
                _arpc,
            ),
            Command(
                "script-mac",
                "the MAC of a script command",
                "emv script-mac --session-key-file sk.hex --data 841E0000040001A6EB87C28CA0B06A",
                (*_KEY_OPTIONS, Option("data", "header and what is authenticated", required=True)),
                _script_mac,
            ),
            Command(
                "script-pin",
                "the PIN block of a PIN change, in clear and enciphered",
                "emv script-pin --session-key-file sk.hex --pin - --block-type iso9564-2 --encryption emv",
                (
                    *_KEY_OPTIONS,
                    Option("pin", "the new PIN", "DIGITS", required=True, secret=True),
                    Option("current_pin", "the PIN so far (visa)", "DIGITS", secret=True),
                    Option("imk_ac", "issuer master key for cryptograms (visa)", secret=True),
                    Option("block_type", "PIN block", choices=("iso9564-2", "visa"), default="iso9564-2"),
                    Option(
                        "encryption", "encipherment", choices=("mastercard", "visa", "emv"), default="emv"
                    ),
                ),
                _script_pin,
            ),
        ),
    ),
}
