"""The printer in software as a service: each slip becomes a picture and a text in a folder.

printer = PrinterService(SoftwarePrinter(model="80mm"), Path("out"), notify=print)

It is a peripheral like the printer inside it; whoever turns it (`hal.peripherals.shell`) needs to know no
more.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hal.peripherals.api import DeviceLines, HostLines
from hal.peripherals.printer import SoftwarePrinter
from hal.peripherals.printer_mechanism import Beeped, DrawerKicked, PaperCut
from hal.peripherals.printer_paper import PrintedSlip


class PrinterService:
    """A printer whose slips are written to `folder` as slip-0001.png and slip-0001.txt, and on.

    notify: told in one line of each slip, drawer pulse, beep and trouble. Files that are there are
    overwritten. Raises OSError from `receive` and `finish` when a file cannot be written.
    """

    def __init__(
        self, printer: SoftwarePrinter, folder: Path, *, notify: Callable[[str], None] = lambda _: None
    ) -> None:
        self.printer = printer
        self._folder = folder
        self._notify = notify
        self._written = 0
        self._was_online = True

    def receive(self, data: bytes, now_ms: int) -> None:
        """Let the printer work, and write down what came of it."""
        self.printer.receive(data, now_ms)
        self._tell_events()
        self._write_finished()

    def take_output(self) -> bytes:
        """What the printer says."""
        return self.printer.take_output()

    def deadline_ms(self) -> int | None:
        """When the printer wants to be called."""
        return self.printer.deadline_ms()

    @property
    def lines(self) -> DeviceLines:
        """The printer's control lines."""
        return self.printer.lines

    def set_host_lines(self, lines: HostLines, now_ms: int) -> None:
        """Hand on the host's control lines."""
        self.printer.set_host_lines(lines, now_ms)

    def finish(self) -> None:
        """Tear off what hangs out of the printer, and write it down too."""
        self.printer.tear()
        self._write_finished()

    def _write_finished(self) -> None:
        new = self.printer.finished_slips - self._written
        slips = self.printer.finished[-new:] if new else []
        self._written += new - len(slips)  # what the printer has forgotten keeps its number
        for slip in slips:
            self._written += 1
            self._write(slip, f"slip-{self._written:04}")

    def _write(self, slip: PrintedSlip, name: str) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{name}.png").write_bytes(slip.png())
        (self._folder / f"{name}.txt").write_text(f"{slip.text}\n", encoding="utf-8")
        how = "cut" if slip.is_cut else "torn off"
        self._notify(f"slip {how}: {self._folder / name}.png")

    def _tell_events(self) -> None:
        for event in self.printer.take_events():
            match event:
                case DrawerKicked(number, on_ms, _):
                    self._notify(f"drawer {number} opened, pulse of {on_ms} ms")
                case Beeped(times, duration_ms, _):
                    self._notify(f"buzzer: {times} times {duration_ms} ms")
                case PaperCut():
                    pass  # the slip itself is told of
        health = self.printer.health
        if health.is_online != self._was_online:
            self._was_online = health.is_online
            self._notify("printer: on-line" if health.is_online else f"printer: off-line, {health.trouble}")
