"""What people type and present during a transaction: amount, original, card, and the PIN out of sight.

The first half of the work for the transaction table; `firmware.payment_work` has the messages and the paper.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from firmware.batch_limit import ONE_MAX_MINOR
from firmware.entry import AmountEditor
from firmware.journal import Draft
from firmware.messages import CardData, plan_of
from firmware.number_entry import ENTRIES, Entry, NumberEditor
from firmware.records import Flow, Payment
from firmware.secure.errors import SecureError
from firmware.txn.plans import PLANS, Amount, Ask, Delivery
from firmware.txn.schema import Keys
from firmware.txn.transaction import State
from firmware.work import Parts, Signal, Work
from hal.api import CardRead, CardReadFailed, Key
from wire.pan import Pan

PIN_STATES = (State.PIN, State.PURCHASE_PIN)
MANUAL = "01"  # first two digits of F22 (section 2.3)
COMPLETION_VOID = "completion_void"


class PaymentEntry(Work):
    """The part of the transaction's work that takes what people give."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.amount = AmountEditor()
        self.typed = NumberEditor()
        self.pin_digits = 0
        self.read_failure: CardReadFailed | None = None
        self.amount_refused = False  # what was typed last was too much
        self.original_missing = False  # there is no such voucher number to refer to
        self._typed_pan = ""
        self._card: CardData | None = None
        self._pin_block: bytes | None = None

    def begin(self) -> None:
        """Get ready for a new payment."""
        self.end()
        self.amount.reset()
        self.typed.reset()
        self.read_failure = None
        self.amount_refused = self.original_missing = False
        self.parts.kernel.post_first(Signal("begin"))

    def end(self) -> None:
        """Forget the card and the PIN block: nothing of them outlives the payment."""
        self._card = None
        self._pin_block = None
        self._typed_pan = ""
        self.pin_digits = 0
        self.parts.secure.end_pin_entry()
        self.parts.exchange.close()
        self.parts.board.card_reader.disarm()

    def leave(self, state: Enum) -> None:
        """An armed reader and a PIN entry end with their state."""
        if state is State.CARD:
            self.parts.board.card_reader.disarm()
        elif state in PIN_STATES:
            self.parts.secure.end_pin_entry()

    @property
    def payment(self) -> Payment:
        """The payment at hand, as committed."""
        assert self.parts.journal.payment is not None
        return self.parts.journal.payment

    @property
    def asks(self) -> tuple[Ask, ...]:
        """What this transaction asks for: what its type does, less what the settings do without."""
        payment, settings = self.payment, self.parts.settings
        asks = plan_of(payment).asks
        if payment.flow is Flow.AUTHORISE_FIRST:
            asks = tuple(ask for ask in asks if ask is not Ask.PIN)  # it comes after the authorisation
        if plan_of(payment).originals:
            left_out = {Ask.CARD: settings.void_asks_card, Ask.PIN: settings.void_asks_pin}
            asks = tuple(ask for ask in asks if left_out.get(ask, True))
        return asks

    @property
    def pin_tries_left(self) -> int:
        """How often the PIN may still be tried."""
        return self.parts.settings.pin_tries - self.payment.wrong_pins

    @property
    def swipes_left(self) -> int:
        """How often the card may still be swiped."""
        return self.parts.settings.swipe_tries - self.payment.bad_swipes

    # --- keys ---------------------------------------------------------------------------------------

    def press_key(self, mode: Keys, key: Key) -> Signal | bool | None:
        """The keys that type something."""
        match mode:
            case Keys.AMOUNT:
                return self._press_amount(key)
            case Keys.TYPING:
                return self._press_number(key)
            case Keys.CARD if key.digits:
                return self._begin_number(key)
        return None

    def _press_amount(self, key: Key) -> Signal | bool:
        if key is not Key.ENTER:
            self.amount_refused = False
            return self.amount.press(key)
        return Signal("amount_entered") if self.amount.amount_minor > 0 else False

    def _press_number(self, key: Key) -> Signal | bool:
        entry = self.entry
        assert entry is not None
        if key is not Key.ENTER:
            self.original_missing = False
            return self.typed.press(key, entry)
        return Signal(entry.event) if entry.is_complete(self.typed.text) else False

    def _begin_number(self, key: Key) -> Signal | bool:
        """The first digit of a card number that is typed, where that is allowed (parameter 20)."""
        if not (self.parts.settings.manual_entry_allowed and plan_of(self.payment).manual_entry):
            return False
        self.typed.reset()
        self.typed.press(key, ENTRIES["card_number"])
        return Signal("number_begun")

    # --- records ------------------------------------------------------------------------------------

    def note_amount(self, draft: Draft, _data: object) -> None:
        """The amount as typed; a tip goes on top of the original's amount."""
        typed = self.amount.amount_minor
        if plan_of(self.payment).amount is Amount.TIP:
            self._change(draft, amount_minor=self.payment.amount_minor + typed, tip_minor=typed)
        else:
            self._change(draft, amount_minor=typed)

    def note_original(self, draft: Draft, _data: object) -> None:
        """The payment that it is about, by its voucher number.

        Of an authorise-first purchase the bank has posted the completion, so that is what is voided.
        """
        original = self.original
        assert original is not None
        kind = self.payment.kind
        self._change(
            draft,
            sends=COMPLETION_VOID if kind == "purchase_void" and original.completion_stan else kind,
            amount_minor=original.amount_minor,
            currency=original.currency,
            pan_masked=original.pan_masked,
            expiry_yymm=original.expiry_yymm,
            entry_mode=original.entry_mode,
            card_organisation=original.card_organisation,
            original_number=original.number,
            original_batch=original.batch,
            original_stan=original.posted_stan,
            original_voucher=original.stan,
            original_date=_posting_date(original),
            original_rrn=original.posted_rrn,
            original_code=original.authorisation_code or original.original_code,
        )

    def note_reference(self, draft: Draft, _data: object) -> None:
        """The bank's reference number of the original."""
        self._change(draft, original_rrn=self.typed.text)

    def note_code(self, draft: Draft, _data: object) -> None:
        """The original's authorisation code."""
        self._change(draft, original_code=self.typed.text)

    def note_date(self, draft: Draft, _data: object) -> None:
        """The original's day; where its authorisation is in this journal, its batch and trace too."""
        self._change(draft, original_date=self.typed.text)
        known = self._known_authorisation(self.typed.text)
        if known is not None:
            self._change(
                draft, original_number=known.number, original_batch=known.batch, original_stan=known.stan
            )

    def note_card(self, draft: Draft, data: object) -> None:
        """What may be kept of the card: the masked number and the expiry."""
        assert isinstance(data, CardRead)
        track2 = data.tracks.track2
        assert track2 is not None
        self._card = CardData(track2.pan, track2.expiry_yymm, data.tracks, data.held)
        self._note_card(draft, entry_mode="02")
        self._change(draft, is_fallback=data.chip_failed)

    def note_typed_card(self, draft: Draft, _data: object) -> None:
        """The same of a card whose number was typed."""
        self._card = CardData(Pan(self._typed_pan), self.typed.text)
        self._typed_pan = ""
        self._note_card(draft, entry_mode=MANUAL)

    def count_bad_swipe(self, draft: Draft, data: object) -> None:
        """One swipe less."""
        self.read_failure = data if isinstance(data, CardReadFailed) else None
        self._change(draft, bad_swipes=self.payment.bad_swipes + 1)

    def note_pin(self, draft: Draft, _data: object) -> None:
        """A PIN was entered: its enciphered block waits for the message."""
        self._pin_block = self.parts.secure.take_pin_block()
        self._change(draft, pin_entered=True)

    # --- effects ------------------------------------------------------------------------------------

    def begin_typing(self, _data: object) -> None:
        """An empty line; a card number that was typed before it is kept for its expiry."""
        self.original_missing = self.state is State.ORIGINAL and bool(self.typed.text)
        self._typed_pan = self.typed.text if self.state is State.EXPIRY else ""
        self.typed.reset()

    def refuse_amount(self, _data: object) -> None:
        """Too much: the cashier hears and sees it, and types again."""
        self.amount.reset()
        self.amount_refused = True

    def arm_card_reader(self, _data: object) -> None:
        """From now on a card is read."""
        self.parts.board.card_reader.arm()

    def begin_pin_entry(self, _data: object) -> None:
        """Digits go from the keypad into the secure room; here only their number is seen."""
        settings = self.parts.settings
        self.pin_digits = 0
        try:
            self.parts.secure.begin_pin_entry(
                self.parts.board.keypad,
                self._pan_for_pin(),
                now_ms=self.parts.now_ms,
                digits_min=settings.pin_digits_min,
                digits_max=settings.pin_digits_max,
                total_timeout_ms=settings.pin_total_timeout_ms,
                key_timeout_ms=settings.pin_key_timeout_ms,
                bypass_allowed=self._may_bypass_pin(),
            )
        except SecureError:
            self.parts.kernel.post(Signal("pin_unavailable"))

    # --- their parts --------------------------------------------------------------------------------

    @property
    def original(self) -> Payment | None:
        """The payment of the voucher number typed, if this transaction may be about it."""
        plan, counters = plan_of(self.payment), self.parts.journal.counters
        stan = self.typed.text.zfill(6)
        found = self.parts.journal.payment_of(batch=counters.batch, stan=stan)
        fits = found is not None and found.stands and not found.mark and found.kind in plan.originals
        return found if fits else None

    @property
    def entry(self) -> Entry | None:
        """What is being typed now; None when nothing is."""
        return ENTRIES.get(str(self.state.value)) if self.state else None

    @property
    def amount_max_minor(self) -> int:
        """What may be typed as the amount: limits of tips and of completions (sections 7.6 and 7.7)."""
        payment, settings = self.payment, self.parts.settings
        if plan_of(payment).amount is Amount.TIP:
            return payment.amount_minor * settings.tip_percent_max // 100
        original = self.parts.journal.read_payment(payment.original_number)
        if original is None or original.kind != "preauth":
            return ONE_MAX_MINOR
        percent = 100 if payment.kind == "preauth_cancel" else settings.completion_percent_max
        return original.amount_minor * percent // 100

    def differs(self, pan: Pan) -> bool:
        """Whether this is another card than the original's, as far as the terminal knows that one."""
        if not self.payment.original_number:
            return False
        sealed = self.parts.cards.opened(self.payment.original_number)
        return sealed is not None and sealed.pan != pan

    def typed_differs(self) -> bool:
        """The same for the card number that was typed."""
        return self.differs(Pan(self._typed_pan))

    def _known_authorisation(self, date_mmdd: str) -> Payment | None:
        """The pre-authorisation of the code that was typed, if it is in this journal."""
        code, kinds = self.payment.original_code, {"preauth"}
        found = [
            payment
            for payment in self.parts.journal.payments()
            if payment.kind in kinds
            and payment.stands
            and (payment.authorisation_code, payment.host_date) == (code, date_mmdd)
        ]
        return found[-1] if found else None

    def _pan_for_pin(self) -> Pan:
        """The card that is here; else the original's, as it was sealed."""
        if self._card is not None:
            return self._card.pan
        sealed = self.parts.cards.opened(self.payment.original_number)
        return sealed.pan if sealed is not None else Pan("0" * 12)  # section 6.5: no PAN at the terminal

    def _may_bypass_pin(self) -> bool:
        """Never with the authorisation first, whose PIN is a step of its own, nor after a wrong PIN."""
        payment = self.payment
        allowed = self.parts.settings.pin_bypass_allowed or payment.kind not in PIN_IS_THE_RULE
        return allowed and payment.flow is Flow.PIN_FIRST and not payment.wrong_pins

    def _note_card(self, draft: Draft, *, entry_mode: str) -> None:
        assert self._card is not None
        self._change(
            draft,
            pan_masked=self._card.pan.masked,
            expiry_yymm=self._card.expiry_yymm,
            entry_mode=entry_mode,
        )

    def _change(self, draft: Draft, **changes: Any) -> None:
        assert draft.payment is not None
        draft.payment = draft.payment.changed(**changes)


def _posting_date(original: Payment) -> str:
    """The day on which the bank has posted it, MMDD; "" where the terminal was not told that day.

    `host_date` is another one for what was posted by an advice: that of the authorisation, or of the
    terminal's own clock. Batch and trace are enough then (iso8583-pos section 3.3: the date "when known").
    """
    was_advised = bool(original.completion_stan) or plan_of(original).delivery is Delivery.STORED
    return "" if was_advised else original.host_date


PIN_IS_THE_RULE = frozenset({name for name, plan in PLANS.items() if Ask.ORIGINAL not in plan.asks})
"""Types whose PIN may be passed by only where the settings say so; for a void the cardholder chooses."""
