"""The insides of UnionPay's fields, part by part with names: 22, 44, 48, 53, 54, 55, 59 to 63.

Which layout fields 62 and 63 have depends on the message; what cannot be told is left whole. Source: the
UnionPay POS message digest, sections 2.3, 2.6 and 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, fields

from firmware.secure.key_bundle import LAYOUTS
from firmware.secure.tdes import CHECK_VALUE_BYTES
from tools.calc.inputs import hex_of
from wire import tlv
from wire.emv_tags import tag_names
from wire.errors import WireError
from wire.iso8583 import IsoMessage
from wire.iso8583.private import F44, F54, F60, F61, F48Totals

_TEXT_BYTES = (
    ("63.2.1 issuer", 20),
    ("63.2.2 UnionPay", 20),
    ("63.2.3 acquirer", 20),
    ("63.2.4 terminal", 60),
)
_PUBLIC_TAGS = frozenset(
    [
        "9F27",
        "9F10",
        "9F37",
        "9F36",
        "95",
        "9A",
        "9C",
        "9F02",
        "5F2A",
        "82",
        "9F1A",
        "9F03",
        "9F33",
        "9F34",
        "9F35",
        "84",
        "9F09",
        "8A",
    ]
)

# Fields of parameters: code to (bytes, name), section 5.1; 01 to 05 are the devices of a status report.
_PARAMETERS = {
    b"01": (1, "keypad"),
    b"02": (1, "PIN pad"),
    b"03": (1, "card reader"),
    b"04": (1, "printer"),
    b"05": (1, "display"),
    b"11": (2, "application type"),
    b"12": (2, "response timeout, s"),
    b"13": (1, "connection retries"),
    b"14": (14, "dial number 1"),
    b"15": (14, "dial number 2"),
    b"16": (14, "dial number 3"),
    b"17": (14, "management dial number"),
    b"18": (1, "tips allowed"),
    b"19": (2, "tip limit, %"),
    b"20": (1, "manual PAN entry allowed"),
    b"21": (1, "sign out after settlement"),
    b"22": (40, "merchant name"),
    b"23": (1, "resend count"),
    b"24": (1, "offline upload mode"),
    b"25": (1, "master key index"),
    b"26": (4, "transaction switches"),
    b"27": (2, "offline transactions kept"),
}
_PARAMETER_NETWORK_CODES = frozenset({"360", "362"})


@dataclass(frozen=True, slots=True)
class Subfield:
    """One part. `secret`: shown only when it is asked for."""

    number: str
    name: str
    value: str
    secret: bool = False


def subfields(message: IsoMessage) -> Mapping[int, list[Subfield]]:
    """The parts of each field that has any. A field that cannot be taken apart has one part that says so."""
    parts: dict[int, list[Subfield]] = {}
    for number in message.fields:
        reader = _READERS.get(number)
        if reader is None:
            continue
        try:
            found = reader(message)
        except WireError as error:
            found = [Subfield(f"{number}.?", "cannot be taken apart", error.reason)]
        if found:
            parts[number] = found
    return parts


# --- short codes -------------------------------------------------------------------------------------

_ENTRY_MODES = {
    "00": "unspecified",
    "01": "manual",
    "02": "magnetic stripe",
    "03": "bar code or QR",
    "05": "contact chip",
    "07": "contactless chip",
    "91": "contactless stripe data",
    "92": "reservation without card",
    "95": "contact chip, card data unreliable",
    "96": "mobile chip",
    "98": "contactless or mobile",
}
_PIN_ENTRY = {"0": "unspecified", "1": "PIN entered", "2": "no PIN"}
_PIN_FORMATS = {"0": "no PIN", "1": "without card number", "2": "with card number"}
_PIN_CIPHERS = {"0": "single DES", "3": "SM4", "6": "double-length triple DES"}
_TRACK_CIPHERS = {"0": "tracks in clear", "1": "tracks enciphered"}


def _field_22(message: IsoMessage) -> list[Subfield]:
    text = message.text(22)
    return [
        Subfield("22.1", "entry mode", _coded(text[:2], _ENTRY_MODES)),
        Subfield("22.2", "PIN", _coded(text[2:], _PIN_ENTRY)),
    ]


def _field_53(message: IsoMessage) -> list[Subfield]:
    text = message.text(53)
    return [
        Subfield("53.1", "PIN format", _coded(text[:1], _PIN_FORMATS)),
        Subfield("53.2", "cipher", _coded(text[1:2], _PIN_CIPHERS)),
        Subfield("53.3", "tracks", _coded(text[2:3], _TRACK_CIPHERS)),
        Subfield("53.4", "reserved", text[3:]),
    ]


def _coded(code: str, meanings: Mapping[str, str]) -> str:
    return f"{code} ({meanings.get(code, 'unknown')})"


# --- composite fields --------------------------------------------------------------------------------

_F60_NAMES = (
    "transaction type",
    "batch",
    "network management code",
    "terminal read capability",
    "chip condition",
    "partial approval",
    "account type",
)
_F61_NAMES = ("original batch", "original trace", "original date", "authorisation mode", "institution")
_TOTALS = ("debit amount", "debit count", "credit amount", "credit count", "result")


def _numbered(number: int, names: tuple[str, ...], values: tuple[object, ...]) -> list[Subfield]:
    return [
        Subfield(f"{number}.{place}", name, str(value))
        for place, (name, value) in enumerate(zip(names, values, strict=True), start=1)
        if value != ""
    ]


def _field_44(message: IsoMessage) -> list[Subfield]:
    return _numbered(44, ("issuer", "acquirer", "reserved"), astuple(F44.parse(message.text(44))))


def _field_48(message: IsoMessage) -> list[Subfield]:
    text = message.text(48)
    if len(text) == 4:
        return [Subfield("48", "number of records", text)]
    if len(text) == 12:
        return [Subfield("48", "tip", text)]
    if len(text) != 62:
        return []
    totals = F48Totals.parse(text)
    names = tuple(f"{cards}, {name}" for cards in ("domestic", "foreign") for name in _TOTALS)
    return _numbered(48, names, (*astuple(totals.domestic), *astuple(totals.foreign)))


def _field_54(message: IsoMessage) -> list[Subfield]:
    balance = F54.parse(message.text(54))
    return [
        Subfield("54", field.name.replace("_", " "), str(getattr(balance, field.name)))
        for field in fields(F54)
    ]


def _field_60(message: IsoMessage) -> list[Subfield]:
    return _numbered(60, _F60_NAMES, astuple(F60.parse(message.text(60))))


def _field_61(message: IsoMessage) -> list[Subfield]:
    return _numbered(61, _F61_NAMES, astuple(F61.parse(message.text(61))))


def _field_55(message: IsoMessage) -> list[Subfield]:
    return [
        Subfield(f"55.{entry.tag}", _tag_name(entry.tag), hex_of(entry.value), entry.tag not in _PUBLIC_TAGS)
        for entry in tlv.decode(message.binary(55))
    ]


def _tag_name(tag: str) -> str:
    known = tag_names().get(tag)
    return f"{known.name} {known.name_zh}" if known else "unknown"


_F59_TAGS = {
    b"A1": "PIN block, SM4",
    b"A2": "terminal information",
    b"A3": "customer's code",
    b"A4": "payment voucher number",
}


def _field_59(message: IsoMessage) -> list[Subfield]:
    data, parts, place = message.binary(59), [], 0
    while place < len(data):
        tag, length = data[place : place + 2], data[place + 2 : place + 5]
        value = data[place + 5 : place + 5 + int(length)] if length.isdigit() else b""
        if tag not in _F59_TAGS or len(length) < 3 or len(value) != int(length or b"0"):
            return []  # acquirers put other things there: it is left whole
        parts.append(Subfield(f"59.{tag.decode('ascii')}", _F59_TAGS[tag], hex_of(value), secret=True))
        place += 5 + len(value)
    return parts


# --- field 62: by message ----------------------------------------------------------------------------


def _field_62(message: IsoMessage) -> list[Subfield]:
    data = message.binary(62)
    network_code = message.text(60)[8:11]
    if network_code in _PARAMETER_NETWORK_CODES:
        return _parameters(data)
    if message.mti == "0810" and (layout := _bundle_layout(data)):
        return _bundle(data, layout)
    text = data.decode("latin-1")
    if not (text.isascii() and text.isprintable()):
        return []
    if text.startswith("Sequence No") and text[11:13].isdigit():
        return [
            Subfield("62.1", "Sequence No, length", text[11:13]),
            Subfield("62.2", "Sequence No, licence and serial number", text[13:]),
        ]
    if message.mti == "0320" and text[:2] == "61" and len(text) == 21:
        return _cut(text, (("usage", 2), ("card kind", 2), ("response", 2), ("amount", 12), ("currency", 3)))
    if message.mti == "0320" and text[:2] == "71" and len(text) == 23:
        names = (("usage", 2), ("card kind", 2), ("response", 2), ("amount", 12), ("currency", 3))
        return _cut(text, (*names, ("cryptogram type", 1), ("ARPC result", 1)))
    if message.mti in {"0220", "0230"} and len(text) == 8:
        return [Subfield("62", "original terminal", text)]
    return [Subfield("62", "text", text, secret=True)]


def _bundle_layout(data: bytes) -> str | None:
    for name, keys in LAYOUTS.items():
        if len(data) == sum(size + CHECK_VALUE_BYTES for _, size in keys):
            return name
    return None


def _bundle(data: bytes, layout: str) -> list[Subfield]:
    parts, place = [Subfield("62", "key layout", layout)], 0
    for number, (use, size) in enumerate(LAYOUTS[layout], start=1):
        parts.append(
            Subfield(
                f"62.{number}", f"{use.value} under the TMK", hex_of(data[place : place + size]), secret=True
            )
        )
        place += size
        check = data[place : place + CHECK_VALUE_BYTES]
        parts.append(Subfield(f"62.{number}", f"{use.value} check value", hex_of(check)))
        place += CHECK_VALUE_BYTES
    return parts


def _parameters(data: bytes) -> list[Subfield]:
    parts: list[Subfield] = []
    place = 0
    while place < len(data):
        code = data[place : place + 2]
        if code not in _PARAMETERS:
            return [*parts, Subfield("62", "more, in another layout", hex_of(data[place:]))]
        size, name = _PARAMETERS[code]
        value = data[place + 2 : place + 2 + size]
        shown = hex_of(value) if code == b"26" else _gbk(value)
        parts.append(Subfield(f"62.{code.decode('ascii')}", name, shown))
        place += 2 + size
    return parts


def _cut(text: str, names: tuple[tuple[str, int], ...]) -> list[Subfield]:
    parts, place = [], 0
    for number, (name, size) in enumerate(names, start=1):
        parts.append(Subfield(f"62.{number}", name, text[place : place + size]))
        place += size
    return parts


# --- field 63 ----------------------------------------------------------------------------------------


def _field_63(message: IsoMessage) -> list[Subfield]:
    encoded = message.text(63).encode("gbk")
    is_answer = message.mti[2:3] in {"1", "3"}
    if not is_answer:
        name = "operator" if message.mti in {"0800", "0820", "0500"} else "card organisation"
        return [Subfield("63.1", name, message.text(63))]
    parts = [Subfield("63.1", "card organisation", _gbk(encoded[:3]))]
    place = 3
    for number, (name, size) in enumerate(_TEXT_BYTES, start=1):
        text = encoded[place : place + size]
        if text.strip():
            parts.append(Subfield(f"63.2.{number}", f"text of the {name}", _gbk(text)))
        place += size
    return parts


def _gbk(data: bytes) -> str:
    return data.decode("gbk", "replace").rstrip()


_READERS: Mapping[int, Callable[[IsoMessage], list[Subfield]]] = {
    22: _field_22,
    44: _field_44,
    48: _field_48,
    53: _field_53,
    54: _field_54,
    55: _field_55,
    59: _field_59,
    60: _field_60,
    61: _field_61,
    62: _field_62,
    63: _field_63,
}
