"""The hands for smart-card readers in software: a test card goes in and out, and fails as told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields

from hal.cards.card import ATR_T0, ATR_T1
from hal.cards.file_card import FileCard
from hal.peripherals.card_faults import CardFaults
from hal.peripherals.ccid_reader import SerialCcidReader
from hal.peripherals.phoenix_reader import PhoenixReader

_ATRS = {"t0": ATR_T0, "t1": ATR_T1}
_FAULTS = {field.name.replace("_", "-"): field for field in fields(CardFaults)}

WORDS = "insert [t0|t1] [FAULT[=N] ...]; remove"


class CardReaderHands:
    """A reader and a test card (`hal.cards.file_card`). Faults: those of `hal.peripherals.card_faults`."""

    def __init__(self, reader: SerialCcidReader | PhoenixReader) -> None:
        self.peripheral = reader

    @property
    def words(self) -> Mapping[str, Callable[[Sequence[str]], object]]:
        """`insert [t0|t1] [FAULT[=N] ...]`, `remove`."""
        return {"insert": self._insert, "remove": lambda _: self.peripheral.remove()}

    def news(self) -> list[str]:
        """Nothing: a reader says what it has to say on its line."""
        return []

    def _insert(self, words: Sequence[str]) -> None:
        rest = list(words)
        atr = _ATRS[rest.pop(0)] if rest and rest[0] in _ATRS else ATR_T0
        faults = CardFaults()
        for word in rest:
            _set_fault(faults, word)
        self.peripheral.insert(FileCard(atr), faults)


def _set_fault(faults: CardFaults, word: str) -> None:
    """`mute`, `damaged-blocks=2`. Raises ValueError."""
    name, _, count = word.partition("=")
    field = _FAULTS.get(name)
    if field is None:
        raise ValueError(f"no fault is called {name!r}: take t0 or t1, then {', '.join(_FAULTS)}")
    if isinstance(field.default, bool):
        setattr(faults, field.name, not field.default)
    elif count.isdigit():
        setattr(faults, field.name, int(count))
    else:
        raise ValueError(f"say how many: {name}=2")
