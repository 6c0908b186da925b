"""Journal and bank set against each other, once everything was sent and settled: money, rest, holds.

Each is a witness of its own: what the terminals remember, and what the bank has in its registers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from bank.authoriser import Bank
from bank.payments import Payment as BankPayment
from bank.payments import PaymentState
from bank.plans import BY_KIND, Effect, Side
from bank.settlement import side_of
from firmware.messages import plan_of
from firmware.records import OutgoingState, Payment, Reason, SettlementStep
from firmware.txn.plans import Totals
from tools.simulate.any_till import AnyTill
from tools.simulate.checkers.finding import Finding

Key = tuple[str, str]
"""Batch and trace: what a terminal and its bank call a transaction by."""
_ENDS_A_HOLD = frozenset({Effect.RELEASE, Effect.COMPLETE})


def at_rest(till: AnyTill) -> Iterator[Finding]:
    """It is on, owes nothing, and its last settlement is through."""
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
    if settlement is None or settlement.step is not SettlementStep.CLOSED:
        yield Finding("settlement", f"{till.name}: the last settlement did not come to its end")


def unknown_at_terminal(till: AnyTill) -> list[Payment]:
    """What the bank may have posted, and cannot be reversed: the terminal has told its people to ask.

    Nothing else is excused: not what was declined, nor what the terminal believes was never sent.
    """
    return [one for one in till.payments.values() if one.reason is Reason.UNKNOWN]


def counts(payment: Payment) -> bool:
    """Whether it stands and has moved money."""
    return payment.stands and plan_of(payment).totals is not Totals.NONE


def moved_minor(payment: Payment) -> int:
    """What the bank should have moved for it."""
    return payment.tip_minor if plan_of(payment).totals is Totals.RAISES else payment.amount_minor


def name_of(payment: Payment) -> str:
    """A transaction, for people who look for it."""
    return f"{payment.kind} {payment.number} (batch {payment.batch}, trace {payment.stan or 'none'})"


def money(till: AnyTill, bank: Bank) -> Iterator[Finding]:
    """Every standing transaction is posted once, with its amount; every posting is a standing transaction."""
    posted = {(one.batch, one.trace): one for one in posted_of(till, bank)}
    unknown = {(one.batch, one.stan) for one in unknown_at_terminal(till)}
    for payment in till.payments.values():
        if payment.outcome is None:
            yield Finding("outcome", f"{till.name}: {name_of(payment)} has no outcome")
        if not counts(payment):
            continue
        found = posted.pop((payment.batch, payment.posted_stan), None)
        if found is None:
            yield Finding("posting", f"{till.name}: {name_of(payment)} is approved and not posted")
        elif (booked := _booked_minor(bank, found)) != [moved_minor(payment)]:
            yield Finding("amount", f"{till.name}: {name_of(payment)} was posted as {booked}")
    for key, one in posted.items():
        if key not in unknown:
            yield Finding(
                "journal", f"{till.name}: the bank posted {one.kind.value} {key}, the journal does not know"
            )


def posted_of(till: AnyTill, bank: Bank) -> Iterable[BankPayment]:
    """What the bank has moved money for and not back, at the word of this till."""
    return [one for one in _register(till, bank) if side_of(one) is not Side.NONE]


def preauthorisations(till: AnyTill, bank: Bank) -> Iterator[Finding]:
    """Each that stands is approved by the bank, and its money is held until a later transaction ends that."""
    register = {(one.batch, one.trace): one for one in _register(till, bank)}
    held = {hold.payment_id: hold.amount_minor for hold in bank.open_holds()}
    ended = {
        one.original_id
        for one in register.values()
        if one.state is PaymentState.APPROVED and BY_KIND[one.kind].effect in _ENDS_A_HOLD
    }
    for payment in till.payments.values():
        if payment.kind != "preauth" or not payment.stands:
            continue
        found = register.get((payment.batch, payment.posted_stan))
        if found is None or found.state is not PaymentState.APPROVED:
            yield Finding("holds", f"{till.name}: {name_of(payment)} stands, and not at the bank")
        elif found.payment_id not in ended and held.get(found.payment_id) != payment.amount_minor:
            yield Finding("holds", f"{till.name}: {name_of(payment)} stands, and its money is not held")


def _register(till: AnyTill, bank: Bank) -> Iterable[BankPayment]:
    settings = till.station.settings
    return bank.payments.chosen("WHERE mid = ? AND tid = ?", (settings.merchant_id, settings.terminal_id))


def _booked_minor(bank: Bank, payment: BankPayment) -> list[int]:
    """The amounts of its own postings: one, if it was posted once."""
    return [posting.amount_minor for posting in bank.ledger.postings(payment_id=payment.payment_id)]


def cardholders(tills: Sequence[AnyTill], bank: Bank) -> Iterator[Finding]:
    """Each cardholder has what was there at first, less what their own transactions that stand come to."""
    cards = [card for till in tills[:1] for card in till.station.cards if card.held_by_bank]
    by_mask = {card.plastic.pan.masked: card for card in cards}
    due: Counter[str] = Counter({card.name: card.balance_minor for card in cards})
    for till in tills:
        for payment in _moved(till, bank):
            card = by_mask.get(payment.pan_masked)
            if card is None:
                yield Finding("cardholder", f"{till.name}: {name_of(payment)} is of no card of this bank")
                continue
            sign = 1 if plan_of(payment).totals is Totals.CREDIT else -1
            due[card.name] += sign * moved_minor(payment)
    for card in cards:
        if (has := bank.card_account(card.name).balance_minor) != due[card.name]:
            yield Finding("cardholder", f"card {card.name} has {has} instead of {due[card.name]}")


def merchants(tills: Sequence[AnyTill], bank: Bank) -> Iterator[Finding]:
    """Each merchant has what the transactions of their own tills come to. Nobody is paid out meanwhile."""
    due: Counter[str] = Counter({till.station.settings.merchant_id: 0 for till in tills})
    for till in tills:
        for payment in _moved(till, bank):
            sign = -1 if plan_of(payment).totals is Totals.CREDIT else 1
            due[till.station.settings.merchant_id] += sign * moved_minor(payment)
    has = {one.name.removeprefix("merchant "): one.balance_minor for one in bank.accounts()}
    for mid, minor in due.items():
        if has[mid] != minor:
            yield Finding("merchant", f"merchant {mid} has {has[mid]} instead of {minor}")


def _moved(till: AnyTill, bank: Bank) -> Iterator[Payment]:
    """What has moved money at the word of this till: what stands, and what nobody knows and the bank has."""
    posted = {(one.batch, one.trace) for one in posted_of(till, bank)}
    unknown = [one for one in unknown_at_terminal(till) if (one.batch, one.posted_stan) in posted]
    return chain(filter(counts, till.payments.values()), unknown)


def holds(tills: Sequence[AnyTill], bank: Bank) -> Iterator[Finding]:
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
