"""Text on paper: centred titles, labels with their values, paragraphs, each on lines that fit the width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from firmware.texts import text
from firmware.texts.cells import columns_of, printable, wrap
from hal.api import Align, PrintItem, PrintPair, PrintRule, PrintText


@dataclass(frozen=True, slots=True)
class Paper:
    """The language and the width, and how text is set on them."""

    language: str
    columns: int
    texts: str  # where the words of its keys stand: "slip" for `slip.title`

    def text(self, key: str, **values: object) -> str:
        """The words for `key`."""
        return text(self.language, f"{self.texts}.{key}", **values)

    def centred(self, key: str, *, bold: bool = False, large: bool = False) -> list[PrintItem]:
        """Centred lines; `large` is twice as high, and twice as wide where the width allows it."""
        words = self.text(key)
        wide = large and 2 * columns_of(words) <= self.columns
        return [
            PrintText(line, Align.CENTRE, bold=bold, double_width=wide, double_height=large)
            for line in wrap(words, self.columns)
        ]

    def field(self, key: str, value: str, *, bold: bool = False, large: bool = False) -> list[PrintItem]:
        """The label of `key` and its value: see `pair`."""
        return self.pair(self.text(key), value, bold=bold, large=large)

    def pair(self, label: str, value: str, *, bold: bool = False, large: bool = False) -> list[PrintItem]:
        """A label and its value on one line, or below each other where they do not fit beside each other."""
        value = printable(value)
        if columns_of(label) + 1 + columns_of(value) <= self.columns:
            return [PrintPair(label, value, bold=bold or large, double_height=large)]
        return [
            PrintText(label),
            *(
                PrintText(line, Align.RIGHT, bold=bold or large, double_height=large)
                for line in wrap(value, self.columns)
            ),
        ]

    def paragraph(self, words: str) -> list[PrintItem]:
        """Words on as many lines as they need; a line break begins a new one."""
        return [PrintText(line) for part in words.split("\n") for line in wrap(printable(part), self.columns)]


def lines_of(items: Sequence[PrintItem], columns: int) -> tuple[str, ...]:
    """What a display of `columns` shows of items that were made for that width, line by line."""
    return tuple(line for item in items for line in _lines(item, columns))


def _lines(item: PrintItem, columns: int) -> Sequence[str]:
    match item:
        case PrintText():
            lines = wrap(item.text, columns)
            spare = {Align.LEFT: 0, Align.CENTRE: 2, Align.RIGHT: 1}[item.align]
            return [" " * ((columns - columns_of(line)) // spare if spare else 0) + line for line in lines]
        case PrintPair():
            gap = max(1, columns - columns_of(item.label) - columns_of(item.value))
            return [f"{item.label}{' ' * gap}{item.value}"]
        case PrintRule():
            return [item.character * columns]
    return []
