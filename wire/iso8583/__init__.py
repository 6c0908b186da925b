"""ISO 8583 messages: values, dialects, framing. Start with `dialect("unionpay")` and `IsoMessage`."""

from wire.errors import CodecError
from wire.iso8583.codec import Dialect, FieldView, dialect
from wire.iso8583.framing import FrameSplitter, frame
from wire.iso8583.message import IsoMessage, response_mti, swap_tpdu
from wire.iso8583.packing import bitmap_numbers

__all__ = [
    "CodecError",
    "Dialect",
    "FieldView",
    "FrameSplitter",
    "IsoMessage",
    "bitmap_numbers",
    "dialect",
    "frame",
    "response_mti",
    "swap_tpdu",
]
