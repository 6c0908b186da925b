"""What the display shows: the name of a screen and the values of the moment in, a Screen out.

The plan of this file. `texts/screens.toml` says which elements a screen has, which of them give way first on
a small display, and which are drawn at double size where there is room; `firmware/screen_elements.py` says
what each element tells. `render` takes as many elements as the display has rows for, the most important
first, and puts them in order.

A large display (8 rows or more) also gets a header with merchant and time, and a line that explains the keys.
Everything here is pure: the same values give the same screen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import ClassVar

from firmware import texts
from firmware.screen_elements import ELEMENTS, Moment, clipped
from firmware.screen_values import ScreenValues
from firmware.texts.cells import columns_of, printable
from hal.api import Align, Screen, ScreenLine

_LARGE_ROWS = 8  # from here on a display has room for header and key hints
_BLANK = ScreenLine("")
_OF_HEADER = ("merchant_name", "now")


class UnknownScreenError(LookupError):
    """There is no screen of that name: a mistake in the program."""

    code: ClassVar[str] = "F510"


@dataclass(frozen=True, slots=True)
class Layout:
    """One screen of `texts/screens.toml`; the meaning of each list is explained there."""

    lines: tuple[str, ...]
    important: tuple[str, ...]
    big: tuple[str, ...]
    keys: tuple[str, ...]


def _layout(row: Mapping[str, Sequence[str]]) -> Layout:
    lines = tuple(row["lines"])
    return Layout(lines, tuple(row.get("important", lines)), tuple(row["big"]), tuple(row.get("keys", ())))


LAYOUTS: Mapping[str, Layout] = {name: _layout(row) for name, row in texts.table("screens.toml").items()}
SCREEN_NAMES = frozenset(LAYOUTS)


def layout_of(name: str) -> Layout:
    """The screen of that name. Raises UnknownScreenError."""
    layout = LAYOUTS.get(name)
    if layout is None:
        raise UnknownScreenError(f"no screen {name!r}: see texts/screens.toml for those there are")
    return layout


@cache
def values_of(name: str, rows: int) -> tuple[str, ...]:
    """The names of those of `ScreenValues` that a screen looks at, on a display of so many rows.

    Raises UnknownScreenError.
    """
    of_header = () if rows < _LARGE_ROWS else _OF_HEADER
    names = (value for line in layout_of(name).lines for value in ELEMENTS[line].values)
    return tuple(dict.fromkeys((*of_header, *names)))


def render(name: str, values: ScreenValues, *, columns: int, rows: int, language: str) -> Screen:
    """The screen `name` for a display of `columns` by `rows`, 16 by 2 at least; a double line takes two rows.

    Raises UnknownScreenError; UnknownTextError for an unknown language, AmountError for an unknown currency.
    """
    layout = layout_of(name)
    if rows < _LARGE_ROWS:
        return Screen(_small(layout, Moment(name, values, language), columns, rows))
    header = _header(values.merchant_name, values.now, columns)
    moment = Moment(name, values, language, has_header=bool(header))
    return Screen((*header, *_large(layout, moment, columns, rows - len(header))))


def _small(layout: Layout, moment: Moment, columns: int, rows: int) -> tuple[ScreenLine, ...]:
    blocks, _ = _blocks(layout, moment, columns, rows, airy=False)
    lines = [line for block in blocks for line in block]
    if rows > 2:  # a bar behind the title; a display of two rows cannot draw one
        lines[0] = ScreenLine(lines[0].text, lines[0].align, inverse=True, double=lines[0].double)
    return tuple(lines)


def _large(layout: Layout, moment: Moment, columns: int, rows: int) -> tuple[ScreenLine, ...]:
    """What is below the header."""
    footer = _footer(layout, moment, columns)
    rows -= 2 * len(footer)  # a blank row keeps the footer off the body
    blocks, rows_left = _blocks(layout, moment, columns, rows, airy=True)
    body: list[ScreenLine] = []
    for block in blocks:
        if body and rows_left:
            body.append(_BLANK)
            rows_left -= 1
        body += block
    return (*body, *[_BLANK] * (rows_left + 1 if footer else 0), *footer)


def _blocks(
    layout: Layout, moment: Moment, columns: int, rows: int, *, airy: bool
) -> tuple[list[list[ScreenLine]], int]:
    """The elements that fit, each with its lines, from top to bottom; and how many rows are left over.

    `airy`: beyond the first, an element is drawn large only if a row is left between any two of them.
    """
    chosen: dict[str, tuple[str, ...]] = {}
    aligned: dict[str, Align] = {}
    rows_left = rows
    for element in layout.important:
        if not rows_left:
            break
        saying = ELEMENTS[element].say(moment)
        lines = saying.fit(columns, rows_left)
        if lines:
            chosen[element], aligned[element] = lines, saying.align
            rows_left -= len(lines)
    doubled: set[str] = set()
    for element in layout.big:
        lines = chosen.get(element, ())
        kept_free = len(chosen) - 1 if airy and doubled else 0
        fits = len(lines) <= rows_left - kept_free and all(2 * columns_of(line) <= columns for line in lines)
        if lines and fits:
            doubled.add(element)
            rows_left -= len(lines)
    blocks = [
        [ScreenLine(line, aligned[element], double=element in doubled) for line in chosen[element]]
        for element in layout.lines
        if element in chosen
    ]
    return blocks, rows_left


@lru_cache(maxsize=8)  # the same for a minute
def _header(merchant_name: str, now: datetime | None, columns: int) -> tuple[ScreenLine, ...]:
    """A bar with the merchant at the left and the time at the right, and a blank line below it."""
    inner = columns - 2
    name = clipped(printable(merchant_name), inner)
    clocks = (f"{now:%Y/%m/%d %H:%M}", f"{now:%H:%M}") if now else ()
    clock = next((clock for clock in clocks if columns_of(name) + 1 + len(clock) <= inner), "")
    if not name and not clock:
        return ()
    gap = " " * (inner - columns_of(name) - len(clock))
    return ScreenLine(f" {name}{gap}{clock} ", inverse=True), _BLANK


def _footer(layout: Layout, moment: Moment, columns: int) -> list[ScreenLine]:
    hints = [moment.text(f"keys.{key}") for key in layout.keys]
    for gap in ("   ", "  "):
        line = gap.join(hints)
        if line and columns_of(line) <= columns:
            return [ScreenLine(line, Align.CENTRE)]
    return []
