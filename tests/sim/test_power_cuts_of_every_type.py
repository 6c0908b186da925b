"""The power fails in each type of transaction: at every commit, before and after it, and at every message.

Enumerated, not sampled, and for whatever types the table of plans has. What a type does to the books is seen
in a run that nothing disturbs; after a cut they are as before it or as after it, and the journal knows which:
by the design's table of recoveries, a payment stands, or it is undone and can be done again.
"""

from __future__ import annotations

from typing import Literal

import pytest

from firmware.journal import Journal
from firmware.records import Flow, Outcome, Payment
from firmware.txn.plans import PLANS, Delivery
from firmware.txn.schema import Recovery
from firmware.txn.transaction import TABLE, State
from hal.virtual.storage import MemoryStorage
from tests.sim.invariants import check_traces
from tests.sim.shop import Purchase, Shop
from tests.sim.transaction_types import PREPARATIONS, open_shop, played, prepared
from tools.station import StationError

CASES = [(kind, Flow.PIN_FIRST) for kind in PLANS] + [("purchase", Flow.AUTHORISE_FIRST)]
cases = pytest.mark.parametrize(("kind", "flow"), CASES, ids=[f"{kind}-{flow.value}" for kind, flow in CASES])
Books = tuple[int, list[int]]
MESSAGE_BYTES_MIN = 24  # frames of the link's own, such as acknowledgements, are shorter


def test_every_type_is_here() -> None:
    assert PREPARATIONS.keys() == PLANS.keys()


def books(shop: Shop) -> Books:
    """What the merchant has earned, and what is on hold, in minor units."""
    assert shop.bank.verify().ok, shop.bank.verify().findings
    earned = [one.balance_minor for one in shop.bank.accounts() if one.name.startswith("merchant")]
    return sum(earned), sorted(hold.amount_minor for hold in shop.bank.open_holds())


def may_stay_unknown(kind: str) -> bool:
    """Whether the bank may have done what the terminal never heard of, by the rules of the field.

    A refund is not reversed, nor told again: the terminal logs no success (iso8583-pos sections 7.2, 7.5).
    """
    plan = PLANS[kind]
    return plan.delivery is Delivery.ONLINE and not plan.reversible


class Run:
    """One type, ready to be played in a shop of its own."""

    def __init__(self, kind: str, flow: Flow) -> None:
        self.shop = open_shop(flow)
        self.purchase: Purchase = prepared(self.shop, kind)
        self.before = books(self.shop)
        self.number_before = self.shop.station.payment.number if self.shop.station.payment else 0
        self.commits_before = self.shop.storage.commits
        self.taps_before = len(self.shop.tapped)

    def undisturbed(self) -> Books:
        """Play it to its end; the books afterwards."""
        played(self.shop, self.purchase)
        self.shop.heal()
        return books(self.shop)

    def play_until_cut(self) -> None:
        """Play it; what is stored goes to the bank a little later. The power may go at any moment."""
        shop = self.shop
        try:
            shop.play(self.purchase)
        except StationError:
            assert not shop.station.is_on, "refused, and the power is there"
        if shop.station.is_on:
            shop.station.run_until(lambda: not shop.station.is_on, 2 * shop.station.settings.outbox_retry_ms)


def judge(run: Run, done: Books, *, again: bool) -> None:
    """After the cut: what the journal said then decides what the books say in the end."""
    shop, kind = run.shop, run.purchase.kind
    assert shop.state == "off"
    left = _left_in(shop.storage)
    shop.heal()
    stands = False
    if left is not None and left.number > run.number_before:
        payment = shop.station.payment
        assert payment is not None
        assert (payment.number, payment.kind) == (left.number, kind)
        stands = payment.outcome is Outcome.APPROVED
        match TABLE.by_state[State(left.state)].recovery:
            case Recovery.NOTHING | Recovery.REVERSE:
                assert not stands, (left, payment)
            case Recovery.STANDS:
                assert stands, (left, payment)
            case Recovery.ENDED:
                assert payment.outcome is left.outcome, (left, payment)
    known = [done] if stands else [run.before]
    assert books(shop) in [*known, *([done] if may_stay_unknown(kind) else [])], shop.station.payment
    assert shop.owes == []
    check_traces(shop)
    if again and not stands and not may_stay_unknown(kind):
        played(shop, run.purchase)
        shop.heal()
        assert books(shop) == done


def _left_in(storage: MemoryStorage) -> Payment | None:
    """The newest payment as it is stored while the power is off."""
    copy = MemoryStorage()
    copy.open()
    copy.restore(storage.snapshot())
    journal = Journal(copy)
    journal.load()
    return journal.payment


@pytest.mark.slow
@cases
@pytest.mark.parametrize("when", ["before", "after"])
def test_at_every_commit(kind: str, flow: Flow, when: Literal["before", "after"]) -> None:
    plain = Run(kind, flow)
    done = plain.undisturbed()
    count = plain.shop.storage.commits - plain.commits_before
    assert count >= 3
    for number in range(1, count + 1):
        run = Run(kind, flow)
        run.shop.storage.power_cut_at(run.commits_before + number, when)
        run.play_until_cut()
        judge(run, done, again=number % 4 == 1)


@pytest.mark.slow
@cases
def test_at_every_message_on_the_line(kind: str, flow: Flow) -> None:
    plain = Run(kind, flow)
    done = plain.undisturbed()
    traffic = plain.shop.tapped[plain.taps_before :]
    messages = [index for index, (_, _, data) in enumerate(traffic) if len(data) >= MESSAGE_BYTES_MIN]
    assert len(messages) >= 2
    for index, moment in enumerate(messages):
        run = Run(kind, flow)

        def cut(_side: str, run: Run = run, moment: int = moment) -> None:
            if len(run.shop.tapped) == run.taps_before + moment + 1:
                raise run.shop.power_fails()

        run.shop.on_bytes = cut
        run.play_until_cut()
        judge(run, done, again=index % 4 == 0)
