"""BER-TLV and data object lists: the published vectors, then any bytes."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.tlv import Tlv, TlvError, build_dol, decode, encode, find, parse_dol

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "ber_tlv.json").read_text(encoding="utf-8"))


def as_tree(objects: list[Tlv]) -> list[Any]:
    return [
        [entry.tag, as_tree(list(entry.children)) if entry.constructed else entry.value.hex().upper()]
        for entry in objects
    ]


def from_tree(tree: list[Any]) -> list[Tlv]:
    return [
        Tlv(tag, bytes.fromhex(value))
        if isinstance(value, str)
        else Tlv(tag, children=tuple(from_tree(value)))
        for tag, value in tree
    ]


def answer(kind: str, inputs: dict[str, Any]) -> dict[str, Any]:
    match kind:
        case "tlv_decode":
            return {"tree": as_tree(decode(bytes.fromhex(inputs["data"])))}
        case "tlv_encode":
            return {"data": encode(from_tree(inputs["tree"])).hex().upper()}
        case "dol_parse":
            entries = parse_dol(bytes.fromhex(inputs["dol"]))
            total = sum(entry.length_bytes for entry in entries)
            return {"entries": [[entry.tag, entry.length_bytes] for entry in entries], "total": total}
        case "dol_build":
            values = {tag: bytes.fromhex(value) for tag, value in inputs["values"].items()}
            entries = parse_dol(bytes.fromhex(inputs["dol"]))
            return {"data": build_dol(entries, values, inputs["formats"]).hex().upper()}
    raise AssertionError(kind)


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: f"{case['id']}-{case['kind']}")
def test_vectors(case: dict[str, Any]) -> None:
    if "reject" in case["expected"]:
        with pytest.raises(TlvError) as caught:
            answer(case["kind"], case["inputs"])
        assert caught.value.reason == case["expected"]["reject"]
    else:
        assert answer(case["kind"], case["inputs"]) == case["expected"]


def test_find_looks_into_templates() -> None:
    objects = decode(bytes.fromhex("770B 9F270180 A505 9F36020001 9F360102"))
    assert find(objects, "9F36") == b"\x00\x01"
    assert find(objects, "5A") is None


def test_compressed_numeric_is_filled_with_ff() -> None:
    built = build_dol(parse_dol(bytes.fromhex("5A08")), {"5A": bytes.fromhex("622588012345")}, {"5A": "cn"})
    assert built.hex().upper() == "622588012345FFFF"


@pytest.mark.parametrize("tag", ["", "00", "9F", "9FFFFFFFFF01", "9C01", "XY", "9f02", "9F 02"])
def test_malformed_tags_are_not_encoded(tag: str) -> None:
    with pytest.raises(TlvError) as caught:
        encode([Tlv(tag, b"1")])
    assert caught.value.reason == "bad_tag"


def test_deep_nesting_is_refused_before_it_costs_the_stack() -> None:
    data = b""
    for _ in range(3000):
        data = b"\x70\x83" + len(data).to_bytes(3, "big") + data
    with pytest.raises(TlvError) as caught:
        decode(data)
    assert caught.value.reason == "bad_format"


def test_values_do_not_print_themselves() -> None:
    assert "6225" not in repr(decode(bytes.fromhex("5A086225880123456783")))


@given(st.binary(max_size=60))
def test_any_bytes_give_objects_or_a_reason(data: bytes) -> None:
    try:
        objects = decode(data)
    except TlvError:
        return
    assert decode(encode(objects)) == objects


@given(st.binary(max_size=30))
def test_any_list_gives_entries_or_a_reason(data: bytes) -> None:
    try:
        entries = parse_dol(data)
    except TlvError:
        return
    assert len(build_dol(entries, {}, {})) == sum(entry.length_bytes for entry in entries)
