"""`posterm calc qr`, `crc`, `frame`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import get_args

from firmware.secure.errors import BadInput
from tools.calc.answer import Answer
from tools.calc.cases.emv import tree_of
from tools.calc.cases.formats import qr_tree
from tools.calc.command import Command, Group, Option
from tools.calc.commands.emv_data import tree_lines
from tools.calc.inputs import Inputs, hex_of
from wire import emv_qr
from wire.crc import CATALOGUE, ByteOrder, Crc
from wire.serial_frames import FRAMINGS

# --- EMV QR ------------------------------------------------------------------------------------------


def _qr_parse(inputs: Inputs) -> Answer:
    payload = inputs.text("payload")
    if not payload.startswith("0002"):
        parsed = emv_qr.parse_cpm(payload)
        result = {"mode": "consumer-presented", "hex": hex_of(parsed.data), "tree": tree_of(parsed.objects)}
        return Answer(result, lines=list(tree_lines(parsed.objects)))
    objects = emv_qr.parse_mpm(payload)
    absent = emv_qr.missing_mandatory(objects)
    answer = Answer(
        {"mode": "merchant-presented", "tree": qr_tree(objects), "missing_mandatory": absent},
        lines=list(_qr_lines(objects)),
    )
    answer.step("CRC-16/IBM-3740", emv_qr.crc(payload[:-4]))
    if absent:
        answer.warnings.append(f"mandatory objects are absent: {', '.join(absent)}")
    return answer


def _qr_lines(objects: Iterable[emv_qr.QrObject]) -> Iterator[str]:
    for entry in objects:
        name = emv_qr.NAMES.get(entry.identifier) or (
            "merchant account information" if entry.identifier < "52" else "unreserved template"
        )
        yield (
            f"{entry.identifier}  {name}: {entry.value}".rstrip(" :")
            if entry.value
            else f"{entry.identifier}  {name}"
        )
        for child in entry.children:
            yield f"  {child.identifier}  {child.value}"


def _qr_build(inputs: Inputs) -> Answer:
    objects: list[emv_qr.QrObject] = []
    for text in inputs.items("object"):
        name, equals, value = text.partition("=")
        identifier, _, inner = name.partition(".")
        if not equals or not _two_digits(identifier) or (inner and not _two_digits(inner)):
            raise BadInput("bad_format", "an object is written ID=VALUE, one inside a template ID.ID=VALUE")
        if not inner:
            objects.append(emv_qr.QrObject(identifier, value))
            continue
        child = emv_qr.QrObject(inner, value)
        if objects and objects[-1].identifier == identifier:
            children = (*objects.pop().children, child)
        else:
            children = (child,)
        objects.append(emv_qr.QrObject(identifier, children=children))
    if not objects or objects[0].identifier != "00":
        objects.insert(0, emv_qr.QrObject("00", "01"))
    payload = emv_qr.build_mpm(objects)
    absent = emv_qr.missing_mandatory(emv_qr.parse_mpm(payload))
    answer = Answer({"payload": payload})
    answer.step("CRC-16/IBM-3740 over", payload[:-4])
    answer.step("CRC", payload[-4:])
    if absent:
        answer.warnings.append(f"mandatory objects are absent: {', '.join(absent)}")
    return answer


def _two_digits(text: str) -> bool:
    return len(text) == 2 and text.isascii() and text.isdigit()


# --- CRC ---------------------------------------------------------------------------------------------


def _crc(inputs: Inputs) -> Answer:
    if not inputs.has("text") and not inputs.has("data"):
        raise BadInput("missing_data", "--data is needed, or --text")
    data = inputs.text("text").encode("utf-8") if inputs.has("text") else inputs.hex("data")
    crc = _crc_of(inputs)
    check = crc.compute(data)
    answer = Answer(
        {
            "crc": crc.hex(data),
            "little_endian": check.to_bytes(crc.width_bytes, "little").hex().upper(),
            "check": crc.hex(b"123456789"),
            "residue": f"{crc.residue():0{2 * crc.width_bytes}X}",
        }
    )
    answer.step("name", crc.name)
    answer.step("width", str(crc.width_bits))
    for name, value in (("polynomial", crc.poly), ("start value", crc.init), ("final xor", crc.xorout)):
        answer.step(name, f"{value:0{2 * crc.width_bytes}X}")
    answer.step("reflected", f"in: {crc.refin}, out: {crc.refout}")
    if inputs.value("frame"):
        crc.split(data, inputs.choice("byteorder", get_args(ByteOrder)))
        answer.result = {**answer.result, "valid": True}
    return answer


def _crc_of(inputs: Inputs) -> Crc:
    if not inputs.has("poly"):
        return CATALOGUE[inputs.choice("name", tuple(CATALOGUE))]
    return Crc(
        "(given)",
        inputs.number("width"),
        inputs.hex_number("poly"),
        inputs.hex_number("init"),
        inputs.value("refin"),
        inputs.value("refout"),
        inputs.hex_number("xorout"),
    )


# --- frames ------------------------------------------------------------------------------------------


def _frame_decode(inputs: Inputs) -> Answer:
    return Answer({"payload": hex_of(FRAMINGS[inputs.text("framing")].decode(inputs.hex("data")))})


def _frame_encode(inputs: Inputs) -> Answer:
    return Answer({"frame": hex_of(FRAMINGS[inputs.text("framing")].encode(inputs.hex("data")))})


_FRAMING = Option("framing", "the framing", choices=tuple(FRAMINGS), required=True)

GROUPS = {
    "qr": Group(
        "qr",
        "EMV QR codes.",
        (
            Command(
                "parse",
                "a payload with names: merchant-presented, or consumer-presented in base64",
                "qr parse - < payload.txt",
                (Option("payload", "the payload", "TEXT", required=True, positional=True),),
                _qr_parse,
            ),
            Command(
                "build",
                "a merchant's payload, its CRC added",
                "qr build --object 26.00=COM.EXAMPLE --object 52=0000 --object 53=156 --object 58=CN "
                "--object 59=SHOP --object 60=BEIJING",
                (
                    Option(
                        "object", "an object; may be given again", "ID[.ID]=VALUE", required=True, many=True
                    ),
                ),
                _qr_build,
            ),
        ),
    ),
    "crc": Group(
        "crc",
        "Cyclic redundancy checks: " + ", ".join(CATALOGUE) + ", or any by its parameters.",
        (
            Command(
                "",
                "the check of data, or of a frame that ends with it",
                "crc --name CRC-16/IBM-3740 --text 123456789",
                (
                    Option("name", "name in the catalogue", "NAME", default="CRC-16/IBM-3740"),
                    Option("data", "the data"),
                    Option("text", "the data as text", "TEXT"),
                    Option("width", "width in bits, with --poly", "N", "number", default=16),
                    Option("poly", "polynomial, instead of a name"),
                    Option("init", "start value, with --poly", default="0"),
                    Option("xorout", "final xor, with --poly", default="0"),
                    Option("refin", "input is reflected, with --poly", kind="flag"),
                    Option("refout", "output is reflected, with --poly", kind="flag"),
                    Option("frame", "the data end with their check: verify it", kind="flag"),
                    Option("byteorder", "of that check", choices=get_args(ByteOrder), default="big"),
                ),
                _crc,
            ),
        ),
    ),
    "frame": Group(
        "frame",
        "Frames of serial protocols.",
        (
            Command(
                "decode",
                "the payload of a frame",
                "frame decode --framing stx-etx-lrc --data 02313233340307",
                (_FRAMING, Option("data", "the frame", required=True)),
                _frame_decode,
            ),
            Command(
                "encode",
                "the frame of a payload",
                "frame encode --framing cobs --data 001100",
                (_FRAMING, Option("data", "the payload", required=True)),
                _frame_encode,
            ),
        ),
    ),
}
