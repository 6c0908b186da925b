"""A screen laid out in cells and drawn in dots, for any display made of dots.

The plan of this file. `lay_out` decides which line stands in which row and what of it is seen; `draw` paints
that. Both know a display only as a `Grid`. Dot values name what is painted (`Paint`), and a display gives
each its colour: a display of two colours draws all inks alike.

A line takes one row, a double line two; one that no longer fits at the bottom is not shown. A QR code stands
below the text or at its right, whichever makes it larger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from hal.api import Align, Screen, ScreenLine
from hal.raster.canvas import Canvas
from hal.raster.font import CELL_HEIGHT_DOTS, CELL_WIDTH_DOTS, SMALL, Face, Rows
from hal.raster.qr import QrTooLongError, qr_dots, qr_size
from hal.raster.width import cut, text_columns, visible

DOUBLE = Face(4, 4, bold=True)
INVERSE = Face(bold=True)
"""White on dark looks thinner than dark on white: inverse lines are drawn bold."""

LARGE_MODULE_DOTS = 3
"""Modules of this size are read from an arm's length: no reason to squeeze the text for larger ones."""


class Paint(IntEnum):
    """The dot values of a drawn screen."""

    GROUND = 0
    TEXT = 1
    HEADING = 2  # double lines
    HEADER_BAR = 3  # an inverse first line
    HEADER_TEXT = 4
    BAR = 5  # any other inverse line
    BAR_TEXT = 6
    QR_LIGHT = 7
    QR_DARK = 8


@dataclass(frozen=True, slots=True)
class Grid:
    """A display's size in cells of 8 by 16 dots."""

    columns: int
    rows: int

    @property
    def width_dots(self) -> int:
        """Dots from left to right."""
        return self.columns * CELL_WIDTH_DOTS

    @property
    def height_dots(self) -> int:
        """Dots from top to bottom."""
        return self.rows * CELL_HEIGHT_DOTS


@dataclass(frozen=True, slots=True)
class PlacedLine:
    """A line in its row: `text` is what of it is seen, `x` the dot at which it starts."""

    line: ScreenLine
    row: int
    x: int
    text: str

    @property
    def column(self) -> int:
        """The cell in which it starts."""
        return self.x // CELL_WIDTH_DOTS


@dataclass(frozen=True, slots=True)
class PlacedQr:
    """A QR code's dots with their quiet zone, and their top left corner."""

    x: int
    y: int
    dots: Rows


@dataclass(frozen=True, slots=True)
class Bar:
    """A stripe across the display."""

    y: int
    height_dots: int
    paint: Paint


@dataclass(frozen=True, slots=True)
class Layout:
    """What is seen on a display, and where."""

    lines: tuple[PlacedLine, ...]
    qr: PlacedQr | None = None

    @property
    def text(self) -> str:
        """What a person reads: the visible part of every line, one a line."""
        return "\n".join(placed.text for placed in self.lines)

    @property
    def bars(self) -> tuple[Bar, ...]:
        """What the inverse lines are painted on, from the left edge to the right edge."""
        return tuple(
            Bar(placed.row * CELL_HEIGHT_DOTS, _row_count(placed.line) * CELL_HEIGHT_DOTS, _paints(placed)[1])
            for placed in self.lines
            if placed.line.inverse
        )


def lay_out(screen: Screen, grid: Grid) -> Layout:
    """Place a screen on a display. A QR code that does not fit at all is replaced by the line `[QR]`."""
    if screen.qr is None:
        return Layout(_place_lines(screen.lines, [grid.columns] * grid.rows))
    try:
        qr = _place_qr(screen.qr, screen.lines, grid)
    except QrTooLongError:
        qr = None
    if qr is None:
        return Layout(_place_lines((ScreenLine("[QR]"), *screen.lines), [grid.columns] * grid.rows))
    return Layout(_place_lines(screen.lines, _columns_left(qr, grid)), qr)


