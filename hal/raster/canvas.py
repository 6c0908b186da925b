"""A canvas of dots, one byte a dot: text, boxes, bars and QR codes; and its picture as PNG.

A dot is a number of a palette that the caller chooses when it makes a picture; 0 is the empty canvas. What
lies outside the canvas is cut off.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from hal.raster.font import SMALL, Face, Rows, glyph
from hal.raster.width import char_columns

Rgba = tuple[int, int, int, int]
"""Red, green, blue, opacity; each 0 to 255."""


def opaque(rgb: int) -> Rgba:
    """A colour from its usual notation: `opaque(0xFF8000)` is orange."""
    return rgb >> 16, rgb >> 8 & 0xFF, rgb & 0xFF, 255


class Canvas:
    """`width` by `height` dots, all 0 at first. `dots` holds them row by row from the top left."""

    __slots__ = ("dots", "height", "width")

    def __init__(self, width: int, height: int, colour: int = 0) -> None:
        self.width = width
        self.height = height
        self.dots = bytearray([colour]) * (width * height)

    def fill(self, x: int, y: int, width: int, height: int, colour: int) -> None:
        """Paint a rectangle."""
        left, right = max(0, x), min(self.width, x + width)
        if right <= left:
            return
        run = bytes([colour]) * (right - left)
        for row in range(max(0, y), min(self.height, y + height)):
            at = row * self.width
            self.dots[at + left : at + right] = run

    def draw(self, x: int, y: int, rows: Rows, ink: int = 1, paper: int = 0) -> None:
        """Draw rows of 0 and 1 (a glyph, a QR code): 1 becomes `ink`, 0 becomes `paper`."""
        colours = bytes.maketrans(b"\0\1", bytes([paper, ink]))
        for row, dots in enumerate(rows, y):
            if 0 <= row < self.height:
                self._put(x, row, dots.translate(colours))

    def paste(self, x: int, y: int, other: Canvas) -> None:
        """Copy another canvas onto this one."""
        for row in range(other.height):
            if 0 <= y + row < self.height:
                self._put(x, y + row, bytes(other.dots[row * other.width : (row + 1) * other.width]))

    def _put(self, x: int, y: int, run: bytes) -> None:
        run = run[max(0, -x) : max(0, self.width - x)]
        at = y * self.width + max(0, x)
        self.dots[at : at + len(run)] = run

    def text(self, x: int, y: int, text: str, face: Face = SMALL, ink: int = 1, paper: int = 0) -> int:
        """Draw a line of text with its top left corner at x, y; returns the x after its last column."""
        for char in text:
            columns = char_columns(char)
            if columns:  # combining marks have no cell of their own and are not drawn
                self.draw(x, y, glyph(char, face), ink, paper)
            x += columns * face.column_dots
        return x

    def enlarged(self, scale: int) -> Canvas:
        """A new canvas on which every dot is `scale` by `scale` dots."""
        large = Canvas(self.width * scale, self.height * scale)
        line = bytearray(large.width)
        for row in range(self.height):
            dots = self.dots[row * self.width : (row + 1) * self.width]
            for offset in range(scale):
                line[offset::scale] = dots
            at = row * scale * large.width
            large.dots[at : at + scale * large.width] = line * scale
        return large

    def png(self, palette: Sequence[Rgba], *, dots_per_mm: float | None = None) -> bytes:
        """The picture as a PNG file with 8 bits a dot; `palette[n]` is the colour of dot value n.

        Source: PNG specification, third edition: sections 5.3 (chunks), 11.2.1 (IHDR, colour type 3),
        11.3.1.1 (tRNS), 11.3.4.3 (pHYs).
        """
        stride = self.width
        lines = b"".join(
            b"\0" + self.dots[at : at + stride]
            for at in range(0, stride * self.height, stride)  # 0: no filter
        )
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 3, 0, 0, 0)
        chunks = [_chunk(b"IHDR", header)]
        if dots_per_mm is not None:
            per_metre = round(dots_per_mm * 1000)
            chunks.append(_chunk(b"pHYs", struct.pack(">IIB", per_metre, per_metre, 1)))
        chunks += [
            _chunk(b"PLTE", b"".join(bytes(colour[:3]) for colour in palette)),
            _chunk(b"tRNS", bytes(colour[3] for colour in palette)),
            _chunk(b"IDAT", zlib.compress(lines, 6)),
            _chunk(b"IEND", b""),
        ]
        return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
