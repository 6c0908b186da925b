"""Power-on: every device tests itself, and a payment that the power cut left open is brought to its end."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from firmware import messages
from firmware.journal import Draft
from firmware.records import Outcome, OutgoingKind, OutgoingState, Reason, ReversalReason
from firmware.secure.module import SecureModule
from firmware.txn import transaction
from firmware.txn.schema import Recovery
from firmware.work import outgoing_of
from hal.api import SelfTest, StorageTrouble
from hal.board import Board


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """One device's self-test, by the device's kind; the secure room's is called SECURE."""

    kind: str
    result: SelfTest


ESSENTIAL = frozenset({"clock", "storage", "rng", "tamper", "display", "keypad", "card_reader"})
"""Without one of these nothing can be sold. A printer may be out of paper, a port unplugged: that passes."""


SECURE = "secure"
"""Keys that do not open keep nobody from loading others: the terminal has no keys then, and says why."""


def self_test(board: Board, secure: SecureModule) -> list[DeviceReport]:
    """Every device's self-test, in the board's order, then that of the stored keys."""
    return with_keys([DeviceReport(kind, device.self_test()) for kind, device in board.devices()], secure)


def with_keys(reports: Sequence[DeviceReport], secure: SecureModule) -> list[DeviceReport]:
    """The same reports, with the stored keys as they are now."""
    devices = [one for one in reports if one.kind != SECURE]
    return [*devices, DeviceReport(SECURE, secure.self_test())]


def first_failure(reports: Sequence[DeviceReport], kinds: Collection[str] = ESSENTIAL) -> DeviceReport | None:
    """The first of these kinds that failed; by default what keeps the terminal from going into service."""
    return next((one for one in reports if one.kind in kinds and not one.result.ok), None)


def storage_trouble(reports: Sequence[DeviceReport]) -> StorageTrouble | None:
    """What is wrong with the storage; None when it passed."""
    return next((one.result.trouble for one in reports if one.result.trouble is not None), None)


def recovery_of(state: str) -> Recovery:
    """What becomes of a payment whose newest committed state is `state`."""
    return transaction.TABLE.by_state[transaction.State(state)].recovery


def recover(draft: Draft) -> Recovery:
    """Bring the newest payment to the end that the table's recovery column says, in the draft.

    Afterwards no reversal is held: each one is due, and goes before the next payment. The answer to a request
    that was on its way is not known, hence reason 98; an approval that was read but not used is reason 96
    (iso8583-pos section 7.2).
    """
    payment = draft.payment
    if payment is None:
        return Recovery.ENDED
    recovery = recovery_of(payment.state)
    if recovery in (Recovery.NOTHING, Recovery.REVERSE):
        ended = payment.outcome or Outcome.FAILED
        cut_off = Reason.UNKNOWN if messages.may_be_done(payment) else Reason.POWER_CUT
        reason = payment.reason if payment.reason.value else cut_off
        draft.payment = payment.changed(state=ended.value, outcome=ended, reason=reason)
    elif recovery is Recovery.STANDS:
        draft.payment = payment.changed(state=Outcome.APPROVED.value, outcome=Outcome.APPROVED)
    why = ReversalReason.UNFINISHED if payment.authorisation_code else ReversalReason.NO_RESPONSE
    number = outgoing_of(draft, payment.number, OutgoingKind.REVERSAL)
    if number is not None:
        entry = draft.outbox[number]
        fields = messages.release(entry.fields, why)
        draft.outbox[number] = entry.changed(fields=fields, state=OutgoingState.DUE)
    return recovery
