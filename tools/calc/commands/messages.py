"""`posterm calc iso8583`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from firmware.secure import mac
from firmware.secure.errors import BadInput
from tools.calc.answer import Answer
from tools.calc.command import Command, Group, Option
from tools.calc.inputs import Inputs, bytes_of, hex_of
from tools.calc.subfields import Subfield, subfields
from wire.iso8583 import Dialect, FieldView, IsoMessage, dialect, frame
from wire.iso8583.private import F60, F61
from wire.iso8583.table import DIALECTS

_BINARY_FIELDS = frozenset({52, 55, 59, 62, 64, 96, 128})
_TRACK_FIELDS = frozenset({35, 36})
_COMPOSED: Mapping[int, tuple[type[F60 | F61], int]] = {60: (F60, 7), 61: (F61, 5)}
_MAC_PLACEHOLDER = bytes(8)

# --- decode ------------------------------------------------------------------------------------------


def _decode(inputs: Inputs) -> Answer:
    codec, encoded, reveal = dialect(inputs.text("dialect")), inputs.hex("message"), inputs.value("reveal")
    if inputs.value("framed"):
        encoded = _unframed(encoded)
    message = codec.decode(encoded)
    parts = subfields(message) if codec.name == "unionpay" else {}
    answer = Answer(_result(codec, encoded, message, parts, reveal=reveal), lines=[])
    assert answer.lines is not None
    for view in codec.describe(encoded):
        answer.lines.append(_line(view, _value(message, view, reveal=reveal)))
        answer.lines += [
            f"       {part.number:8} {part.name}: {_part_value(part, reveal=reveal)}"
            for part in parts.get(view.number or 0, [])
        ]
    answer.step("masked", codec.masked_hex(encoded))
    return answer


def _unframed(data: bytes) -> bytes:
    if int.from_bytes(data[:2], "big") != len(data) - 2:
        raise BadInput("bad_length", "the two bytes of length in front do not fit the message")
    return data[2:]


def _line(view: FieldView, value: str) -> str:
    number = "" if view.number is None else "MTI" if view.number == 0 else f"F{view.number}"
    return f"{number:5}  {view.name} {view.name_zh}".rstrip() + f": {value}"


def _value(message: IsoMessage, view: FieldView, *, reveal: bool) -> str:
    if not reveal or not view.number:
        return view.value_masked
    value = message.fields[view.number]
    return hex_of(value) if isinstance(value, bytes) else value


def _part_value(part: Subfield, *, reveal: bool) -> str:
    return part.value if reveal or not part.secret else "*" * len(part.value)


def _result(
    codec: Dialect,
    encoded: bytes,
    message: IsoMessage,
    parts: Mapping[int, list[Subfield]],
    *,
    reveal: bool,
) -> dict[str, Any]:
    views = [view for view in codec.describe(encoded) if view.number]
    return {
        "dialect": codec.name,
        "tpdu": message.tpdu,
        "header": message.header,
        "mti": message.mti,
        "fields": {str(view.number): _value(message, view, reveal=reveal) for view in views},
        "names": {str(view.number): f"{view.name} {view.name_zh}".rstrip() for view in views},
        "subfields": {
            str(number): [
                {"number": part.number, "name": part.name, "value": _part_value(part, reveal=reveal)}
                for part in entries
            ]
            for number, entries in parts.items()
        },
    }


# --- build -------------------------------------------------------------------------------------------


def _build(inputs: Inputs) -> Answer:
    codec = dialect(inputs.text("dialect"))
    document = _document(inputs)
    texts = {**document.get("fields", {}), **_given_fields(inputs)}
    fields = _fields(texts)
    if inputs.has("mak"):
        fields.setdefault(64, _MAC_PLACEHOLDER)
    message = IsoMessage(
        inputs.text("mti", document.get("mti", "")),
        fields,
        inputs.text("tpdu", document.get("tpdu", "6000060000")),
        inputs.text("header", document.get("header", "603100320000")),
    )
    encoded = codec.encode(message)
    answer = Answer({})
    for view in codec.describe(encoded):
        place = view.name if not view.number else f"field {view.number}"
        answer.step(place, view.value_masked)
    if inputs.has("mak"):
        region = codec.mac_region(encoded)
        answer.step("MAB", region)
        encoded = codec.with_mac(encoded, mac.unionpay_ecb_mac(inputs.hex("mak"), region))
    encoded = frame(encoded) if inputs.value("framed") else encoded
    answer.result = {"message": hex_of(encoded), "bytes": len(encoded)}
    return answer


def _document(inputs: Inputs) -> Mapping[str, Any]:
    """The message as `decode --json --reveal` writes it, if there is one."""
    if not inputs.has("document"):
        return {}
    try:
        document: Any = json.loads(inputs.text("document"))
    except (json.JSONDecodeError, RecursionError):
        raise BadInput("bad_format", "the message's values are no JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("fields", {}), dict):
        raise BadInput("bad_format", "the message's values are an object, its fields an object in it")
    given = {name: document[name] for name in ("mti", "tpdu", "header", "fields") if name in document}
    texts = [*given.get("fields", {}).values(), *(given[name] for name in given if name != "fields")]
    if not all(isinstance(text, str) for text in texts):
        raise BadInput("bad_format", "the message's values are all texts")
    return given


def _given_fields(inputs: Inputs) -> dict[str, str]:
    given: dict[str, str] = {}
    for text in inputs.items("field"):
        name, equals, value = text.partition("=")
        if not equals or name in given:
            raise BadInput("bad_format", "a field is written NUMBER=VALUE, each number once")
        given[name] = value
    return given


def _fields(texts: Mapping[str, str]) -> dict[int, str | bytes]:
    fields: dict[int, str | bytes] = {}
    parts: dict[int, dict[int, str]] = {}
    for name, value in texts.items():
        number, _, part = name.partition(".")
        if not (number.isascii() and number.isdigit() and len(number) <= 3):
            raise BadInput("bad_character", "the number of a field is 2 to 128, or 60.1 for a part")
        if part:
            _add_part(parts, int(number), part, value)
        else:
            fields[int(number)] = _field_value(int(number), value)
    return fields | {number: _composed(number, values) for number, values in parts.items()}


def _field_value(number: int, text: str) -> str | bytes:
    if number in _BINARY_FIELDS:
        return bytes_of(f"field {number}", text)
    return text.replace("=", "D") if number in _TRACK_FIELDS else text


def _add_part(parts: dict[int, dict[int, str]], number: int, part: str, value: str) -> None:
    if number not in _COMPOSED or part not in map(str, range(1, _COMPOSED[number][1] + 1)):
        raise BadInput("unsupported", "parts can be given for fields 60 (1 to 7) and 61 (1 to 5)")
    parts.setdefault(number, {})[int(part)] = value


def _composed(number: int, values: Mapping[int, str]) -> str:
    kind, count = _COMPOSED[number]
    last = max(values)
    if any(place not in values for place in range(1, last + 1)):
        raise BadInput("missing_data", f"field {number} is composed of its parts from the first on")
    return kind(*[values.get(place, "") for place in range(1, count + 1)]).encode()


_DIALECT = Option("dialect", "dialect", choices=DIALECTS, default="unionpay")
_FRAMED = Option("framed", "two bytes of length stand in front", kind="flag")

GROUPS = {
    "iso8583": Group(
        "iso8583",
        "ISO 8583 messages of the dialects " + " and ".join(DIALECTS) + ".",
        (
            Command(
                "decode",
                "a message field by field; card data, PIN and keys are starred without --reveal",
                "iso8583 decode - < message.hex",
                (
                    Option(
                        "message", "the message, TPDU and header included", required=True, positional=True
                    ),
                    _DIALECT,
                    _FRAMED,
                    Option("reveal", "show what is secret, too", kind="flag"),
                ),
                _decode,
            ),
            Command(
                "build",
                "a message out of its fields",
                "iso8583 build --mti 0800 --field 11=000001 --field 41=12345678 --field 42=898320154110001 "
                "--field 60.1=00 --field 60.2=000001 --field 60.3=003 --field '63=01 '",
                (
                    Option("mti", "message type", "NNNN"),
                    Option("field", "a field, or a part of 60 or 61", "N[.N]=VALUE", many=True),
                    Option("document", "JSON with mti and fields, as decode writes it", "JSON"),
                    Option("tpdu", "TPDU", "DIGITS"),
                    Option("header", "header", "DIGITS"),
                    Option("mak", "MAC key: adds field 64", secret=True),
                    _DIALECT,
                    _FRAMED,
                ),
                _build,
            ),
        ),
    ),
}
