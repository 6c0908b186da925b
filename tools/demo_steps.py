"""The demo's payment, step by step: what hands do, and what there is to tell after each step.

Each flow is a generator over a `Play`. It does what a cashier and a cardholder do, waits for what the step
is about, and yields what happened. Who tells it, and how, is no business of this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bank.authoriser import Bank
from firmware.app import Transition
from firmware.records import Flow, Payment
from hal.api import Key, Screen
from hal.virtual.display import VirtualDisplay
from tools.station import Station, StationError
from tools.wire_log import GATEWAY, TERMINAL, LoggedFrame, WireLog
from wire.money import currency

CARD = "good"
AMOUNT = "12.34"
AMOUNT_MINOR = 1234
MESSAGE_TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class StepTold:
    """One step as it happened. `name` and `values` choose and fill the words "demo.NAME"."""

    name: str
    values: Mapping[str, object]
    screen: Screen
    frames: Sequence[LoggedFrame] = ()


class Play:
    """A station with a wire log, and how much of the log has been told. The station is off."""

    def __init__(self, station: Station, log: WireLog) -> None:
        self.station = station
        self.log = log
        self.display: VirtualDisplay = station.devices.display
        self._told = log.count
        self._screens: dict[str, Screen] = {}
        station.observers.append(self._observe)

    def _observe(self, transition: Transition) -> None:
        """A state is being left: the display still shows it."""
        self._screens.setdefault(str(transition.rule.source.value), self.display.screen)

    def screen_of(self, state: str) -> Screen:
        """What the display showed when that state was left for the first time; now, if it was not."""
        return self._screens.get(state, self.display.screen)

    def wait_until_left(self, state: str) -> None:
        """Wait until that state has been left. Raises StationError when it is not."""
        if not self.station.run_until(lambda: state in self._screens, MESSAGE_TIMEOUT_MS):
            raise StationError(f"the terminal stays in {self.station.state!r}")

    @property
    def payment(self) -> Payment:
        """The payment. Raises StationError before there is one."""
        payment = self.station.payment
        if payment is None:
            raise StationError(f"no payment has begun: the terminal is in {self.station.state!r}")
        return payment

    def money(self, amount_minor: int) -> str:
        """An amount in the terminal's currency."""
        return currency(self.station.settings.currency).format(amount_minor)

    def told(
        self,
        name: str,
        screen: Screen,
        values: Mapping[str, object] | None = None,
        *,
        before_answer: bool = False,
    ) -> StepTold:
        """A step, with the frames since the one before; `before_answer`: without the bank's next answer."""
        frames = self.log.since(self._told)
        if before_answer:  # the bank is quick: its answer may be on the line already
            answers = [
                index for index, frame in enumerate(frames) if frame.side == GATEWAY and frame.messages
            ]
            frames = frames[: answers[0]] if answers else frames
        self._told += len(frames)
        return StepTold(name, values or {}, screen, frames)

    def wait_for_message(self, side: str) -> None:
        """Wait until a message that has not been told yet has crossed the line. Raises StationError."""

        def has_come() -> bool:
            return any(frame.messages for frame in self.log.since(self._told) if frame.side == side)

        if not self.station.run_until(has_come, MESSAGE_TIMEOUT_MS):
            raise StationError(f"no message from the {side} came over the line")


def start(play: Play) -> StepTold:
    """Power on and sign in. Raises StationError when the terminal cannot work."""
    play.station.power_on()
    if play.station.state != "idle":
        raise StationError(f"the terminal does not start: it is in {play.station.state!r}")
    return play.told("start", play.display.screen)


