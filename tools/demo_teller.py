"""Tells the demo's payment to people: in colours on a terminal, in plain text anywhere else."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.box import ROUNDED
from rich.cells import cell_len
from rich.console import Console, Group
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hal.api import Screen
from tools.demo_steps import StepTold
from tools.texts import Words
from tools.window.glass import seen_rows
from tools.wire_log import GATEWAY, TERMINAL, LoggedFrame, LoggedMessage
from wire.money import currency

WIDTH_MAX = 100
FILES_LISTED_MAX = 4
STARS_MAX = 40
INDENT = 3
FIELDS_TOLD = (2, 3, 4, 11, 35, 38, 39, 52, 62)
"""The data elements that tell what a message is about. The whole message stands in hex below them."""


class Teller:
    """Writes to one console, in one language."""

    def __init__(self, console: Console, words: Words) -> None:
        console.width = min(console.width, WIDTH_MAX) if console.is_terminal else WIDTH_MAX
        self._console = console
        self._words = words
        self._shown: Screen | None = None
        self._arrows = {TERMINAL: "->", GATEWAY: "<-"} if console.options.ascii_only else _ARROWS

    def title(self, amount: str, flow: str, terminal_id: str, bits_per_s: int) -> None:
        """What will be played, and over which parts."""
        told = self._words("demo.title", amount=amount, flow=self._words(f"demo.flow.{flow}"))
        self._put(Text(f"posterm  {told}", "bold"))
        parts = self._words("demo.parts", terminal_id=terminal_id, bits_per_s=bits_per_s)
        self._print(Text(parts, "dim"))

    def step(self, step: StepTold, columns: int, rows: int, *, number: int = 0, count: int = 0) -> None:
        """One step: what happened, the display, the line. `number` 0: not one of the counted steps."""
        heading = Text(self._words(f"demo.{step.name}.title"), "bold cyan")
        if number:
            heading = Text(self._words("demo.step", number=number, count=count) + "  ", "bold") + heading
        self._put(Text())
        self._put(heading)
        self._print(Text(self._words(f"demo.{step.name}.text", **step.values)))
        if step.screen == self._shown:
            self._print(Text(self._words("demo.same_display"), "dim"))
        else:
            self._print(self._display(step.screen, columns, rows))
        self._shown = step.screen
        for line in self._line(step.frames):
            self._print(line)

    def books(self, entries: Sequence[tuple[str, int]], holds_left: int, findings: Sequence[str]) -> None:
        """What the payment has left at the bank."""
        self._heading("demo.books")
        money = currency("156")
        table = Table.grid(padding=(0, 2))
        table.add_column()
        table.add_column(justify="right")
        for account, amount_minor in entries:
            sign = "+" if amount_minor > 0 else "-"
            table.add_row(account, f"{sign}{money.format(abs(amount_minor))}")
        self._print(table)
        audit = self._words("demo.books_wrong", findings="; ".join(findings))
        audit = audit if findings else self._words("demo.books_ok")
        self._print(Text(self._words("demo.books_left", count=holds_left, audit=audit)))

    def slips(self, slips: Sequence[str], seconds: float) -> None:
        """The paper, side by side."""
        self._heading("demo.slips")
        papers = Table.grid(padding=(0, 2))
        style = "black on white" if self._console.is_terminal else ""
        papers.add_row(*(Panel(Text(slip), box=ROUNDED, style=style, width=36) for slip in slips))
        self._print(papers)
        self._print(Text(self._words("demo.after", seconds=f"{seconds:.1f}"), "dim"))

    def files(self, files: Sequence[tuple[str, Sequence[Path]]]) -> None:
        """Where everything was put: (what, its files)."""
        self._heading("demo.files")
        table = Table.grid(padding=(0, 2))
        for what, paths in files:
            table.add_row(self._words(f"demo.file.{what}"), Text(_listed(paths), overflow="fold"))
        self._print(table)

    # --- parts ---------------------------------------------------------------------------------------

    def _heading(self, key: str) -> None:
        self._put(Text())
        self._put(Text(self._words(key), "bold"))

    def _print(self, what: Text | Table | Padding | Panel) -> None:
        self._put(Padding(what, (0, 0, 0, INDENT), expand=False))

    def _put(self, what: Text | Padding) -> None:
        if self._console.is_terminal:
            self._console.print(what)
            return
        with self._console.capture() as capture:
            self._console.print(what)
        # Files and pipes get no spaces at the ends of lines.
        self._console.file.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))
        self._console.file.flush()

    def _display(self, screen: Screen, columns: int, rows: int) -> Panel:
        return Panel(Group(*seen_rows(screen, columns, rows)), box=ROUNDED, width=columns + 4)

    def _line(self, frames: Sequence[LoggedFrame]) -> Iterator[Text]:
        for frame in frames:
            for message in frame.messages:
                yield from self._message(frame, message)
        if frames:
            yield Text("   ".join(self._traffic(frames)), "dim")

    def _traffic(self, frames: Sequence[LoggedFrame]) -> Iterator[str]:
        counts = Counter(frame.side for frame in frames)
        for side in (TERMINAL, GATEWAY):
            byte_count = sum(frame.byte_count for frame in frames if frame.side == side)
            if counts[side]:
                words = self._words(f"side.{side}")
                yield self._words("demo.traffic", frames=counts[side], byte_count=byte_count, side=words)

    def _message(self, frame: LoggedFrame, message: LoggedMessage) -> Iterator[Text]:
        style = "bold green" if frame.side == TERMINAL else "bold magenta"
        told = Text(f"{self._arrows[frame.side]} {message_title(self._words, message)}", style)
        detail = self._words("demo.frame", byte_count=frame.byte_count, detail=frame.detail)
        yield told + Text(f"  {detail}", "dim")
        width = self._console.width - INDENT - 3
        for line in _joined(self._fields(message), width):
            yield Text(f"   {line}")
        shown = frame.hex_masked if message.hex_masked in frame.hex_masked else message.hex_masked
        for line in textwrap.wrap(shown, width):
            yield Text(f"   {line}", "dim")

    def _fields(self, message: LoggedMessage) -> Iterator[str]:
        for number in FIELDS_TOLD:
            view = message.field(number)
            if view is not None:
                name = view.name_zh if self._words.language == "zh" and view.name_zh else view.name
                yield f"{name} {_shortened(view.value_masked)}"


_ARROWS = {TERMINAL: "→", GATEWAY: "←"}


def message_title(words: Words, message: LoggedMessage) -> str:
    """What people call a message: "0100 authorisation"."""
    name = words(f"message.{message.name.value}")
    if message.mti[2:3] in {"1", "3", "5"}:
        name = words("message.answer", name=name)
    return f"{message.mti} {name}".strip()


def _shortened(value: str) -> str:
    """A long row of stars by its length."""
    hidden = len(value) > STARS_MAX and not value.strip("*")
    return f"{'*' * STARS_MAX}... ({len(value)})" if hidden else value


def _joined(items: Iterable[str], width: int) -> Iterator[str]:
    """The items in as few lines as they take, " | " between them."""
    line = ""
    for item in items:
        longer = f"{line} | {item}" if line else item
        if line and cell_len(longer) > width:
            yield line
            longer = item
        line = longer
    if line:
        yield line


def _listed(paths: Sequence[Path]) -> str:
    names = [path.name for path in paths[1:]]
    if len(names) > FILES_LISTED_MAX:
        return f"{paths[0]} ... {names[-1]}"
    return ", ".join([str(paths[0]), *names])
