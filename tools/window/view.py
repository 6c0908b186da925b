"""The whole session as one picture of characters: the terminal at the left, paper and events at the right.

80 columns and 24 rows at least; from 120 columns on the events stand beside the paper instead of below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.align import Align
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.layout import Layout
from rich.panel import Panel
from rich.text import Text

from hal.api import Led, PrinterStatus, Screen
from tools.station import Station
from tools.texts import Words
from tools.window.event_log import EventLog, LogLine
from tools.window.glass import glass_rows

COLUMNS_MIN, ROWS_MIN = 80, 24
WIDE_COLUMNS = 120
SLIPS_SHOWN = 4
LEFT_COLUMNS_MIN = 40
PAPER_COLUMNS = 36

LED_COLOURS: Mapping[Led, str] = {Led.POWER: "green", Led.LINK: "blue", Led.CARD: "yellow", Led.ALARM: "red"}
LOG_STYLES: Mapping[str, str] = {
    "state": "",
    "terminal": "green",
    "gateway": "magenta",
    "hand": "cyan",
    "alarm": "bold red",
}
PAPER_STYLE = "black on white"


@dataclass(frozen=True)
class Sight:
    """Everything that is to be seen at one moment. Two equal sights look the same."""

    screen: Screen
    columns: int
    rows: int
    terminal_id: str
    state: str
    lit: frozenset[Led]
    is_on: bool
    card_present: bool
    cable_is_in: bool
    printer_status: PrinterStatus
    paper: tuple[str, ...]
    log_count: int
    help_open: bool


class Eyes:
    """Looks at a station, and remembers the paper that it has read."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._paper: tuple[str, ...] = ()
        self._paper_seen = (0, 0)

    def look(self, *, log_count: int, cable_is_in: bool, help_open: bool) -> Sight:
        """What there is to see now."""
        station, devices = self._station, self._station.devices
        is_on = station.is_on
        return Sight(
            screen=devices.display.screen if is_on else Screen(),
            columns=devices.display.columns,
            rows=devices.display.rows,
            terminal_id=station.settings.terminal_id,
            state=station.state,
            lit=devices.leds.lit if is_on else frozenset(),
            is_on=is_on,
            card_present=devices.card_reader.card_present,
            cable_is_in=cable_is_in,
            printer_status=devices.printer.status,
            paper=self._read_paper(),
            log_count=log_count,
            help_open=help_open,
        )

    def _read_paper(self) -> tuple[str, ...]:
        printer = self._station.devices.printer
        slips = printer.slips
        seen = (len(slips), len(slips[-1].items) if slips else 0)
        if seen != self._paper_seen:
            self._paper_seen = seen
            scissors = "8<".center(printer.columns, "-")
            lines: list[str] = []
            for slip in slips[-SLIPS_SHOWN:]:
                lines += slip.text.split("\n") + ([scissors] if slip.complete else [])
            self._paper = tuple(lines)
        return self._paper


class View:
    """Draws sights, in one language. `cards`: {letter: name}."""

    def __init__(self, words: Words, log: EventLog, cards: Mapping[str, str], began_ms: int) -> None:
        self._words = words
        self._log = log
        self._cards = cards
        self._began_ms = began_ms

    def draw(self, sight: Sight, console: Console) -> RenderableType:
        """The picture, as large as the console is now."""
        width, height = console.size
        if width < COLUMNS_MIN or height < ROWS_MIN:
            words = self._words("window.too_small", columns=COLUMNS_MIN, rows=ROWS_MIN)
            return Align.center(Text(words), vertical="middle", height=height)
        if sight.help_open:
            return self._help()
        whole = Layout()
        left_columns = max(sight.columns, LEFT_COLUMNS_MIN) + 4
        whole.split_row(Layout(self._terminal(sight, console), size=left_columns), Layout(name="right"))
        paper, log = Layout(self._paper(sight), name="paper"), Layout(self._events(), name="log")
        if width >= WIDE_COLUMNS:
            paper.size = PAPER_COLUMNS
            whole["right"].split_row(paper, log)
        else:
            whole["right"].split_column(paper, log)
            log.size = 9 if height < 40 else height // 3
        return whole

    # --- left ----------------------------------------------------------------------------------------

    def _terminal(self, sight: Sight, console: Console) -> RenderableType:
        rows = glass_rows(sight.screen, sight.columns, sight.rows)
        if not sight.is_on:
            rows[sight.rows // 2] = Text(self._words("window.off"), "bold red")
        title = self._words("window.terminal", terminal_id=sight.terminal_id)
        glass = Panel(Group(*(Align.center(row) for row in rows)), title=f"{title}  {sight.state}")
        return Group(glass, Align.center(self._leds(sight, console)), *self._keys())

    def _leds(self, sight: Sight, console: Console) -> Text:
        dots = "*." if console.options.ascii_only else "●○"
        line = Text()
        for led, colour in LED_COLOURS.items():
            is_lit = led in sight.lit
            line.append(dots[0] if is_lit else dots[1], f"bold {colour}" if is_lit else "dim")
            line.append(f" {self._words(f'window.led.{led.value}')}  ", "" if is_lit else "dim")
        if not sight.cable_is_in:
            line.append(f" {self._words('window.cable_out')} ", "bold white on red")
        elif sight.card_present:
            line.append(f" {self._words('window.card_in')} ", "black on yellow")
        line.rstrip()
        return line

    def _keys(self) -> list[Text]:
        cards = " ".join(f"{letter}={name}" for letter, name in self._cards.items())
        lines = [
            self._words("window.keys.keypad"),
            self._words("window.keys.functions"),
            self._words("window.keys.cards", cards=cards),
            self._words("window.keys.world"),
            self._words("window.keys.line"),
        ]
        return [Text(line, "dim") for line in lines]

    # --- right ---------------------------------------------------------------------------------------

    def _paper(self, sight: Sight) -> Panel:
        title = self._words("window.paper")
        style = ""
        if sight.printer_status is PrinterStatus.PAPER_OUT:
            title, style = self._words("window.paper_out"), "bold red"
        elif sight.printer_status is not PrinterStatus.READY:
            title, style = self._words("window.printer_stopped"), "bold red"
        lines = [Text(line, PAPER_STYLE) for line in sight.paper]
        return Panel(Tail(lines, fill=PAPER_STYLE), title=title, border_style=style)

    def _events(self) -> Panel:
        return Panel(Tail([self._event(line) for line in self._log.lines]), title=self._words("window.log"))

    def _event(self, line: LogLine) -> Text:
        seconds = (line.at_ms - self._began_ms) / 1000
        return Text.assemble((f"{seconds:6.1f} ", "dim"), (line.text, LOG_STYLES[line.kind]))

    # --- help ----------------------------------------------------------------------------------------

    def _help(self) -> Panel:
        named = [f"{letter}  {name:<10}" for letter, name in self._cards.items()]
        cards = "\n".join("  " + "".join(row) for row in _rows_of(named, 4))
        text = self._words("window.help.lines", cards=cards)
        return Panel(Text(text), title=self._words("window.help_title"), padding=(0, 2))


@dataclass(frozen=True)
class Tail:
    """The last lines that there is room for, one row each; `fill` is the style of the lines' whole width."""

    lines: Sequence[Text]
    fill: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height or len(self.lines)
        for line in self.lines[-height:]:
            shown = line.copy()
            shown.truncate(options.max_width, overflow="ellipsis", pad=bool(self.fill))
            yield shown


def _rows_of(items: Sequence[str], length: int) -> Iterable[Sequence[str]]:
    return (items[start : start + length] for start in range(0, len(items), length))
