"""What the parts of a running terminal share, and what both tables' work needs: timers, sounds, sending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from firmware.exchange import Answer, HostExchange, Verdict
from firmware.journal import Draft, Journal
from firmware.kernel import Kernel
from firmware.messages import DUPLICATE, card_fields
from firmware.operators import Operators
from firmware.printing import SlipPrinter
from firmware.receipt import continued, slip
from firmware.records import Outgoing, OutgoingKind, Payment, ReversalReason, SlipCopy
from firmware.secure.card_vault import CardVault
from firmware.secure.module import SecureModule
from firmware.settings import TerminalSettings
from firmware.txn.schema import Keys, Rule
from firmware.upkeep import Upkeep
from hal.api import Beep, Key
from hal.board import Board
from host_link.session import Session


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that happened, by its name in the state tables; the table that is active decides on it."""

    name: str
    data: object = None


@dataclass
class Duty:
    """Who works at the terminal now. Not durable: after a power cut somebody logs on again."""

    operator: str = ""  # the number of who has logged on; "" for nobody
    key_loading_approved: bool = False  # by the administrator, for the next time


@dataclass
class Parts:
    """One running terminal's parts."""

    board: Board
    settings: TerminalSettings
    journal: Journal
    kernel: Kernel[Signal]
    secure: SecureModule
    session: Session
    exchange: HostExchange
    slip_printer: SlipPrinter
    cards: CardVault
    operators: Operators
    upkeep: Upkeep
    duty: Duty = field(default_factory=Duty)

    def put_in_force(self, settings: TerminalSettings) -> None:
        """Use these settings from now on, with the number of who has logged on."""
        self.settings = replace(settings, operator=self.duty.operator or settings.operator)

    @property
    def now_ms(self) -> int:
        """The board's monotonic clock."""
        return self.board.clock.monotonic_ms()

    @property
    def language(self) -> str:
        """The language in force: the one switched to, or the settings' one."""
        return self.journal.counters.language or self.settings.language

    @property
    def display_language(self) -> str:
        """The language in force, or English where the display has no Chinese characters."""
        return self.language if self.board.display.shows_chinese else "en"


class Guards:
    """A table's questions: one method without arguments for each guard's name."""

    def __init__(self) -> None:
        self.answer: Answer | None = None  # the bank's newest, less its message
        self.data: object = None  # what came with the event, while they are asked


class Work:
    """The records and effects that the state tables share. A record changes a draft, an effect the world."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.state: Enum | None = None  # the table's, once it has begun
        self.event: Enum | None = None  # the table's newest

    def begin(self) -> None:
        """Get ready: the table starts anew."""

    def end(self) -> None:
        """The table has ended, or the terminal stops working: forget what must not outlive it."""

    def leave(self, state: Enum) -> None:
        """The table leaves `state`: end what holds in it only."""

    def press_key(self, mode: Keys, key: Key) -> Signal | bool | None:
        """A key that is not CANCEL: what comes of it, or whether it counts; None: as always."""
        del mode, key
        return None

    def apply(self, rule: Rule, draft: Draft) -> None:
        """What every rule of the table commits, besides its records."""

    def send(self, mti: str, fields: Mapping[int, str | bytes], *, wait_for_link: bool = False) -> None:
        """Send a request; when it cannot leave, the table hears so at once."""
        parts = self.parts
        answer = parts.exchange.send(mti, fields, now_ms=parts.now_ms, wait_for_link=wait_for_link)
        if answer is not None:
            self.post_answer(answer)

    def send_stored(self, entry: Outgoing) -> None:
        """Send a message of the outbox, with the card's number where it names one."""
        fields: dict[int, str | bytes] = {int(field): value for field, value in entry.fields.items()}
        if entry.chip_data:
            fields[55] = bytes.fromhex(entry.chip_data)
        if entry.names_card and (card := self.parts.cards.opened(entry.payment_number)) is not None:
            fields |= card_fields(card.pan, card.expiry_yymm)
        self.send(entry.mti, fields)

    def post_answer(self, answer: Answer) -> None:
        """Queue what became of a request."""
        self.parts.kernel.post(Signal(f"host_{answer.verdict.value}", answer))

    def print_slip(self, payment: Payment, copy: SlipCopy, *, duplicate: bool) -> None:
        """Start printing a copy of an approved payment's slip."""
        parts, columns = self.parts, self.parts.board.printer.columns
        in_full = payment.kind == "preauth" and not parts.settings.preauth_masks_pan
        card = parts.cards.opened(payment.number) if in_full else None
        items = slip(
            payment,
            parts.settings,
            copy,
            language=parts.language,
            columns=columns,
            duplicate=duplicate,
            printed_at=parts.board.clock.wall(),
            full_pan=card.pan if card is not None else None,
        )
        parts.slip_printer.start(
            items, continued=continued(payment, language=parts.language, columns=columns)
        )

    # --- effects that several tables use ----------------------------------------------------------------

    def look_again(self, data: object) -> None:
        """The same signal once more, before all others: the state that was entered decides on it."""
        assert self.event is not None
        self.parts.kernel.post_first(Signal(self.event.value, data))

    def connect(self, _data: object) -> None:
        """Report the link as up when it is; otherwise its coming up will be heard."""
        if self.parts.session.is_up:
            self.parts.kernel.post(Signal("link_up"))

    def stop_printing(self, _data: object) -> None:
        """Give the slip up."""
        self.parts.slip_printer.stop()

    def resume_printing(self, _data: object) -> None:
        """Go on with the slip where it stopped."""
        self.parts.slip_printer.resume()

    def beep_key(self, _data: object) -> None:
        """A short click."""
        self.parts.board.buzzer.sound(Beep.KEY)

    def beep_authorised(self, _data: object) -> None:
        """Two short beeps."""
        self.parts.board.buzzer.sound(Beep.AUTHORISED)

    def beep_error(self, _data: object) -> None:
        """One low beep."""
        self.parts.board.buzzer.sound(Beep.ERROR)

    def beep_alert(self, _data: object) -> None:
        """Three beeps: somebody must come."""
        self.parts.board.buzzer.sound(Beep.ALERT)


def nobody_logged_on(parts: Parts) -> bool:
    """Whether somebody must log on before anything is sold or shown."""
    return parts.settings.log_on_required and not parts.duty.operator


def tried(entry: Outgoing, data: object) -> Outgoing:
    """A message of the outbox after one more attempt without a definite answer.

    The reason of a reversal whose answer had a wrong MAC is that from now on (iso8583-pos section 7.2).
    """
    is_bad = isinstance(data, Answer) and data.verdict is Verdict.BAD_MAC
    fields = dict(entry.fields)
    if is_bad and entry.kind is OutgoingKind.REVERSAL:
        fields["39"] = ReversalReason.BAD_MAC.value
    return entry.changed(attempts=entry.attempts + 1, fields=fields)


def is_known_already(entry: Outgoing | None, answer: Answer) -> bool:
    """Whether the bank's "duplicate" (94) says that it has this advice: it went before, and no answer came.

    Banks that do not repeat an answer say so (iso8583-pos section 13, step 5). Never of a reversal.
    """
    if entry is None or entry.kind not in (OutgoingKind.COMPLETION, OutgoingKind.ADVICE):
        return False
    return entry.attempts > 0 and answer.response_code == DUPLICATE


def outgoing_of(draft: Draft, payment_number: int, kind: OutgoingKind) -> int | None:
    """The outbox number of a payment's reversal or completion; None when there is none."""
    for number, entry in draft.outbox.items():
        if entry.payment_number == payment_number and entry.kind is kind:
            return number
    return None
