"""The tables of a file that describes cards and merchants, read with errors that name the place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from bank.errors import RecordError

T = TypeVar("T")


class EntryTable:
    """A table of the file that knows where it stands and which keys were asked for."""

    def __init__(self, place: str, values: Mapping[str, object]) -> None:
        self.place = place
        self._values = values
        self._known: set[str] = set()

    def wrong(self, key: str, text: str) -> RecordError:
        """The error for a key; the caller raises it. Never quotes the value: it may be secret."""
        return RecordError(f"{self.place}: {key}: {text}")

    def value(self, key: str, kind: type[T], default: T | None = None) -> T:
        """The value of `key`, of type `kind`; `default` if it is not there."""
        self._known.add(key)
        value = self._values.get(key, default)
        if value is None:
            raise self.wrong(key, "is missing")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(key, f"must be a {_KIND_NAMES[kind]}")
        return value

    def parsed(self, key: str, parse: Callable[[str], T], default: str | None = None) -> T:
        """The text under `key` as `parse` reads it; its ValueError becomes an error with the place."""
        text = self.value(key, str, default)
        try:
            return parse(text)
        except ValueError as error:
            raise self.wrong(key, str(error)) from None

    def tables(self, key: str, *, label: str) -> list[EntryTable]:
        """The list of tables under `key`; each is called by its value of `label`, or by its number."""
        self._known.add(key)
        found = self._values.get(key, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self.wrong(key, f"write it as [[{key}]]")
        return [
            EntryTable(f'{self.place}: {key} "{one.get(label, number)}"', one)
            for number, one in enumerate(found, 1)
        ]

    def finish(self) -> None:
        """Refuse keys that nobody asked for: most likely they are misspelt."""
        unknown = sorted(self._values.keys() - self._known)
        if unknown:
            raise self.wrong(unknown[0], "is not a known key")


_KIND_NAMES: Final[Mapping[type, str]] = {str: "text in quotes", int: "whole number", bool: "true or false"}
