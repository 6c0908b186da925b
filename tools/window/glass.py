"""A terminal's display as text cells: the same layout as its dots, for a window of characters.

A display's row is a row of text. A line of double size takes two rows, and stands in the middle of its place
in bold letters of ordinary size: characters cannot be enlarged.
"""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text

from hal.api import Screen
from hal.raster.screen import Grid, PlacedLine, lay_out

HEADER_STYLE = "bold white on blue"
INVERSE_STYLE = "bold white on dark_cyan"
DOUBLE_STYLE = "bold"


def glass_rows(screen: Screen, columns: int, rows: int) -> list[Text]:
    """The display's rows from the top, each exactly `columns` cells wide. A QR code is the line `[QR]`."""
    shown = [Text(" " * columns) for _ in range(rows)]
    layout = lay_out(Screen(screen.lines), Grid(columns, rows))
    for placed in layout.lines:
        shown[placed.row] = _row(placed, columns)
    if screen.qr is not None and not shown[-1].plain.strip():
        shown[-1] = Text("[QR]".center(columns))
    return shown


def seen_rows(screen: Screen, columns: int, rows: int) -> list[Text]:
    """As `glass_rows`, without the rows on which there is nothing."""
    return [row for row in glass_rows(screen, columns, rows) if row.plain.strip()]


def _row(placed: PlacedLine, columns: int) -> Text:
    width = cell_len(placed.text)
    column = placed.column + (width // 2 if placed.line.double else 0)
    padded = " " * column + placed.text + " " * (columns - column - width)
    return Text(padded, style=_style(placed), no_wrap=True, overflow="crop")


def _style(placed: PlacedLine) -> str:
    if placed.line.inverse:
        return HEADER_STYLE if placed.row == 0 else INVERSE_STYLE
    return DOUBLE_STYLE if placed.line.double else ""
