"""Devices in software with hands: what can be done to each by words, and what it has to tell.

`posterm devices emulate` puts one on a line and reads the words from its input. A device is made from
NAME=VALUE options: the parameters of its class in `hal/peripherals`.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Union

from bank.errors import RecordError
from bank.provision import CardSpec, load_provision, plastic
from hal.peripherals.api import Peripheral
from hal.peripherals.ccid_reader import SerialCcidReader
from hal.peripherals.keypad import Keypad
from hal.peripherals.magstripe import SwipeReader
from hal.peripherals.phoenix_reader import PhoenixReader
from hal.peripherals.printer import SoftwarePrinter
from hal.peripherals.vfd import Vfd
from hal.profile import did_you_mean
from hal.virtual.card import MagneticCard, StripePass
from hal.virtual.card import Swipe as Quality
from tools import card_emulation
from tools.card_emulation import CardReaderHands
from tools.toml_table import ConfigError


class Emulated(Protocol):
    """A device with hands."""

    @property
    def peripheral(self) -> Peripheral:
        """What is put on the line."""

    @property
    def words(self) -> Mapping[str, Callable[[Sequence[str]], object]]:
        """What can be done to it: a word, and what it does with the words after it. Raises ValueError."""

    def news(self) -> list[str]:
        """What has happened since the last call: a line each."""


@dataclass(frozen=True, slots=True)
class EmulatedKind:
    """One kind of device: what it is, its words, the class whose parameters are its options."""

    help: str
    words: str
    device: type[Any]
    hands: Callable[[Any], Emulated]
    needs_lines: bool = False
    """It is of no use without control lines."""


def emulated(kind: str, options: Mapping[str, str]) -> Emulated:
    """Make a device. Raises ConfigError: no such kind or option, or a value that does not fit."""
    if kind not in KINDS:
        raise ConfigError(f"there is no device {kind!r} in software{did_you_mean(kind, KINDS)}")
    chosen = KINDS[kind]
    parameters = dict(inspect.signature(chosen.device, eval_str=True).parameters)
    arguments = {}
    for name, text in options.items():
        if name not in parameters:
            raise ConfigError(f"{kind} has no option {name!r}{did_you_mean(name, parameters)}")
        arguments[name] = _value(f"{kind}: {name}", text, parameters[name].annotation)
    try:
        return chosen.hands(chosen.device(**arguments))
    except ValueError as error:
        raise ConfigError(f"{kind}: {error}") from None


def _value(place: str, text: str, wanted: Any) -> object:
    origin = typing.get_origin(wanted)
    if origin in {Union, types.UnionType}:
        wanted = typing.get_args(wanted)[0]
        origin = typing.get_origin(wanted)
    if origin is Literal:
        allowed = typing.get_args(wanted)
        if text not in allowed:
            raise ConfigError(f"{place} is one of {', '.join(allowed)}, not {text!r}")
        return text
    if wanted is bool:
        if text not in {"true", "false"}:
            raise ConfigError(f"{place} is true or false, not {text!r}")
        return text == "true"
    if wanted is int:
        if not text.removeprefix("-").isdigit():
            raise ConfigError(f"{place} is a whole number, not {text!r}")
        return int(text)
    if wanted is str:
        return text.encode("latin-1", "replace").decode("unicode_escape")
    raise ConfigError(f"{place} cannot be set here")


def _one(words: Sequence[str], what: str) -> str:
    if len(words) != 1:
        raise ValueError(f"say {what}")
    return words[0]


class VfdHands:
    """A display to look at."""

    def __init__(self, vfd: Vfd) -> None:
        self.peripheral = vfd
        self._seen: tuple[tuple[str, ...], int] = (vfd.rows, 0)

    @property
    def words(self) -> Mapping[str, Callable[[Sequence[str]], object]]:
        """`png FILE`."""
        return {"png": lambda words: self.peripheral.png(Path(_one(words, "png FILE")))}

    def news(self) -> list[str]:
        """The rows when they have changed, and how often the bell rang."""
        rows, bells = self.peripheral.rows, self.peripheral.bells
        before, self._seen = self._seen, (rows, bells)
        shown = [f"|{row}|" for row in rows] if rows != before[0] else []
        return shown + ["bell"] * (bells - before[1])


class KeypadHands:
    """A keypad to press."""

    def __init__(self, keypad: Keypad) -> None:
        self.peripheral = keypad

    @property
    def words(self) -> Mapping[str, Callable[[Sequence[str]], object]]:
        """`press KEY ...`, `type DIGITS`, `hold KEY`, `release`."""
        return {
            "press": lambda words: self.peripheral.press(*words),
            "type": lambda words: self.peripheral.press(*_one(words, "type DIGITS")),
            "hold": lambda words: self.peripheral.hold(_one(words, "hold KEY")),
            "release": lambda _: self.peripheral.release(),
        }

    def news(self) -> list[str]:
        """Nothing: a keypad is told, it tells nothing."""
        return []


class SwipeHands:
    """A reader and a wallet: the demo bank's cards."""

    def __init__(self, reader: SwipeReader) -> None:
        self.peripheral = reader
        self._cards: tuple[CardSpec, ...] = load_provision().cards

    @property
    def words(self) -> Mapping[str, Callable[[Sequence[str]], object]]:
        """`swipe CARD [QUALITY]`, `insert CARD`, `remove`."""
        return {
            "swipe": lambda words: self._pass(self.peripheral.swipe, words),
            "insert": lambda words: self._pass(self.peripheral.insert, words),
            "remove": lambda _: self.peripheral.remove(),
        }

    def news(self) -> list[str]:
        """Nothing: what a card holds is not for the screen."""
        return []

    def _pass(self, slot: Callable[..., None], words: Sequence[str]) -> None:
        if not 1 <= len(words) <= 2:
            raise ValueError(
                "name a card, and perhaps how it is swiped: good, bad, half, too_fast, backwards"
            )
        stripe = self._stripe(words[0], words[1] if len(words) > 1 else "good")
        slot(stripe.bits, speed_cm_per_s=stripe.speed_cm_per_s)

    def _stripe(self, name: str, quality: str) -> StripePass:
        try:
            card = plastic(self._cards, name)
        except RecordError as error:
            raise ValueError(str(error)) from None
        magnetic = MagneticCard.from_fields(
            card.pan, card.expiry_yymm, card.name, card.service_code, card.discretionary
        )
        return magnetic.swipe(Quality(quality))


