"""What can be wrong with a data element, in words. They name field and rule, and never hold the value."""

from __future__ import annotations

from wire.errors import CodecError
from wire.iso8583.alphabets import alphabet
from wire.iso8583.table import FieldTable, Value

FAULTS = {
    "truncated": "the message ends inside it",
    "trailing_data": "bytes follow it, and it is the last",
    "bad_length": "its length is no number, or more than it may hold",
    "bad_character": "it holds bytes that its encoding has not",
    "bad_padding": "the spare half byte of an odd number of digits is not 0",
    "unsupported": "the dialect has no such field",
}


def fault(reason: str, number: int) -> CodecError:
    """What is wrong with field `number` on the wire; `reason` is one of `FAULTS`."""
    return CodecError(reason, number, FAULTS[reason])


def refusal(entry: FieldTable, value: Value) -> CodecError:
    """Why `value` cannot be packed: its type, else its characters, else its length."""
    if isinstance(value, bytes) != (entry.type == "b"):
        wanted = "bytes" if entry.type == "b" else "str"
        return CodecError("bad_format", entry.number, f"its value has to be {wanted}")
    if isinstance(value, str) and not alphabet(entry)(value):
        return wrong_character(entry)
    length = len(value.encode(entry.charset) if isinstance(value, str) else value)
    allowed = f"up to {entry.max}" if entry.len_digits else f"exactly {entry.max}"
    return CodecError("bad_length", entry.number, f"it holds {allowed}, not {length}")


def wrong_character(entry: FieldTable) -> CodecError:
    """A character that the field's alphabet has not, in either direction."""
    return CodecError("bad_character", entry.number, f"it holds a character that type {entry.type} has not")


def impossible(entry: FieldTable, rule: str) -> CodecError:
    """A line of the table that no field can have; `rule` says why."""
    return CodecError("bad_format", entry.number, f"the dialect's table: {rule}")
