"""The transaction table's questions."""

from __future__ import annotations

from firmware import messages
from firmware.messages import plan_of
from firmware.payment_work import PaymentWork
from firmware.records import Flow, Outcome
from firmware.txn.plans import Ask, Delivery
from firmware.work import Guards
from hal.api import CardRead


class PaymentGuards(Guards):
    """The transaction table's questions."""

    def __init__(self, work: PaymentWork) -> None:
        super().__init__()
        self._work = work

    def authorises_first(self) -> bool:
        """The flow is the seven steps."""
        return self._work.payment.flow is Flow.AUTHORISE_FIRST

    def asks_original(self) -> bool:
        """A voucher number is asked for."""
        return Ask.ORIGINAL in self._work.asks

    def asks_reference(self) -> bool:
        """The bank's reference number is asked for."""
        return Ask.REFERENCE in self._work.asks

    def asks_code(self) -> bool:
        """An authorisation code is asked for."""
        return Ask.AUTHORISATION_CODE in self._work.asks

    def asks_date(self) -> bool:
        """The original's day is asked for."""
        return Ask.ORIGINAL_DATE in self._work.asks

    def asks_amount(self) -> bool:
        """An amount is asked for."""
        return Ask.AMOUNT in self._work.asks

    def asks_card(self) -> bool:
        """A card is asked for."""
        return Ask.CARD in self._work.asks

    def asks_pin(self) -> bool:
        """The PIN is asked for before the one online message."""
        return Ask.PIN in self._work.asks

    def is_stored(self) -> bool:
        """The terminal decides, and tells the bank later."""
        return plan_of(self._work.payment).delivery is Delivery.STORED

    def is_irreversible(self) -> bool:
        """Nothing undoes what was asked."""
        return not plan_of(self._work.payment).reversible

    def may_be_done(self) -> bool:
        """The bank may have moved money, and nothing undoes it."""
        return messages.may_be_done(self._work.payment)

    def has_slip(self) -> bool:
        """It is printed."""
        return plan_of(self._work.payment).has_slip

    def original_found(self) -> bool:
        """There is a payment of the voucher number typed, and it may be voided or adjusted."""
        return self._work.original is not None

    def amount_too_high(self) -> bool:
        """A tip above the limit, or more than may be completed of an authorisation that is known here."""
        return self._work.amount.amount_minor > self._work.amount_max_minor

    def card_differs(self) -> bool:
        """The card in the reader is not the original's."""
        assert isinstance(self.data, CardRead)
        track2 = self.data.tracks.track2
        return track2 is not None and self._work.differs(track2.pan)

    def typed_card_differs(self) -> bool:
        """The card number typed is not the original's."""
        return self._work.typed_differs()

    def swipes_left(self) -> bool:
        """After this bad swipe, another is allowed."""
        return self._work.swipes_left > 1

    def pin_tries_left(self) -> bool:
        """After this wrong PIN, another is allowed; a type that asks for none cannot ask again."""
        return Ask.PIN in plan_of(self._work.payment).asks and self._work.pin_tries_left > 1

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
