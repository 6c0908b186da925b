"""Hands and eyes on the shop floor: menus opened by their digits, passwords typed, reports read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from firmware.menus import MENUS
from firmware.operators import DEFAULT_PASSWORDS, Rank
from firmware.texts import text
from hal.api import Beep
from tools.runtime import start
from tools.station import Station

CASHIER, SUPERVISOR, ADMINISTRATOR = (
    DEFAULT_PASSWORDS[rank].decode() for rank in (Rank.CASHIER, Rank.SUPERVISOR, Rank.ADMINISTRATOR)
)


class Floor:
    """A person at the menus of one terminal."""

    def __init__(self, station: Station) -> None:
        self.station = station

    @property
    def display(self) -> str:
        return self.station.display

    @property
    def state(self) -> str:
        return self.station.state

    @property
    def last_beep(self) -> Beep:
        """The last one that was heard."""
        return self.station.devices.buzzer.played()[-1].beep

    def open(self, *names: str) -> None:
        """From the idle screen through the menus to the entry, by the digits beside the names."""
        self.leave()
        self.station.press("down")
        menu = "main"
        for name in names:
            entries = MENUS[menu]
            number = next(number for number, entry in enumerate(entries, 1) if entry.name == name)
            self.station.press(str(number))
            menu = entries[number - 1].what

    def leave(self) -> None:
        """Cancel until the terminal rests."""
        for _ in range(6):
            if self.state == "idle":
                return
            self.station.press("cancel")
        raise AssertionError(f"the way out of {self.state} is too long")

    def type(self, digits: str) -> None:
        """Digits and ENTER."""
        self.station.press(*digits, "enter")

    def read(self) -> str:
        """Every page of the report on the display, one below the other, without the headings."""
        assert self.state == "reading"
        pages = [self.display]
        while True:
            self.station.press("down")
            if self.display == pages[-1]:
                return "\n".join(line for page in pages for line in page.splitlines()[1:])
            pages.append(self.display)

    def words(self, key: str) -> str:
        """The terminal's words for a key, in its language."""
        assert self.station.terminal is not None
        return text(self.station.terminal.parts.language, key)

    def says(self, key: str, **values: object) -> bool:
        """Whether the display shows the words of a key below `screen.`, the full or the brief ones."""
        assert self.station.terminal is not None
        language = self.station.terminal.parts.language
        forms = (text(language, f"screen.{key}.{form}", **values) for form in ("full", "brief"))
        shown = "".join(self.display.split())
        return any("".join(form.split()) in shown for form in forms)

    def sell(self, amount: str = "12.34") -> None:
        """One approved payment, to its end."""
        self.leave()
        self.station.enter_amount(amount)
        self.station.swipe("good")
        self.station.enter_pin("123456")
        self.station.finish()

    def printed(self) -> str:
        """The slip that is being printed, once it is done."""
        before = len(self.station.slips)
        assert self.station.run_until(lambda: self.state != "report_printing", 60_000)
        assert len(self.station.slips) >= before
        return self.station.slips[-1]


@contextmanager
def floor(**settings: object) -> Iterator[Floor]:
    """A terminal in virtual time, idle."""
    with start(**settings) as station:  # type: ignore[arg-type]
        yield Floor(station)
