"""The dot font: 8x16 and 16x16 glyphs, and larger ones traced from them.

The plan of this file. The packed font is read once, when the first glyph is asked for. A glyph is a tuple of
rows from the top; a row is a `bytes` with one byte a dot, 1 for ink. Larger sizes are not scaled but traced:
the small glyph's dots are the points of a path, and a pen of fixed width draws it on the finer grid, joining
dots that touch at a corner. So strokes keep one thickness at 24 dots (one and a half times 16), where plain
scaling makes them one dot here and two dots there.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from itertools import accumulate, pairwise

from hal.raster.width import char_columns

Rows = tuple[bytes, ...]
"""Dots, row by row from the top; one byte a dot, 0 or 1."""

CELL_WIDTH_DOTS = 8
CELL_HEIGHT_DOTS = 16
MAGIC = b"DOTFONT1"
HEADER = struct.Struct("<8sHH")
"""Magic, number of 8x16 glyphs, number of 16x16 glyphs. What follows is described at `unpack`."""

_PEN_DOTS = {2: 1, 3: 2, 4: 2, 6: 3}
"""Step between two dots of the path, in half dots -> width of a pen that leaves gaps between strokes open."""


class FontError(Exception):
    """The packed font is missing or not what `tools/make_font.py` wrote: the installation is broken."""


@dataclass(frozen=True, slots=True)
class Face:
    """A size of the font. Steps are in half dots: 2 is the size as drawn, 3 is 24 dots high, 4 is double."""

    step_x: int = 2
    step_y: int = 2
    bold: bool = False

    def __post_init__(self) -> None:
        if self.step_x not in _PEN_DOTS or self.step_y not in _PEN_DOTS:
            raise ValueError(f"steps {self.step_x}, {self.step_y}: known are {sorted(_PEN_DOTS)}")

    @property
    def column_dots(self) -> int:
        """Width of one column."""
        return CELL_WIDTH_DOTS * self.step_x // 2

    @property
    def height_dots(self) -> int:
        """Height of a line without spacing."""
        return CELL_HEIGHT_DOTS * self.step_y // 2


SMALL = Face()


def has_glyph(char: str) -> bool:
    """Whether the font knows the character; others are drawn as a box."""
    return ord(char) in _load()


@lru_cache(maxsize=4096)
def glyph(char: str, face: Face = SMALL) -> Rows:
    """The character's dots: `face.height_dots` rows of `face.column_dots` times 1 or 2 columns.

    A character that the font does not have is a box, so that it is seen to be missing.
    """
    columns = max(1, char_columns(char))
    packed = _load().get(ord(char))
    if packed is None or len(packed) != columns * CELL_HEIGHT_DOTS:
        path = _box(columns)
    else:
        path = [int.from_bytes(packed[at : at + columns]) for at in range(0, len(packed), columns)]
    width = columns * CELL_WIDTH_DOTS
    rows = _trace(path, width, face)
    return tuple(_as_bytes(row, width * face.step_x // 2) for row in rows)


def _box(columns: int) -> list[int]:
    """A missing glyph: a rectangle with one dot of air around it."""
    width = columns * CELL_WIDTH_DOTS
    edge = (1 << (width - 2)) - 1 << 1
    side = 1 << (width - 2) | 1 << 1
    return [0, 0, edge, *[side] * 10, edge, 0, 0]


def _trace(path: list[int], width: int, face: Face) -> list[int]:
    """Draw the glyph `path` (rows as integers, the leftmost dot highest) with the pen of `face`."""
    if face == SMALL:
        return path  # the pen would draw the same dots, slowly
    out_width = width * face.step_x // 2
    rows = [0] * face.height_dots
    pen_x, pen_y = _PEN_DOTS[face.step_x], _PEN_DOTS[face.step_y]
    for x, y in _points(path, width, face):
        stroke = _stroke(x, out_width, pen_x)
        for at in range(y, min(y + pen_y, len(rows))):
            rows[at] |= stroke
    for _ in range(_bolder_by(width, face)):
        rows = [_bolder(row) for row in rows]
    return rows


def _bolder_by(width: int, face: Face) -> int:
    """Dots by which strokes are widened; at 16 dots a Chinese character has no room for that."""
    if not face.bold or (width > CELL_WIDTH_DOTS and face.step_x == 2):
        return 0
    return 2 if face.step_x == 6 else 1


def _bolder(row: int) -> int:
    """Widen strokes to the right by a dot, but leave gaps of one dot open: Chinese characters need them."""
    return row | (row >> 1 & ~(row << 1))


def _stroke(x: int, out_width: int, pen_x: int) -> int:
    shift = out_width - x - pen_x
    return ((1 << pen_x) - 1) << shift if shift >= 0 else ((1 << pen_x) - 1) >> -shift


def _points(path: list[int], width: int, face: Face) -> list[tuple[int, int]]:
    """Where the pen goes down: at every dot, and between dots that touch only at a corner."""
    dots = {(x, y) for y, row in enumerate(path) for x in range(width) if row >> (width - 1 - x) & 1}
    points = [(x * face.step_x // 2, y * face.step_y // 2) for x, y in dots]
    for x, y in dots:
        for side in (-1, 1):
            if (x + side, y + 1) in dots and (x + side, y) not in dots and (x, y + 1) not in dots:
                points += _between((x, y), (x + side, y + 1), face)
    return points


def _between(start: tuple[int, int], end: tuple[int, int], face: Face) -> list[tuple[int, int]]:
    x0, y0 = start[0] * face.step_x // 2, start[1] * face.step_y // 2
    x1, y1 = end[0] * face.step_x // 2, end[1] * face.step_y // 2
    steps = max(abs(x1 - x0), abs(y1 - y0))
    return [(x0 + (x1 - x0) * at // steps, y0 + (y1 - y0) * at // steps) for at in range(1, steps)]


def _as_bytes(row: int, width: int) -> bytes:
    return f"{row:0{width}b}".encode().translate(_DIGIT_TO_DOT)


_DIGIT_TO_DOT = bytes.maketrans(b"01", b"\0\1")


@cache
def _load() -> dict[int, bytes]:
    try:
        return unpack((resources.files("hal") / "fonts" / "dots16.bin").read_bytes())
    except OSError as error:
        raise FontError(f"hal/fonts/dots16.bin cannot be read ({error}); install posterm again") from error


def unpack(data: bytes) -> dict[int, bytes]:
    """Read a packed font: code point -> 16 or 32 bytes, rows from the top, the leftmost dot highest.

    The file: `HEADER`, then one zlib stream of all code points (16 bits, little-endian; first the narrow
    glyphs, then the wide ones, each ascending) and all glyphs in the same order. Raises FontError.
    """
    try:
        magic, narrow, wide = HEADER.unpack_from(data)
        body = zlib.decompress(data[HEADER.size :])
    except (struct.error, zlib.error) as error:
        raise FontError(f"the packed font is damaged ({error}); install posterm again") from error
    sizes = [16] * narrow + [32] * wide
    if magic != MAGIC or len(body) != 2 * len(sizes) + sum(sizes):
        raise FontError("the packed font is damaged (wrong kind or length); install posterm again")
    points = struct.unpack_from(f"<{len(sizes)}H", body)
    ends = accumulate(sizes, initial=2 * len(sizes))
    return {point: body[start:end] for point, (start, end) in zip(points, pairwise(ends), strict=True)}
