"""Tables of a TOML file that know where they stand, so that every mistake in them is one line with its place.

A value is never quoted in an error: it may be a PIN. Keys and the names that are allowed are.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

from hal.profile import did_you_mean

T = TypeVar("T")

_KIND_NAMES: Mapping[type, str] = {
    str: "a text in quotes",
    int: "a whole number",
    bool: "true or false",
    list: "a list in [ ]",
    dict: "a table",
}


class ConfigError(Exception):
    """A file or an option cannot be used; nothing was changed. One line: where, what, what to do."""

    code: ClassVar[str] = "C100"


class TomlTable:
    """One table. `place` begins every error: the file, and the table's name in it."""

    def __init__(
        self, place: str, values: Mapping[str, object], error_class: type[ConfigError] = ConfigError
    ) -> None:
        self.place = place
        self.values = values
        self._error_class = error_class

    def __contains__(self, key: str) -> bool:
        return key in self.values

    def wrong(self, key: str, text: str) -> ConfigError:
        """The error for a key; the caller raises it."""
        return self._error_class(f"{self.place}: {key}: {text}")

    def refuse_unknown(self, known: Collection[str]) -> None:
        """Raise for the first key that is not known: most likely it is misspelt."""
        for key in self.values:
            if key not in known:
                raise self._error_class(f"{self.place}: unknown key {key!r}{did_you_mean(key, known)}")

    # --- values -------------------------------------------------------------------------------------

    def value(self, key: str, kind: type[T], default: T | None = None) -> T:
        """The value under `key`, of type `kind`; `default` when it is not there, and an error without one."""
        value = self.values.get(key, default)
        if value is None:
            raise self.wrong(key, f"is missing: give it {_KIND_NAMES[kind]}")
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(key, f"must be {_KIND_NAMES[kind]}")
        return value

    def text(self, key: str, default: str | None = None, *, pattern: str = "", words: str = "") -> str:
        """A text; with `pattern` one that fits it as a whole, which an error explains with `words`."""
        text = self.value(key, str, default)
        if pattern and not re.fullmatch(pattern, text, re.ASCII):
            raise self.wrong(key, f"must be {words}")
        return text

    def number(self, key: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number from `least` to `most`."""
        number = self.value(key, int, default)
        if not least <= number <= most:
            raise self.wrong(key, f"must be a whole number from {least} to {most}")
        return number

    def choice(self, key: str, known: Collection[str], default: str | None = None) -> str:
        """One of the texts in `known`."""
        text = self.value(key, str, default)
        if text not in known:
            raise self.wrong(key, f"there is no {text!r}{did_you_mean(text, known)}")
        return text

    def texts(self, key: str) -> tuple[str, ...]:
        """A text, or a list of texts."""
        value = self.values.get(key)
        texts = value if isinstance(value, list) else [value]
        if not texts or not all(isinstance(text, str) for text in texts):
            raise self.wrong(key, "must be a text in quotes, or a list of texts")
        return tuple(texts)

    def choices(self, key: str, known: Collection[str]) -> tuple[str, ...]:
        """A text or a list of texts, each one of those in `known`."""
        texts = self.texts(key)
        for text in texts:
            if text not in known:
                raise self.wrong(key, f"there is no {text!r}{did_you_mean(text, known)}")
        return texts

    # --- tables -------------------------------------------------------------------------------------

    def table(self, key: str) -> TomlTable:
        """The table under `key`; an empty one when it is not there."""
        return TomlTable(f"{self.place}: {key}", self.value(key, dict, {}), self._error_class)

    def tables(self, key: str) -> Sequence[TomlTable]:
        """The tables written as [[key]], called by their number."""
        tables = self.value(key, list, [])
        if not all(isinstance(table, dict) for table in tables):
            raise self.wrong(key, f"write it as [[{key}]]")
        return [
            TomlTable(f"{self.place}: {key} {number}", table, self._error_class)
            for number, table in enumerate(tables, 1)
        ]


def read_toml(path: Path, error_class: type[ConfigError] = ConfigError) -> TomlTable:
    """The file's top table. Raises `error_class` when it cannot be read or is not TOML."""
    try:
        return TomlTable(str(path), tomllib.loads(path.read_text("utf-8")), error_class)
    except OSError as error:
        raise error_class(f"{path}: {error.strerror}: check the path") from None
    except UnicodeDecodeError:
        raise error_class(f"{path}: not a text in UTF-8: save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise error_class(f"{path}: not TOML: {error}") from None
    except (RecursionError, ValueError):  # tomllib's own limits are Python's
        text = "a list or table is nested too deeply, or a number has too many digits"
        raise error_class(f"{path}: {text}") from None
