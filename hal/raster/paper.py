"""How printed paper looks: off-white strips with a torn edge at both ends, as PNG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import repeat

from hal.raster.canvas import Canvas, Rgba, opaque

_NOTHING, _SHADE, _PAPER, _EDGE, _INK = range(5)
# Where a piece of paper and its shadow meet, the higher of the two is seen.
_COLOURS: tuple[Rgba, ...] = (
    (0, 0, 0, 0),
    (30, 25, 20, 40),  # the shadow that the strip throws
    opaque(0xFCFAF4),
    opaque(0xE2DDCF),
    opaque(0x2A2730),  # thermal paper turns a bluish black
)

_MARGIN_DOTS = 32  # 58 mm paper has 48 mm of dots, 80 mm paper 72
_TOOTH_DOTS = 6
_SHADOW_DOTS = 4
_GAP_DOTS = 24  # between two pieces


def strip_picture(pieces: Sequence[Canvas], *, dots_per_mm: int, scale: int = 1) -> bytes:
    """Pieces of printed paper, one below the other, as PNG. Outside the paper the picture is transparent.

    pieces: what is printed, 1 for ink; at least one, all of the same width.
    scale: picture dots for one dot of the printer.
    """
    papers = [_paper(piece) for piece in pieces]
    width = max(paper.width for paper in papers)
    height = sum(paper.height for paper in papers) + _GAP_DOTS * (len(papers) - 1)
    picture = Canvas(width, height, _NOTHING)
    y = 0
    for paper in papers:
        picture.paste(0, y, paper)
        y += paper.height + _GAP_DOTS
    return (picture.enlarged(scale) if scale > 1 else picture).png(_COLOURS, dots_per_mm=dots_per_mm * scale)


def _paper(print_: Canvas) -> Canvas:
    """One piece: the print with margins, torn along a toothed bar at top and bottom, and its shadow."""
    width = print_.width + 2 * _MARGIN_DOTS
    height = print_.height + 2 * _MARGIN_DOTS
    paper = Canvas(width + _SHADOW_DOTS, height + _SHADOW_DOTS, _NOTHING)
    for y, across in enumerate(_outline(width, height)):
        shadow = (y + _SHADOW_DOTS) * paper.width + _SHADOW_DOTS
        paper.dots[shadow : shadow + width] = across.translate(_AS_SHADOW)
    for y, across in enumerate(_outline(width, height)):
        at = y * paper.width
        under = paper.dots[at : at + width]
        paper.dots[at : at + width] = bytes(map(max, across, under)) if _NOTHING in across else across
    printed = Canvas(print_.width, print_.height)
    printed.dots[:] = print_.dots.translate(_AS_PRINT)
    paper.paste(_MARGIN_DOTS, _MARGIN_DOTS, printed)
    return paper


def _outline(width: int, height: int) -> Iterator[bytes]:
    """The rows of an empty piece of paper: full ones, and at the ends those that the teeth cut into."""
    full = bytes([_EDGE, *[_PAPER] * (width - 2), _EDGE])
    teeth = [abs(x % (2 * _TOOTH_DOTS) - _TOOTH_DOTS) for x in range(width)]
    for y in range(_TOOTH_DOTS):
        yield bytes(_EDGE if tooth == y else _PAPER if tooth < y else _NOTHING for tooth in teeth)
    yield from repeat(full, height - 2 * _TOOTH_DOTS)
    for y in range(_TOOTH_DOTS):
        yield bytes(_EDGE if tooth == y else _PAPER if tooth > y else _NOTHING for tooth in teeth)


_AS_SHADOW = bytes([_NOTHING, _SHADE, _SHADE, _SHADE, _SHADE]).ljust(256, b"\0")
_AS_PRINT = bytes([_PAPER, _INK]).ljust(256, b"\0")
