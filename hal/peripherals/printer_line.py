"""One line on its way to paper: characters and small images side by side, until something ends the line.

The plan of this file. `Modes` is all that commands set. `Line` collects cells at places in dots, breaks where
the print area ends, and makes a `Strip`. Characters stand on a common base; below them is the air of the line
spacing. Font A has cells of 12 by 24 dots, font B of 9 by 17, a Chinese character 24 by 24. Not modelled:
printing over a line that is already there, and paper moved backwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from hal.peripherals.printer_paper import PrintedLine, Strip, Style, strip_of
from hal.raster.canvas import Canvas
from hal.raster.font import Face, Rows, glyph
from hal.raster.width import char_columns

LINE_SPACING_DOTS = 30
CELLS_MAX = 1024
"""Cells in a line: more than fit beside each other, less than a sender can stack on one place."""

_COLUMN_DOTS = 12
_FONTS = {0: (12, 24, 3), 1: (9, 17, 2)}
"""Font -> width and height of a narrow cell, and the step of `hal.raster.font.Face` that fills it."""


@dataclass(slots=True)
class Modes:
    """What commands set and ESC @ takes back. Distances are in dots."""

    paper_width_dots: int
    area_set_dots: int
    left_margin_dots: int = 0
    line_spacing_dots: int = LINE_SPACING_DOTS
    character_spacing_dots: int = 0
    bold: bool = False
    double_strike: bool = False
    underline: int = 0
    width: int = 1
    height: int = 1
    kanji_width: int = 1
    kanji_height: int = 1
    kanji_underline: int = 0
    kanji_left_dots: int = 0
    kanji_right_dots: int = 0
    align: int = 0
    invert: bool = False
    font: int = 0
    upside_down: bool = False
    rotated: bool = False
    user_defined: bool = False
    tab_columns: tuple[int, ...] = tuple(range(8, 256, 8))
    bar_height_dots: int = 162
    bar_module_dots: int = 3
    bar_text_place: int = 0  # 0 none, 1 above, 2 below, 3 both
    bar_text_font: int = 0
    horizontal_unit_dpi: int = 0  # GS P; 0: a unit is a dot
    vertical_unit_dpi: int = 0

    @property
    def area_width_dots(self) -> int:
        """Width of the print area: what was set, as far as the paper goes."""
        return min(self.area_set_dots, self.paper_width_dots - self.left_margin_dots)

    def style_now(self) -> Style:
        """The style of what is printed next."""
        bold = self.bold or self.double_strike
        return Style(bold, self.underline, self.width, self.height, self.align, self.invert, self.font)

    def column_dots(self) -> int:
        """The width of a narrow character as it is set now."""
        return (_FONTS[self.font][0] + self.character_spacing_dots) * self.width


@dataclass(frozen=True, slots=True)
class Cell:
    """Something at `x` of the line: dots, and the characters that a person reads there."""

    x: int
    width: int
    rows: Rows
    text: str
    column_dots: int
    underline: int = 0
    is_inverse: bool = False


class Line:
    """The line that is being filled. `emit` is given every strip that is ready."""

    def __init__(self, modes: Modes, emit: Callable[[Strip], None]) -> None:
        self.modes = modes
        self._emit = emit
        self._cells: list[Cell] = []
        self._x = 0
        self._style = Style()

    @property
    def is_empty(self) -> bool:
        """True while nothing was put on the line."""
        return not self._cells

    @property
    def x(self) -> int:
        """Where the next cell stands, in dots from the left margin."""
        return self._x

    def move_to(self, x: int) -> None:
        """Put the next cell at `x`; a place outside the print area is not taken."""
        if 0 <= x <= self.modes.area_width_dots:
            self._x = x

    def clear(self) -> None:
        """Forget what was not printed."""
        self._cells.clear()
        self._x = 0

    def character(self, char: str, own_rows: Rows | None = None) -> None:
        """Add a character; `own_rows` are dots that the sender defined for it."""
        columns = char_columns(char)
        if not columns:  # a combining mark has no cell of its own
            return
        modes = self.modes
        rows = own_rows or _glyph(char, modes, wide=columns == 2)
        if modes.rotated:
            rows = tuple(bytes(column) for column in zip(*reversed(rows), strict=True))
        width = len(rows[0])
        spacing = modes.character_spacing_dots * modes.width
        if columns == 2:
            rows = tuple(bytes(modes.kanji_left_dots) + row for row in rows)
            width += modes.kanji_left_dots
            spacing = modes.kanji_right_dots
        underline = max(modes.underline, modes.kanji_underline) if columns == 2 else modes.underline
        column_dots = max(1, (width + spacing) // columns)
        self.add(rows, width + spacing, char, column_dots, underline, is_inverse=modes.invert)

    def add(
        self,
        rows: Rows,
        width: int,
        text: str,
        column_dots: int = _COLUMN_DOTS,
        underline: int = 0,
        *,
        is_inverse: bool = False,
    ) -> None:
        """Add a cell, on the next line where this one is full."""
        if self._cells and self._x + width > self.modes.area_width_dots:
            self.end()
        if not self._cells:
            self._style = self.modes.style_now()
        if len(self._cells) < CELLS_MAX:
            self._cells.append(Cell(self._x, width, rows, text, column_dots, underline, is_inverse))
        self._x += width

    def end(self) -> None:
        """Print the line, and move the paper to the next one."""
        spacing = self.modes.line_spacing_dots
        if not self._cells:
            self._emit(Strip(spacing, None, (PrintedLine(""),)))
        else:
            strip = self._strip(max(spacing, self._height()))
            self.clear()
            self._emit(strip)
        self._x = 0

    def end_if_begun(self) -> None:
        """Print the line if there is something on it; no empty line otherwise."""
        if self._cells:
            self.end()
        self._x = 0

    def end_with_feed(self, feed_dots: int) -> None:
        """Print the line and move the paper by `feed_dots` (or the height of the line, if that is more)."""
        if self._cells:
            strip = self._strip(max(feed_dots, self._height()))
            self.clear()
            self._emit(strip)
        elif feed_dots:
            self._emit(Strip(feed_dots))
        self._x = 0

    def offset_of(self, width: int) -> int:
        """Where something of this width begins on the paper, as the alignment has it."""
        modes = self.modes
        free = max(0, modes.area_width_dots - width)
        return modes.left_margin_dots + (0, free // 2, free)[modes.align]

    def _height(self) -> int:
        return max(len(cell.rows) for cell in self._cells)

    def _strip(self, height_dots: int) -> Strip:
        """Everything on the line, drawn."""
        base = self._height()
        width = max(cell.x + cell.width for cell in self._cells)
        offset = self.offset_of(width)
        canvas = Canvas(self.modes.paper_width_dots, base)
        for cell in self._cells:
            x, y = offset + cell.x, base - len(cell.rows)
            if cell.is_inverse:
                canvas.fill(x, y, cell.width, len(cell.rows), 1)
                canvas.draw(x, y, cell.rows, ink=0, paper=1)
            else:
                canvas.draw(x, y, cell.rows)
            if cell.underline and not cell.is_inverse:
                canvas.fill(x, base - cell.underline, cell.width, cell.underline, 1)
        if self.modes.upside_down:
            canvas.dots.reverse()
        return strip_of(canvas, height_dots, self._printed(offset, width))

    def _printed(self, offset: int, width: int) -> PrintedLine:
        """The line for people; one of images alone says so."""
        if any(cell.text for cell in self._cells):
            return PrintedLine(self._text(offset), self._style)
        return PrintedLine(f"[image {width}x{self._height()}]", self._style, is_graphic=True)

    def _text(self, offset: int) -> str:
        """The characters of the line, with spaces where nothing stands."""
        text, end = "", 0
        for cell in sorted(self._cells, key=lambda cell: cell.x):
            x = offset + cell.x
            if x > end:
                unit = cell.column_dots if text else _COLUMN_DOTS
                text += " " * ((x - end) // unit)
            text += cell.text
            end = max(end, x + cell.width)
        return text.rstrip(" ")


def _glyph(char: str, modes: Modes, *, wide: bool) -> Rows:
    """The character in the size that is set."""
    times_x = max(modes.width, modes.kanji_width) if wide else modes.width
    times_y = max(modes.height, modes.kanji_height) if wide else modes.height
    font = 0 if wide else modes.font
    return _scaled(char, font, times_x, times_y, bold=modes.bold or modes.double_strike, wide=wide)


@lru_cache(maxsize=512)
def _scaled(char: str, font: int, times_x: int, times_y: int, *, bold: bool, wide: bool) -> Rows:
    """Sizes 1 and 2 are traced, larger ones are enlarged dot by dot."""
    width, height, step = _FONTS[font]
    width *= 2 if wide else 1
    if times_x <= 2 and times_y <= 2:
        rows = glyph(char, Face(step * times_x, step * times_y, bold))
        return _padded(rows, width * times_x, height * times_y)
    return enlarged(_padded(glyph(char, Face(step, step, bold)), width, height), times_x, times_y)


def _padded(rows: Rows, width: int, height: int) -> Rows:
    """Font B's cells are a little larger than the glyphs in them."""
    if len(rows) == height and len(rows[0]) == width:
        return rows
    return (*(row.ljust(width, b"\0")[:width] for row in rows), *[bytes(width)] * (height - len(rows)))


def _wider(row: bytes, times: int) -> bytes:
    wide = bytearray(len(row) * times)
    for offset in range(times):
        wide[offset::times] = row
    return bytes(wide)


def enlarged(rows: Rows, times_x: int, times_y: int) -> Rows:
    """Every dot `times_x` by `times_y` dots."""
    if times_x > 1:
        rows = tuple(_wider(row, times_x) for row in rows)
    return tuple(row for row in rows for _ in range(times_y))
