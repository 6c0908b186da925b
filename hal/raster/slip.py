"""A slip laid out in lines of text and drawn in dots, for any slip printer.

The plan of this file. `lay_out` turns one item into rows, with every break and indent decided; `text_of`
makes lines of text from them and `draw` dots. A column is 12 dots wide and a line 24 dots high, plus 6 dots
of air: what receipt printers call font A (203 dots per inch, 8 dots a millimetre).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from hal.api import (
    Align,
    OpenDrawer,
    PrintBarcode,
    PrintCut,
    PrintFeed,
    PrintImage,
    PrintItem,
    PrintPair,
    PrintQr,
    PrintRule,
    PrintText,
)
from hal.raster.barcode import BarcodeError, Bars, bars, width_dots
from hal.raster.barcode import row as bar_row
from hal.raster.canvas import Canvas
from hal.raster.font import Face
from hal.raster.qr import QrTooLongError, qr_dots, qr_size
from hal.raster.width import char_columns, cut, indent, text_columns, visible, wrap

DOTS_PER_MM = 8
COLUMN_DOTS = 12
LINE_DOTS = 24
AIR_DOTS = 6
"""Blank dots below every line."""

BARCODE_DOTS = 80
"""Height of bar codes: 10 mm."""

BARCODE_MODULE_DOTS = 2
"""Width of their narrowest bar: 0.25 mm."""

QR_DOTS = 240
"""Side of the square that a QR code gets, quiet zone included: 30 mm."""

CUT_DOTS = 96
"""From the print head to the tear bar: 12 mm."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """A line of text that starts `indent_columns` from the left; double ones take two columns a column."""

    text: str
    indent_columns: int = 0
    bold: bool = False
    double_width: bool = False
    double_height: bool = False

    @property
    def height_dots(self) -> int:
        """Paper that the line takes."""
        return LINE_DOTS * (2 if self.double_height else 1) + AIR_DOTS


@dataclass(frozen=True, slots=True)
class QrRow:
    """A QR code in the middle."""

    data: str
    height_dots: int = QR_DOTS


@dataclass(frozen=True, slots=True)
class BarcodeRow:
    """A bar code in the middle, its text below; `bars` is what `hal.raster.barcode` made of it."""

    bars: Bars
    name: str
    height_dots: int = BARCODE_DOTS + LINE_DOTS + 2 * AIR_DOTS


@dataclass(frozen=True, slots=True)
class ImageRow:
    """A picture in the middle: packed rows, as in `hal.api.PrintImage`."""

    rows: tuple[bytes, ...] = field(repr=False)

    @property
    def height_dots(self) -> int:
        """Paper that the picture takes."""
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class BlankRow:
    """Paper moved without printing; `lines` empty lines in the text, `is_cut` at the end of a slip."""

    height_dots: int
    lines: int = 0
    is_cut: bool = False


SlipRow = TextRow | QrRow | BarcodeRow | ImageRow | BlankRow


def lay_out(item: PrintItem, columns: int) -> list[SlipRow]:
    """The rows that one item prints on a printer with `columns` columns."""
    match item:
        case PrintText():
            return _text_rows(item, columns)
        case PrintPair():
            return _pair_rows(item, columns)
        case PrintRule():
            return [TextRow(_rule(item.character, columns))]
        case PrintQr():
            return [QrRow(item.data)]
        case PrintBarcode():
            return _barcode_rows(item, columns)
        case PrintImage():
            return [ImageRow(item.rows)]
        case OpenDrawer():
            return []
        case PrintFeed():
            return [BlankRow((LINE_DOTS + AIR_DOTS) * max(0, item.lines), max(0, item.lines))]
        case PrintCut():
            return [BlankRow(CUT_DOTS, is_cut=True)]
        case _:
            assert_never(item)


def height_dots(rows: Iterable[SlipRow]) -> int:
    """Paper that the rows take."""
    return sum(row.height_dots for row in rows)


def black_dots(rows: Iterable[SlipRow]) -> int:
    """About how many dots the rows blacken, for the heat of a print head: estimated, not drawn."""
    return sum(_black_dots(row) for row in rows)


def text_of(rows: Iterable[SlipRow]) -> list[str]:
    """The rows as lines of text, without trailing spaces; a QR code is the line `[QR data]`."""
    lines: list[str] = []
    for row in rows:
        match row:
            case TextRow():
                lines.append((" " * row.indent_columns + row.text).rstrip(" "))
            case QrRow():
                lines.append(f"[QR {visible(row.data)}]")
            case BarcodeRow():
                lines.append(f"[{row.name} {visible(row.bars.text)}]")
            case ImageRow():
                lines.append(f"[image {8 * len(row.rows[0]) if row.rows else 0}x{len(row.rows)}]")
            case BlankRow():
                lines += [""] * row.lines
    return lines


def draw(rows: Sequence[SlipRow], columns: int) -> Canvas:
    """The rows in dots, 1 for black: `columns` * 12 dots wide."""
    canvas = Canvas(columns * COLUMN_DOTS, height_dots(rows))
    y = 0
    for row in rows:
        match row:
            case TextRow():
                canvas.text(row.indent_columns * COLUMN_DOTS, y + AIR_DOTS // 2, row.text, _face(row))
            case QrRow():
                _draw_qr(canvas, y, row)
            case BarcodeRow():
                _draw_barcode(canvas, y, row)
            case ImageRow():
                _draw_image(canvas, y, row)
            case BlankRow():
                pass
        y += row.height_dots
    return canvas


def _text_rows(item: PrintText, columns: int) -> list[SlipRow]:
    size = 2 if item.double_width else 1
    return [
        TextRow(
            line,
            indent(line, columns // size, item.align) * size
            + (size - 1) * _half_column(line, columns, item.align),
            item.bold,
            item.double_width,
            item.double_height,
        )
        for line in wrap(visible(item.text), columns // size)
    ]


def _half_column(line: str, columns: int, align: Align) -> int:
    """1 where the middle of a double-width line falls between two double columns, else 0."""
    return (columns // 2 - text_columns(line)) % 2 if align is Align.CENTRE else 0


def _pair_rows(item: PrintPair, columns: int) -> list[SlipRow]:
    """Label and value in one line with a space between; else the value at the right of the lines below."""
    label, value = visible(item.label), visible(item.value)
    free = columns - text_columns(label) - text_columns(value)
    if free >= 1:
        lines = [(label + " " * free + value, 0)]
    else:
        lines = [(line, 0) for line in wrap(label, columns) if label]
        lines += [(line, indent(line, columns, Align.RIGHT)) for line in wrap(value, columns) if value]
    return [TextRow(text, start, item.bold, double_height=item.double_height) for text, start in lines]


def _black_dots(row: SlipRow) -> int:
    match row:
        case TextRow():
            inked_columns = text_columns(row.text) - row.text.count(" ")
            area = (2 if row.double_width else 1) * (2 if row.double_height else 1)
            return inked_columns * area * (85 if row.bold else 60)
        case QrRow():
            return row.height_dots**2 // 3
        case BarcodeRow():
            return BARCODE_DOTS * width_dots(row.bars, BARCODE_MODULE_DOTS) // 2
        case ImageRow():
            return sum(int.from_bytes(dots).bit_count() for dots in row.rows)
        case BlankRow():
            return 0
        case _:
            assert_never(row)


def _rule(character: str, columns: int) -> str:
    """A full line of the character (the first, if there are several; "-" for one without a width)."""
    char = visible(character)[:1] or "-"
    width = char_columns(char)
    return char * (columns // width) if width else "-" * columns


def _face(row: TextRow) -> Face:
    return Face(6 if row.double_width else 3, 6 if row.double_height else 3, row.bold)


def _barcode_rows(item: PrintBarcode, columns: int) -> list[SlipRow]:
    """The bar code; its data as text where the symbology cannot hold them, or the paper is too narrow."""
    try:
        code = bars(item.symbology, item.data)
    except BarcodeError:
        code = None
    if code is None or width_dots(code, BARCODE_MODULE_DOTS) > columns * COLUMN_DOTS:
        return _text_rows(PrintText(item.data, Align.CENTRE), columns)
    return [BarcodeRow(code, item.symbology.value)]


def _draw_barcode(canvas: Canvas, y: int, row: BarcodeRow) -> None:
    dots = bar_row(row.bars, BARCODE_MODULE_DOTS)
    canvas.draw((canvas.width - len(dots)) // 2, y + AIR_DOTS // 2, (dots,) * BARCODE_DOTS)
    text = cut(visible(row.bars.text), canvas.width // COLUMN_DOTS)
    x = (canvas.width - text_columns(text) * COLUMN_DOTS) // 2
    canvas.text(x, y + BARCODE_DOTS + AIR_DOTS, text, Face(3, 3))


def _draw_image(canvas: Canvas, y: int, row: ImageRow) -> None:
    dots = tuple(bytes(byte >> bit & 1 for byte in packed for bit in range(7, -1, -1)) for packed in row.rows)
    if dots:
        canvas.draw(max(0, (canvas.width - len(dots[0])) // 2), y, dots)


def _draw_qr(canvas: Canvas, y: int, row: QrRow) -> None:
    try:
        size = qr_size(row.data, row.height_dots)
    except QrTooLongError:
        size = None
    if size is None:
        note = cut("[QR: too much data]", canvas.width // COLUMN_DOTS)
        canvas.text(0, y, note, Face(3, 3))
        return
    dots = qr_dots(row.data, size)
    canvas.draw((canvas.width - len(dots)) // 2, y + (row.height_dots - len(dots)) // 2, dots)
