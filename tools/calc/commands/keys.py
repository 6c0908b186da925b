"""`posterm calc kcv`, `components`, `mac`, `sm4`, `unionpay`."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from typing import cast, get_args

from firmware.secure import mac, tdes
from firmware.secure.errors import BadInput
from firmware.secure.key_bundle import LAYOUTS
from tools.calc.algorithms import key_components, sm4
from tools.calc.algorithms.checks import xor
from tools.calc.answer import Answer
from tools.calc.cases.keys import KCV_BYTES, MACS, kcv_of
from tools.calc.cases.keys import KINDS as CASES
from tools.calc.command import Command, Group, Option
from tools.calc.inputs import Inputs, bytes_of, hex_of
from wire.iso8583 import dialect

KEY = Option("key", "the key", required=True, secret=True)
_DATA = Option("data", "the data", required=True)
_METHOD = Option("method", "how the check value is made", choices=tuple(KCV_BYTES), default="des-zero")


def _kcv(inputs: Inputs) -> Answer:
    key, method = inputs.hex("key"), inputs.text("method")
    whole = kcv_of(key, method)
    answer = Answer({"kcv": hex_of(whole[: KCV_BYTES[method]]), "method": method, "key_bytes": len(key)})
    answer.step("CMAC over a zero block" if method == "aes-cmac" else "E(zero block)", whole)
    if method == "des-zero" and any(byte.bit_count() % 2 == 0 for byte in key):
        answer.warnings.append("the key has no odd parity; DES does not mind, some devices do")
    return answer


# --- components --------------------------------------------------------------------------------------


def _combine(inputs: Inputs) -> Answer:
    components = [bytes_of("a component", text) for text in inputs.items("component")]
    key, method = key_components.combine(components), inputs.text("method")
    answer = Answer({"key": hex_of(key), "kcv": hex_of(kcv_of(key, method)[: KCV_BYTES[method]])})
    for place, component in enumerate(components, start=1):
        answer.step(f"check value of component {place}", kcv_of(component, method)[: KCV_BYTES[method]])
    return answer


def _split(inputs: Inputs) -> Answer:
    key, method = inputs.hex("key"), inputs.text("method")
    components = key_components.split(key, inputs.number("count"), secrets.token_bytes)
    shown = [
        {"component": hex_of(component), "kcv": hex_of(kcv_of(component, method)[: KCV_BYTES[method]])}
        for component in components
    ]
    kcv = hex_of(kcv_of(key, method)[: KCV_BYTES[method]])
    lines = [
        f"component {place}  {entry['component']}  check value {entry['kcv']}"
        for place, entry in enumerate(shown, start=1)
    ]
    return Answer({"components": shown, "kcv": kcv}, lines=[*lines, f"check value of the key  {kcv}"])


# --- MACs --------------------------------------------------------------------------------------------


def _mac(inputs: Inputs) -> Answer:
    algorithm, key, data = inputs.text("algorithm"), inputs.hex("key"), inputs.hex("data")
    padding = cast("mac.Padding", inputs.text("padding"))
    code = MACS[algorithm](key, data, padding)
    answer = Answer({"mac": hex_of(code)})
    if algorithm == "unionpay-ecb":
        explain_unionpay(answer, key, data)
        answer.result = {"mac": hex_of(code), "text": code.decode("ascii")}
    elif "iso9797" in algorithm:
        answer.step("padded", mac.pad(data, padding))
        if algorithm == "iso9797-alg3":
            chained = tdes.encrypt_cbc(key[:8], mac.pad(data, padding))[-8:]
            answer.step("last block, left key", chained)
            answer.step("D(right key)", tdes.decrypt(key[8:16], chained))
    return answer


def explain_unionpay(answer: Answer, key: bytes, data: bytes) -> None:
    """The steps of UnionPay's MAC, by their names in its specification."""
    folded = mac.fold(data)
    text = folded.hex().upper().encode("ascii")
    first = tdes.encrypt(key, text[:8])
    mixed = xor(first, text[8:])
    answer.step("X, all blocks xored", folded)
    answer.step("X as text", text)
    answer.step("A = E(left half)", first)
    answer.step("B = A xor right half", mixed)
    answer.step("C = E(B)", tdes.encrypt(key, mixed))


# --- SM4 ---------------------------------------------------------------------------------------------

_MODES = ("ecb", "cbc", "ctr")
_IV = Option("iv", "start value of cbc, first counter of ctr", default="00" * 16)
_SM4_OPTIONS = (KEY, _DATA, Option("mode", "mode", choices=_MODES, default="ecb"), _IV)


def _sm4_encrypt(inputs: Inputs) -> Answer:
    crypt = {"ecb": _without_iv(sm4.encrypt_ecb), "cbc": sm4.encrypt_cbc, "ctr": sm4.crypt_ctr}
    return _sm4(inputs, crypt[inputs.text("mode")], "ciphertext")


def _sm4_decrypt(inputs: Inputs) -> Answer:
    crypt = {"ecb": _without_iv(sm4.decrypt_ecb), "cbc": sm4.decrypt_cbc, "ctr": sm4.crypt_ctr}
    return _sm4(inputs, crypt[inputs.text("mode")], "plaintext")


_Crypt = Callable[[bytes, bytes, bytes], bytes]


def _without_iv(crypt: Callable[[bytes, bytes], bytes]) -> _Crypt:
    return lambda key, data, _iv: crypt(key, data)


