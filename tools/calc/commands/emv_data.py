"""`posterm calc bits`, `tlv`, `dol`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from firmware.secure.errors import BadInput
from tools.calc.answer import Answer
from tools.calc.cases.emv import KINDS as CASES
from tools.calc.cases.emv import objects_of, tree_of
from tools.calc.command import Command, Group, Option
from tools.calc.inputs import Inputs, bytes_of, hex_of
from wire import emv_bits, tlv
from wire.emv_tags import formats, tag_names

_ALIASES = {"CID": "9F27", "AFL": "94", "CVM_LIST": "8E", "CVM_RESULTS": "9F34"}
_TEXT_FORMATS = frozenset({"an", "ans"})

# --- bits --------------------------------------------------------------------------------------------


def _bits(inputs: Inputs) -> Answer:
    wanted = inputs.text("element").upper().replace("-", "_")
    for key, element in emv_bits.elements().items():
        if wanted in {key, element.tag}:
            return _element(element, inputs.hex("value"))
    tag = _ALIASES.get(wanted, wanted)
    others = {"9F27": _cid, "94": _afl, "8E": _cvm_list, "9F34": _cvm_results}
    if tag not in others:
        raise BadInput(
            "unsupported", f"the elements are {', '.join([*emv_bits.elements(), *_ALIASES])}, or tags"
        )
    return others[tag](inputs.hex("value"))


def _element(element: emv_bits.Element, value: bytes) -> Answer:
    read = element.read(value)
    result: dict[str, Any] = {
        "element": element.key,
        "tag": element.tag,
        "set": [[bit.byte, f"{bit.mask:02X}", bit.text] for bit in read.set],
        "other_bits": [[bit.byte, f"{bit.mask:02X}"] for bit in read.without_meaning],
    }
    lines = [f"{element.name} ({element.name_zh}), tag {element.tag}: {hex_of(value)}"]
    lines += [f"  byte {bit.byte} {bit.mask:02X}  {bit.text}  {bit.text_zh}" for bit in read.set]
    lines += [f"  byte {bit.byte} {bit.mask:02X}  without meaning" for bit in read.without_meaning]
    answer = Answer(result, lines=lines if len(lines) > 1 else [*lines, "  no bit is set"])
    for place, byte in enumerate(value, start=1):
        answer.step(f"byte {place}", f"{byte:02X}  {byte:08b}")
    return answer


def _cid(value: bytes) -> Answer:
    cid = emv_bits.cryptogram_information(value)
    return Answer(
        {
            "type": cid.type,
            "advice_required": cid.advice_required,
            "reason_code": cid.reason_code,
            "reason": cid.reason,
        }
    )


def _afl(value: bytes) -> Answer:
    records = emv_bits.file_records(value)
    lines = [
        f"file {entry.sfi:2}  record {entry.record:3}"
        + ("  in offline authentication" if entry.authenticated else "")
        for entry in records
    ]
    return Answer(
        {"records": [[entry.sfi, entry.record, entry.authenticated] for entry in records]}, lines=lines
    )


def _cvm_list(value: bytes) -> Answer:
    parsed = emv_bits.cvm_list(value)
    lines = [f"X {parsed.x_minor}, Y {parsed.y_minor} (minor units)"]
    lines += [f"{place}. {_rule_text(rule)}" for place, rule in enumerate(parsed.rules, start=1)]
    rules = [_rule(rule) for rule in parsed.rules]
    return Answer({"x": parsed.x_minor, "y": parsed.y_minor, "rules": rules}, lines=lines)


def _cvm_results(value: bytes) -> Answer:
    parsed = emv_bits.cvm_results(value)
    return Answer({**_rule(parsed.rule), "result": f"{parsed.result:02X}", "result_text": parsed.result_text})


def _rule(rule: emv_bits.CvmRule) -> dict[str, Any]:
    return {
        "method": f"{rule.method:02X}",
        "method_text": rule.method_text,
        "next_if_failed": rule.next_if_failed,
        "condition": f"{rule.condition:02X}",
        "condition_text": rule.condition_text,
    }


def _rule_text(rule: emv_bits.CvmRule) -> str:
    follows = "else the next rule" if rule.next_if_failed else "else verification fails"
    return f"{rule.method_text}, {rule.condition_text}; {follows}"


# --- TLV ---------------------------------------------------------------------------------------------


def _tlv_decode(inputs: Inputs) -> Answer:
    objects = tlv.decode(inputs.hex("data"))
    return Answer({"tree": tree_of(objects), "named": list(_named(objects))}, lines=list(tree_lines(objects)))


def tree_lines(objects: Iterable[tlv.Tlv], indent: str = "") -> Iterator[str]:
    """Data objects with their names, one a line, templates indented."""
    for entry in objects:
        label = f"{indent}{entry.tag}  {name_of(entry.tag)}"
        if entry.constructed:
            yield label
            yield from tree_lines(entry.children, indent + "  ")
        else:
            yield f"{label}: {hex_of(entry.value)}{_readable(entry)}"


def name_of(tag: str) -> str:
    """What a tag is called, in English and Chinese."""
    entry = tag_names().get(tag)
    return f"{entry.name} {entry.name_zh}" if entry else "unknown"


def _readable(entry: tlv.Tlv) -> str:
    known = tag_names().get(entry.tag)
    text = entry.value.decode("latin-1")
    if known and known.format in _TEXT_FORMATS and text.isascii() and text.isprintable() and text:
        return f' "{text}"'
    for element in emv_bits.elements().values():
        if entry.tag == element.tag and len(entry.value) == element.length_bytes:
            words = "; ".join(bit.text for bit in element.read(entry.value).set)
            return f" ({words})" if words else ""
    return ""


def _named(objects: Iterable[tlv.Tlv]) -> Iterator[dict[str, Any]]:
    for entry in objects:
        known = tag_names().get(entry.tag)
        named: dict[str, Any] = {
            "tag": entry.tag,
            "name": known.name if known else "",
            "name_zh": known.name_zh if known else "",
        }
        if entry.constructed:
            yield named | {"children": list(_named(entry.children))}
        else:
            yield named | {"length": len(entry.value), "value": hex_of(entry.value)}


def _tlv_encode(inputs: Inputs) -> Answer:
    if inputs.has("tree"):
        try:
            tree = json.loads(inputs.text("tree"))
        except (json.JSONDecodeError, RecursionError):
            raise BadInput("bad_format", "the tree is no JSON") from None
        if not isinstance(tree, list):
            raise BadInput("bad_format", "the tree is a JSON list of [tag, value]")
        return Answer({"data": hex_of(tlv.encode(objects_of(tree)))})
    objects = [tlv.Tlv(tag, value) for tag, value in _tag_values(inputs)]
    return Answer({"data": hex_of(tlv.encode(objects))})


def _tag_values(inputs: Inputs) -> list[tuple[str, bytes]]:
    pairs = []
    for text in inputs.items("value"):
        tag, equals, value = text.partition("=")
        if not equals:
            raise BadInput("bad_format", "a data object is written TAG=HEX")
        pairs.append((tag.upper(), bytes_of(f"tag {tag}", value)))
    return pairs


# --- DOL ---------------------------------------------------------------------------------------------


def _dol_parse(inputs: Inputs) -> Answer:
    result = CASES["dol_parse"](inputs)
    lines = [f"{tag:8} {length:3}  {name_of(tag)}" for tag, length in result["entries"]]
    return Answer(result, lines=[*lines, f"{'total':8} {result['total']:3}"])


def _dol_build(inputs: Inputs) -> Answer:
    values = dict(_tag_values(inputs))
    entries = tlv.parse_dol(inputs.hex("dol"))
    answer = Answer({"data": hex_of(tlv.build_dol(entries, values, formats()))})
    for entry in entries:
        answer.step(f"{entry.tag} {name_of(entry.tag)}", tlv.build_dol([entry], values, formats()))
    return answer


_VALUE = Option("value", "a data object; may be given again", "TAG=HEX", many=True)

GROUPS = {
    "bits": Group(
        "bits",
        "EMV's elements made of bits, in words.",
        (
            Command(
                "",
                "TVR, TSI, AIP, AUC, TERMINAL_CAPABILITIES, CID, AFL, CVM_LIST, CVM_RESULTS, or their tags",
                "bits TVR 0000008000",
                (
                    Option("element", "the element or its tag", "ELEMENT", required=True, positional=True),
                    Option("value", "its value", required=True, positional=True),
                ),
                _bits,
            ),
        ),
    ),
    "tlv": Group(
        "tlv",
        "BER-TLV data objects as EMV uses them.",
        (
            Command(
                "decode",
                "data objects as a tree, with their names",
                "tlv decode 70055A03123456",
                (Option("data", "the data", required=True, positional=True),),
                _tlv_decode,
            ),
            Command(
                "encode",
                "data objects one behind the other",
                "tlv encode --value 9F02=000000001234 --value 5F2A=0156",
                (_VALUE, Option("tree", "a JSON tree, as tlv decode --json writes it", "JSON")),
                _tlv_encode,
            ),
        ),
    ),
    "dol": Group(
        "dol",
        "Data object lists: what a card asks for.",
        (
            Command(
                "parse",
                "a list with names and lengths",
                "dol parse 9F02069F03069F1A0295055F2A029A039C019F3704",
                (Option("dol", "the list", required=True, positional=True),),
                _dol_parse,
            ),
            Command(
                "build",
                "the data that a list asks for; what is not given is zero",
                "dol build 9F02069F1A02 --value 9F02=1234 --value 9F1A=0156",
                (Option("dol", "the list", required=True, positional=True), _VALUE),
                _dol_build,
            ),
        ),
    ),
}
