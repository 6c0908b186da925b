"""Images, bar codes and two-dimensional codes of ESC/POS.

Bar codes and QR codes are drawn; PDF417, MaxiCode, DataMatrix, Aztec and GS1 DataBar are not: a frame with
the code's name and data stands where they would. What is wider than the print area is not printed at all, as
on a real printer, except images, which are cut off at the right.
"""

from __future__ import annotations

from collections.abc import Mapping

from hal.api import Symbology
from hal.peripherals.printer_images import ROWS_MAX, cropped, from_columns, from_raster
from hal.peripherals.printer_interpreter import SYMBOL_BYTES_MAX, Handler, Interpreter
from hal.peripherals.printer_line import enlarged
from hal.peripherals.printer_paper import PrintedLine, strip_of
from hal.raster import barcode
from hal.raster.canvas import Canvas
from hal.raster.font import Face, Rows
from hal.raster.qr import QrTooLongError, qr_symbol
from hal.raster.width import cut, text_columns, visible

_DOWNLOADED, _STORED = "downloaded", "stored"


def _word(data: bytes, at: int) -> int:
    return data[at] | data[at + 1] << 8


# --- images ------------------------------------------------------------------------------------------


def print_rows(printer: Interpreter, rows: Rows, times_x: int = 1, times_y: int = 1) -> None:
    """Print an image on lines of its own, aligned as text would be."""
    if not rows or len(rows) > ROWS_MAX:
        return
    printer.line.end_if_begun()
    text = f"[image {len(rows[0])}x{len(rows)}]"
    rows = enlarged(cropped(rows, printer.modes.area_width_dots), times_x, times_y)
    _print_drawn(printer, cropped(rows, printer.modes.area_width_dots), text)


def _print_drawn(printer: Interpreter, rows: Rows, text: str) -> None:
    canvas = Canvas(printer.width_dots, len(rows))
    canvas.draw(printer.line.offset_of(len(rows[0])), 0, rows)
    if printer.modes.upside_down:
        canvas.dots.reverse()
    line = PrintedLine(text, printer.modes.style_now(), is_graphic=True)
    printer.emit_strip(strip_of(canvas, canvas.height, line))


def _column_image(printer: Interpreter, data: bytes) -> None:
    """ESC * m nL nH d: a part of the line, 8 or 24 dots high; low density doubles dots."""
    mode, width = data[0], _word(data, 1)
    if mode not in {0, 1, 32, 33} or not width:
        return
    is_high = bool(mode & 0x20)
    rows = from_columns(data[3:], 3 if is_high else 1)
    rows = cropped(rows, printer.modes.area_width_dots)
    rows = enlarged(rows, 1 if mode & 1 else 2, 1 if is_high else 3)
    rows = cropped(rows, printer.modes.area_width_dots)
    printer.line.add(rows, len(rows[0]), "")


def _raster_image(printer: Interpreter, data: bytes) -> None:
    """GS v 0 m xL xH yL yH d."""
    mode, width_bytes, height = data[0] & 3, _word(data, 1), _word(data, 3)
    if width_bytes and 0 < height <= ROWS_MAX:
        rows = from_raster(data[5:], width_bytes, height)
        print_rows(printer, rows, 1 + (mode & 1), 1 + (mode >> 1))


def _downloaded_image(printer: Interpreter, data: bytes) -> None:
    """GS * x y d: x times 8 columns of y bytes."""
    if data[0] and data[1]:
        printer.downloaded.store(_DOWNLOADED, from_columns(data[2:], data[1]))


def _print_downloaded(printer: Interpreter, data: bytes) -> None:
    """GS / m."""
    print_rows(
        printer, printer.downloaded.images.get(_DOWNLOADED, ()), 1 + (data[0] & 1), 1 + (data[0] >> 1 & 1)
    )


def _store_images(printer: Interpreter, data: bytes) -> None:
    """FS q n, then images of xL xH yL yH and columns: all that was stored before is replaced."""
    printer.stored.clear()
    at = 1
    for number in range(1, data[0] + 1):
        width, height_bytes = _word(data, at) * 8, _word(data, at + 2)
        size = width * height_bytes
        if size and height_bytes * 8 <= ROWS_MAX:
            printer.stored.store(number, from_columns(data[at + 4 : at + 4 + size], height_bytes))
        at += 4 + size


