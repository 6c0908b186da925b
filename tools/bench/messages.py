"""ISO 8583: a purchase of 12 fields, packed and unpacked, here and by pyiso8583 alone.

pyiso8583 is given the same message, without TPDU and header, and a description of the same dialect. It checks
lengths; we check lengths and characters, and give back a message instead of a dict.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tools.bench.measure import Measurement, compared, installed, rate
from tools.bench.pyiso8583_spec import spec_of
from wire.iso8583 import IsoMessage, dialect
from wire.iso8583.table import DialectTable

REQUEST = IsoMessage(
    "0200",
    {
        3: "000000",
        4: "000000001234",
        11: "000001",
        22: "021",
        25: "00",
        26: "06",
        35: "6225880123456783D30121200000000000",
        41: "12345678",
        42: "898320154110001",
        49: "156",
        52: bytes(8),
        60: "2200000100060",
    },
)

_Works = tuple[Callable[[], object], Callable[[], object]]


def measure() -> list[Measurement]:
    """Encoding and decoding of one message, and how many times as fast as pyiso8583 that is."""
    unionpay = dialect("unionpay")
    encoded = unionpay.encode(REQUEST)
    works: _Works = (lambda: unionpay.encode(REQUEST)), (lambda: unionpay.decode(encoded))
    names = ("ISO 8583 0200 encoded", "ISO 8583 0200 decoded")
    results = [rate(name, work) for name, work in zip(names, works, strict=True)]
    if (library := installed("iso8583")) is None:
        return results
    theirs = _of_pyiso8583(library, encoded)
    return results + [
        compared(name, ours, {"pyiso8583": their}, goal=1.0)
        for name, ours, their in zip(names, works, theirs, strict=True)
    ]


def missing() -> list[str]:
    """What is not installed to compare with."""
    return [] if installed("iso8583") else ["pyiso8583"]


def _of_pyiso8583(library: Any, encoded: bytes) -> _Works:
    table = DialectTable.load("unionpay")
    spec, body = spec_of(table), encoded[table.header :]
    decoded, _ = library.decode(body, spec)
    document = {name: value for name, value in decoded.items() if name != "p"}
    assert library.encode(dict(document), spec)[0] == body, "a codec that does something else is no measure"
    return (lambda: library.encode(document, spec)), (lambda: library.decode(body, spec))
