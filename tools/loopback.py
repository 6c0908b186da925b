"""Devices in software behind real drivers: each on a pseudo-terminal of its own, with hands and eyes.

A profile names such a device with `url = "emulate:KIND"`. Here its far side is made to fit the driver's
options, the driver is given the pseudo-terminal, and whoever has the `Loopback` turns it. So a whole
terminal runs over serial lines where there is no hardware, and what a person would touch and see is the far
side, not the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from hal.api import CardReader, Key, Printer, PrinterStatus, Screen, ScreenLine
from hal.board import Board
from hal.peripherals.api import Peripheral
from hal.peripherals.ccid_reader import SerialCcidReader
from hal.peripherals.keypad import Keypad, KeypadProtocol
from hal.peripherals.magstripe import SwipeReader
from hal.peripherals.printer import SoftwarePrinter
from hal.peripherals.shell import PtyShell
from hal.peripherals.vfd import COLUMNS, ROWS, CommandSet, Vfd
from hal.profile import DeviceChoice, Profile, ProfileError
from hal.virtual.buzzer import PlayedBeep
from hal.virtual.card_reader import MagneticCard, Swipe

_SCHEME = "emulate:"


def _vfd(choice: DeviceChoice) -> Peripheral:
    command_set = cast("CommandSet", choice.options.get("command_set", "cd5220"))
    return Vfd(command_set, multibyte=choice.options.get("characters") == "gb18030")


def _keypad(choice: DeviceChoice) -> Peripheral:
    return Keypad(cast("KeypadProtocol", choice.options.get("protocol", "ascii")))


def _magstripe(choice: DeviceChoice) -> Peripheral:
    options = choice.options
    return SwipeReader(
        prefix=str(options.get("prefix", "")),
        suffix=str(options.get("suffix", "")),
        sends_lrc=bool(options.get("has_lrc")),
        has_sensor=bool(options.get("has_sensor")),
    )


def _printer(choice: DeviceChoice) -> Peripheral:
    return SoftwarePrinter(model="58mm" if choice.options.get("model") == "58mm" else "80mm")


_KINDS: Mapping[str, Callable[[DeviceChoice], Peripheral]] = {
    "vfd": _vfd,
    "keypad": _keypad,
    "magstripe": _magstripe,
    "printer": _printer,
    "ccid": lambda _choice: SerialCcidReader(),
}


def is_loopback(profile: Profile) -> bool:
    """Whether some device of the profile is one in software behind a real driver."""
    return any(_kind_of(choice) for choice in profile.devices.values())


def _kind_of(choice: DeviceChoice) -> str:
    url = choice.options.get("url")
    return url.removeprefix(_SCHEME) if isinstance(url, str) and url.startswith(_SCHEME) else ""


class Loopback:
    """The far sides of a profile's devices. `profile`: the same with the pseudo-terminals in their places."""

    def __init__(self, profile: Profile) -> None:
        """Make them. Raises ProfileError for a kind that there is not; none is made then."""
        self.profile = profile
        self.far: dict[str, Peripheral] = {}
        self._shells: list[PtyShell] = []
        for kind, choice in profile.devices.items():
            name = _kind_of(choice)
            if name and name not in _KINDS:
                self.close()
                raise ProfileError(
                    f"profile {profile.name}: devices.{kind}: {_SCHEME}{name}: no such device in software "
                    f"(known: {', '.join(_KINDS)})"
                )
            if name:
                self.far[kind] = _KINDS[name](choice)
                self._shells.append(PtyShell(self.far[kind]))
                self.profile = self.profile.with_options(kind, url=self._shells[-1].path)

    def turn(self, now_ms: int) -> None:
        """Let every far side hear and say what it can."""
        for shell in self._shells:
            shell.turn(now_ms)

    def filenos(self) -> list[int]:
        """What to wait on."""
        return [fileno for shell in self._shells for fileno in shell.filenos()]

    def deadline_ms(self) -> int | None:
        """When to turn although nothing came in."""
        moments = (shell.deadline_ms() for shell in self._shells)
        return min((at_ms for at_ms in moments if at_ms is not None), default=None)

    def close(self) -> None:
        """Take the pseudo-terminals away. May be called twice."""
        for shell in self._shells:
            shell.close()
        self._shells.clear()


# --- hands and eyes ----------------------------------------------------------------------------------


class KeypadHand:
    """Fingers on the keypad in software, with the words of hal.virtual.keypad."""

    def __init__(self, far: Keypad) -> None:
        self._far = far

    def press(self, *keys: Key | str) -> None:
        """Press keys one after the other. Raises ValueError for a key that it has not."""
        names = [Key(key).value for key in keys]
        if self._far.protocol == "scancodes":
            names = [part for name in names for part in (("0", "0") if name == "00" else (name,))]
        self._far.press(*names)

    def hold(self, key: Key | str) -> None:
        """Press a key and keep it down."""
        self._far.hold(Key(key).value)

    def release(self) -> None:
        """Let it go."""
        self._far.release()

    def is_busy(self, now_ms: int) -> bool:
        """While keys that were asked for are still being typed: fingers take time."""
        return self._far.is_busy(now_ms)


