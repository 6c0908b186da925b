"""Clearing at the terminal: what the bank refuses for good, the log, everything. Never unsettled money.

A message that the bank must get is cleared only when the bank has said no to it again and again, and only
after a record of it is on paper: from then on it is the merchant's and the acquirer's to settle by hand. The
log is cleared only when nothing in it is still to be settled or sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from firmware.floor_actions import FloorActions
from firmware.journal import Draft, payment_deleted
from firmware.records import CLEARED, Outgoing, OutgoingKind, OutgoingState
from firmware.totals import counted
from firmware.upkeep import Levels


class FloorClearing(FloorActions):
    """The part of the floor's work that takes something away."""

    def clearable(self) -> Sequence[Outgoing]:
        """What the bank refuses for good: a reversal counts after as many refusals as a message has tries."""
        tries = 1 + self.parts.settings.resends
        return [
            entry
            for entry in self.parts.journal.outbox.values()
            if entry.state is OutgoingState.REFUSED
            or (entry.kind is OutgoingKind.REVERSAL and entry.refusals >= tries)
        ]

    def clearing_refusal(self) -> str:
        """Why it cannot be cleared: a key below `screen.notices`; "" when it can."""
        assert self.entry is not None
        journal = self.parts.journal
        match self.entry.what:
            case "pending":
                return "" if self.clearable() else "refused.nothing_to_clear"
            case "clear_log" | "reset" if journal.outbox or self._unsettled():
                return "refused.unsettled"
        return ""

    def _unsettled(self) -> bool:
        """Whether money of the log is not settled, or a settlement is to be finished."""
        journal = self.parts.journal
        if journal.settlement is not None and journal.settlement.is_open:
            return True
        newer = [one for one in journal.payments() if one.number > journal.counters.settled_up_to]
        return any(counted(newer, batch) for batch in {one.batch for one in newer})

    # --- records ------------------------------------------------------------------------------------

    def clear_pending(self, draft: Draft, _data: object) -> None:
        """The record is on paper: the messages are not sent any more, and their transactions say so."""
        for entry in self.clearable():
            del draft.outbox[entry.number]
            if draft.payment is not None and draft.payment.number == entry.payment_number:
                draft.payment = draft.payment.changed(mark=CLEARED)
            elif (older := self.parts.journal.read_payment(entry.payment_number)) is not None:
                draft.older[older.number] = older.changed(mark=CLEARED)

    def do_action(self, draft: Draft, data: object) -> None:
        """What the entry makes durable."""
        assert self.entry is not None
        match self.entry.what:
            case "clear_log":
                self._clear_log(draft)
            case "reset":
                self._reset(draft)
            case _:
                super().do_action(draft, data)

    def _clear_log(self, draft: Draft) -> None:
        draft.extra += [payment_deleted(payment.number) for payment in self.parts.journal.payments()]
        draft.payment = None
        draft.counters = draft.counters.changed(last_slip=0)

    def _reset(self, draft: Draft) -> None:
        """As on the first day. Keys, downloaded parameters, trace and batch stay: the bank counts on them."""
        self._clear_log(draft)
        draft.extra += self.parts.operators.factory()
        draft.counters = draft.counters.changed(language="")
        self.parts.upkeep.levels = Levels()
