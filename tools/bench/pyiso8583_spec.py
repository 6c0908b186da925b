"""A dialect's table as pyiso8583 wants it described: for comparing with it, in speed here and in tests.

Only what a table says of every field; characters are checked by `wire.iso8583` alone.
"""

from __future__ import annotations

from typing import Any

from wire.iso8583.table import DialectTable, FieldTable

Spec = dict[str, dict[str, Any]]


def spec_of(table: DialectTable) -> Spec:
    """The whole dialect, TPDU and header left out. Wide bitmaps have no counterpart there."""
    spec = {
        "h": _fixed(0, "ascii", "header"),
        "t": _fixed(2, "b", "MTI") if table.mti == "bcd" else _fixed(4, "ascii", "MTI"),
        "p": _fixed(8, "b", "bitmap") if table.bitmap == "binary" else _fixed(16, "ascii", "bitmap"),
    }
    if not table.primary_only:
        spec["1"] = spec["p"]
    return spec | {str(entry.number): _entry(entry) for entry in table.fields.values()}


def text_of(field: FieldTable, value: str | bytes) -> str:
    """What it takes and gives for a value of ours: text, binary as hex."""
    text = value.hex().upper() if isinstance(value, bytes) else value
    if field.data == "amount-bcd":
        return text[:1].encode("ascii").hex() + text[1:]
    return text.replace("D", "=") if field.type == "z" and field.data == "ascii" else text


def _entry(field: FieldTable) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "data_enc": field.charset if field.data in {"ascii", "hex"} else "b",
        "len_enc": {"ascii": "ascii", "bcd": "bcd", "binary": "b"}[field.len],
        "len_type": field.len_digits if field.len == "ascii" else (field.len_digits + 1) // 2,
        "max_len": {"hex": 2 * field.max, "amount-bcd": 1 + field.max // 2}.get(field.data, field.max),
        "desc": field.name,
    }
    return entry | ({"len_count": "nibbles", f"{field.pad}_pad": "0"} if field.data == "bcd" else {})


def _fixed(length: int, encoding: str, name: str) -> dict[str, Any]:
    return {"data_enc": encoding, "len_enc": "ascii", "len_type": 0, "max_len": length, "desc": name}
