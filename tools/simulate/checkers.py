"""What must be true, during a run and at its end. A checker finds; it never repairs.

Bank, journal and paper are compared as three independent witnesses: what the terminals remember, what the
ledger holds, and what was printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bank.authoriser import Bank
from bank.payments import Payment as BankPayment
from bank.plans import Side
from bank.settlement import side_of
from firmware.messages import plan_of
from firmware.records import Outcome, OutgoingState, Payment, Reason, SettlementStep
from firmware.txn.plans import Totals
from firmware.txn.schema import Kind
from tools.simulate.any_till import AnyTill
from tools.simulate.town import PIN, WRONG_PIN

NOT_BALANCED = 2  # 3, the bank's own error, says nothing of the totals (iso8583-pos section 8.1)
OUTBOX_MAX = 40
"""More entries than this in one outbox, and the journal would grow without bound."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise: which checker, and what it saw."""

    checker: str
    text: str

    def __str__(self) -> str:
        return f"{self.checker}: {self.text}"


# --- at every turn -----------------------------------------------------------------------------------


def while_running(till: AnyTill) -> Iterator[Finding]:
    """What a look at a running till can tell."""
    terminal = till.station.terminal
    if terminal is None:
        return
    row = terminal.row
    if row.kind is Kind.WAITING and terminal.deadline_ms() is None:
        yield Finding("timer", f"{till.name} waits in {row.state.value} and nothing will wake it")
    if len(terminal.journal.outbox) > OUTBOX_MAX:
        yield Finding("bounds", f"{till.name}: {len(terminal.journal.outbox)} messages in the outbox")


def of_ledger(bank: Bank) -> Iterator[Finding]:
    """The books balance, and nobody is below the limit."""
    audit = bank.verify()
    if not audit.ok:
        yield Finding("ledger", "; ".join(str(finding) for finding in audit.findings))


# --- at the end --------------------------------------------------------------------------------------


def at_the_end(tills: Sequence[AnyTill], bank: Bank) -> Iterator[Finding]:
    """Everything that must hold once the troubles are over and everything was sent."""
    yield from of_ledger(bank)
    for till in tills:
        yield from _settled_state(till)
        yield from _money(till, bank)
        yield from _slips(till)
        yield from _secrets(till)
    yield from _holds(tills, bank)


def _settled_state(till: AnyTill) -> Iterator[Finding]:
    terminal = till.station.terminal
    if terminal is None:
        yield Finding("rest", f"{till.name} has no power at the end")
        return
    owed = [
        entry.kind.value
        for entry in terminal.journal.outbox.values()
        if entry.state is not OutgoingState.REFUSED
    ]
    if owed:
        yield Finding("outbox", f"{till.name} still owes the bank {owed}")
    settlement = terminal.journal.settlement
    results = (settlement.domestic_result, settlement.foreign_result) if settlement is not None else ()
    if settlement is None or settlement.step is not SettlementStep.CLOSED:
        yield Finding("settlement", f"{till.name}: the last settlement did not come to its end")
    elif NOT_BALANCED in results and not _unknown_at_terminal(till):
        yield Finding(
            "totals", f"{till.name}: the totals differ, and nothing explains it: {settlement.totals}"
        )


def _unknown_at_terminal(till: AnyTill) -> list[Payment]:
    """What the bank may have posted although the terminal could not know: it cannot be reversed."""
    return [
        one
        for one in till.payments.values()
        if one.stan and one.outcome is not Outcome.APPROVED and not plan_of(one).reversible
    ]


def _money(till: AnyTill, bank: Bank) -> Iterator[Finding]:
    """Every standing transaction is posted once, with its amount; every posting is a standing transaction."""
    settings = till.station.settings
    posted = {
        (one.batch, one.trace): one for one in _posted(bank, settings.merchant_id, settings.terminal_id)
    }
    unknown = {(one.batch, one.stan) for one in _unknown_at_terminal(till)}
    for payment in till.payments.values():
        if payment.outcome is None:
            yield Finding("outcome", f"{till.name}: {_name(payment)} has no outcome")
        key = (payment.batch, payment.posted_stan)
        if not payment.stands or plan_of(payment).totals is Totals.NONE:
            continue
        found = posted.pop(key, None)
        if found is None:
            yield Finding("posting", f"{till.name}: {_name(payment)} is approved and not posted")
        elif (booked := _booked_minor(bank, found)) != [_moved_minor(payment)]:
            yield Finding("amount", f"{till.name}: {_name(payment)} was posted as {booked}")
    for key, one in posted.items():
        if key not in unknown:
            yield Finding(
                "journal", f"{till.name}: the bank posted {one.kind.value} {key}, the journal does not know"
            )


def _booked_minor(bank: Bank, payment: BankPayment) -> list[int]:
    """The amounts of its own postings: one, if it was posted once."""
    return [posting.amount_minor for posting in bank.ledger.postings(payment_id=payment.payment_id)]


def _moved_minor(payment: Payment) -> int:
    return payment.tip_minor if plan_of(payment).totals is Totals.RAISES else payment.amount_minor


def _posted(bank: Bank, mid: str, tid: str) -> Iterable[BankPayment]:
    chosen = bank.payments.chosen("WHERE mid = ? AND tid = ?", (mid, tid))
    return [one for one in chosen if side_of(one) is not Side.NONE]


def _name(payment: Payment) -> str:
    return f"{payment.kind} {payment.number} (batch {payment.batch}, trace {payment.stan or 'none'})"


def _slips(till: AnyTill) -> Iterator[Finding]:
    """A slip that says approved is of a transaction that was approved."""
    approved = {
        one.stan for one in till.payments.values() if one.outcome is Outcome.APPROVED and not one.reversed
    }
    for text in till.slips:
        for line in text.splitlines():
            label, _, value = line.rpartition(" ")
            if label.strip() == "VOUCHER NO." and value not in approved:
                yield Finding("slip", f"{till.name}: a slip of voucher {value}, which is not approved")


def _secrets(till: AnyTill) -> Iterator[Finding]:
    """No card number, PIN or key where it must not be."""
    station = till.station
    stored = b"\n".join(value for value in till.storage.snapshot().values())
    shown = "\n".join([*(screen.text for _, screen in station.devices.display.history), *till.slips]).encode()
    secrets = {PIN, WRONG_PIN} | {card.plastic.pan.reveal() for card in station.cards}
    for place, content in (("storage", stored), ("display or paper", shown)):
        if any(secret.encode() in content for secret in secrets):
            yield Finding("secret", f"{till.name}: a card number or PIN is in the clear in {place}")


def _holds(tills: Sequence[AnyTill], bank: Bank) -> Iterator[Finding]:
    """Money is held for pre-authorisations that stand, and where the bank itself refused the completion."""
    standing = Counter(
        one.amount_minor
        for till in tills
        for one in till.payments.values()
        if (one.kind == "preauth" and one.stands) or one.reason is Reason.COMPLETION_REFUSED
    )
    held = Counter(hold.amount_minor for hold in bank.open_holds())
    if extra := held - standing:
        yield Finding("holds", f"held for nobody: {sorted(extra.elements())}")