def _print_stored(printer: Interpreter, data: bytes) -> None:
    """FS p n m."""
    print_rows(printer, printer.stored.images.get(data[0], ()), 1 + (data[1] & 1), 1 + (data[1] >> 1 & 1))


def _graphics(printer: Interpreter, data: bytes) -> None:
    """GS ( L and GS 8 L: m fn, then what the function wants."""
    if len(data) < 2 or data[0] != 0x30:
        return
    function, rest = data[1], data[2:]
    if function in {2, 50}:
        rows, times_x, times_y = printer.graphics, 1, 1
        if rows and len(rows[0]) and printer.symbol_options.get((0, 0)):
            times_x, times_y = printer.symbol_options[0, 0]
        printer.graphics = ()
        print_rows(printer, rows, times_x, times_y)
    elif function in {112, 113} and len(rest) >= 8:
        scale = (rest[1] if rest[1] in {1, 2} else 1, rest[2] if rest[2] in {1, 2} else 1)
        printer.symbol_options[0, 0] = bytes(scale)
        printer.graphics = _graphics_rows(rest[4:], is_raster=function == 112)
    elif function in {67, 83} and len(rest) >= 8:
        memory = printer.stored if function == 67 else printer.downloaded
        memory.store(rest[1:3], _graphics_rows(rest[4:8] + rest[9:], is_raster=True))
    elif function in {69, 85} and len(rest) >= 4:
        memory = printer.stored if function == 69 else printer.downloaded
        sizes = [size if size in {1, 2} else 1 for size in rest[2:4]]
        print_rows(printer, memory.images.get(rest[:2], ()), *sizes)
    elif function in {65, 81}:
        (printer.stored if function == 65 else printer.downloaded).clear()


def _graphics_rows(data: bytes, *, is_raster: bool) -> Rows:
    """From xL xH yL yH d: x and y in dots; data that are too short make no image."""
    width, height = _word(data, 0), _word(data, 2)
    body = data[4:]
    if not width or not 0 < height <= ROWS_MAX:
        return ()
    if is_raster:
        width_bytes = (width + 7) // 8
        rows = from_raster(body, width_bytes, height) if len(body) >= width_bytes * height else ()
    else:
        height_bytes = (height + 7) // 8
        rows = from_columns(body, height_bytes)[:height] if len(body) >= width * height_bytes else ()
    return cropped(rows, width)


def _user_characters(printer: Interpreter, data: bytes) -> None:
    """ESC & y c1 c2, then for each x and x columns of y bytes: dots in place of a character."""
    height_bytes, first, last = data[:3]
    at = 3
    for code in range(first, last + 1):
        width = data[at]
        columns = data[at + 1 : at + 1 + width * height_bytes]
        at += 1 + len(columns)
        if width and height_bytes and 0x20 <= code <= 0x7E:
            cell_width, cell_height = (9, 17) if printer.modes.font else (12, 24)
            rows = from_columns(columns, height_bytes)[:cell_height]
            rows = tuple(row[:cell_width].ljust(cell_width, b"\0") for row in rows)
            printer.user_glyphs[printer.modes.font, code] = rows


def _forget_character(printer: Interpreter, data: bytes) -> None:
    printer.user_glyphs.pop((printer.modes.font, data[0]), None)


# --- bar codes ---------------------------------------------------------------------------------------

_SYMBOLOGIES = (
    Symbology.UPC_A,
    Symbology.UPC_E,
    Symbology.EAN13,
    Symbology.EAN8,
    Symbology.CODE39,
    Symbology.ITF,
    Symbology.CODABAR,
)
_GS1_128, _CODE128_AUTO = 74, 79


