"""A message between gateway and bank in one line, for people."""

from __future__ import annotations

from wire.iso8583 import CodecError, dialect
from wire.money import format_amount


def in_a_line(message: bytes) -> str:
    """A message for people: type, trace, amount, answer; nothing of it that is secret."""
    try:
        iso = dialect("unionpay").decode(message)
    except CodecError:
        return f"? ({len(message)} B)"
    told = [iso.mti]
    if isinstance(code := iso.fields.get(3), str):
        told.append(code)
    elif isinstance(private := iso.fields.get(60), str):
        told.append(private[8:11])  # which management message (60.3)
    if isinstance(trace := iso.fields.get(11), str):
        told.append(f"#{trace}")
    if isinstance(amount := iso.fields.get(4), str):
        told.append(format_amount(int(amount)))
    if isinstance(answer := iso.fields.get(39), str):
        told.append(f"= {answer}")
    return " ".join(told)
