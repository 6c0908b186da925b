"""What the transaction table's guards, records and effects do.

Each name in the table is a method here; the machine refuses to be built when one is missing. A record
(`draft, data`) may only change the draft: it is committed before any effect (`data`) of the same rule.
`data` is what came with the event: the answer of the bank, the card that was read.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import Any

from firmware import messages
from firmware.entry import AmountEditor
from firmware.exchange import Answer
from firmware.journal import Draft
from firmware.messages import CardData
from firmware.records import Flow, Outcome, OutgoingKind, OutgoingState, Payment, ReversalReason, SlipCopy
from firmware.secure.errors import SecureError
from firmware.txn.plans import AUTHORISATION, COMPLETION, PIN_VERIFICATION, PURCHASE, REVERSAL_MTI
from firmware.txn.schema import Keys, Rule
from firmware.txn.transaction import State
from firmware.work import Guards, Parts, Signal, Work, outgoing_of
from hal.api import CardRead, CardReadFailed, Key

PIN_STATES = (State.PIN, State.PURCHASE_PIN)


class PaymentWork(Work):
    """Carries out the transaction table for one payment after the other."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.amount = AmountEditor()
        self.pin_digits = 0
        self.read_failure: CardReadFailed | None = None
        self._card: CardData | None = None
        self._pin_block: bytes | None = None
        self._why: ReversalReason | None = None

    def begin(self) -> None:
        """Get ready for a new payment."""
        self.end()
        self.amount.reset()
        self.read_failure = None

    def end(self) -> None:
        """Forget the card and the PIN block: nothing of them outlives the payment."""
        self._card = None
        self._pin_block = None
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

    def press_key(self, mode: Keys, key: Key) -> Signal | bool | None:
        """The keys that type the amount."""
        if mode is not Keys.AMOUNT:
            return None
        if key is not Key.ENTER:
            return self.amount.press(key)
        return Signal("amount_entered") if self.amount.amount_minor > 0 else False

    @property
    def payment(self) -> Payment:
        """The payment at hand, as committed."""
        assert self.parts.journal.payment is not None
        return self.parts.journal.payment

    @property
    def pin_tries_left(self) -> int:
        """How often the PIN may still be tried."""
        return self.parts.settings.pin_tries - self.payment.wrong_pins

    @property
    def swipes_left(self) -> int:
        """How often the card may still be swiped."""
        return self.parts.settings.swipe_tries - self.payment.bad_swipes

    def apply(self, rule: Rule, draft: Draft) -> None:
        """The part of a rule that every record shares: new state, outcome, reason."""
        assert draft.payment is not None
        changes: dict[str, Any] = {"state": rule.target.value}
        if rule.outcome is not None:
            changes["outcome"] = rule.outcome
        if rule.reason.value:
            changes["reason"] = rule.reason
        draft.payment = replace(draft.payment, **changes)
        self._why = rule.reversal

    # --- records ------------------------------------------------------------------------------------

    def note_amount(self, draft: Draft, _data: object) -> None:
        """The amount as typed."""
        self._change(draft, amount_minor=self.amount.amount_minor)

    def note_card(self, draft: Draft, data: object) -> None:
        """What may be kept of the card: the masked number and the expiry."""
        assert isinstance(data, CardRead)
        self._card = CardData(data.tracks, data.held)
        track2 = data.tracks.track2
        assert track2 is not None
        self._change(draft, pan_masked=track2.pan.masked, expiry_yymm=track2.expiry_yymm)

    def count_bad_swipe(self, draft: Draft, data: object) -> None:
        """One swipe less."""
        self.read_failure = data if isinstance(data, CardReadFailed) else None
        self._change(draft, bad_swipes=self.payment.bad_swipes + 1)

    def note_pin(self, draft: Draft, _data: object) -> None:
        """A PIN was entered: its enciphered block waits for the message."""
        self._pin_block = self.parts.secure.take_pin_block()
        self._change(draft, pin_entered=True)

    def assign_stan(self, draft: Draft, _data: object) -> None:
        """The trace and batch under which the bank will know the payment."""
        self._change(draft, stan=draft.next_stan(), batch=draft.counters.batch)

    def store_reversal(self, draft: Draft, _data: object) -> None:
        """Durable before the request leaves, and held: it becomes due if no definite answer comes."""
        assert draft.payment is not None
        fields = messages.reversal(self.parts.settings, draft.payment)
        draft.add_outgoing(OutgoingKind.REVERSAL, draft.payment, REVERSAL_MTI, fields, OutgoingState.HELD)

    def note_authorisation(self, draft: Draft, data: object) -> None:
        """The bank's yes: codes, date and time."""
        assert isinstance(data, Answer)
        assert data.message is not None
        assert draft.payment is not None
        draft.payment = messages.note_authorisation(draft.payment, data.message)

    def note_decline(self, draft: Draft, data: object) -> None:
        """The bank's no."""
        assert isinstance(data, Answer)
        self._change(draft, response_code=data.response_code)

    def count_wrong_pin(self, draft: Draft, data: object) -> None:
        """One try less."""
        self.note_decline(draft, data)
        self._change(draft, wrong_pins=self.payment.wrong_pins + 1)

    def drop_reversal(self, draft: Draft, _data: object) -> None:
        """A definite answer: there is nothing to undo, or it is undone."""
        self._drop(draft, OutgoingKind.REVERSAL)

    def release_reversal(self, draft: Draft, _data: object) -> None:
        """The held reversal becomes due, with the rule's reason; one that is due already stays as it is."""
        number = outgoing_of(draft, self.payment.number, OutgoingKind.REVERSAL)
        assert number is not None
        assert self._why is not None
        entry = draft.outbox[number]
        fields = messages.release(entry.fields, self._why)
        draft.outbox[number] = replace(entry, fields=fields, state=OutgoingState.DUE)

    def assign_verification_stan(self, draft: Draft, _data: object) -> None:
        """Each PIN verification is a message of its own."""
        self._change(draft, verification_stan=draft.next_stan())

    def store_completion(self, draft: Draft, _data: object) -> None:
        """In one commit the completion takes the reversal's place."""
        self._drop(draft, OutgoingKind.REVERSAL)
        self._change(draft, completion_stan=draft.next_stan(), response_code="00")
        assert draft.payment is not None
        fields = messages.completion(self.parts.settings, draft.payment)
        draft.add_outgoing(OutgoingKind.COMPLETION, draft.payment, COMPLETION.mti, fields, OutgoingState.DUE)

    def note_slip(self, draft: Draft, _data: object) -> None:
        """From now on this payment's slip is the one to print again."""
        assert draft.payment is not None
        draft.counters = replace(draft.counters, last_slip=draft.payment.number)

    def count_copy(self, draft: Draft, _data: object) -> None:
        """One more copy is on paper."""
        self._change(draft, copies_printed=self.payment.copies_printed + 1)

    def drop_completion(self, draft: Draft, _data: object) -> None:
        """The bank has posted."""
        self._drop(draft, OutgoingKind.COMPLETION)
        self._change(draft, completed=True)

    def refuse_completion(self, draft: Draft, data: object) -> None:
        """A definite no to a completion: kept for the operator, not sent again."""
        self.note_decline(draft, data)
        number = outgoing_of(draft, self.payment.number, OutgoingKind.COMPLETION)
        assert number is not None
        draft.outbox[number] = replace(draft.outbox[number], state=OutgoingState.REFUSED)

    def count_attempt(self, draft: Draft, _data: object) -> None:
        """A try without a definite answer."""
        for number, entry in draft.outbox.items():
            if entry.payment_number == self.payment.number:
                draft.outbox[number] = replace(entry, attempts=entry.attempts + 1)

    def note_reversed(self, draft: Draft, _data: object) -> None:
        """The bank has undone it."""
        self._change(draft, reversed=True)

    # --- effects ------------------------------------------------------------------------------------

    def arm_card_reader(self, _data: object) -> None:
        """From now on a card is read."""
        self.parts.board.card_reader.arm()

    def begin_pin_entry(self, _data: object) -> None:
        """Digits go from the keypad into the secure room; here only their number is seen."""
        settings, track2 = self.parts.settings, self._card.tracks.track2 if self._card else None
        assert track2 is not None
        self.pin_digits = 0
        try:
            self.parts.secure.begin_pin_entry(
                self.parts.board.keypad,
                track2.pan,
                now_ms=self.parts.now_ms,
                digits_min=settings.pin_digits_min,
                digits_max=settings.pin_digits_max,
                total_timeout_ms=settings.pin_total_timeout_ms,
                key_timeout_ms=settings.pin_key_timeout_ms,
                bypass_allowed=self._may_bypass_pin(),
            )
        except SecureError:
            self.parts.kernel.post(Signal("pin_unavailable"))

    def send_authorisation(self, _data: object) -> None:
        """Step 2: card and amount to the bank."""
        assert self._card is not None
        self.send(AUTHORISATION.mti, messages.authorisation(self.parts.settings, self.payment, self._card))

    def send_purchase(self, _data: object) -> None:
        """Card, amount and PIN in one message."""
        assert self._card is not None
        block = self._take_pin_block() if self.payment.pin_entered else None
        self.send(PURCHASE.mti, messages.purchase(self.parts.settings, self.payment, self._card, block))

    def send_pin_verification(self, _data: object) -> None:
        """Step 5: the enciphered PIN to the bank. Money is on hold: a line that is out now is waited for."""
        block = self._take_pin_block()
        fields = messages.pin_verification(self.parts.settings, self.payment, block)
        self.send(PIN_VERIFICATION.mti, fields, wait_for_link=True)

    def send_completion(self, _data: object) -> None:
        """Step 7: the hold becomes a posting."""
        self._send_outgoing(OutgoingKind.COMPLETION)

    def send_reversal(self, _data: object) -> None:
        """Undo it, at once if the link is alive."""
        self._send_outgoing(OutgoingKind.REVERSAL)

    def print_copy(self, _data: object) -> None:
        """The next copy: the merchant's, then the cardholder's."""
        copy = SlipCopy.CARDHOLDER if self.payment.copies_printed else SlipCopy.MERCHANT
        self.print_slip(self.payment, copy, duplicate=False)

    def _may_bypass_pin(self) -> bool:
        """Never with the authorisation first, whose PIN is a step of its own, nor after a wrong PIN."""
        payment = self.payment
        allowed = self.parts.settings.pin_bypass_allowed
        return allowed and payment.flow is Flow.PIN_FIRST and not payment.wrong_pins

    # --- their parts --------------------------------------------------------------------------------

    def _change(self, draft: Draft, **changes: Any) -> None:
        assert draft.payment is not None
        draft.payment = replace(draft.payment, **changes)

    def _drop(self, draft: Draft, kind: OutgoingKind) -> None:
        number = outgoing_of(draft, self.payment.number, kind)
        if number is not None:
            del draft.outbox[number]

    def _take_pin_block(self) -> bytes:
        block, self._pin_block = self._pin_block, None
        assert block is not None
        return block

    def _send_outgoing(self, kind: OutgoingKind) -> None:
        number = outgoing_of(self.parts.journal.draft(), self.payment.number, kind)
        assert number is not None
        entry = self.parts.journal.outbox[number]
        self.send_stored(entry.mti, entry.fields)