def draw(layout: Layout, grid: Grid) -> Canvas:
    """Paint a screen: a canvas of the grid's size whose dots are values of `Paint`."""
    canvas = Canvas(grid.width_dots, grid.height_dots)
    for bar in layout.bars:
        canvas.fill(0, bar.y, canvas.width, bar.height_dots, bar.paint)
    for placed in layout.lines:
        ink, paper = _paints(placed)
        canvas.text(placed.x, placed.row * CELL_HEIGHT_DOTS, placed.text, _face(placed), ink, paper)
    if layout.qr is not None:
        canvas.draw(layout.qr.x, layout.qr.y, layout.qr.dots, Paint.QR_DARK, Paint.QR_LIGHT)
    return canvas


def _row_count(line: ScreenLine) -> int:
    return 2 if line.double else 1


def _place_lines(lines: tuple[ScreenLine, ...], row_columns: Sequence[int]) -> tuple[PlacedLine, ...]:
    """Place lines from the top; `row_columns` says how many columns each row of the display has."""
    placed = []
    row = 0
    for line in lines:
        after = row + _row_count(line)
        if after > len(row_columns):
            break
        size = 2 if line.double else 1
        columns = min(row_columns[row:after])
        text = cut(visible(line.text), columns // size)
        placed.append(PlacedLine(line, row, _indent_dots(text, columns, size, line.align), text))
        row = after
    return tuple(placed)


def _indent_dots(text: str, columns: int, size: int, align: Align) -> int:
    """Dots before `text`, whose columns are `size` cells wide. In dots, as half a column is seen."""
    free = (columns - size * text_columns(text)) * CELL_WIDTH_DOTS
    return {Align.LEFT: 0, Align.CENTRE: free // 2, Align.RIGHT: free}[align]


def _place_qr(data: str, lines: tuple[ScreenLine, ...], grid: Grid) -> PlacedQr | None:
    """Where the modules are largest: below the text, at the right under a header, at the right over it.

    The first of equals. Modules of `LARGE_MODULE_DOTS` and more count as equal.
    """
    text_dots = min(sum(map(_row_count, lines)) * CELL_HEIGHT_DOTS, grid.height_dots)
    header_dots = _row_count(lines[0]) * CELL_HEIGHT_DOTS if lines and lines[0].inverse else 0
    half = grid.width_dots // 2
    places = [(text_dots, grid.width_dots, 0), (header_dots, half, half), (0, half, half)]  # top, width, left
    fitting = [
        (top, left, size)
        for top, width, left in places
        if (size := qr_size(data, min(grid.height_dots - top, width), quiet_modules_min=1)) is not None
    ]
    if not fitting:
        return None
    top, left, size = max(fitting, key=lambda place: min(place[2].scale, LARGE_MODULE_DOTS))
    dots = qr_dots(data, size)
    x = grid.width_dots - len(dots) if left else (grid.width_dots - len(dots)) // 2
    covers_header = top < header_dots  # then from the very top, or a stripe of the header would stay above it
    y = 0 if covers_header else top + (grid.height_dots - top - len(dots)) // 2
    return PlacedQr(x, y, dots)


def _columns_left(qr: PlacedQr, grid: Grid) -> list[int]:
    """How many columns each row has left of the QR code."""
    first = qr.y // CELL_HEIGHT_DOTS
    after = -(-(qr.y + len(qr.dots)) // CELL_HEIGHT_DOTS)
    beside = qr.x // CELL_WIDTH_DOTS
    return [beside if first <= row < after else grid.columns for row in range(grid.rows)]


def _face(placed: PlacedLine) -> Face:
    if placed.line.double:
        return DOUBLE
    return INVERSE if placed.line.inverse else SMALL


def _paints(placed: PlacedLine) -> tuple[Paint, Paint]:
    if placed.line.inverse:
        return (Paint.HEADER_TEXT, Paint.HEADER_BAR) if placed.row == 0 else (Paint.BAR_TEXT, Paint.BAR)
    return (Paint.HEADING if placed.line.double else Paint.TEXT), Paint.GROUND
