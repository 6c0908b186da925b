"""Text measured in character cells, as displays and slip printers count it: a Chinese character takes two.

Pure. The same rule stands in the displays and printers; here it serves to choose, to wrap and to refuse.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

# A line must not begin with a closing mark, so such a mark stays with the character before it.
_CLOSING = "，。、；：？！）》”,.;:?!)"
_WIDE = "\u2e80-\uffef①-⒛"
_PIECE = re.compile(rf"(?P<space> +)|[{_WIDE}][{_CLOSING}]*|[^ {_WIDE}]+")


def columns_of(text: str) -> int:
    """How many half-width columns `text` takes.

    Source: Unicode Standard Annex 11, classes W and F; Chinese fonts draw the enclosed numbers wide as well.
    """
    if text.isascii():  # most lines, and each is measured many times
        return len(text)
    return sum(2 if _is_wide(character) else 1 for character in text)


@lru_cache(maxsize=4096)
def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF" or "①" <= character <= "⒛"


def printable(text: str) -> str:
    """`text` on one line, without control characters.

    What a bank or a device sends goes to paper and display as text, never as a printer's command.
    """
    if not text.isprintable():  # hardly ever
        text = "".join(character if character.isprintable() else " " for character in text)
    return text.strip()


@lru_cache(maxsize=1024)  # the same words are laid out for every payment
def wrap(text: str, columns: int) -> tuple[str, ...]:
    """`text` in lines of at most `columns`, broken at spaces and between Chinese characters.

    A longer word is broken where the line ends. Nothing is lost but the spaces at the breaks; an empty text
    gives no lines. `columns` is 2 at least.
    """
    lines: list[str] = []
    line = ""
    for piece in _pieces(text, columns):
        if columns_of(line + piece) > columns:
            lines.append(line.rstrip())
            line = ""
        line += piece if line else piece.lstrip()
    return (*lines, line.rstrip()) if line.strip() else tuple(lines)


def _pieces(text: str, columns: int) -> Iterator[str]:
    """The unbreakable parts of `text`, none wider than `columns`."""
    for match in _PIECE.finditer(text):
        piece = match[0]
        if columns_of(piece) <= columns:
            yield piece
        elif match["space"]:
            yield " "
        else:
            yield from _slices(piece, columns)


def _slices(word: str, columns: int) -> Iterator[str]:
    part = ""
    for character in word:
        if columns_of(part + character) > columns:
            yield part
            part = ""
        part += character
    yield part