class PaymentGuards(Guards):
    """The transaction table's questions."""

    def __init__(self, work: PaymentWork) -> None:
        super().__init__()
        self._work = work

    def authorises_first(self) -> bool:
        """The flow is the seven steps."""
        return self._work.payment.flow is Flow.AUTHORISE_FIRST

    def swipes_left(self) -> bool:
        """After this bad swipe, another is allowed."""
        return self._work.swipes_left > 1

    def pin_tries_left(self) -> bool:
        """After this wrong PIN, another is allowed."""
        return self._work.pin_tries_left > 1

    def more_copies(self) -> bool:
        """After this copy, another is to be printed."""
        return self._work.payment.copies_printed + 1 < self._work.parts.settings.slip_copies

    def owes_completion(self) -> bool:
        """The bank holds the money and waits for the completion."""
        return bool(self._work.payment.completion_stan)

    def refusal_is_final(self) -> bool:
        """The bank's no will not change when the same message comes again."""
        code = self.answer.response_code if self.answer else ""
        return code not in messages.SYSTEM_TROUBLE | messages.SIGN_IN_AGAIN

    def ends_declined(self) -> bool:
        """The outcome was decided when the reversal was released."""
        return self._work.payment.outcome is Outcome.DECLINED

    def ends_cancelled(self) -> bool:
        """See `ends_declined`."""
        return self._work.payment.outcome is Outcome.CANCELLED

    def ends_timed_out(self) -> bool:
        """See `ends_declined`."""
        return self._work.payment.outcome is Outcome.TIMED_OUT
