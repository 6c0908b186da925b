"""The terminal table's questions."""

from __future__ import annotations

from datetime import datetime, timedelta

from firmware.management_work import SIGN_IN_JOB, ManagementGuards
from firmware.parameters import is_on
from firmware.records import OutgoingState
from firmware.terminal_work import TerminalWork, refusal_is_final
from firmware.txn.plans import DEFAULT_PLAN, PLANS, Totals
from firmware.work import nobody_logged_on


class TerminalGuards(ManagementGuards):
    """The terminal table's questions."""

    def __init__(self, work: TerminalWork) -> None:
        super().__init__(work)
        self._work = work

    def must_sign_in(self) -> bool:
        """No working keys, none that the bank accepts, or too old ones."""
        parts = self._work.parts
        counters = parts.journal.counters
        signed_in = counters.signed_in and counters.signed_in_as == parts.secure.security.name
        if not signed_in or not parts.secure.has_working_keys or SIGN_IN_JOB in counters.jobs:
            return True
        age_max_h = parts.settings.sign_in_max_age_h
        return is_older(counters.signed_in_at, parts.board.clock.wall(), age_max_h) if age_max_h else False

    def signs_in_by_itself(self) -> bool:
        """Nobody has to ask for it: unless the terminal was signed out and owes the bank nothing."""
        rests = self._work.parts.journal.counters.signed_out and not self.outbox_due()
        return self.must_sign_in() and not rests

    def nobody_logged_on(self) -> bool:
        """Somebody must log on first: the settings ask for it."""
        return nobody_logged_on(self._work.parts)

    def outbox_due(self) -> bool:
        """Something is to be sent."""
        return bool(self._work.parts.journal.due())

    def owes_before_sale(self) -> bool:
        """Something must be sent before the next payment (iso8583-pos section 7.1)."""
        return bool(self._work.must_go_first())

    def outbox_due_after(self) -> bool:
        """Something is due besides what was answered just now; advices wait while somebody wants to sell."""
        work = self._work
        due = work.must_go_first() if work.sale_wanted else work.parts.journal.due()
        return any(entry is not work.sending for entry in due)

    def must_sign_in_to_send(self) -> bool:
        """A settlement itself needs no sign-in; what must be sent before it does."""
        return self.outbox_due() and self.must_sign_in()

    def settlement_open(self) -> bool:
        """A settlement was begun and is not through: until then nothing is sold."""
        settlement = self._work.parts.journal.settlement
        return settlement is not None and settlement.is_open

    def settlement_wanted(self) -> bool:
        """Somebody waits for the settlement, or one is open."""
        return self._work.settlement_wanted or self.settlement_open()

    def signs_out_now(self) -> bool:
        """The parameters ask for a sign-out after each settlement."""
        return self._work.parts.settings.signs_out_after_settlement

    def batch_full(self) -> bool:
        """A settlement could not tell one more that counts; what does not count goes on."""
        plan = PLANS[self.data] if isinstance(self.data, str) else DEFAULT_PLAN
        return plan.totals is not Totals.NONE and self._work.batch_limit.is_reached()

    def type_is_off(self) -> bool:
        """The acquirer has switched this type of transaction off (parameter 26)."""
        plan = PLANS[self.data] if isinstance(self.data, str) else DEFAULT_PLAN
        return not is_on(self._work.parts.settings.switches, plan.switch)

    def owes_or_lacks_keys(self) -> bool:
        """After a power cut: something is due, or will be once the open payment is recovered."""
        entries = self._work.parts.journal.outbox.values()
        owes = any(entry.state is not OutgoingState.REFUSED for entry in entries)
        return self.must_sign_in() or owes or self.settlement_open()

    def sale_wanted(self) -> bool:
        """The cashier is waiting to sell."""
        return self._work.sale_wanted

    def slip_exists(self) -> bool:
        """There is a slip to print again."""
        return bool(self._work.parts.journal.counters.last_slip)

    def keys_refused(self) -> bool:
        """The bank asks for a new sign-in, for the first time in this round."""
        return bool(self.answer and self.answer.sign_in_again) and not self._work.signed_in_again

    def refusal_is_final_and_more_due(self) -> bool:
        """The bank's no will not change, and there is more to send."""
        return refusal_is_final(self._work.sending, self.answer) and self.outbox_due_after()


def is_older(signed_in_at: str, now: datetime, age_max_h: int) -> bool:
    """Whether a sign-in is due again. A clock that was set back by as much does not make keys younger."""
    if not signed_in_at:
        return True
    return abs(now - datetime.fromisoformat(signed_in_at)) >= timedelta(hours=age_max_h)
