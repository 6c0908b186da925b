"""pyiso8583 as the judge: it packs every message of every dialect to the same bytes, and reads the same."""

import json
import string
from pathlib import Path

import iso8583
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.bench.pyiso8583_spec import spec_of, text_of
from wire.iso8583 import CodecError, Dialect, IsoMessage
from wire.iso8583.table import DIALECTS, DialectTable, FieldTable

_PUBLISHED = json.loads((Path(__file__).parents[1] / "vectors" / "iso8583.json").read_text(encoding="utf-8"))[
    "specs"
]
TABLES = {name: DialectTable.load(name) for name in DIALECTS} | {
    name: table
    for name, entries in _PUBLISHED.items()
    if not (table := DialectTable.from_mapping(name, entries)).wide_bitmap
}
CODECS = {name: Dialect(table) for name, table in TABLES.items()}
SPECS = {name: spec_of(table) for name, table in TABLES.items()}

_LETTERS = string.ascii_letters + string.digits + " "
_ALPHABETS = {"n": string.digits, "an": _LETTERS, "ans": _LETTERS + "-/.=+", "z": "0123456789D"}


def _values(field: FieldTable) -> st.SearchStrategy[str | bytes]:
    size_min = 0 if field.len_digits else field.max
    if field.type == "b":
        return st.binary(min_size=size_min, max_size=field.max)
    if field.type == "x+n":
        digits = st.text(string.digits, min_size=field.max - 1, max_size=field.max - 1)
        return st.tuples(st.sampled_from("CD"), digits).map("".join)
    if field.charset != "ascii":
        return st.text("银联AB 0", max_size=field.max // 2)
    return st.text(_ALPHABETS[field.type], min_size=size_min, max_size=field.max)


@st.composite
def _messages(draw: st.DrawFn) -> tuple[str, dict[int, str | bytes]]:
    name = draw(st.sampled_from(sorted(TABLES)))
    fields = {number: field for number, field in TABLES[name].fields.items() if number not in {1, 65}}
    numbers = draw(st.lists(st.sampled_from(sorted(fields)), unique=True, max_size=12))
    return name, {number: draw(_values(fields[number])) for number in sorted(numbers)}


@given(_messages())
def test_both_pack_and_read_the_same(message: tuple[str, dict[int, str | bytes]]) -> None:
    name, values = message
    table = TABLES[name]
    encoded = CODECS[name].encode(IsoMessage("0200", values))
    theirs = _theirs(name, values)
    packed, _ = iso8583.encode({"t": "0200", **theirs}, SPECS[name])
    assert encoded[table.header :] == packed
    read, _ = iso8583.decode(packed, SPECS[name])
    assert {number: text for number, text in read.items() if number.isdigit() and number != "1"} == theirs
    assert dict(CODECS[name].decode(encoded).fields) == values


@given(_messages(), st.data())
def test_what_it_refuses_is_refused_here(
    message: tuple[str, dict[int, str | bytes]], data: st.DataObject
) -> None:
    name, values = message
    body = bytearray(iso8583.encode({"t": "0200"} | _theirs(name, values), SPECS[name])[0])
    body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        iso8583.decode(bytes(body), SPECS[name])
    except (iso8583.DecodeError, KeyError):
        with pytest.raises(CodecError):
            CODECS[name].decode(bytes(TABLES[name].header) + bytes(body))


def _theirs(name: str, values: dict[int, str | bytes]) -> dict[str, str]:
    return {str(number): text_of(TABLES[name].fields[number], value) for number, value in values.items()}
