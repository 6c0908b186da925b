"""What a person does: keys of the keyboard become keys of the terminal, cards, cables, paper and power.

Nothing here waits. Hands only touch the devices; the station's crank is turned elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hal.api import Key, PrinterStatus
from hal.virtual.card_reader import Swipe
from tools.station import Station, StationError
from tools.texts import Words
from tools.window.event_log import EventLog

KEYS: Mapping[str, Key] = {key.value: key for key in Key if key is not Key.DOUBLE_ZERO} | {
    "z": Key.DOUBLE_ZERO
}


class Hands:
    """One person at one station. `power_on_wanted` and `quit_wanted` are for the crank to see to."""

    def __init__(self, station: Station, log: EventLog, words: Words) -> None:
        self.power_on_wanted = False
        self.quit_wanted = False
        self.help_open = False
        self.cable_is_in = True
        self._station = station
        self._log = log
        self._words = words
        self._actions: Mapping[str, Callable[[], None]] = {
            "b": self._swipe_badly,
            "i": self._insert,
            "r": self._remove,
            "c": self._turn_cable,
            "o": self._turn_paper,
            "x": self._turn_power,
            "q": self._quit,
            "?": self._open_help,
            "h": self._open_help,
        }
        self.cards = card_letters((card.name for card in station.cards), taken={*self._actions, *KEYS})
        self._card = next(iter(self.cards.values()), "")

    def press(self, name: str) -> None:
        """Do what this key of the keyboard stands for; a key without a meaning does nothing."""
        if self.help_open:
            self.help_open = False
        elif name in KEYS:
            self._station.devices.keypad.press(KEYS[name])
        elif name in self._actions:
            self._do(self._actions[name])
        elif name in self.cards:
            self._card = self.cards[name]
            self._do(self._swipe)
        elif name.lower() in self.cards:
            self._card = self.cards[name.lower()]
            self._do(self._insert)

    def _do(self, action: Callable[[], None]) -> None:
        try:
            action()
        except StationError as error:
            self._log.add(self._now_ms, "alarm", str(error))

    def _say(self, key: str, *, alarm: bool = False, **values: object) -> None:
        text = self._words(f"window.log_line.{key}", **values)
        self._log.add(self._now_ms, "alarm" if alarm else "hand", text)

    @property
    def _now_ms(self) -> int:
        return self._station.drive.now_ms()

    # --- cards ---------------------------------------------------------------------------------------

    def _swipe(self) -> None:
        self._pass_card("swiped", Swipe.GOOD)

    def _swipe_badly(self) -> None:
        self._pass_card("swiped_badly", Swipe.BAD)

    def _pass_card(self, said: str, quality: Swipe) -> None:
        reader = self._station.devices.card_reader
        if self._may_read():
            self._say(said, card=self._card)
            reader.swipe(self._station.plastic(self._card), quality=quality)

    def _insert(self) -> None:
        reader = self._station.devices.card_reader
        if self._may_read():
            self._say("inserted", card=self._card)
            reader.insert(self._station.plastic(self._card))

    def _may_read(self) -> bool:
        """Whether a card fits in; says so when it does, or when it will not be read."""
        reader = self._station.devices.card_reader
        if reader.card_present or not self._card:
            self._say("slot_full" if reader.card_present else "no_card", alarm=True)
            return False
        if not reader.armed:
            self._say("reader_off", alarm=True)
        return True

    def _remove(self) -> None:
        if self._station.devices.card_reader.card_present:
            self._station.devices.card_reader.remove()
            self._say("removed")
        else:
            self._say("slot_empty", alarm=True)

    # --- the world around ----------------------------------------------------------------------------

    def _turn_cable(self) -> None:
        if self.cable_is_in:
            self._station.drive.cut_line()
        else:
            self._station.drive.mend_line()
        self.cable_is_in = not self.cable_is_in
        self._say("cable_in" if self.cable_is_in else "cable_out", alarm=not self.cable_is_in)

    def _turn_paper(self) -> None:
        printer = self._station.devices.printer
        if printer.status is PrinterStatus.PAPER_OUT:
            printer.load_paper()
            self._say("paper_in")
        else:
            printer.run_out_of_paper()
            self._say("paper_out", alarm=True)

    def _turn_power(self) -> None:
        if self._station.is_on:
            self._station.cut_power()
            self._say("power_cut", alarm=True)
        else:
            self.power_on_wanted = True

    def _quit(self) -> None:
        self.quit_wanted = True

    def _open_help(self) -> None:
        self.help_open = True


def card_letters(names: Iterable[str], *, taken: Iterable[str]) -> dict[str, str]:
    """A letter for each card: the first of its name that is free. A card without a free letter has none.

    >>> card_letters(["good", "lost", "limited"], taken=["i"])
    {'g': 'good', 'l': 'lost', 'm': 'limited'}
    """
    used = {*taken}
    letters: dict[str, str] = {}
    for name in names:
        letter = next((c for c in name.lower() if c.isascii() and c.isalpha() and c not in used), "")
        if letter:
            used.add(letter)
            letters[letter] = name
    return letters