class ReaderHand:
    """A hand with a card at the reader in software, with the words of hal.virtual.card_reader."""

    def __init__(self, far: SwipeReader, driver: CardReader) -> None:
        self._far = far
        self._driver = driver

    @property
    def armed(self) -> bool:
        """Whether the terminal waits for a card."""
        return bool(getattr(self._driver, "armed", False))

    @property
    def card_present(self) -> bool:
        """Whether a card is in the slot."""
        return self._far.card_is_in

    def swipe(self, card: MagneticCard, *, quality: Swipe = Swipe.GOOD, chip_failed: bool = False) -> None:
        """Pull a card through. Raises ValueError for a chip that failed: this reader knows none."""
        if chip_failed:
            raise ValueError("a swipe reader behind a line knows of no chip that could have failed")
        stripe = card.swipe(quality)
        self._far.swipe(stripe.bits, speed_cm_per_s=stripe.speed_cm_per_s)

    def insert(self, card: MagneticCard, *, quality: Swipe = Swipe.GOOD) -> None:
        """Put a card in. Raises ValueError for a reader without a slot."""
        stripe = card.swipe(quality)
        self._far.insert(stripe.bits, speed_cm_per_s=stripe.speed_cm_per_s)

    def remove(self) -> None:
        """Take it out."""
        self._far.remove()


class DisplayEye:
    """An eye on the display in software."""

    columns, rows = COLUMNS, ROWS

    def __init__(self, far: Vfd) -> None:
        self._far = far

    @property
    def text(self) -> str:
        """What a person reads."""
        return self._far.text

    @property
    def screen(self) -> Screen:
        """The same as a screen."""
        return Screen(tuple(ScreenLine(row) for row in self._far.rows))

    def png(self, path: str | Path | None = None, *, scale: int = 3) -> bytes:
        """The glass as a picture."""
        return self._far.png(path, scale=scale)


class BuzzerEar:
    """An ear at the display's bell."""

    def __init__(self, far: Vfd) -> None:
        self._far = far

    @property
    def beep_count(self) -> int:
        """How often it rang, key clicks included: a bell tells no beep from another."""
        return self._far.bells

    @property
    def heard_beeps(self) -> int:
        """The same."""
        return self._far.bells

    def played(self) -> tuple[PlayedBeep, ...]:
        """Nothing: which pattern it was cannot be heard."""
        return ()


@dataclass(frozen=True, slots=True)
class FarSlip:
    """A slip with the words of hal.virtual.paper."""

    text: str
    items: tuple[object, ...]
    complete: bool


class PrinterHand:
    """Hands and eyes at the printer in software, with the words of hal.virtual.printer."""

    def __init__(self, far: SoftwarePrinter, driver: Printer) -> None:
        self._far = far
        self._driver = driver
        self.columns = driver.columns

    @property
    def status(self) -> PrinterStatus:
        """What the driver knows of it."""
        return self._driver.status

    @property
    def slips(self) -> list[FarSlip]:
        """Every slip, what hangs out of the printer last."""
        return [FarSlip(slip.text, slip.strips, complete=slip.is_cut) for slip in self._far.slips]

    def load_paper(self) -> None:
        """Put in a new roll."""
        self._far.load_paper()

    def run_out_of_paper(self) -> None:
        """Take the paper away."""
        self._far.run_out_of_paper()

    def fail_after_items(self, items: int, status: PrinterStatus) -> None:
        """Refuse: raises ValueError."""
        raise ValueError(
            f"a printer behind a line does not stop after {items} items ({status.value}): say when"
        )

    def open_cover(self) -> None:
        """Open the cover."""
        self._far.open_cover()

    def close_cover(self) -> None:
        """Close it."""
        self._far.close_cover()

    def jam(self) -> None:
        """Block the cutter."""
        self._far.block_cutter(error=True)

    def clear_jam(self) -> None:
        """Free it."""
        self._far.free_cutter()

    def set_overheated(self) -> None:
        """Make the head too hot."""
        self._far.overheat()

    def cool_down(self) -> None:
        """Let it cool."""
        self._far.cool_down()


def hands_of(loopback: Loopback, board: Board) -> dict[str, object]:
    """For each device in software of this board what touches or sees it, by the device's kind."""
    hands: dict[str, object] = {}
    for kind, far in loopback.far.items():
        match far:
            case Keypad():
                hands[kind] = KeypadHand(far)
            case SwipeReader():
                hands[kind] = ReaderHand(far, board.card_reader)
            case SoftwarePrinter():
                hands[kind] = PrinterHand(far, board.printer)
            case Vfd():
                hands[kind] = DisplayEye(far)
                hands["buzzer"] = BuzzerEar(far)
    return hands
