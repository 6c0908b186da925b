"""What the transaction table's records and effects do with messages, outbox and paper.

Each name in the table is a method here or in `firmware.payment_entry`; the machine refuses to be built when
one is missing. A record (`draft, data`) may only change the draft: it is committed before any effect (`data`)
of the same rule. `data` is what came with the event: the answer of the bank, the card that was read.
"""

from __future__ import annotations

from typing import Any

from firmware import messages
from firmware.exchange import Answer
from firmware.journal import Draft
from firmware.messages import CardData, message_of, plan_of
from firmware.payment_entry import MANUAL, PaymentEntry
from firmware.records import OutgoingKind, OutgoingState, ReversalReason, SlipCopy
from firmware.secure.card_vault import SealedCard
from firmware.txn.plans import COMPLETION, PIN_VERIFICATION, REVERSAL_MTI
from firmware.txn.schema import Rule
from firmware.work import Parts, outgoing_of, tried
from wire.errors import CodecError
from wire.iso8583.private import F54


class PaymentWork(PaymentEntry):
    """Carries out the transaction table for one transaction after the other."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.balance_minor: int | None = None  # as the bank told it: shown, never stored
        self._why: ReversalReason | None = None

    def end(self) -> None:
        """Forget the balance too."""
        super().end()
        self.balance_minor = None

    def apply(self, rule: Rule, draft: Draft) -> None:
        """The part of a rule that every record shares: new state, outcome, reason."""
        assert draft.payment is not None
        changes: dict[str, Any] = {"state": rule.target.value}
        if rule.outcome is not None:
            changes["outcome"] = rule.outcome
        if rule.reason.value:
            changes["reason"] = rule.reason
        draft.payment = draft.payment.changed(**changes)
        self._why = rule.reversal

    # --- records ------------------------------------------------------------------------------------

    def assign_stan(self, draft: Draft, _data: object) -> None:
        """The trace and batch under which the bank will know the payment."""
        self._change(draft, stan=draft.next_stan(), batch=draft.counters.batch)

    def store_reversal(self, draft: Draft, _data: object) -> None:
        """Durable before the request leaves, and held: it becomes due if no definite answer comes.

        A type that cannot be reversed (a balance, a refund) stores none.
        """
        assert draft.payment is not None
        if not plan_of(draft.payment).reversible:
            return
        fields = messages.reversal(self.parts.settings, draft.payment)
        is_typed = draft.payment.entry_mode == MANUAL  # then F2 goes with it, out of the secure room
        if is_typed:
            self._seal_card(draft)
        draft.add_outgoing(
            OutgoingKind.REVERSAL,
            draft.payment,
            REVERSAL_MTI,
            fields,
            OutgoingState.HELD,
            names_card=is_typed,
        )

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
        draft.outbox[number] = entry.changed(fields=fields, state=OutgoingState.DUE)

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

    def store_advice(self, draft: Draft, _data: object) -> None:
        """The terminal has decided: the bank will be told, until it answers."""
        assert draft.payment is not None
        self._change(draft, response_code="00", **self._own_moment())
        payment = draft.payment
        assert payment is not None
        fields = messages.stored(self.parts.settings, payment)
        mti = message_of(payment).mti
        draft.add_outgoing(OutgoingKind.ADVICE, payment, mti, fields, OutgoingState.DUE, names_card=True)

    def note_slip(self, draft: Draft, _data: object) -> None:
        """The transaction stands: its slip can be printed again, its original knows, its card is sealed."""
        assert draft.payment is not None
        draft.counters = draft.counters.changed(last_slip=draft.payment.number)
        self._mark_original(draft)
        self._seal_card(draft)

    def count_copy(self, draft: Draft, _data: object) -> None:
        """One more copy is on paper."""
        self._change(draft, copies_printed=self.payment.copies_printed + 1)

    def drop_completion(self, draft: Draft, data: object) -> None:
        """The bank has posted."""
        assert isinstance(data, Answer)
        self._drop(draft, OutgoingKind.COMPLETION)
        assert draft.payment is not None
        draft.payment = messages.note_posting(draft.payment, data.message)

    def refuse_completion(self, draft: Draft, data: object) -> None:
        """A definite no to a completion: kept for the operator, not sent again."""
        self.note_decline(draft, data)
        number = outgoing_of(draft, self.payment.number, OutgoingKind.COMPLETION)
        assert number is not None
        draft.outbox[number] = draft.outbox[number].changed(state=OutgoingState.REFUSED)

    def count_attempt(self, draft: Draft, data: object) -> None:
        """A try without a definite answer."""
        for number, entry in draft.outbox.items():
            if entry.payment_number == self.payment.number:
                draft.outbox[number] = tried(entry, data)

    def note_reversed(self, draft: Draft, _data: object) -> None:
        """The bank has undone it."""
        self._change(draft, reversed=True)

    # --- effects ------------------------------------------------------------------------------------

    def send_request(self, _data: object) -> None:
        """Card, amount, original and PIN, as far as the type has them, in one message."""
        card = self._card or self._typed_original()
        fields = messages.request(self.parts.settings, self.payment, card, self._pin_block)
        self._pin_block = None
        self.send(message_of(self.payment).mti, fields)

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

    def show_balance(self, data: object) -> None:
        """What the bank says is there: for the display only."""
        assert isinstance(data, Answer)
        assert data.message is not None
        try:
            self.balance_minor = F54.parse(messages.text_of(data.message, 54)).amount_minor
        except CodecError:
            self.balance_minor = None  # none was told, or none that can be read

    # --- their parts --------------------------------------------------------------------------------

    def _own_moment(self) -> dict[str, str]:
        """Date and time of a transaction that no bank has dated."""
        now = self.parts.board.clock.wall()
        return {"host_date": f"{now:%m%d}", "host_time": f"{now:%H%M%S}"}

    def _mark_original(self, draft: Draft) -> None:
        payment = self.payment
        mark = plan_of(payment).mark.value
        original = self.parts.journal.read_payment(payment.original_number) if mark else None
        if original is not None:
            tip_minor = draft.payment.tip_minor if draft.payment else 0
            draft.older[original.number] = original.changed(mark=mark, tip_minor=tip_minor)

    def _seal_card(self, draft: Draft) -> None:
        """Number and expiry are repeated in a batch upload and in an advice, until the batch is closed."""
        payment = self.payment
        card = self.parts.cards.opened(payment.original_number) if payment.original_number else None
        if self._card is not None:
            card = SealedCard(self._card.pan, self._card.expiry_yymm)
        if card is not None:
            draft.extra.append(self.parts.cards.sealed(payment.number, card))

    def _typed_original(self) -> CardData | None:
        """The original's card where its number was typed and is not typed again: F22 01 goes with F2."""
        if self.payment.entry_mode != MANUAL or not self.payment.original_number:
            return None
        sealed = self.parts.cards.opened(self.payment.original_number)
        return CardData(sealed.pan, sealed.expiry_yymm) if sealed is not None else None

    def _drop(self, draft: Draft, kind: OutgoingKind) -> None:
        number = outgoing_of(draft, self.payment.number, kind)
        if number is None:
            return
        if draft.outbox.pop(number).names_card:
            draft.extra.append(self.parts.cards.forgotten(self.payment.number))  # `note_slip` seals it anew

    def _take_pin_block(self) -> bytes:
        block, self._pin_block = self._pin_block, None
        assert block is not None
        return block

    def _send_outgoing(self, kind: OutgoingKind) -> None:
        number = outgoing_of(self.parts.journal.draft(), self.payment.number, kind)
        assert number is not None
        entry = self.parts.journal.outbox[number]
        self.send_stored(entry)
