"""What is to be printed, as ESC/POS: one item in, pieces of bytes out.

The plan of this file. `Commands.pieces` lays an item out as every printer of posterm does
(`hal.raster.slip.lay_out`), so that the lines are the same on paper as in a simulation, and puts each row
into commands. Each piece is a whole number of commands and small enough for any printer's buffer: a driver
sends one, and the next when that one was printed. Nothing is left switched on after an item.

Source: Epson, "ESC/POS Command Reference"; `docs/decisions/` says why these bytes are not python-escpos'.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from hal.api import Align, OpenDrawer, PrintCut, PrintImage, PrintItem, PrintText, Symbology
from hal.escpos.model import PrinterModel
from hal.escpos.text import TextEncoder
from hal.raster import slip
from hal.raster.font import Rows
from hal.raster.qr import QrTooLongError, qr_dots, qr_size

INITIALISE = b"\x1b@"
PIECE_BYTES_MAX = 1024
"""A piece may be longer by one line of text or one band of an image; printers buffer 4 KiB, old ones 45
lines.
"""

_BAND_ROWS = 8
_FEED_LINES_MAX = 255
_FONT_A = b"\x1bM\x00"
_BOLD_ON, _BOLD_OFF = b"\x1bE\x01", b"\x1bE\x00"
_SIZE, _SIZE_OFF = b"\x1d!", b"\x1d!\x00"
_ALIGN = {Align.LEFT: b"\x1ba\x00", Align.CENTRE: b"\x1ba\x01", Align.RIGHT: b"\x1ba\x02"}
_FULL_CUT, _PARTIAL_CUT = b"\x1dV\x41\x00", b"\x1dV\x42\x00"  # both feed to the cutter first
_PULSE_ON, _PULSE_OFF = 50, 250  # units of 2 ms

_BAR_CODES = {
    Symbology.UPC_A: 65,
    Symbology.UPC_E: 66,
    Symbology.EAN13: 67,
    Symbology.EAN8: 68,
    Symbology.CODE39: 69,
    Symbology.ITF: 70,
    Symbology.CODABAR: 71,
    Symbology.CODE93: 72,
    Symbology.CODE128: 73,
}


class Commands:
    """The commands for one printer."""

    def __init__(self, model: PrinterModel, *, chinese: bool = True) -> None:
        self._model = model
        self._text = TextEncoder(model.code_pages, chinese=chinese)

    def prepare(self) -> bytes:
        """As after power-on, and no Kanji mode, which some printers begin with."""
        return INITIALISE + _FONT_A + b"\x1c."

    def pieces(self, item: PrintItem) -> list[bytes]:
        """The bytes of an item, in order; at least one piece, which may be empty."""
        return _joined(self._commands(item)) or [b""]

    def _commands(self, item: PrintItem) -> Iterator[bytes]:
        match item:
            case OpenDrawer(number):
                yield b"\x1bp" + bytes([number & 1, _PULSE_ON, _PULSE_OFF])
                return
            case PrintCut(partial):
                yield self._cut(partial=partial)
                return
            case PrintImage(rows):
                yield from self._image(rows)
                return
        align = item.align if isinstance(item, PrintText) else Align.LEFT
        for row in slip.lay_out(item, self._model.columns):
            match row:
                case slip.TextRow():
                    yield self._line(row, align)
                case slip.BlankRow(_, lines, _):
                    yield from _feed(lines)
                case slip.QrRow():
                    yield from self._qr(row)
                case slip.BarcodeRow():
                    yield from self._bar_code(row)
                case slip.ImageRow():
                    yield from self._image(row.rows)
                case _:
                    assert_never(row)

    def _line(self, row: slip.TextRow, align: Align) -> bytes:
        """One line of text, and everything as it was before."""
        size = (0x10 if row.double_width else 0) | (0x01 if row.double_height else 0)
        indent = b"" if align is not Align.LEFT else b" " * row.indent_columns
        return b"".join(
            [
                _ALIGN[align] if align is not Align.LEFT else b"",
                indent,
                _BOLD_ON if row.bold else b"",
                _SIZE + bytes([size]) if size else b"",
                self._text.encode(row.text),
                b"\n",
                _feed_dots(slip.AIR_DOTS) if row.double_height else b"",  # lines so high leave no air
                _SIZE_OFF if size else b"",
                _BOLD_OFF if row.bold else b"",
                _ALIGN[Align.LEFT] if align is not Align.LEFT else b"",
            ]
        )

    def _cut(self, *, partial: bool) -> bytes:
        """Feed to the cutter and cut; to the tear bar where there is none."""
        if not self._model.has_cutter:
            return _feed_dots(slip.CUT_DOTS)
        return _PARTIAL_CUT if partial and self._model.has_partial_cut else _FULL_CUT

    # --- codes ---------------------------------------------------------------------------------------

    def _qr(self, row: slip.QrRow) -> Iterator[bytes]:
        side_dots = min(row.height_dots, self._model.width_dots)
        try:
            size = qr_size(row.data, side_dots)
        except QrTooLongError:
            size = None
        if size is None:
            yield self._line(slip.TextRow("[QR: too much data]"), Align.LEFT)
        elif self._model.draws_qr:
            data = row.data.encode()
            quiet = _feed_dots(size.scale * size.quiet_modules)
            code = (
                _symbol(b"1A2\0"),  # model 2
                _symbol(b"1C" + bytes([min(size.scale, 16)])),
                _symbol(b"1E1"),  # error correction M
                _symbol(b"1P0" + data),
                _symbol(b"1Q0"),
            )
            yield quiet + _ALIGN[Align.CENTRE] + b"".join(code) + _ALIGN[Align.LEFT] + quiet
        else:
            yield from self._dots(qr_dots(row.data, size))

    def _bar_code(self, row: slip.BarcodeRow) -> Iterator[bytes]:
        """The printer's own bars, with its own characters below."""
        if not self._model.draws_bar_codes:
            yield self._line(slip.TextRow(row.bars.text), Align.CENTRE)
            return
        symbology = Symbology(row.name)
        data = row.bars.text.encode("latin-1")
        if symbology is Symbology.CODE128:
            data = _code128(data)
        yield b"".join(
            [
                _feed_dots(slip.AIR_DOTS),
                _ALIGN[Align.CENTRE],
                b"\x1dh" + bytes([slip.BARCODE_DOTS]),
                b"\x1dw" + bytes([slip.BARCODE_MODULE_DOTS]),
                b"\x1df\x00\x1dH\x02",  # characters of font A, below
                b"\x1dk" + bytes([_BAR_CODES[symbology], len(data)]) + data,
                _ALIGN[Align.LEFT],
                _feed_dots(slip.AIR_DOTS),
            ]
        )

    # --- images --------------------------------------------------------------------------------------

    def _dots(self, rows: Rows) -> Iterator[bytes]:
        """Rows of one byte a dot."""
        yield from self._image([_packed(row) for row in rows])

    def _image(self, rows: Sequence[bytes]) -> Iterator[bytes]:
        """Bands of GS v 0, centred; what is wider than the paper is cut off."""
        width_bytes = min(len(rows[0]), self._model.width_dots // 8) if rows else 0
        if not width_bytes:
            return
        yield _ALIGN[Align.CENTRE]
        for at in range(0, len(rows), _BAND_ROWS):
            band = rows[at : at + _BAND_ROWS]
            data = b"".join(row[:width_bytes].ljust(width_bytes, b"\0") for row in band)
            size = width_bytes.to_bytes(2, "little") + len(band).to_bytes(2, "little")
            yield b"\x1dv0\0" + size + _harmless(data)
        yield _ALIGN[Align.LEFT]


def _joined(commands: Iterable[bytes]) -> list[bytes]:
    """Commands put together as long as they fit a piece."""
    pieces: list[bytes] = []
    for command in commands:
        if pieces and len(pieces[-1]) + len(command) <= PIECE_BYTES_MAX:
            pieces[-1] += command
        else:
            pieces.append(command)
    return pieces


def _feed(lines: int) -> Iterator[bytes]:
    while lines > 0:
        yield b"\x1bd" + bytes([min(lines, _FEED_LINES_MAX)])
        lines -= _FEED_LINES_MAX


def _feed_dots(dots: int) -> bytes:
    """Blank paper of less than 256 dots."""
    return b"\x1bJ" + bytes([min(dots, 255)])


def _symbol(data: bytes) -> bytes:
    return b"\x1d(k" + len(data).to_bytes(2, "little") + data


def _code128(data: bytes) -> bytes:
    """Set C for an even number of digits, else set B: the same choice as `hal.raster.barcode`."""
    if data.isdigit() and len(data) % 2 == 0:
        return b"{C" + bytes(int(data[at : at + 2]) for at in range(0, len(data), 2))
    return b"{B" + data.replace(b"{", b"{{")


def _packed(row: bytes) -> bytes:
    return bytes(
        sum(dot << 7 - bit for bit, dot in enumerate(row[at : at + 8])) for at in range(0, len(row), 8)
    )


def _harmless(data: bytes) -> bytes:
    """The image, with a dot more where it looks like a request in real time (DLE EOT, DLE ENQ, DLE DC4).

    Source: Epson, ESC/POS Command Reference, notes on DLE EOT: it is executed within image data as well.
    """
    for request in (b"\x10\x04", b"\x10\x05", b"\x10\x14"):
        data = data.replace(request, b"\x11" + request[1:])
    return data
