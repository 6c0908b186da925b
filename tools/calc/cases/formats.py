"""Cases about formats: ISO 8583, EMV QR, magnetic stripes, Luhn, CRCs, serial frames."""

from __future__ import annotations

import functools
import json
from typing import Any, get_args

from firmware.secure.errors import BadInput
from tools.calc.cases.emv import tree_of
from tools.calc.errors import Refused
from tools.calc.inputs import Inputs, hex_of
from wire import emv_qr, track
from wire.crc import ByteOrder, Crc
from wire.errors import CodecError, FrameError
from wire.iso8583 import Dialect, FrameSplitter, bitmap_numbers
from wire.iso8583.framing import LengthPrefix
from wire.pan import luhn_check_digit, luhn_valid
from wire.serial_frames import FRAMINGS

_STREAM_MESSAGE_BYTES_MAX = 0xFFFF
_TRACK_2 = 35


# --- ISO 8583 ----------------------------------------------------------------------------------------


@functools.cache
def _dialect(name: str, table_json: str) -> Dialect:
    return Dialect.from_mapping(name, json.loads(table_json))


def _dialect_of(inputs: Inputs) -> Dialect:
    name = inputs.text("spec")
    if name not in inputs.tables:
        raise BadInput("unsupported", "the case file has no field table of the name in spec")
    return _dialect(name, json.dumps(inputs.tables[name]))


def _unpack(inputs: Inputs) -> dict[str, Any]:
    codec, encoded = _dialect_of(inputs), inputs.hex("message")
    message = codec.decode(encoded)
    bitmaps = [view.value_masked for view in codec.describe(encoded) if view.name == "bitmap"]
    result: dict[str, Any] = {"mti": message.mti, "bitmap": "".join(bitmaps)}
    if message.tpdu + message.header:
        result["header"] = message.tpdu + message.header
    result["fields"] = {
        str(number): _shown(number, value, encoded) for number, value in message.fields.items()
    }
    return result


def _shown(number: int, value: str | bytes, encoded: bytes) -> str:
    if isinstance(value, bytes):
        return hex_of(value)
    # The codec makes every separator of track 2 a D; cases show =, but for senders that do write a D.
    if number == _TRACK_2 and value.encode("ascii") not in encoded:
        return value.replace("D", "=")
    return value


def _bitmap(inputs: Inputs) -> dict[str, Any]:
    return {"fields": list(bitmap_numbers(inputs.hex("bitmap")))}


def _frame(inputs: Inputs) -> dict[str, Any]:
    prefix = inputs.choice("prefix", get_args(LengthPrefix))
    splitter = FrameSplitter(
        prefix=prefix,
        message_bytes_max=_STREAM_MESSAGE_BYTES_MAX,
    )
    messages: list[str] = []
    try:
        messages += map(hex_of, splitter.feed(inputs.hex("stream")))
        splitter.feed(b"")  # a bad length behind whole messages is told with the next piece
    except CodecError as error:
        result = {"messages": messages, "rest": hex_of(splitter.rest)}
        raise Refused(error.reason, str(error), result) from None
    return {"messages": messages, "rest": hex_of(splitter.rest)}


# --- EMV QR ------------------------------------------------------------------------------------------


def qr_tree(objects: list[emv_qr.QrObject] | tuple[emv_qr.QrObject, ...]) -> list[Any]:
    """Objects as [identifier, value], a template's value a list of the same."""
    return [
        [entry.identifier, [[child.identifier, child.value] for child in entry.children]]
        if entry.is_template
        else [entry.identifier, entry.value]
        for entry in objects
    ]


def _mpm(inputs: Inputs) -> dict[str, Any]:
    objects = emv_qr.parse_mpm(inputs.text("payload"))
    absent = emv_qr.missing_mandatory(objects)
    return {"tree": qr_tree(objects)} | ({"missing_mandatory": absent} if absent else {})


def _qr_crc(inputs: Inputs) -> dict[str, Any]:
    return {"crc": emv_qr.crc(inputs.text("payload_without_crc"))}


def _cpm(inputs: Inputs) -> dict[str, Any]:
    payload = emv_qr.parse_cpm(inputs.text("payload"))
    return {"hex": hex_of(payload.data), "tree": tree_of(payload.objects)}


# --- magnetic stripes --------------------------------------------------------------------------------


