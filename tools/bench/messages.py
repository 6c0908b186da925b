"""ISO 8583: an authorisation request, packed and unpacked."""

from __future__ import annotations

from tools.bench.measure import Measurement, rate
from wire.iso8583 import IsoMessage, dialect

_REQUEST = IsoMessage(
    "0100",
    {
        3: "030000",
        4: "000000001234",
        11: "000001",
        22: "022",
        25: "06",
        35: "6225880123456783D30121200000000000",
        41: "12345678",
        42: "898320154110001",
        49: "156",
        60: "100000010002",
        64: bytes(8),
    },
)


def measure() -> list[Measurement]:
    """Encoding and decoding of one message."""
    unionpay = dialect("unionpay")
    encoded = unionpay.encode(_REQUEST)
    return [
        rate("ISO 8583 0100 encoded", lambda: unionpay.encode(_REQUEST)),
        rate("ISO 8583 0100 decoded", lambda: unionpay.decode(encoded)),
    ]
