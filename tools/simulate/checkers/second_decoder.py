"""A second reader of every message: pyiso8583, with a description of the dialect of its own.

Ours and theirs share neither code nor table, so a message on which they agree says what both say it says.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from wire.iso8583 import CodecError, IsoMessage, dialect

MISSING = "pyiso8583 is not installed: the messages are read by one decoder only (pip install pyiso8583)"
_TABLE = "second_decoder.toml"

Decode = Callable[[bytes, Mapping[str, Any]], tuple[dict[str, str], Any]]


@cache
def is_there() -> bool:
    """Whether the second decoder is installed."""
    try:
        import iso8583  # noqa: F401
    except ImportError:
        return False
    return True


class SecondDecoder:
    """Reads messages after our own decoder. Where it is not installed every message counts as agreed on."""

    def __init__(self) -> None:
        self._dialect = dialect("unionpay")
        self._decode: Decode | None = None
        self._spec: Mapping[str, Any] = {}
        if is_there():
            self._decode, self._spec = _theirs()

    def disagreement(self, message: bytes) -> tuple[IsoMessage | None, str]:
        """What a message says by our decoder (None: nothing), and how theirs differs; "" for not."""
        try:
            ours = self._dialect.decode(message)
        except CodecError as error:
            return None, f"our decoder cannot read it: {error}"
        if self._decode is None:
            return ours, ""
        import iso8583

        try:
            theirs, _ = self._decode(message, self._spec)
        except iso8583.DecodeError as error:
            return ours, f"{ours.mti}: the second decoder cannot read it: field {error.field}, {error.msg}"
        return ours, _difference(ours, theirs)


def _difference(ours: IsoMessage, theirs: Mapping[str, str]) -> str:
    """Which parts differ, never what is in them."""
    parts = {"h": f"{ours.tpdu}{ours.header}", "t": ours.mti}
    parts |= {str(number): _text(value) for number, value in ours.fields.items()}
    if parts.items() <= theirs.items() and len(parts) + 1 == len(theirs):  # their bitmap is no part
        return ""
    differing = sorted(
        name for name in (parts.keys() | theirs.keys()) - {"p"} if parts.get(name) != theirs.get(name)
    )
    return f"{ours.mti}: the two decoders differ in {', '.join(differing)}"


def _text(value: str | bytes) -> str:
    return value.hex().upper() if isinstance(value, bytes) else value


@cache
def _theirs() -> tuple[Decode, Mapping[str, Any]]:
    import iso8583

    text = resources.files(__package__).joinpath(_TABLE).read_text(encoding="utf-8")
    table = tomllib.loads(text)
    spec = {
        "h": _entry({"bytes": table["header_bytes"], "binary": True}),
        "t": _entry({"digits": 4}),
        "p": _entry({"bytes": 8, "binary": True}),
    }
    spec |= {number: _entry(entry) for number, entry in table["fields"].items()}
    return iso8583.decode, spec


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the table in pyiso8583's words (its manual, "Specifications"); `b` gives hex."""
    is_text = "bytes" in entry and not entry.get("binary", False)
    described = {
        "data_enc": "gbk" if is_text else "b",
        "len_enc": "bcd",
        "len_type": entry.get("prefix", 0),
        "max_len": entry.get("bytes", 0) or entry.get("digits", 0),
        "desc": "",
    }
    if "digits" not in entry:
        return described
    side = entry.get("pad", "left")
    return described | {"len_count": "nibbles", f"{side}_pad": "0"}
