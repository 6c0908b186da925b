"""A screen on a display of character cells that has one size of character and no dots of its own.

How a screen gets onto few rows is the firmware's decision (`firmware.screens` knows displays from 16 by 2
on). What is left for such a display is what it cannot do: a double line is shown at normal size in the
first of its two rows, so that what follows stays where it was; inverse is ignored; for a QR code stands the
line `[QR]`.
"""

from __future__ import annotations

from hal.api import Screen, ScreenLine
from hal.raster.width import cut, indent, text_columns, visible


def cell_rows(screen: Screen, columns: int, rows: int) -> tuple[str, ...]:
    """The text of each of `rows` rows, padded with spaces to `columns` columns."""
    lines = screen.lines if screen.qr is None else (ScreenLine("[QR]"), *screen.lines)
    found: list[str] = []
    for line in lines:
        found.append(_padded(line, columns))
        if line.double:
            found.append(" " * columns)
    blank = [" " * columns] * rows
    return tuple((found + blank)[:rows])


def in_latin(text: str, codec: str) -> bytes:
    """The text in a code page of one byte a character; what it has not becomes "?".

    A wide character becomes two of them, so that its line keeps its width.
    """
    encoded = bytearray()
    for character in text:
        columns = text_columns(character)
        try:
            one = character.encode(codec)
        except UnicodeEncodeError:
            one = b"?" * columns
        encoded += one if len(one) == columns else b"?" * columns
    return bytes(encoded)


def _padded(line: ScreenLine, columns: int) -> str:
    text = cut(visible(line.text), columns)
    left = indent(text, columns, line.align)
    return " " * left + text + " " * (columns - left - text_columns(text))
