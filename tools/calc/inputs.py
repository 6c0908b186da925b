"""The inputs of a calculation by their names, checked as they are taken: texts, numbers, hex.

The same names are used by case files and by the commands. A wrong value is refused with its name and the
rule, never with the value.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import Any

from firmware.secure.errors import BadInput

NUMBER_MAX = 1_000_000
_HEX = frozenset(string.hexdigits)


class Inputs:
    """Named values. `tables`: what the case file says beside its cases, such as dialects of ISO 8583.

    `called`: what errors call a value where that is not its name, `--key` for `key`.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        tables: Mapping[str, Any] | None = None,
        called: Mapping[str, str] | None = None,
    ) -> None:
        self._values = values
        self._called = called or {}
        self.tables = tables or {}

    def has(self, name: str) -> bool:
        """True when the value is there at all."""
        return self._values.get(name) is not None

    def value(self, name: str) -> Any:
        """The value as it is. Raises BadInput (missing_data)."""
        if not self.has(name):
            raise BadInput("missing_data", f"{self._name(name)} is missing")
        return self._values[name]

    def text(self, name: str, default: str | None = None) -> str:
        """A text. Raises BadInput: missing_data, bad_format."""
        if default is not None and not self.has(name):
            return default
        value = self.value(name)
        if not isinstance(value, str):
            raise BadInput("bad_format", f"{self._name(name)} has to be a text")
        return value

    def choice(self, name: str, choices: Sequence[str], default: str | None = None) -> Any:
        """A text out of `choices`. Raises BadInput: missing_data, bad_format, unsupported."""
        value = self.text(name, default)
        if value not in choices:
            raise BadInput("unsupported", f"{self._name(name)} is one of {', '.join(choices)}")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number, 0 to a million. Raises BadInput: missing_data, bad_format, bad_length."""
        if default is not None and not self.has(name):
            return default
        value = self.value(name)
        if not isinstance(value, int) or isinstance(value, bool):
            raise BadInput("bad_format", f"{self._name(name)} has to be a whole number")
        if not 0 <= value <= NUMBER_MAX:
            raise BadInput("bad_length", f"{self._name(name)} has to be 0 to {NUMBER_MAX}")
        return value

    def flag(self, name: str) -> bool:
        """True or false. Raises BadInput: missing_data, bad_format."""
        value = self.value(name)
        if not isinstance(value, bool):
            raise BadInput("bad_format", f"{self._name(name)} has to be true or false")
        return value

    def hex(self, name: str, default: bytes | None = None) -> bytes:
        """Bytes written in hex. Raises BadInput: missing_data, bad_format, bad_character, bad_length."""
        if default is not None and not self.has(name):
            return default
        return bytes_of(self._name(name), self.text(name))

    def hex_number(self, name: str) -> int:
        """A number written in hex, of any length. Raises BadInput: missing_data, bad_character."""
        text = self.text(name)
        if not text or not _HEX.issuperset(text):
            raise BadInput("bad_character", f"{self._name(name)} is written in hex digits")
        return int(text, 16)

    def mapping(self, name: str) -> Mapping[str, Any]:
        """A table. Raises BadInput: missing_data, bad_format."""
        value = self.value(name)
        if not isinstance(value, Mapping):
            raise BadInput("bad_format", f"{self._name(name)} has to be a table")
        return value

    def items(self, name: str) -> list[Any]:
        """A list. Raises BadInput: missing_data, bad_format."""
        value = self.value(name)
        if not isinstance(value, list):
            raise BadInput("bad_format", f"{self._name(name)} has to be a list")
        return value

    def _name(self, name: str) -> str:
        return self._called.get(name, name)


def bytes_of(name: str, text: object) -> bytes:
    """The bytes that `text` writes in hex; blanks are allowed.

    Raises BadInput: bad_format (no text), bad_character, bad_length.
    """
    if not isinstance(text, str):
        raise BadInput("bad_format", f"{name} has to be a text")
    digits = "".join(text.split())
    if not _HEX.issuperset(digits):
        raise BadInput("bad_character", f"{name} is written in hex digits")
    if len(digits) % 2:
        raise BadInput("bad_length", f"{name} has an odd number of hex digits")
    return bytes.fromhex(digits)


def hex_of(data: bytes | bytearray) -> str:
    """Bytes as they are shown: upper-case hex."""
    return data.hex().upper()