def _sm4(inputs: Inputs, crypt: _Crypt, name: str) -> Answer:
    data = inputs.hex("data")
    output = crypt(inputs.hex("key"), data, inputs.hex("iv"))
    answer = Answer({name: hex_of(output)})
    if inputs.text("mode") != "ecb":
        answer.step("start value" if inputs.text("mode") == "cbc" else "first counter", inputs.hex("iv"))
    for at in range(0, len(data), 16):
        answer.step(
            f"block {at // 16 + 1}", f"{hex_of(data[at : at + 16])} -> {hex_of(output[at : at + 16])}"
        )
    return answer


# --- UnionPay ----------------------------------------------------------------------------------------


def _bundle(inputs: Inputs) -> Answer:
    keys = CASES["unionpay_key_bundle"](inputs)
    answer = Answer(keys)
    for name, key in keys.items():
        answer.step(f"check value of {name.upper()}", tdes.check_value(bytes.fromhex(key)))
    return answer


def _message_mac(inputs: Inputs) -> Answer:
    key, message = inputs.hex("key"), inputs.hex("message")
    unionpay = dialect("unionpay")
    if inputs.value("framed"):
        message = message[2:]
    region = unionpay.mac_region(message)
    calculated = mac.unionpay_ecb_mac(key, region)
    answer = Answer({"mac": hex_of(calculated), "text": calculated.decode("ascii")})
    answer.step("MAB", region)
    explain_unionpay(answer, key, region)
    if inputs.value("sign"):
        signed = unionpay.with_mac(message, calculated)
        answer.result = {**answer.result, "message": hex_of(signed)}
    elif not hmac.compare_digest(calculated, message[-mac.MAC_BYTES :]):
        raise BadInput("bad_mac", "field 64 of the message does not fit it")
    else:
        answer.result = {**answer.result, "valid": True}
    return answer


GROUPS = {
    "kcv": Group(
        "kcv",
        "Key check values.",
        (
            Command(
                "",
                "the check value of a key",
                "kcv --key 0123456789ABCDEFFEDCBA9876543210 --method des-zero",
                (KEY, _METHOD),
                _kcv,
            ),
        ),
    ),
    "components": Group(
        "components",
        "A key in parts, one a custodian, combined by exclusive or.",
        (
            Command(
                "combine",
                "the key of two to nine components",
                "components combine --component - --component -",
                (
                    Option("component", "a component; give it again for each", required=True, many=True),
                    _METHOD,
                ),
                _combine,
            ),
            Command(
                "split",
                "random components of a key",
                "components split --key-file zmk.hex --count 3",
                (KEY, Option("count", "how many", "N", "number", default=2), _METHOD),
                _split,
            ),
        ),
    ),
    "mac": Group(
        "mac",
        "Message authentication codes.",
        (
            Command(
                "",
                "the code of data",
                "mac --algorithm unionpay-ecb --key A1B2C3D4E5F60718 --data 0123456789ABCDEF --explain",
                (
                    Option(
                        "algorithm",
                        "iso9797-alg1-des is ANSI X9.9, iso9797-alg3 the retail MAC of ANSI X9.19",
                        choices=tuple(MACS),
                        required=True,
                    ),
                    KEY,
                    _DATA,
                    Option(
                        "padding",
                        "padding of the iso9797 algorithms",
                        choices=get_args(mac.Padding),
                        default="iso9797-1",
                    ),
                ),
                _mac,
            ),
        ),
    ),
    "sm4": Group(
        "sm4",
        "SM4 (GB/T 32907).",
        (
            Command(
                "encrypt",
                "encipher data",
                "sm4 encrypt --key 0123456789ABCDEFFEDCBA9876543210 --data 0123456789ABCDEFFEDCBA9876543210",
                _SM4_OPTIONS,
                _sm4_encrypt,
            ),
            Command(
                "decrypt",
                "decipher data",
                "sm4 decrypt --key 0123456789ABCDEFFEDCBA9876543210 --data 681EDF34D206965E86B3E94F536E4246",
                _SM4_OPTIONS,
                _sm4_decrypt,
            ),
        ),
    ),
    "unionpay": Group(
        "unionpay",
        "UnionPay POS: keys of the sign-in answer, MACs of whole messages.",
        (
            Command(
                "bundle",
                "open the key bundle of a sign-in (field 62), check values compared",
                "unionpay bundle --tmk 11223344556677888877665544332211 --layout 003 "
                "--f62 F9C2452F0F4EFC0908E97821E0A7BCC108D7B4FB45F890CD51133A5600000000000000005FFE0009",
                (
                    Option("tmk", "terminal master key", required=True, secret=True),
                    Option("layout", "network code of the sign-in", choices=tuple(LAYOUTS), default="003"),
                    Option("f62", "field 62", required=True),
                ),
                _bundle,
            ),
            Command(
                "mac",
                "check the MAC of a whole message, or make it",
                "unionpay mac --key A1B2C3D4E5F60718 --message - --sign < message.hex",
                (
                    Option("key", "MAC key", required=True, secret=True),
                    Option("message", "TPDU, header and message, field 64 included", required=True),
                    Option("framed", "two bytes of length stand in front", kind="flag"),
                    Option("sign", "put the MAC into the message", kind="flag"),
                ),
                _message_mac,
            ),
        ),
    ),
}