def authorise_first(play: Play, pin: str) -> Iterator[StepTold]:
    """The seven steps: authorisation, then the PIN, then the completion."""
    station = play.station
    yield _swiped(play, "authorising")
    play.wait_for_message(TERMINAL)
    yield _request(play, "request", "authorising")
    station.wait_for("authorised")
    held = station.ask_bank(lambda bank: sum(hold.amount_minor for hold in bank.open_holds()))
    yield _decision(play, "decision", "authorising", held=play.money(held))
    yield play.told("authorised", play.screen_of("authorised"), {"beeps": station.beeps})
    station.wait_for("pin")
    station.press(*pin, Key.ENTER)
    play.wait_for_message(TERMINAL)
    yield play.told("pin", play.screen_of("pin"), before_answer=True)
    station.wait_for("printing", "tear_off")
    yield play.told("verified", play.screen_of("verifying_pin"))
    yield _paper(play, "done")


def pin_first(play: Play, pin: str) -> Iterator[StepTold]:
    """The same payment in one message, with the PIN in it."""
    station = play.station
    yield _swiped(play, "purchase_pin")
    station.press(*pin)
    yield play.told("purchase_pin", play.display.screen)
    station.press(Key.ENTER)
    play.wait_for_message(TERMINAL)
    yield _request(play, "purchase", "purchasing")
    station.wait_for("printing", "tear_off")
    yield _decision(play, "purchase_decision", "purchasing")
    yield play.told("purchased", play.screen_of("printing"), {"beeps": station.beeps})
    yield _paper(play, "purchase_done")


@dataclass(frozen=True, slots=True)
class Script:
    """How a flow is played: its steps, and how many there are."""

    steps: Callable[[Play, str], Iterator[StepTold]]
    count: int


SCRIPTS: Mapping[Flow, Script] = {
    Flow.AUTHORISE_FIRST: Script(authorise_first, 7),
    Flow.PIN_FIRST: Script(pin_first, 6),
}


def pin_of(station: Station) -> str:
    """The PIN of the demo's card."""
    return next(card.pin for card in station.cards if card.name == CARD)


def books(play: Play) -> tuple[list[tuple[str, int]], int, tuple[str, ...]]:
    """What the payment left at the bank: entries (account, amount), holds left, findings of the audit."""
    payment, settings = play.payment, play.station.settings

    def ask(bank: Bank) -> tuple[list[tuple[str, int]], int, tuple[str, ...]]:
        left = bank.payment_ledger(settings.terminal_id, settings.merchant_id, payment.batch, payment.stan)
        entries = [
            (entry.account, entry.amount_minor) for posting in left.postings for entry in posting.entries
        ]
        return entries, left.holds_left, bank.verify().findings

    return play.station.ask_bank(ask)


def _swiped(play: Play, next_state: str) -> StepTold:
    """The card is read; the display shows what follows, `next_state`."""
    station = play.station
    station.enter_amount(AMOUNT)
    station.swipe(CARD)
    play.wait_until_left("card")
    holder = next(card.plastic.name for card in station.cards if card.name == CARD)
    expiry = f"20{play.payment.expiry_yymm[:2]}/{play.payment.expiry_yymm[2:]}"
    read = {"pan": play.payment.pan_masked, "expiry": expiry, "holder": holder}
    return StepTold("card", read, play.screen_of(next_state))  # what the swipe sends belongs to the next step


def _request(play: Play, name: str, state: str) -> StepTold:
    amount = play.money(play.payment.amount_minor)
    return play.told(name, play.screen_of(state), {"amount": amount}, before_answer=True)


def _decision(play: Play, name: str, state: str, **values: object) -> StepTold:
    payment = play.payment
    answer: dict[str, object] = {
        "code": payment.response_code,
        "authorisation_code": payment.authorisation_code,
        "rrn": payment.rrn,
    }
    return play.told(name, play.screen_of(state), answer | values)


def _paper(play: Play, name: str) -> StepTold:
    """Both copies, and what follows them, to the result on the display."""
    play.station.wait_for("tear_off")
    play.station.press(Key.ENTER)
    play.station.wait_for("result", "idle")
    return play.told(name, play.display.screen, {"copies": play.payment.copies_printed})
