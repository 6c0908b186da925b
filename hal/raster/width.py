"""Text in columns: how wide a character is, and how text is cut, aligned and wrapped to a width.

One column is half a Chinese character. Display and paper share these rules, so that a line that fits the one
is laid out in the same way on the other. Needs no font.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import assert_never

from hal.api import Align

REPLACEMENT = "\ufffd"
"""Shown for control characters: a mistake of the caller that should be seen, not obeyed."""

# Wide in every Chinese font although Unicode leaves them open (ambiguous) or calls them narrow.
_ALSO_WIDE = frozenset([*map(chr, range(0x2460, 0x249C)), *"✓✔✗✘"])


@lru_cache(maxsize=8192)
def char_columns(char: str) -> int:
    """Columns of one character: 2 for Chinese and full-width forms, 0 for combining marks, otherwise 1.

    Source: Unicode Standard Annex 11 (W and F are wide); the enclosed numbers of GB 2312 count as wide.
    """
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if char in _ALSO_WIDE or unicodedata.east_asian_width(char) in {"W", "F"} else 1


def text_columns(text: str) -> int:
    """Columns of a text.

    >>> text_columns("RMB 12.34"), text_columns("金额 12.34")
    (9, 10)
    """
    return len(text) if text.isascii() else sum(map(char_columns, text))


def visible(text: str) -> str:
    """The text with every control character replaced by U+FFFD, so that one line stays one line."""
    if text.isprintable():
        return text
    return "".join(REPLACEMENT if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char for char in text)


def cut(text: str, columns: int) -> str:
    """The longest beginning of `text` that fits `columns`; a wide character is never halved."""
    if text.isascii():
        return text[:columns]
    used = 0
    for index, char in enumerate(text):
        used += char_columns(char)
        if used > columns:
            return text[:index]
    return text


def indent(text: str, columns: int, align: Align) -> int:
    """How many columns stand before `text` in a line of `columns`; 0 where it does not fit."""
    free = max(0, columns - text_columns(text))
    match align:
        case Align.LEFT:
            return 0
        case Align.CENTRE:
            return free // 2
        case Align.RIGHT:
            return free
        case _:
            assert_never(align)


def wrap(text: str, columns: int) -> list[str]:
    """Cut `text` into lines of at most `columns` (2 or more): after a space where there is one.

    Chinese text and words longer than a line are broken anywhere. The space at a break is dropped; spaces
    at the start of the text stay. An empty text is one empty line.
    """
    if columns < 2:
        raise ValueError(f"a line of {columns} columns cannot hold a wide character; give 2 or more")
    lines: list[str] = []
    while text_columns(text) > columns:
        head = cut(text, columns)
        end = _break_before(text, len(head))
        lines.append(text[:end].rstrip(" "))
        text = text[end:].lstrip(" ")
    return [*lines, text] if text or not lines else lines


def _break_before(text: str, end: int) -> int:
    """Where to break `text`, which must break at `end` or earlier: not inside a Latin word if avoidable."""
    if text[end] == " " or not _is_word(text[end]) or not _is_word(text[end - 1]):
        return end
    start = end
    while start and _is_word(text[start - 1]):
        start -= 1
    return start if text[:start].strip(" ") else end


def _is_word(char: str) -> bool:
    return char != " " and char_columns(char) == 1
