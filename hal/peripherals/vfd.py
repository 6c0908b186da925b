"""A vacuum fluorescent customer display in software: two rows of twenty characters, as text and as a picture.

The command sets are data (`vfd_commands.toml`); each name there is a method here. Modelled: cursor, the
three writing modes, whole-row commands, running text, blinking, brightness, reverse characters,
annunciators, the bell, selecting the display on a shared line. Not modelled: characters of the user's own
and national variants (their commands are taken and change nothing), windows of the horizontal mode, macros.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

from hal.raster.canvas import Canvas, opaque

COLUMNS, ROWS = 20, 2
MARQUEE_STEP_MS = 250
_BLINK_UNIT_MS = 50
_ROW_TEXT_BYTES_MAX = 40
_SELECT_DISPLAY = 0x02  # the bit of ESC = that means us
_SPACE = 0x20
_CR = 0x0D

CommandSet = Literal["cd5220", "epson"]
Mode = Literal["overwrite", "vertical", "horizontal"]

_CODE_TABLES: Mapping[int, str] = {
    0: "cp437",
    2: "cp850",
    3: "cp860",
    4: "cp863",
    5: "cp865",
    16: "cp1252",
    19: "cp858",
}

_GLASS, _OFF, _ON = range(3)
_TEAL = (0x29, 0xF0, 0xC8)


@dataclass(frozen=True, slots=True)
class Cell:
    """One character on the glass, by its code."""

    code: int = _SPACE
    reverse: bool = False


@cache
def commands_of(command_set: CommandSet) -> Mapping[bytes, tuple[str, int]]:
    """The commands of a set: code -> (name, how many argument bytes)."""
    tables = tomllib.loads((resources.files("hal.peripherals") / "vfd_commands.toml").read_text("utf-8"))
    rows = {**tables["both"], **tables[command_set]}
    return {bytes.fromhex(code): (name, count) for code, (name, count) in rows.items()}


class Vfd:
    """A display's far side (`hal.peripherals.api.Peripheral`). It says nothing to the host.

    `multibyte`: a display made for China, whose two-byte codes are GB 18030's; else the code table is
    chosen by the host (Epson) or `code_table`.
    """

    mode: Mode
    code_table: str
    brightness: int
    cursor_is_on: bool
    blink_unit: int
    annunciators: set[int]
    _cells: list[list[Cell]]
    _x: int
    _y: int
    _is_behind_end: bool
    _reverse: bool
    _marquee: bytes | None
    _marquee_began_ms: int

    def __init__(
        self, command_set: CommandSet = "cd5220", *, code_table: str = "cp437", multibyte: bool = False
    ) -> None:
        self.command_set = command_set
        self.bells = 0
        """How often the bell rang."""
        self.unknown_bytes = 0
        """How many bytes made no command of this set."""
        self._commands = commands_of(command_set)
        self._prefixes = {code[:length] for code in self._commands for length in range(1, len(code))}
        self._first_code_table = code_table
        self._multibyte = multibyte
        self._methods: dict[str, Callable[[bytes], None]] = {
            name: getattr(self, f"_do_{name}") for name, _ in self._commands.values()
        }
        self._now_ms = 0
        self._pending = bytearray()  # a command that is not whole yet
        self._row_text: tuple[int | None, bytearray] | None = (
            None  # a row being sent up to its CR; None: marquee
        )
        self._is_selected = True
        self._skipped_bytes = 0
        self._do_initialise(b"")

    # --- the line ---

    def receive(self, data: bytes, now_ms: int) -> None:
        """Carry out what the host sent."""
        self._now_ms = max(self._now_ms, now_ms)
        for byte in data:
            self._take(byte)

    def take_output(self) -> bytes:
        """Nothing: such displays do not answer."""
        return b""

    def deadline_ms(self) -> int | None:
        """When the running text moves."""
        if self._marquee is None:
            return None
        return self._now_ms + MARQUEE_STEP_MS - (self._now_ms - self._marquee_began_ms) % MARQUEE_STEP_MS

    # --- what is seen ---

    @property
    def rows(self) -> tuple[str, ...]:
        """The text of both rows, 20 characters each (a Chinese character counts as two)."""
        return tuple(self._text(bytes(cell.code for cell in row)) for row in self._seen())

    @property
    def text(self) -> str:
        """Both rows without the spaces at their ends."""
        return "\n".join(row.rstrip() for row in self.rows)

    @property
    def is_lit(self) -> bool:
        """False in the dark half of a blink."""
        if not self.blink_unit:
            return True
        period_ms = self.blink_unit * _BLINK_UNIT_MS
        return self.blink_unit != 0xFF and (self._now_ms // period_ms) % 2 == 0

    def png(self, path: Path | str | None = None, *, scale: int = 3) -> bytes:
        """The glass as a PNG file: returned, and written to `path` if given."""
        canvas = Canvas(COLUMNS * 9 + 11, ROWS * 18 + 10, _GLASS)
        lit = _ON if self.is_lit else _OFF
        for row, cells in enumerate(self._seen()):
            for column, text in enumerate(self._cell_texts(cells)):
                x, y = 6 + 9 * column, 6 + 18 * row
                reverse = cells[column].reverse
                wide = 17 if text and not text.isascii() and self._multibyte else 8
                ink, paper = (_OFF, lit) if reverse else (lit, _OFF)
                if text:
                    canvas.fill(x, y, wide, 16, paper)
                    canvas.text(x, y, text, ink=ink, paper=paper)
        for column in sorted(self.annunciators):
            canvas.fill(6 + 9 * (column - 1), 2, 6, 2, _ON)
        share = self.brightness / 4
        colour = opaque(
            sum(
                round(part * (0.4 + 0.6 * share)) << shift
                for part, shift in zip(_TEAL, (16, 8, 0), strict=True)
            )
        )
        picture = canvas.enlarged(scale).png([opaque(0x0A1512), opaque(0x0E1D19), colour])
        if path is not None:
            Path(path).write_bytes(picture)
        return picture

    def _seen(self) -> list[list[Cell]]:
        rows = [list(row) for row in self._cells]
        if self._marquee is not None:
            step = (self._now_ms - self._marquee_began_ms) // MARQUEE_STEP_MS
            endless = (self._marquee + bytes((_SPACE,)) * COLUMNS) * 2
            start = step % (len(self._marquee) + COLUMNS)
            rows[0] = [Cell(code) for code in endless[start : start + COLUMNS]]
        return rows

    def _text(self, codes: bytes) -> str:
        return codes.decode("gb18030" if self._multibyte else self.code_table, "replace")

    def _cell_texts(self, cells: list[Cell]) -> list[str]:
        """One text a cell; the second cell of a wide character has none."""
        texts: list[str] = []
        for character in self._text(bytes(cell.code for cell in cells)):
            wide = self._multibyte and len(character.encode("gb18030", "replace")) > 1
            texts += [character, ""] if wide else [character]
        return (texts + [" "] * COLUMNS)[:COLUMNS]

    # --- from bytes to commands ---

    def _take(self, byte: int) -> None:
        if self._skipped_bytes:
            self._skipped_bytes -= 1
            return
        if self._row_text is not None:
            self._take_row_text(byte)
            return
        self._pending.append(byte)
        head = bytes(self._pending)
        if head in self._prefixes and head not in self._commands:
            return
        code = next(
            (head[:length] for length in range(1, len(head) + 1) if head[:length] in self._commands), None
        )
        if code is not None:
            name, count = self._commands[code]
            if name == "define":
                self._take_definition(head[len(code) :])
            elif len(head) == len(code) + count:
                self._pending.clear()
                if self._is_selected or name == "select":
                    self._methods[name](head[len(code) :])
        else:
            self._pending.clear()
            self._take_character(head)

    def _take_character(self, head: bytes) -> None:
        if len(head) > 1 or head[0] < _SPACE:
            self.unknown_bytes += len(head)
        elif self._is_selected:
            self._write(head[0])

    def _take_row_text(self, byte: int) -> None:
        assert self._row_text is not None
        row, text = self._row_text
        if byte == _CR:
            self._row_text = None
            if row is None:
                self._marquee, self._marquee_began_ms = bytes(text), self._now_ms
            else:
                padded = bytes(text[:COLUMNS]).ljust(COLUMNS)
                self._cells[row] = [Cell(code) for code in padded]
        elif byte < _SPACE:  # CLR and ESC end the string mode; anything else in it is damage
            self._row_text = None
            self._take(byte)
        elif len(text) < _ROW_TEXT_BYTES_MAX:
            text.append(byte)

    def _take_definition(self, arguments: bytes) -> None:
        """ESC & s n m [a, a bytes of dots] for each character n to m: taken whole."""
        if len(arguments) < 3:
            return
        _, first, last = arguments[:3]
        at = 3
        for _ in range(first, last + 1):
            if at >= len(arguments):
                return
            at += 1 + min(arguments[at], 16)
        if len(arguments) >= at:
            self._pending.clear()

    def _write(self, code: int) -> None:
        self._marquee = None
        if self._is_behind_end:
            self._advance()
        self._cells[self._y][self._x] = Cell(code, self._reverse)
        if self._x < COLUMNS - 1:
            self._x += 1
        elif self.mode == "overwrite":
            self._x, self._y = 0, (self._y + 1) % ROWS
        else:
            self._is_behind_end = True  # what scrolls does so when the next character comes

    def _advance(self) -> None:
        self._is_behind_end = False
        if self.mode == "horizontal":
            self._cells[self._y] = [*self._cells[self._y][1:], Cell()]
        elif self._y < ROWS - 1:
            self._x, self._y = 0, self._y + 1
        else:
            self._cells = [*self._cells[1:], [Cell()] * COLUMNS]
            self._x = 0

    # --- the commands, by their names in vfd_commands.toml ---

    def _do_initialise(self, _: bytes) -> None:
        self._cells = [[Cell()] * COLUMNS for _ in range(ROWS)]
        self._x = self._y = 0
        self._is_behind_end = False
        self._reverse = False
        self._marquee = None
        self._marquee_began_ms = 0
        self.mode = "overwrite"
        self.code_table = self._first_code_table
        self.brightness = 4
        self.cursor_is_on = False
        self.blink_unit = 0
        self.annunciators = set()

    def _do_ignore(self, _: bytes) -> None:
        pass

    def _do_define(self, _: bytes) -> None:
        pass

    def _do_select(self, argument: bytes) -> None:
        self._is_selected = bool(argument[0] & _SELECT_DISPLAY)

    def _do_bell(self, _: bytes) -> None:
        self.bells += 1

    def _do_clear(self, _: bytes) -> None:
        self._cells = [[Cell()] * COLUMNS for _ in range(ROWS)]
        self._marquee = None
        self._go(0, 0)

    def _do_clear_row(self, _: bytes) -> None:
        self._cells[self._y] = [Cell()] * COLUMNS
        self._marquee = None
        self._go(0, self._y)

    def _do_overwrite_mode(self, _: bytes) -> None:
        self.mode = "overwrite"

    def _do_vertical_mode(self, _: bytes) -> None:
        self.mode = "vertical"

    def _do_horizontal_mode(self, _: bytes) -> None:
        self.mode = "horizontal"

    def _do_upper_row(self, _: bytes) -> None:
        self._marquee = None
        self._row_text = (0, bytearray())

    def _do_lower_row(self, _: bytes) -> None:
        self._row_text = (1, bytearray())

    def _do_marquee(self, _: bytes) -> None:
        self._row_text = (None, bytearray())

    def _do_left(self, _: bytes) -> None:
        at = (self._y * COLUMNS + self._x - 1) % (ROWS * COLUMNS)
        self._go(at % COLUMNS, at // COLUMNS)

    def _do_right(self, _: bytes) -> None:
        at = (self._y * COLUMNS + self._x + 1) % (ROWS * COLUMNS)
        self._go(at % COLUMNS, at // COLUMNS)

    def _do_up(self, _: bytes) -> None:
        self._go(self._x, (self._y - 1) % ROWS)

    def _do_down(self, _: bytes) -> None:
        self._go(self._x, (self._y + 1) % ROWS)

    def _do_home(self, _: bytes) -> None:
        self._go(0, 0)

    def _do_bottom(self, _: bytes) -> None:
        self._go(COLUMNS - 1, ROWS - 1)

    def _do_row_start(self, _: bytes) -> None:
        self._go(0, self._y)

    def _do_row_end(self, _: bytes) -> None:
        self._go(COLUMNS - 1, self._y)

    def _do_move_to(self, argument: bytes) -> None:
        x, y = argument
        if 1 <= x <= COLUMNS and 1 <= y <= ROWS:
            self._go(x - 1, y - 1)

    def _do_brightness(self, argument: bytes) -> None:
        if 1 <= argument[0] <= 4:
            self.brightness = argument[0]

    def _do_cursor(self, argument: bytes) -> None:
        self.cursor_is_on = argument[0] in {1, ord("1")}

    def _do_blink(self, argument: bytes) -> None:
        self.blink_unit = argument[0]

    def _do_reverse(self, argument: bytes) -> None:
        self._reverse = argument[0] in {1, ord("1")}

    def _do_code_table(self, argument: bytes) -> None:
        self.code_table = _CODE_TABLES.get(argument[0], self.code_table)

    def _do_time(self, argument: bytes) -> None:
        """US T h m: a clock at the right of the lower row."""
        text = f"{argument[0] % 24:2}:{argument[1] % 60:02}".encode()
        self._cells[1] = [*self._cells[1][: -len(text)], *(Cell(code) for code in text)]

    def _do_pointed(self, argument: bytes) -> None:
        """A character with a point, comma or both below: the character is what is modelled."""
        self._write(argument[0])

    def _do_annunciator(self, argument: bytes) -> None:
        on, column = argument
        chosen = range(1, COLUMNS + 1) if column == 0 else [column]
        for one in chosen:
            if 1 <= one <= COLUMNS:
                (self.annunciators.add if on in {1, ord("1")} else self.annunciators.discard)(one)

    def _do_window(self, argument: bytes) -> None:
        """ESC W n s: with s 1 the window's corners follow, four bytes."""
        self._skipped_bytes = 4 if argument[1] in {1, ord("1")} else 0

    def _go(self, x: int, y: int) -> None:
        self._x, self._y = x, y
        self._is_behind_end = False