class PrinterHands:
    """A printer with paper, a cover and a cutter."""

    def __init__(self, printer: SoftwarePrinter) -> None:
        self.peripheral = printer
        self._told_slips = 0

    @property
    def words(self) -> Mapping[str, Callable[[Sequence[str]], object]]:
        """Faults and their end, `tear`, and `png FILE` for the last slip."""
        printer = self.peripheral
        return {
            "paper-out": lambda _: printer.run_out_of_paper(),
            "paper-in": lambda _: printer.load_paper(),
            "open": lambda _: printer.open_cover(),
            "close": lambda _: printer.close_cover(),
            "block-cutter": lambda _: printer.block_cutter(error=True),
            "free-cutter": lambda _: printer.free_cutter(),
            "overheat": lambda _: printer.overheat(),
            "cool": lambda _: printer.cool_down(),
            "tear": lambda _: printer.tear(),
            "png": self._picture,
        }

    def news(self) -> list[str]:
        """The text of each slip that was cut or torn off."""
        count = self.peripheral.finished_slips
        fresh, self._told_slips = count - self._told_slips, count
        slips = self.peripheral.finished[-fresh:] if fresh else []
        return [line for slip in slips for line in (*slip.text.splitlines(), "-" * 32)]

    def _picture(self, words: Sequence[str]) -> None:
        slips = self.peripheral.slips
        if not slips:
            raise ValueError("nothing is printed yet")
        Path(_one(words, "png FILE")).write_bytes(slips[-1].png())


KINDS: Mapping[str, EmulatedKind] = {
    "printer": EmulatedKind(
        "an ESC/POS receipt printer",
        "paper-out paper-in open close block-cutter free-cutter overheat cool tear; png FILE",
        SoftwarePrinter,
        PrinterHands,
    ),
    "vfd": EmulatedKind("a 2x20 customer display", "png FILE", Vfd, VfdHands),
    "magstripe": EmulatedKind(
        "a swipe reader, and the demo's cards",
        "swipe CARD [QUALITY]; insert CARD; remove",
        SwipeReader,
        SwipeHands,
    ),
    "ccid": EmulatedKind(
        "a serial smart-card reader (GemPC Twin), and a test card",
        card_emulation.WORDS,
        SerialCcidReader,
        CardReaderHands,
    ),
    "phoenix": EmulatedKind(
        "a Phoenix or Smartmouse card reader, and a test card",
        card_emulation.WORDS,
        PhoenixReader,
        CardReaderHands,
        needs_lines=True,
    ),
    "keypad": EmulatedKind("a keypad", "press KEY ...; type DIGITS; hold KEY; release", Keypad, KeypadHands),
}
"""The devices in software by their name on the command line."""