def _bar_code(printer: Interpreter, data: bytes) -> None:
    """GS k m d NUL, and GS k m n d. What the symbology cannot hold prints nothing."""
    printer.line.end_if_begun()
    kind, text = data[0], (data[1:] if data[0] < 0x41 else data[2:]).decode("latin-1")
    try:
        code = _bars(kind, text)
    except barcode.BarcodeError:
        printer.skipped["GS k"] += 1
        return
    if code is None:
        _print_frame(printer, "bar code", text)
        return
    row = barcode.row(code, printer.modes.bar_module_dots)
    if len(row) > printer.modes.area_width_dots:
        printer.skipped["GS k"] += 1
        return
    name = "CODE128" if kind >= 73 else _name(kind)
    rows = _with_text(printer, code.text, (row,) * printer.modes.bar_height_dots)
    _print_drawn(printer, rows, f"[{name} {visible(code.text)}]")


def _name(kind: int) -> str:
    return "CODE93" if kind == 72 else _SYMBOLOGIES[kind % 65].value


def _bars(kind: int, text: str) -> barcode.Bars | None:
    """The bars; None for a symbology that is not drawn. Raises BarcodeError."""
    number = kind if kind < 65 else kind - 65
    if number < len(_SYMBOLOGIES):
        return barcode.bars(_SYMBOLOGIES[number], text)
    if kind == 72:
        return barcode.bars(Symbology.CODE93, text)
    if kind in {73, _GS1_128}:
        return _code128(text, is_gs1=kind == _GS1_128)
    if kind == _CODE128_AUTO:
        return barcode.bars(Symbology.CODE128, text)
    return None


def _code128(text: str, *, is_gs1: bool) -> barcode.Bars:
    """Code 128 with {A {B {C for the sets, {1 to {4 for functions, {{ for a brace. Raises BarcodeError."""
    values: list[int] = []
    shown = ""
    code_set = ""
    if is_gs1:
        values, code_set = [barcode.CODE128_START["B"], 102], "B"
    at = 0
    while at < len(text):
        char, brace = text[at], text[at : at + 2]
        if char == "{" and brace[1:] in {"A", "B", "C"}:
            table = barcode.CODE128_SWITCH if code_set else barcode.CODE128_START
            if brace[1] != code_set:
                values.append(table[brace[1]])
            code_set = brace[1]
            at += 2
        elif char == "{" and brace[1:] in {"1", "2", "3", "4"}:
            values.append({"1": 102, "2": 97, "3": 96, "4": 101 if code_set == "A" else 100}[brace[1]])
            at += 2
        else:
            at += 2 if brace == "{{" else 1
            value, text_of_it = _code128_value(char, code_set)
            values.append(value)
            shown += text_of_it
    if not code_set or len(values) > barcode.DATA_MAX:
        raise barcode.BarcodeError("Code 128 begins with {A, {B or {C")
    return barcode.code128(values, shown)


def _code128_value(char: str, code_set: str) -> tuple[int, str]:
    point = ord(char)
    if code_set == "A" and point < 0x60:
        return point + 64 if point < 0x20 else point - 32, char
    if code_set == "B" and 0x20 <= point < 0x80:
        return point - 32, char
    if code_set == "C" and point < 100:
        return point, f"{point:02d}"
    raise barcode.BarcodeError("a character that the code set does not have")


