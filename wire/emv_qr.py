"""EMV QR codes: what a merchant shows (MPM) and what a customer shows (CPM).

A merchant's payload is text: objects of a two-digit identifier, a two-digit length and a value, the last
one a CRC. A customer's is BER-TLV in base64. Sources: EMV QR Code Specification for Payment Systems,
merchant-presented mode 1.1 and consumer-presented mode 1.1.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field

from wire.crc import CATALOGUE
from wire.errors import QrError
from wire.tlv import Tlv, decode

__all__ = ["CpmPayload", "QrError", "QrObject", "build_mpm", "crc", "parse_cpm", "parse_mpm"]

_FIRST_OBJECT = "000201"
_CRC_ID, _CRC_HEAD = "63", "6304"
_MANDATORY = ("00", "52", "53", "58", "59", "60", "63")
_CPM_FORMAT = bytes.fromhex("8505") + b"CPV01"
_APPLICATION_TEMPLATE, _APPLICATION_ID = "61", "4F"

NAMES = {
    "00": "payload format indicator",
    "01": "point of initiation method",
    "52": "merchant category code",
    "53": "transaction currency",
    "54": "transaction amount",
    "55": "tip or convenience indicator",
    "56": "convenience fee, fixed",
    "57": "convenience fee, percentage",
    "58": "country code",
    "59": "merchant name",
    "60": "merchant city",
    "61": "postal code",
    "62": "additional data",
    "63": "CRC",
    "64": "merchant information, language template",
}
"""What the objects are called; 02 to 51 are merchant account information, 80 to 99 unreserved templates."""


@dataclass(frozen=True, slots=True)
class QrObject:
    """One object: a template (26 to 51, 62, 64, 80 to 99) has `children`, every other a `value`."""

    identifier: str
    value: str = ""
    children: tuple[QrObject, ...] = ()

    @property
    def is_template(self) -> bool:
        """True where the value is made of objects again."""
        return _is_template(self.identifier)


@dataclass(frozen=True, slots=True)
class CpmPayload:
    """A customer's payload: its bytes, and the data objects in them."""

    data: bytes = field(repr=False)
    objects: tuple[Tlv, ...]


def crc(payload: str) -> str:
    """The check of `payload`, which ends with `6304`: four hex digits over its UTF-8 bytes."""
    return CATALOGUE["CRC-16/IBM-3740"].hex(payload.encode("utf-8"))


def parse_mpm(payload: str) -> list[QrObject]:
    """Take a merchant's payload apart, CRC checked.

    Raises QrError: bad_format (does not begin with 000201, or the CRC is not the last object), truncated,
    bad_tag, bad_length, duplicate, missing_data (no CRC), bad_crc.
    """
    if not payload.startswith(_FIRST_OBJECT):
        raise QrError("bad_format", "a merchant's payload begins with 000201")
    objects = _objects(payload, split_templates=True)
    identifiers = [entry.identifier for entry in objects]
    if len(set(identifiers)) < len(identifiers):
        raise QrError("duplicate", "an object stands twice in the payload")
    if _CRC_ID not in identifiers:
        raise QrError("missing_data", "the payload has no CRC, object 63")
    if identifiers[-1] != _CRC_ID:
        raise QrError("bad_format", "object 63, the CRC, is not the last")
    if len(objects[-1].value) != 4:
        raise QrError("bad_length", "object 63, the CRC, has four hex digits")
    if objects[-1].value.upper() != crc(payload[:-4]):
        raise QrError("bad_crc", "the CRC does not fit the payload")
    return objects


def missing_mandatory(objects: Iterable[QrObject]) -> list[str]:
    """Return the mandatory objects that are absent; national schemes leave some out."""
    present = {entry.identifier for entry in objects}
    return [identifier for identifier in _MANDATORY if identifier not in present]


def build_mpm(objects: Iterable[QrObject]) -> str:
    """Return the payload of `objects`, its CRC added (one that is given is left out).

    Raises QrError (bad_length): a value of more than 99 characters.
    """
    text = "".join(_text(entry) for entry in objects if entry.identifier != _CRC_ID) + _CRC_HEAD
    return text + crc(text)


def parse_cpm(payload: str) -> CpmPayload:
    """Take a customer's payload apart: base64 of `85 05 CPV01` and BER-TLV objects.

    Raises QrError: bad_character (no base64), bad_format (does not begin with CPV01), missing_data (no
    application template with an application identifier); and TlvError.
    """
    try:
        data = base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise QrError("bad_character", "a customer's payload is base64, filled to fours with =") from None
    if not data.startswith(_CPM_FORMAT):
        raise QrError("bad_format", "a customer's payload begins with 85 05 and CPV01")
    objects = decode(data)
    applications = [entry for entry in objects if entry.tag == _APPLICATION_TEMPLATE]
    if not applications or not all(
        any(child.tag == _APPLICATION_ID for child in entry.children) for entry in applications
    ):
        raise QrError("missing_data", "there is no application template with an identifier, 61 with 4F")
    return CpmPayload(data, tuple(objects))


def _objects(text: str, *, split_templates: bool) -> list[QrObject]:
    objects, position = [], 0
    while position < len(text):
        identifier, length_text = text[position : position + 2], text[position + 2 : position + 4]
        if len(length_text) < 2:
            raise QrError("truncated", "the payload ends inside an identifier or a length")
        if not _is_digits(identifier):
            raise QrError("bad_tag", "an identifier is not two digits")
        if not _is_digits(length_text):
            raise QrError("bad_length", f"the length of object {identifier} is not two digits")
        position += 4
        value = text[position : position + int(length_text)]
        if len(value) < int(length_text):
            raise QrError("truncated", f"the payload ends inside object {identifier}")
        position += len(value)
        if split_templates and _is_template(identifier):
            # Identifiers start again inside a template, and none of them is a template.
            children = tuple(_objects(value, split_templates=False))
            objects.append(QrObject(identifier, children=children))
        else:
            objects.append(QrObject(identifier, value))
    return objects


def _is_template(identifier: str) -> bool:
    number = int(identifier)
    return 26 <= number <= 51 or number in {62, 64} or number >= 80


def _text(entry: QrObject) -> str:
    value = "".join(map(_text, entry.children)) if entry.children else entry.value
    if len(value) > 99:
        raise QrError("bad_length", f"object {entry.identifier} has more than 99 characters")
    return f"{entry.identifier}{len(value):02d}{value}"


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
