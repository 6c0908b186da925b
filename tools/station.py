"""A whole till: terminal, line, gateway and bank, and the hands that use them.

This is what scripts, scenarios, commands and tests drive. `posterm.start()` makes one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from bank.authoriser import Bank
from bank.faults import Fault
from bank.provision import CardSpec, plastic
from firmware.app import Observer, Terminal, Transition
from firmware.records import Payment
from firmware.settings import TerminalSettings
from firmware.txn.floor import TABLE as FLOOR_TABLE
from firmware.txn.plans import PLANS
from firmware.txn.schema import Keys
from firmware.txn.terminal import TABLE as TERMINAL_TABLE
from firmware.txn.transaction import TABLE as PAYMENT_TABLE
from hal.api import Key
from hal.board import Board
from hal.profile import did_you_mean
from hal.virtual.buzzer import VirtualBuzzer
from hal.virtual.card_reader import MagneticCard, Swipe, VirtualCardReader
from hal.virtual.display import VirtualDisplay
from hal.virtual.keypad import VirtualKeypad
from hal.virtual.leds import VirtualLeds
from hal.virtual.power import PowerCut
from hal.virtual.printer import VirtualPrinter
from hal.virtual.tamper import VirtualTamper
from tools.drive import Drive, T
from tools.loopback import Loopback, hands_of
from wire.money import parse_amount

PATIENCE_MS = 300_000
"""How long `wait_for` and `finish` wait at the most: longer than any timeout of the terminal."""

OFF = "off"
STATES_OF_TERMINAL = frozenset({OFF, *(str(row.state.value) for row in TERMINAL_TABLE.rows)})
STATES_OF_PAYMENT = frozenset(str(row.state.value) for row in PAYMENT_TABLE.rows)
STATES_OF_FLOOR = frozenset(str(row.state.value) for row in FLOOR_TABLE.rows)
STATES = STATES_OF_TERMINAL | STATES_OF_PAYMENT | STATES_OF_FLOOR
"""Every state that `Station.state` can have."""

_SALE_CAN_BEGIN = frozenset(str(row.state.value) for row in TERMINAL_TABLE.rows if row.keys is Keys.IDLE)
_BEFORE_SALE = frozenset({"signing_in", "clearing"})
_NO_PAYMENT_ANY_MORE = frozenset({OFF, "result", "no_keys", "out_of_service", "tampered"})


class StationError(Exception):
    """A script asked for what cannot be done, or waited for what did not come. The text says which."""


@dataclass(frozen=True, slots=True)
class VirtualDevices:
    """What hands touch and eyes see: the board's virtual devices.

    Behind real drivers (`tools.loopback`) the far sides stand here, which know the same words as far as
    scripts, scenarios and the terminal window use them.
    """

    keypad: VirtualKeypad
    card_reader: VirtualCardReader
    display: VirtualDisplay
    leds: VirtualLeds
    buzzer: VirtualBuzzer
    printer: VirtualPrinter
    tamper: VirtualTamper


@dataclass
class Station:
    """One terminal with everything it needs. Use it in a `with` block, or call `close`.

    Every call that waits lets time pass, virtual or real, and returns when what it waits for is there.
    """

    board: Board
    settings: TerminalSettings
    drive: Drive
    cards: tuple[CardSpec, ...]
    observers: list[Observer] = field(default_factory=list)
    terminal: Terminal | None = None
    leftovers: ExitStack = field(default_factory=ExitStack)  # closed last: a temporary state folder
    loopback: Loopback | None = None  # the far sides of devices behind real drivers

    def __post_init__(self) -> None:
        self.devices = virtual_devices(self.board, self.loopback)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Switch everything off. May be called twice."""
        self.cut_power()
        self.drive.close()
        self.leftovers.close()

    # --- power --------------------------------------------------------------------------------------

    def power_on(self) -> None:
        """Switch the terminal on, and wait until it is idle or knows why it cannot be.

        Raises HalError when the board cannot be opened or its storage belongs to another version.
        """
        if self.terminal is None:
            terminal = Terminal(self.board, self.settings, observer=self.observer)
            try:
                terminal.power_on()
            except PowerCut:
                self.board.close()
                return
            self.terminal = terminal
        self.run_until(self._is_at_rest)

    def cut_power(self) -> None:
        """Pull the terminal's plug, at whatever it is doing."""
        if self.terminal is not None:
            self.terminal = None
            self.board.close()

    @property
    def is_on(self) -> bool:
        """False after a power cut, until `power_on`."""
        return self.terminal is not None

    # --- hands --------------------------------------------------------------------------------------

    def press(self, *keys: Key | str) -> None:
        """Press keys by name ("1", "00", "enter", "cancel", "clear", "f1" …), one after the other."""
        for key in keys:
            self.devices.keypad.press(key)
            self.run_until(lambda: not self.devices.keypad.is_busy(self.drive.now_ms()))

    def start(self, kind: str) -> None:
        """Ask for a transaction by its type's name (`firmware.txn.plans`), as a cash register would.

        What the bank must be sent first is waited for. Raises StationError when the terminal refuses.
        """
        if self.terminal is None or kind not in PLANS:
            raise StationError(f"no transaction {kind!r} can be started: the types are {', '.join(PLANS)}")
        self.terminal.start(kind)
        self.settle()
        self.run_until(lambda: self.state not in _BEFORE_SALE)
        if self.state in STATES_OF_TERMINAL:
            raise StationError(f"the terminal does not start: it is in {self.state!r}")

    @property
    def last_approved(self) -> Payment | None:
        """The newest transaction with a slip, as the journal has it."""
        if self.terminal is None:
            return None
        journal = self.terminal.journal
        return journal.read_payment(journal.counters.last_slip)

    def settle_batch(self) -> None:
        """Settle the batch, and wait until that is over. Raises StationError when it could not be ended."""
        if self.terminal is None:
            raise StationError("the terminal is off: nothing can be settled")
        self.terminal.settle()
        self.settle()
        self.run_until(self._is_at_rest)
        settlement = self.terminal.journal.settlement
        if settlement is None or settlement.is_open:
            raise StationError(
                "the settlement did not come to its end; it goes on when the bank can be reached"
            )

    def type(self, text: str) -> None:
        """Type digits, then ENTER."""
        self.press(*text, Key.ENTER)

    def enter_amount(self, amount: str) -> None:
        """Type an amount such as "12.34" (or "12") and ENTER, on the idle screen or where it is asked for.

        The terminal may have to sign in first, or to send what it owes the bank: that is waited for. Raises
        AmountError; StationError when the terminal refuses the sale (nothing is typed), with what it shows.
        """
        if not self.try_amount(amount):
            shown = " / ".join(line.strip() for line in self.display.splitlines() if line.strip())
            raise StationError(f"the terminal takes no amount: it is in {self.state!r} and shows: {shown}")

    def try_amount(self, amount: str) -> bool:
        """As `enter_amount`, but False when the terminal refuses the sale: see `state`."""
        digits = str(parse_amount(amount))
        if self.state in _SALE_CAN_BEGIN:
            self.press(Key.DIGIT_0)  # a sale begins with any digit, and a zero in front changes no amount
            self.run_until(lambda: self.state not in _BEFORE_SALE)
        if self.state != "amount":
            return False
        self.press(*digits, Key.ENTER)
        return True

    def swipe(self, card: str | MagneticCard, quality: str = "good", *, chip_failed: bool = False) -> None:
        """Swipe a card, by its name or itself. `quality`: good, bad, half, too_fast, backwards.

        `chip_failed`: the chip was tried first and did not answer, so the stripe stands in for it.
        """
        plastic = self.plastic(card)
        self.devices.card_reader.swipe(plastic, quality=Swipe(quality), chip_failed=chip_failed)
        self.settle()

    def insert(self, card: str | MagneticCard) -> None:
        """Put a card into the reader and leave it there."""
        self.devices.card_reader.insert(self.plastic(card))
        self.settle()

    def remove(self) -> None:
        """Take the inserted card out."""
        self.devices.card_reader.remove()
        self.settle()

    def enter_pin(self, pin: str) -> None:
        """Type a PIN and ENTER once the terminal asks for it."""
        self.wait_for("pin", "purchase_pin")
        self.press(*pin, Key.ENTER)

    def plastic(self, card: str | MagneticCard) -> MagneticCard:
        """The card of that name. Raises RecordError naming the cards that there are."""
        if isinstance(card, MagneticCard):
            return card
        found = plastic(self.cards, card)
        return MagneticCard.from_fields(
            found.pan, found.expiry_yymm, found.name, found.service_code, found.discretionary
        )

    # --- time ---------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let the terminal do what it can do at this moment."""
        try:
            self.drive.pump(self.terminal)
        except PowerCut:
            self.cut_power()

    def run_until(self, condition: Callable[[], bool], limit_ms: int = PATIENCE_MS) -> bool:
        """Let time pass until `condition` holds; False when it does not in `limit_ms`, or the power went."""
        end_ms = self.drive.now_ms() + limit_ms
        was_on = self.is_on
        while True:
            self.settle()
            if was_on and not self.is_on:
                return False
            if condition():
                return True
            if self.drive.now_ms() >= end_ms:
                return False
            self.drive.wait(self.terminal, end_ms)

    def run_for(self, duration_ms: int) -> None:
        """Let time pass."""
        end_ms = self.drive.now_ms() + duration_ms
        self.run_until(lambda: self.drive.now_ms() >= end_ms, duration_ms)

    def wait_for(self, *states: str, limit_ms: int = PATIENCE_MS) -> str:
        """Wait for one of these states of the payment or the terminal, and return it.

        A payment's end ("approved", "declined" …) counts for as long as the terminal shows it. Raises
        StationError when no such state comes: at once when the payment has ended without it.
        """
        for state in states:
            if state not in STATES:
                raise StationError(f"there is no state {state!r}{did_you_mean(state, STATES)}")
        hopeless = _NO_PAYMENT_ANY_MORE if STATES_OF_PAYMENT.issuperset(states) else frozenset()
        self.run_until(lambda: self.is_in(*states) or self.state in hopeless, limit_ms)
        if not self.is_in(*states):
            raise StationError(f"waited for {' or '.join(states)}, but the terminal is in {self.state!r}")
        return self.state

    def is_in(self, *states: str) -> bool:
        """Whether this is the state, or the end of the payment whose result is shown."""
        ended_as = self.states[-1:] if self.state == "result" else []
        return any(state in states for state in (self.state, *ended_as))

    def finish(self) -> Payment | None:
        """Wait until the payment has ended and the terminal is at rest; returns the payment."""
        self.run_until(self._is_at_rest)
        return self.payment

    def _is_at_rest(self) -> bool:
        return self.state in {"idle", "no_keys", "out_of_service", "tampered", OFF}

    # --- faults -------------------------------------------------------------------------------------

    def unplug_cable(self) -> None:
        """Pull the cable between terminal and gateway."""
        self.settle()
        self.drive.cut_line()

    def plug_cable(self) -> None:
        """Plug it in again."""
        self.drive.mend_line()

    def add_bank_fault(self, fault: Fault) -> None:
        """Let the bank misbehave (`bank.faults`)."""
        self.ask_bank(lambda bank: bank.faults.add(fault))

    # --- eyes and ears ------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """The state of the payment, or of the terminal when none is running; "off" without power."""
        return self.terminal.state if self.terminal is not None else OFF

    @property
    def states(self) -> list[str]:
        """Every state that the newest payment has passed, in order."""
        return list(self.terminal.states_passed) if self.terminal is not None else []

    @property
    def display(self) -> str:
        """What the display shows, line by line."""
        return self.devices.display.text

    @property
    def slips(self) -> list[str]:
        """The text of every slip printed so far."""
        return [slip.text for slip in self.devices.printer.slips]

    @property
    def beeps(self) -> int:
        """How often the terminal has beeped so far, key clicks apart."""
        return self.devices.buzzer.heard_beeps

    @property
    def payment(self) -> Payment | None:
        """The newest payment, as the journal has it."""
        return self.terminal.journal.payment if self.terminal is not None else None

    def ask_bank(self, question: Callable[[Bank], T]) -> T:
        """Ask the bank, for instance `station.ask_bank(lambda bank: bank.accounts())`."""
        return self.drive.ask_bank(question)

    def observer(self, transition: Transition) -> None:
        """Tell everybody who watches: what a terminal of this station is given."""
        for observer in self.observers:
            observer(transition)


def virtual_devices(board: Board, loopback: Loopback | None = None) -> VirtualDevices:
    """What of the board hands touch and eyes see. Raises StationError for a device that is really there."""
    far: dict[str, Any] = hands_of(loopback, board) if loopback is not None else {}
    kinds: dict[str, type] = {
        "keypad": VirtualKeypad,
        "card_reader": VirtualCardReader,
        "display": VirtualDisplay,
        "leds": VirtualLeds,
        "buzzer": VirtualBuzzer,
        "printer": VirtualPrinter,
        "tamper": VirtualTamper,
    }
    for name, kind in kinds.items():
        if name not in far and not isinstance(getattr(board, name), kind):
            raise StationError(f"the profile's {name} is a real device: a script can only drive virtual ones")
    return VirtualDevices(**{name: far.get(name) or getattr(board, name) for name in kinds})
