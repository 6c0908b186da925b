"""What a printer has put on paper: strips of dots and lines of text, slip by slip.

The plan of this file. The mechanism hands over `Strip`s, the paper keeps them packed, eight dots a byte, and
blank paper as a length alone. A cut ends a slip. Only the last `SLIPS_MAX`, and no more than
`KEPT_DOTS_MAX`, are kept, and a slip that is longer than `SLIP_DOTS_MAX` is ended where it is, so that no
stream of bytes fills the memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hal.raster.canvas import Canvas
from hal.raster.paper import strip_picture

DOTS_PER_MM = 8
SLIPS_MAX = 50
SLIP_DOTS_MAX = 2_000 * DOTS_PER_MM
KEPT_DOTS_MAX = 10_000 * DOTS_PER_MM


@dataclass(frozen=True, slots=True)
class Style:
    """How a line began to be printed; the names are those of the test vectors."""

    bold: bool = False
    underline: int = 0
    width: int = 1
    height: int = 1
    align: int = 0  # 0 left, 1 centre, 2 right
    invert: bool = False
    font: int = 0

    def differing(self) -> dict[str, bool | int]:
        """What is not as after power-on."""
        plain = Style()
        names = Style.__dataclass_fields__
        return {name: getattr(self, name) for name in names if getattr(self, name) != getattr(plain, name)}


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """A line as a person reads it, column by column without trailing spaces; or `[QR ...]`, `[image ...]`."""

    text: str
    style: Style = Style()
    is_graphic: bool = False


@dataclass(frozen=True, slots=True)
class Strip:
    """Paper of one height: `dots` packed row by row, or None where it is blank."""

    height_dots: int
    dots: bytes | None = None
    lines: tuple[PrintedLine, ...] = ()
    black_dots: int = 0


def strip_of(canvas: Canvas, height_dots: int, *lines: PrintedLine) -> Strip:
    """A strip from a canvas of 0 and 1 whose width is a multiple of 8; blank below it up to `height_dots`."""
    black = canvas.dots.count(1)
    if not black:
        return Strip(height_dots, None, lines)
    size = len(canvas.dots)
    packed = int(bytes(canvas.dots).translate(_DOT_TO_DIGIT), 2).to_bytes(size // 8)
    stride = canvas.width // 8
    return Strip(height_dots, packed[: stride * height_dots], lines, black)


_DOT_TO_DIGIT = bytes.maketrans(b"\0\1", b"01")
_DIGIT_TO_DOT = bytes.maketrans(b"01", b"\0\1")


@dataclass(frozen=True, slots=True)
class PrintedSlip:
    """A slip: whole where it was cut off, else torn off or still in the printer."""

    width_dots: int
    strips: tuple[Strip, ...]
    is_cut: bool
    new_roll_at: tuple[int, ...] = ()
    """Numbers of the strips before which a new roll was put in."""

    @property
    def height_dots(self) -> int:
        """Its length."""
        return sum(strip.height_dots for strip in self.strips)

    @property
    def is_blank(self) -> bool:
        """Whether nothing is on it."""
        return all(strip.dots is None for strip in self.strips)

    @property
    def lines(self) -> list[PrintedLine]:
        """Its lines, from the top."""
        return [line for strip in self.strips for line in strip.lines]

    @property
    def text(self) -> str:
        """What a person reads."""
        return "\n".join(line.text for line in self.lines)

    def canvas(self) -> Canvas:
        """Its dots, 1 for black."""
        return _draw(self.strips, self.width_dots)

    def png(self, *, scale: int = 1) -> bytes:
        """A picture of it as PNG, in pieces where a new roll was put in."""
        edges = [0, *self.new_roll_at, len(self.strips)]
        pieces = [
            _draw(self.strips[begin:end], self.width_dots) for begin, end in pairwise(edges) if end > begin
        ]
        blank = Canvas(self.width_dots, DOTS_PER_MM)
        return strip_picture(pieces or [blank], dots_per_mm=DOTS_PER_MM, scale=scale)


def _draw(strips: Sequence[Strip], width_dots: int) -> Canvas:
    canvas = Canvas(width_dots, sum(strip.height_dots for strip in strips))
    at = 0
    for strip in strips:
        if strip.dots is not None:
            digits = format(int.from_bytes(strip.dots), f"0{8 * len(strip.dots)}b")
            canvas.dots[at : at + len(digits)] = digits.encode().translate(_DIGIT_TO_DOT)
        at += strip.height_dots * width_dots
    return canvas


class Paper:
    """The roll, and what hangs out of the printer."""

    def __init__(self, width_dots: int) -> None:
        self.width_dots = width_dots
        self.slips: deque[PrintedSlip] = deque(maxlen=SLIPS_MAX)
        self.finished_count = 0
        """How many slips were finished since power-on, those that are forgotten included."""
        self._strips: list[Strip] = []
        self._new_roll_at: list[int] = []
        self._weight = 0

    def add(self, strip: Strip) -> None:
        """Print a strip below what is there."""
        last = self._strips[-1] if self._strips else None
        if last is not None and strip.dots is None and last.dots is None and not strip.lines:
            self._strips[-1] = Strip(last.height_dots + strip.height_dots, None, last.lines)
        else:
            self._strips.append(strip)
        self._weight += max(strip.height_dots, len(strip.lines), 1)
        if self._weight > SLIP_DOTS_MAX:
            self.end_slip(is_cut=False)

    def new_roll(self) -> None:
        """What follows is on another piece of paper."""
        if self._strips and len(self._strips) not in self._new_roll_at:
            self._new_roll_at.append(len(self._strips))

    def end_slip(self, *, is_cut: bool) -> None:
        """Cut or tear the paper off here; blank paper makes no slip."""
        slip = self.current(is_cut=is_cut)
        if not slip.is_blank:
            self.slips.append(slip)
            self.finished_count += 1
            while sum(kept.height_dots for kept in self.slips) > KEPT_DOTS_MAX:
                self.slips.popleft()
        self._strips.clear()
        self._new_roll_at.clear()
        self._weight = 0

    def current(self, *, is_cut: bool = False) -> PrintedSlip:
        """What hangs out of the printer now."""
        return PrintedSlip(self.width_dots, tuple(self._strips), is_cut, tuple(self._new_roll_at))