def _with_text(printer: Interpreter, text: str, rows: Rows) -> Rows:
    """Bars with the characters for people above, below or at both places."""
    place = printer.modes.bar_text_place
    face = Face(2, 2) if printer.modes.bar_text_font else Face(3, 3)
    text = visible(text)
    width = text_columns(text) * face.column_dots
    if not place or not text or width > printer.modes.area_width_dots:
        return rows
    whole = max(width, len(rows[0]))
    label = Canvas(whole, face.height_dots + 2)
    label.text((whole - width) // 2, 1, text, face)
    label_rows = tuple(bytes(label.dots[at : at + whole]) for at in range(0, len(label.dots), whole))
    left = bytes((whole - len(rows[0])) // 2)
    rows = tuple((left + row).ljust(whole, b"\0") for row in rows)
    return (*(label_rows if place & 1 else ()), *rows, *(label_rows if place & 2 else ()))


def _bar_height(printer: Interpreter, data: bytes) -> None:
    printer.modes.bar_height_dots = max(1, data[0])


def _bar_width(printer: Interpreter, data: bytes) -> None:
    """GS w n: 1 to 8 dots (Epson's own take 2 to 6); others change nothing."""
    if 1 <= data[0] <= 8:
        printer.modes.bar_module_dots = data[0]


def _bar_text_place(printer: Interpreter, data: bytes) -> None:
    printer.modes.bar_text_place = data[0] & 3


def _bar_text_font(printer: Interpreter, data: bytes) -> None:
    printer.modes.bar_text_font = data[0] & 1


# --- two-dimensional codes ---------------------------------------------------------------------------

_QR = 49
_NAMES = {
    48: "PDF417",
    49: "QR",
    50: "MaxiCode",
    51: "DataBar",
    52: "composite",
    53: "Aztec",
    54: "DataMatrix",
}
_QR_MODEL, _MODULE_DOTS, _CORRECTION = 65, 67, 69
_STORE, _PRINT = 80, 81


def _symbol(printer: Interpreter, data: bytes) -> None:
    """GS ( k: cn fn, then what the function wants."""
    if len(data) < 2 or data[0] not in _NAMES:
        return
    kind, function, rest = data[0], data[1], data[2:]
    if function == _STORE:
        printer.symbol_data[kind] = rest[1 : 1 + SYMBOL_BYTES_MAX]
    elif function == _PRINT:
        if stored := printer.symbol_data.get(kind):
            _print_symbol(printer, kind, stored)
    elif function in {_QR_MODEL, 66, _MODULE_DOTS, 68, _CORRECTION, 70}:
        printer.symbol_options[kind, function] = rest[:2]


def _print_symbol(printer: Interpreter, kind: int, data: bytes) -> None:
    text = _symbol_text(data)
    if kind != _QR:
        _print_frame(printer, _NAMES[kind], text)
        return
    printer.line.end_if_begun()
    options = printer.symbol_options
    module_dots = min(max(1, options.get((_QR, _MODULE_DOTS), b"\3")[:1][0]), 16)
    level = "LMQH"[options.get((_QR, _CORRECTION), b"0")[:1][0] & 3]
    is_micro = options.get((_QR, _QR_MODEL), b"2")[:1] == b"3"
    try:
        modules = qr_symbol(data, level, is_micro=is_micro)
    except QrTooLongError:
        printer.skipped["GS ( k"] += 1
        return
    if len(modules) * module_dots > printer.modes.area_width_dots:
        printer.skipped["GS ( k"] += 1
        return
    _print_drawn(printer, enlarged(modules, module_dots, module_dots), f"[QR {visible(text)}]")


def _symbol_text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _print_frame(printer: Interpreter, name: str, text: str) -> None:
    """A frame with a code's name and data, where the code would stand."""
    printer.line.end_if_begun()
    width = min(printer.modes.area_width_dots, 300)
    canvas = Canvas(width, 60)
    canvas.fill(0, 0, width, 60, 1)
    canvas.fill(2, 2, width - 4, 56, 0)
    face = Face(2, 2)
    for y, words in ((8, name), (32, visible(text))):
        canvas.text(8, y, cut(words, max(0, (width - 16) // face.column_dots)), face)
    rows = tuple(bytes(canvas.dots[at : at + width]) for at in range(0, len(canvas.dots), width))
    _print_drawn(printer, rows, f"[{name} {visible(text)}]")


HANDLERS: Mapping[str, Handler] = {
    "ESC &": _user_characters,
    "ESC *": _column_image,
    "ESC ?": _forget_character,
    "FS p": _print_stored,
    "FS q": _store_images,
    "GS ( L": _graphics,
    "GS ( k": _symbol,
    "GS *": _downloaded_image,
    "GS /": _print_downloaded,
    "GS 8 L": _graphics,
    "GS H": _bar_text_place,
    "GS f": _bar_text_font,
    "GS h": _bar_height,
    "GS k": _bar_code,
    "GS v 0": _raster_image,
    "GS w": _bar_width,
}
