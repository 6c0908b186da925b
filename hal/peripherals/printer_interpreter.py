"""From the commands of ESC/POS to what a printer does.

The plan of this file. `Interpreter` holds the modes, the line that is being filled, and the memories;
`execute` takes one token. What a command does is a function in a table, by the command's name: the modes of
text and the layout here, images and symbols in `printer_graphics`, cutter, drawer and status in
`printer_control`. A command without an entry does nothing: its length is known, so nothing of it is printed.

In page mode lines are kept until FF or ESC FF prints them; where the page's commands would put them is not
modelled: they stand one below the other.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping

from hal.peripherals.printer_actions import Action
from hal.peripherals.printer_images import ImageMemory
from hal.peripherals.printer_line import LINE_SPACING_DOTS, Line, Modes
from hal.peripherals.printer_paper import SLIP_DOTS_MAX, PrintedLine, Strip
from hal.peripherals.printer_text import KanjiEncoding, TextDecoder
from hal.peripherals.printer_tokens import Token, TokenKind
from hal.raster.font import Rows

SYMBOL_BYTES_MAX = 7_089
"""What the largest QR code holds."""

NAMES_COUNTED_MAX = 1000

Handler = Callable[["Interpreter", bytes], None]


class Interpreter:
    """The state that commands change. What is to be done appears in `actions`, in order."""

    def __init__(
        self, width_dots: int, *, kanji_encoding: KanjiEncoding = "gb18030", kanji_at_start: bool = False
    ) -> None:
        self.width_dots = width_dots
        self.actions: deque[Action] = deque()
        self.skipped: Counter[str] = Counter()
        """How often a command did nothing, by its name: unknown ones, and those that are not modelled."""
        self.text = TextDecoder(kanji_encoding)
        self._kanji_at_start = kanji_at_start
        self.downloaded = ImageMemory()
        self.stored = ImageMemory()  # non-volatile: ESC @ leaves it alone
        self.page: list[Strip] | None = None
        self._page_weight = 0
        self.reset()

    def reset(self) -> None:
        """ESC @: as after power-on, with what is stored for good."""
        self.modes = Modes(self.width_dots, self.width_dots)
        self.line = Line(self.modes, self.emit_strip)
        self.text.reset(kanji=self._kanji_at_start)
        self.page = None
        self.user_glyphs: dict[tuple[int, int], Rows] = {}
        self.downloaded.clear()
        self.graphics: Rows = ()
        self.symbol_data: dict[int, bytes] = {}
        self.symbol_options: dict[tuple[int, int], bytes] = {}

    def execute(self, token: Token) -> None:
        """Do what a token says."""
        if token.kind is TokenKind.TEXT:
            for first_byte, char in self.text.characters(token.data):
                self._print(first_byte, char)
            return
        for first_byte, char in self.text.end_of_text():
            self._print(first_byte, char)
        handler = handlers().get(token.name) if token.kind is TokenKind.COMMAND else None
        if handler is not None:
            handler(self, token.data)
        elif token.name in self.skipped or len(self.skipped) < NAMES_COUNTED_MAX:
            self.skipped[token.name] += 1

    def emit(self, action: Action) -> None:
        """Let something be done after what was said before."""
        self.actions.append(action)

    def emit_strip(self, strip: Strip) -> None:
        """Print a strip; in page mode keep it for the page."""
        if self.page is None:
            self.actions.append(strip)
        elif self._page_weight < SLIP_DOTS_MAX:
            self.page.append(strip)
            self._page_weight += max(1, strip.height_dots, len(strip.lines))

    def begin_page(self) -> None:
        """Keep what is printed from now on, in an empty page."""
        self.page = []
        self._page_weight = 0

    def _print(self, first_byte: int, char: str) -> None:
        own = self.user_glyphs.get((self.modes.font, first_byte)) if self.modes.user_defined else None
        self.line.character(char, own)


def handlers() -> Mapping[str, Handler]:
    """What every command does, by its name."""
    from hal.peripherals import printer_control, printer_graphics

    if not _ALL:
        _ALL.update({**_HANDLERS, **printer_graphics.HANDLERS, **printer_control.HANDLERS})
    return _ALL


_ALL: dict[str, Handler] = {}


# --- text --------------------------------------------------------------------------------------------


def _sizes(printer: Interpreter, data: bytes) -> None:
    """GS ! n: width in the high half, height in the low one."""
    printer.modes.width = (data[0] >> 4 & 7) + 1
    printer.modes.height = (data[0] & 7) + 1


def _print_mode(printer: Interpreter, data: bytes) -> None:
    """ESC ! n: font, bold, double height and width, underline in one byte."""
    modes, bits = printer.modes, data[0]
    modes.font = bits & 1
    modes.bold = bool(bits & 0x08)
    modes.height = 2 if bits & 0x10 else 1
    modes.width = 2 if bits & 0x20 else 1
    modes.underline = 1 if bits & 0x80 else 0


def _kanji_print_mode(printer: Interpreter, data: bytes) -> None:
    """FS ! n: the same for double-byte characters."""
    modes, bits = printer.modes, data[0]
    modes.kanji_width = 2 if bits & 0x04 else 1
    modes.kanji_height = 2 if bits & 0x08 else 1
    modes.kanji_underline = 1 if bits & 0x80 else 0


def _quadruple(printer: Interpreter, data: bytes) -> None:
    """FS W n: double-byte characters twice as wide and high."""
    printer.modes.kanji_width = printer.modes.kanji_height = 2 if data[0] & 1 else 1


def _kanji_spacing(printer: Interpreter, data: bytes) -> None:
    printer.modes.kanji_left_dots, printer.modes.kanji_right_dots = data[0], data[1]


def _font(printer: Interpreter, data: bytes) -> None:
    """ESC M n: font A or B; fonts that are not there are taken for A."""
    printer.modes.font = 1 if data[0] in b"\x01\x31" else 0


def _upside_down(printer: Interpreter, data: bytes) -> None:
    """ESC { n: counts only at the start of a line."""
    if printer.line.is_empty:
        printer.modes.upside_down = bool(data[0] & 1)


def _align(printer: Interpreter, data: bytes) -> None:
    """ESC a n: counts only at the start of a line."""
    if data[0] in b"\x00\x01\x0201\x32" and printer.line.is_empty:
        printer.modes.align = data[0] & 3


def _kanji(*, on: bool) -> Handler:
    def switch(printer: Interpreter, _: bytes) -> None:
        printer.text.kanji = on

    return switch


def _code_page(printer: Interpreter, data: bytes) -> None:
    printer.text.code_page = data[0]


def _country(printer: Interpreter, data: bytes) -> None:
    printer.text.country = data[0]


def _flag(name: str) -> Handler:
    """A mode that bit 0 switches."""

    def switch(printer: Interpreter, data: bytes) -> None:
        setattr(printer.modes, name, bool(data[0] & 1))

    return switch


def _underline(name: str) -> Handler:
    """A thickness: 0, 1 or 2 dots, as number or as digit."""

    def switch(printer: Interpreter, data: bytes) -> None:
        if data[0] in b"\x00\x01\x02012":
            setattr(printer.modes, name, data[0] & 3)

    return switch


# --- layout ------------------------------------------------------------------------------------------


def _dots(units: int, unit_dpi: int) -> int:
    """Units of GS P in dots of 1/203 inch; without GS P a unit is a dot."""
    return units if not unit_dpi else round(units * 203 / unit_dpi)


def _word(data: bytes, at: int = 0) -> int:
    return data[at] | data[at + 1] << 8


def _line_feed(printer: Interpreter, _: bytes) -> None:
    printer.line.end()


def _feed_lines(printer: Interpreter, data: bytes) -> None:
    """ESC d n: print, and go n lines down."""
    lines = data[0]
    if lines and not printer.line.is_empty:
        printer.line.end()
        lines -= 1
    printer.line.end_if_begun()
    if lines:
        printer.emit_strip(Strip(lines * printer.modes.line_spacing_dots, None, (PrintedLine(""),) * lines))


def _feed_dots(printer: Interpreter, data: bytes) -> None:
    printer.line.end_with_feed(_dots(data[0], printer.modes.vertical_unit_dpi))


def _print_line(printer: Interpreter, _: bytes) -> None:
    printer.line.end_if_begun()


def _spacing(printer: Interpreter, data: bytes) -> None:
    printer.modes.line_spacing_dots = _dots(data[0], printer.modes.vertical_unit_dpi)


def _default_spacing(printer: Interpreter, _: bytes) -> None:
    printer.modes.line_spacing_dots = LINE_SPACING_DOTS


def _character_spacing(printer: Interpreter, data: bytes) -> None:
    printer.modes.character_spacing_dots = _dots(data[0], printer.modes.horizontal_unit_dpi)


def _units(printer: Interpreter, data: bytes) -> None:
    printer.modes.horizontal_unit_dpi, printer.modes.vertical_unit_dpi = data[0], data[1]


def _tab(printer: Interpreter, _: bytes) -> None:
    """HT: to the next tab stop; without one it does nothing."""
    column = printer.modes.column_dots()
    stops = (stop * column for stop in printer.modes.tab_columns)
    printer.line.move_to(next((stop for stop in stops if stop > printer.line.x), printer.line.x))


def _tab_stops(printer: Interpreter, data: bytes) -> None:
    """ESC D: ascending columns; the first that does not ascend ends the list."""
    stops: list[int] = []
    for column in data[:32]:
        if column <= (stops[-1] if stops else 0):
            break
        stops.append(column)
    printer.modes.tab_columns = tuple(stops)


def _place(printer: Interpreter, data: bytes) -> None:
    printer.line.move_to(_dots(_word(data), printer.modes.horizontal_unit_dpi))


def _relative_place(printer: Interpreter, data: bytes) -> None:
    units = _word(data)
    units -= 0x10000 if units & 0x8000 else 0
    printer.line.move_to(printer.line.x + _dots(units, printer.modes.horizontal_unit_dpi))


def _left_margin(printer: Interpreter, data: bytes) -> None:
    """GS L: counts only at the start of a line."""
    if printer.line.is_empty:
        margin = _dots(_word(data), printer.modes.horizontal_unit_dpi)
        printer.modes.left_margin_dots = min(margin, printer.width_dots - 1)


def _area_width(printer: Interpreter, data: bytes) -> None:
    """GS W: counts only at the start of a line; a width of one character at least."""
    if printer.line.is_empty:
        width = _dots(_word(data), printer.modes.horizontal_unit_dpi)
        printer.modes.area_set_dots = max(1, width)


# --- page mode ---------------------------------------------------------------------------------------


def _begin_page(printer: Interpreter, _: bytes) -> None:
    if printer.page is None and printer.line.is_empty:
        printer.begin_page()


def _end_page(printer: Interpreter, _: bytes) -> None:
    """ESC S: back to standard mode; a page that was not printed is dropped."""
    if printer.page is not None:
        printer.line.clear()
        printer.page = None


def _print_page(printer: Interpreter, _: bytes, *, keep: bool = False) -> None:
    page = printer.page
    if page is None:
        return
    printer.line.end_if_begun()
    printer.actions.extend(page)
    printer.page = page if keep else None


def _form_feed(printer: Interpreter, data: bytes) -> None:
    """FF: prints the page and ends page mode; in standard mode it ends a line that was begun."""
    if printer.page is None:
        printer.line.end_if_begun()
    else:
        _print_page(printer, data)


def _cancel_page(printer: Interpreter, _: bytes) -> None:
    if printer.page is not None:
        printer.begin_page()
        printer.line.clear()


def _reset(printer: Interpreter, _: bytes) -> None:
    printer.reset()


def _nothing(_: Interpreter, __: bytes) -> None:
    """A command whose effect is not modelled, or is none on such a printer."""


_HANDLERS: Mapping[str, Handler] = {
    "LF": _line_feed,
    "CR": _nothing,  # as printers are delivered: LF alone moves the paper
    "FF": _form_feed,
    "CAN": _cancel_page,
    "DLE DC4": _nothing,  # requests in real time were obeyed when they came in
    "DLE ENQ": _nothing,
    "DLE EOT": _nothing,
    "HT": _tab,
    "ESC FF": lambda printer, data: _print_page(printer, data, keep=True),
    "ESC SP": _character_spacing,
    "ESC !": _print_mode,
    "ESC $": _place,
    "ESC %": _flag("user_defined"),
    "ESC -": _underline("underline"),
    "ESC 2": _default_spacing,
    "ESC 3": _spacing,
    "ESC @": _reset,
    "ESC D": _tab_stops,
    "ESC E": _flag("bold"),
    "ESC G": _flag("double_strike"),
    "ESC J": _feed_dots,
    "ESC K": _print_line,
    "ESC L": _begin_page,
    "ESC M": _font,
    "ESC R": _country,
    "ESC S": _end_page,
    "ESC V": _flag("rotated"),
    "ESC \\": _relative_place,
    "ESC a": _align,
    "ESC d": _feed_lines,
    "ESC e": _print_line,
    "ESC t": _code_page,
    "ESC {": _upside_down,
    "FS !": _kanji_print_mode,
    "FS &": _kanji(on=True),
    "FS ( A": _nothing,  # the font of double-byte characters: there is one
    "FS -": _underline("kanji_underline"),
    "FS .": _kanji(on=False),
    "FS C": _nothing,  # JIS or Shift JIS: the encoding is the printer's
    "FS S": _kanji_spacing,
    "FS W": _quadruple,
    "GS !": _sizes,
    "GS B": _flag("invert"),
    "GS L": _left_margin,
    "GS P": _units,
    "GS W": _area_width,
    "GS b": _nothing,  # smoothing: large characters are drawn smooth
    "GS \\": _nothing,  # a place on the page
}
