"""Hours of people and parts at their worst, at random; then everything is put right, and must be right.

Each walk is its seed: a failure names it, and `walk(seed)` plays it again.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from bank.faults import Fault, FaultKind
from firmware.records import Flow
from hal.api import PrinterStatus
from tests.sim.invariants import check
from tests.sim.shop import PIN, WRONG_PIN, Purchase, Shop, noisy_line

STEPS = 60
KEYS = ("1", "2", "5", "00", "enter", "enter", "cancel", "clear", "down", "f1", "f1", "f2", "f3")
CARDS = ("good", "good", "good", "limited", "poor", "lost", "unknown")
MTIS = ("", "0100", "0200", "0220", "0400", "0800")
BANK_FAULTS = (
    FaultKind.SILENT_BEFORE_POSTING,
    FaultKind.SILENT_AFTER_POSTING,
    FaultKind.CLOSE_BEFORE_POSTING,
    FaultKind.CLOSE_AFTER_POSTING,
    FaultKind.WRONG_MAC,
    FaultKind.WRONG_TRACE,
    FaultKind.DELAY,
    FaultKind.DUPLICATE,
    FaultKind.HEADER_DIGIT,
    FaultKind.REFUSE_CONNECTION,
)
TROUBLES = [status for status in PrinterStatus if status is not PrinterStatus.READY]


class Walker:
    """One walk through a shop. Everything it does comes from its random numbers."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        flow = self.rng.choice(list(Flow))
        line = noisy_line(seed, bit_error_rate=self.rng.choice([0.0, 0.0, 3e-4]))
        self.shop = Shop(flow, seed=seed, line=line)
        self.shop.power_or_paper_trouble = True
        self.steps: list[str] = []

    def run(self) -> None:
        self.shop.open()
        actions: list[Callable[[], None]] = [
            self.press,
            self.sell,
            self.swipe,
            self.card,
            self.bank_fault,
            self.bank_down,
            self.cable,
            self.power,
            self.paper,
            self.storage,
            self.gateway,
        ]
        weights = [6, 10, 4, 3, 5, 1, 3, 2, 2, 1, 1]
        for action in self.rng.choices(actions, weights, k=STEPS):
            self.steps.append(action.__name__)
            action()
            self.shop.station.run_for(self.rng.choice([0, 0, 3, 11, 40, 300, 2_000, 8_000]))
            if self.shop.state == "out_of_service":
                self.shop.station.press("enter")
            if not self.shop.station.is_on and self.rng.random() < 0.7:
                self.shop.open()

    def press(self) -> None:
        for _ in range(self.rng.randrange(1, 5)):
            self.shop.station.press(self.rng.choice(KEYS))

    def sell(self) -> None:
        """What a cashier and a cardholder do in a row; it may be cut short in any state."""
        purchase = Purchase(
            amount=self.rng.choice(["1", "1234", "99900"]),
            card=self.rng.choice(CARDS),
            pins=self.rng.choice([(PIN,), (PIN,), (WRONG_PIN, PIN)]),
            inserted=self.rng.random() < 0.3 and not self.shop.station.devices.card_reader.card_present,
        )
        if self.shop.state == "idle":
            self.shop.reach(
                self.rng.choice(["authorising", "pin", "purchasing", "tear_off", "never"]), purchase
            )

    def swipe(self) -> None:
        if not self.shop.station.devices.card_reader.card_present:
            self.shop.station.swipe(self.rng.choice(CARDS), self.rng.choice(["good", "good", "bad", "half"]))
        if self.shop.state in {"pin", "purchase_pin"}:
            self.shop.station.press(*PIN, "enter")

    def card(self) -> None:
        if self.shop.station.devices.card_reader.card_present:
            self.shop.station.remove()
        else:
            self.shop.station.insert(self.rng.choice(CARDS))

    def bank_fault(self) -> None:
        kind = self.rng.choice(BANK_FAULTS)
        delay_ms = self.rng.choice([100, 3_000, 5_990, 7_000])
        self.shop.bank.faults.add(
            Fault(kind, mti=self.rng.choice(MTIS), delay_ms=delay_ms, value="3", skip=self.rng.randrange(2))
        )

    def bank_down(self) -> None:
        self.shop.drive.stop_bank()
        self.shop.station.run_for(self.rng.choice([10, 1_000]))
        if self.rng.random() < 0.8:
            self.shop.drive.start_bank()

    def cable(self) -> None:
        self.shop.station.unplug_cable()
        self.shop.station.run_for(self.rng.choice([5, 30, 400, 4_000]))
        self.shop.station.plug_cable()

    def power(self) -> None:
        if self.rng.random() < 0.5:
            when = self.rng.choice(["before", "after"])
            number = self.shop.storage.commits + self.rng.randrange(1, 5)
            self.shop.storage.power_cut_at(number, "before" if when == "before" else "after")
        else:
            self.shop.station.cut_power()

    def paper(self) -> None:
        printer = self.shop.station.devices.printer
        if self.rng.random() < 0.5:
            printer.fail_after_items(self.rng.randrange(12), self.rng.choice(TROUBLES))
        else:
            printer.load_paper()
            printer.close_cover()
            printer.clear_jam()

    def storage(self) -> None:
        self.shop.storage.fail_at(self.shop.storage.commits + self.rng.randrange(1, 4))

    def gateway(self) -> None:
        self.shop.drive.restart_gateway()


def walk(seed: int) -> None:
    """Play one walk and judge it."""
    walker = Walker(seed)
    try:
        walker.run()
        walker.shop.forgive_wrong_pins()
        check(walker.shop)
    except Exception as error:
        error.add_note(f"walk({seed}), {walker.shop.flow.value}: {' '.join(walker.steps)}")
        raise


@pytest.mark.parametrize("seed", range(8))
def test_walks(seed: int) -> None:
    for number in range(3):
        walk(seed * 100 + number)