def _track_number(inputs: Inputs) -> int:
    number = inputs.number("track")
    if number not in {1, 2, 3}:
        raise BadInput("unsupported", "a card has tracks 1, 2 and 3")
    return number


def track1_fields(parsed: track.Track1) -> dict[str, Any]:
    """What is on track 1, in clear."""
    return {
        "format_code": parsed.format_code,
        "pan": parsed.pan.reveal(),
        "name": parsed.name,
        "expiry": parsed.expiry_yymm,
        "service_code": parsed.service_code,
        "discretionary": parsed.discretionary,
    }


def track2_fields(parsed: track.Track2) -> dict[str, Any]:
    """What is on track 2, in clear."""
    return {
        "pan": parsed.pan.reveal(),
        "expiry": parsed.expiry_yymm,
        "service_code": parsed.service_code,
        "discretionary": parsed.discretionary,
    }


def _track1(inputs: Inputs) -> dict[str, Any]:
    return track1_fields(track.Track1.parse(inputs.text("text")))


def _track2(inputs: Inputs) -> dict[str, Any]:
    return track2_fields(track.Track2.parse(inputs.text("text")))


def _stripe_lrc(inputs: Inputs) -> dict[str, Any]:
    return {"lrc": track.lrc(_track_number(inputs), inputs.text("text"))}


def _stripe_bits(inputs: Inputs) -> dict[str, Any]:
    bits = track.encode_bits(
        _track_number(inputs),
        inputs.text("text"),
        leading_zeros=inputs.number("leading_zeros", 25),
        trailing_zeros=inputs.number("trailing_zeros", 25),
    )
    return {"bits": bits}


def _stripe_decode(inputs: Inputs) -> dict[str, Any]:
    decoded = track.decode_bits(_track_number(inputs), inputs.text("bits"))
    return {"text": decoded.text, "lrc": decoded.lrc, "direction": decoded.direction.value}


def _service_code(inputs: Inputs) -> dict[str, Any]:
    code = track.ServiceCode.parse(inputs.text("code"))
    return {
        "interchange": code.interchange,
        "chip": code.chip,
        "authorisation": code.authorisation,
        "pin_required": code.pin_required,
        "pin_if_possible": code.pin_if_possible,
    }


# --- check digits, checks, frames --------------------------------------------------------------------


def _luhn(inputs: Inputs) -> dict[str, Any]:
    number = inputs.text("number")
    return {"valid": luhn_valid(number), "check_digit": int(luhn_check_digit(number[:-1]))}


def _crc_of(inputs: Inputs) -> Crc:
    return Crc(
        inputs.text("name", ""),
        inputs.number("width"),
        inputs.hex_number("poly"),
        inputs.hex_number("init"),
        inputs.flag("refin"),
        inputs.flag("refout"),
        inputs.hex_number("xorout"),
    )


def _crc(inputs: Inputs) -> dict[str, Any]:
    crc = _crc_of(inputs)
    residue = f"{crc.residue():0{2 * crc.width_bytes}X}"
    return {"crc": crc.hex(inputs.hex("data")), "residue": residue}


def _crc_frame(inputs: Inputs) -> dict[str, Any]:
    byteorder = inputs.choice("byteorder", get_args(ByteOrder))
    try:
        _crc_of(inputs).split(inputs.hex("frame"), byteorder)
    except FrameError as error:
        raise Refused(error.reason, str(error), {"valid": False}) from None
    return {"valid": True}


def _serial_frame(inputs: Inputs) -> dict[str, Any]:
    framing = FRAMINGS[inputs.choice("framing", tuple(FRAMINGS))]
    return {"payload": hex_of(framing.decode(inputs.hex("frame")))}


KINDS = {
    "iso8583_unpack": _unpack,
    "iso8583_bitmap": _bitmap,
    "iso8583_frame": _frame,
    "emvqr_mpm": _mpm,
    "emvqr_crc": _qr_crc,
    "emvqr_cpm": _cpm,
    "magstripe_track1": _track1,
    "magstripe_track2": _track2,
    "magstripe_lrc": _stripe_lrc,
    "magstripe_bits": _stripe_bits,
    "magstripe_decode": _stripe_decode,
    "service_code": _service_code,
    "luhn": _luhn,
    "crc": _crc,
    "crc_frame": _crc_frame,
    "serial_frame": _serial_frame,
}
