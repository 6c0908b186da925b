"""`posterm calc tr31`."""

from __future__ import annotations

import secrets
from typing import Any

from firmware.secure import tr31
from firmware.secure.errors import BadInput
from firmware.secure.tr31_header import KeyBlockHeader, parse_header
from tools.calc.answer import Answer
from tools.calc.cases.keys import KINDS as CASES
from tools.calc.cases.keys import header_fields
from tools.calc.command import Command, Group, Option
from tools.calc.inputs import Inputs

_KBPK = Option("kbpk", "key block protection key", required=True, secret=True)
_BLOCK = Option("key_block", "the key block", "TEXT", required=True)

_USAGES = {
    "B0": "base derivation key",
    "B1": "initial DUKPT key",
    "C0": "card verification key",
    "D0": "data encryption, symmetric",
    "D1": "data encryption, asymmetric",
    "E0": "EMV/chip issuer master key, application cryptograms",
    "E1": "EMV/chip issuer master key, secure messaging for confidentiality",
    "E2": "EMV/chip issuer master key, secure messaging for integrity",
    "E3": "EMV/chip issuer master key, data authentication code",
    "E4": "EMV/chip issuer master key, dynamic numbers",
    "E5": "EMV/chip issuer master key, card personalisation",
    "K0": "key encryption or wrapping",
    "K1": "key block protection key",
    "M0": "MAC, ISO 16609 algorithm 1 with TDES",
    "M1": "MAC, ISO 9797-1 algorithm 1",
    "M3": "MAC, ISO 9797-1 algorithm 3",
    "M6": "MAC, CMAC",
    "M7": "HMAC",
    "P0": "PIN encryption",
    "V0": "PIN verification, other",
    "V1": "PIN verification, IBM 3624",
    "V2": "PIN verification, Visa PVV",
}
_ALGORITHMS = {
    "A": "AES",
    "D": "DES",
    "E": "elliptic curve",
    "H": "HMAC",
    "R": "RSA",
    "S": "DSA",
    "T": "triple DES",
}
_MODES = {
    "B": "encipher and decipher",
    "C": "make and verify MACs",
    "D": "decipher only",
    "E": "encipher only",
    "G": "make MACs only",
    "N": "no restriction",
    "S": "sign",
    "V": "verify only",
    "X": "derive keys",
}
_EXPORTABILITY = {
    "E": "under a trusted key",
    "N": "not exportable",
    "S": "under any key, even an untrusted one",
}


def _meanings(header: dict[str, Any]) -> list[tuple[str, str]]:
    tables = {
        "key_usage": _USAGES,
        "algorithm": _ALGORITHMS,
        "mode_of_use": _MODES,
        "exportability": _EXPORTABILITY,
    }
    return [
        (name.replace("_", " "), f"{header[name]}, {table.get(header[name], 'not in the standard')}")
        for name, table in tables.items()
    ]


def _unwrap(inputs: Inputs) -> Answer:
    result = CASES["tr31_unwrap"](inputs)
    answer = Answer(result, steps=_meanings(result["header"]))
    answer.lines = [f"key  {result['key']}", *_lines(result["header"])]
    if "kcv" in result:
        answer.lines.append(f"check value  {result['kcv']} ({result['kcv_method']})")
    return answer


def _header(inputs: Inputs) -> Answer:
    parsed = parse_header(inputs.text("key_block"))
    fields = header_fields(parsed.header)
    return Answer({"length": parsed.length, "consumed": parsed.consumed, **fields}, lines=_lines(fields))


def _lines(header: dict[str, Any]) -> list[str]:
    lines = [f"version  {header['version']}", *(f"{name}  {text}" for name, text in _meanings(header))]
    lines.append(f"key version  {header['key_version']}")
    return lines + [f"optional block {name}  {data}" for name, data in header["optional_blocks"].items()]


def _wrap(inputs: Inputs) -> Answer:
    header = KeyBlockHeader(
        inputs.text("version"),
        inputs.text("usage"),
        inputs.text("algorithm"),
        inputs.text("mode"),
        inputs.text("key_version"),
        inputs.text("exportability"),
        _optional_blocks(inputs),
    )
    block = tr31.wrap(
        inputs.hex("kbpk"),
        header,
        inputs.hex("key"),
        secrets.token_bytes,
        masked_key_bytes=inputs.number("masked_bytes"),
    )
    return Answer({"key_block": block}, steps=_meanings(header_fields(header)))


def _optional_blocks(inputs: Inputs) -> dict[str, str]:
    blocks = {}
    for text in inputs.items("block"):
        name, equals, data = text.partition("=")
        if not equals or name in blocks:
            raise BadInput("bad_format", "an optional block is written ID=DATA, each identifier once")
        blocks[name] = data
    return blocks


GROUPS = {
    "tr31": Group(
        "tr31",
        "TR-31 key blocks (ANSI X9.143), versions A, B, C, D.",
        (
            Command(
                "unwrap",
                "open a key block, its code checked",
                "tr31 unwrap --kbpk DD7515F2BFC17F85CE48F3CA25CB21F6 --key-block "
                "B0080P0TE00E000094B420079CC80BA3461F86FE26EFC4A3B8E4FA4C5F5341176EED7B727B8A248E",
                (_KBPK, _BLOCK),
                _unwrap,
            ),
            Command(
                "wrap",
                "close a key into a block",
                "tr31 wrap --kbpk-file kbpk.hex --key-file key.hex --usage P0 --algorithm A --mode E",
                (
                    _KBPK,
                    Option("key", "the key", required=True, secret=True),
                    Option("version", "version", choices=("A", "B", "C", "D"), default="D"),
                    Option("usage", "what the key is for: " + ", ".join(_USAGES), "XX", required=True),
                    Option("algorithm", "the key's algorithm", choices=tuple(_ALGORITHMS), default="T"),
                    Option("mode", "mode of use", choices=tuple(_MODES), default="N"),
                    Option("key_version", "version of the key", "NN", default="00"),
                    Option("exportability", "exportability", choices=tuple(_EXPORTABILITY), default="N"),
                    Option("block", "an optional block; may be given again", "ID=DATA", many=True),
                    Option("masked_bytes", "fill the key up to this length", "N", "number", default=0),
                ),
                _wrap,
            ),
            Command(
                "header",
                "read the header of a key block, without any key",
                "tr31 header --key-block B0080P0TE00E0000",
                (_BLOCK,),
                _header,
            ),
        ),
    ),
}
