"""One till for the crash matrix: people who make no mistakes, and one fault at one exact point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal

from bank.faults import Fault
from firmware.app import Transition
from firmware.records import Flow, Payment
from firmware.txn.plans import PLANS
from hal.virtual.power import PowerCut
from tools.simulate.options import Options
from tools.simulate.people import Intent
from tools.simulate.world import World

OFF_MS = 2_500  # how long gateway or bank have no power
LOST_MS = 200  # how long the line is out, so that one burst is lost
SEED = 1
PATIENCE_MS = 400_000


class Stage:
    """A world of one careful till, in which the points of a transaction are counted or struck."""

    def __init__(self, flow: Flow) -> None:
        self.world = World(Options(SEED, transactions=1, terminals=1, troubles=frozenset()))
        self.till, self.people = self.world.tills[0], self.world.people[0]
        self.till.use_flow(flow)
        self.people.careful = self.people.rests = True
        self.counts: Counter[str] = Counter()
        self._strikes: dict[tuple[str, int], Callable[[], None]] = {}
        self._first_commit = 0
        self.till.station.observers.append(self._on_rule)
        self.till.on_bytes = self._on_bytes
        self.world.machine.on_request = lambda _message: self._reach("request")
        self.till.start()
        self._rest()

    def close(self) -> None:
        """End the world."""
        self.world.machine.close()

    # --- playing ------------------------------------------------------------------------------------

    def count_points(self, kind: str) -> Counter[str]:
        """Play the type without faults; how many points of each sort it passes."""
        intent = self._prepared(kind)
        self._begin_counting()
        self._play(intent)
        return self.counts + Counter({"commit": self.till.storage.commits - self._first_commit})

    def play(self, kind: str, arm: Callable[[], None]) -> str:
        """Play the type with a fault, recover, sell once more, settle; what was wrong, "" for nothing."""
        intent = self._prepared(kind)
        self._begin_counting()
        arm()
        self._play(intent)
        self._heal()
        self._play(Intent("purchase", amount="50"))
        self._heal()
        return self._verdict()

    def _verdict(self) -> str:
        terminal = self.till.station.terminal
        if terminal is None or self.till.state != "idle":
            return f"it does not come to rest: {self.till.state}"
        if (newest := terminal.journal.payment) is None or newest.amount_minor != 50 or not newest.stands:
            return f"the next sale does not work: {newest}"
        terminal.settle()
        self.till.station.settle()
        self._rest()
        findings = list(self.world.verdict())
        return str(findings[0]) if findings else ""

    def _prepared(self, kind: str) -> Intent:
        """What the type needs is done before, and its intent refers to it."""
        needs = {"refund": "purchase", "preauth_cancel": "preauth", "completion": "preauth"}
        needs |= {"completion_advice": "preauth", "completion_void": "completion"}
        first = next(iter(PLANS[kind].originals), needs.get(kind, ""))
        original = self._done(first) if first else None
        intent = self.people.intent_about(kind, original)
        intent.amount = {"adjustment": "100"}.get(kind, intent.amount or "1000")
        return intent

    def _done(self, kind: str) -> Payment:
        self._play(self._prepared(kind))
        terminal = self.till.station.terminal
        assert terminal is not None
        payment = terminal.journal.payment
        assert payment is not None
        assert payment.stands, f"{kind} is needed and did not work: {payment}"
        return payment

    def _play(self, intent: Intent) -> None:
        self.people.want(intent)
        self._rest()

    def _rest(self) -> None:
        """Until the till is idle and owes nothing, or that takes too long."""
        end_ms = self.world.now_ms + PATIENCE_MS
        self.world.moment()
        while self.world.now_ms < end_ms:
            self.world.moment()
            terminal = self.till.station.terminal
            if terminal is not None and self.till.state == "idle" and not self.world.owes(self.till):
                return

    def _heal(self) -> None:
        self._strikes.clear()
        self.world.bank.faults.clear()
        self.till.storage.forget_script()
        self.till.drive.start_bank()
        self.till.drive.restore_bank_power()
        self.till.drive.network.calm()
        self.till.drive.restore_gateway_power()
        self.till.drive.mend_line()
        self._rest()

    # --- points and strikes -------------------------------------------------------------------------

    def _begin_counting(self) -> None:
        self.counts.clear()
        self._first_commit = self.till.storage.commits

    def _reach(self, point: str) -> None:
        self.counts[point] += 1
        strike = self._strikes.pop((point, self.counts[point]), None)
        if strike is not None:
            strike()

    def _on_rule(self, _transition: Transition) -> None:
        self._reach("rule")

    def _on_bytes(self, side: str) -> None:
        self._reach(f"{side} bytes")

    def at_rule(self, number: int, strike: Callable[[], None]) -> None:
        """When the rule of that number is taken."""
        self._strikes["rule", number] = strike

    def at_bytes(self, side: str, number: int, strike: Callable[[], None]) -> None:
        """When that side puts its burst of that number on the line."""
        self._strikes[f"{side} bytes", number] = strike

    def at_request(self, number: int, fault: Fault) -> None:
        """When the bank gets the request of that number."""
        self._strikes["request", number] = lambda: self.world.bank.faults.add(fault)

    def cut_bank_at_request(self, number: int, when: Literal["before", "after"]) -> None:
        """The bank's power goes at the commit of the request of that number: it is lost, or not answered."""
        self._strikes["request", number] = lambda: self.world.machine.cut_power_at(1, when, OFF_MS)

    def cut_at_commit(self, number: int, when: Literal["before", "after"]) -> None:
        """The power goes at that commit."""
        self.till.storage.power_cut_at(self._first_commit + number, when)

    def fail_commit(self, number: int) -> None:
        """That commit fails."""
        self.till.storage.fail_at(self._first_commit + number)

    def cut_power(self) -> None:
        """The terminal stops in the middle of what it is doing."""
        raise PowerCut("a cell of the matrix")

    def restart_gateway(self) -> None:
        """The gateway's memory is gone, at the end of this moment."""
        self.world.soon(self.till.drive.restart_gateway)

    def cut_gateway_power(self) -> None:
        """The gateway is off for a while: the terminal sees a silent line."""
        self.world.soon(self.till.drive.cut_gateway_power)
        back_ms = self.world.now_ms + OFF_MS
        self.world.soon(lambda: self.world.at(back_ms, self.till.drive.restore_gateway_power))

    def restart_bank(self) -> None:
        """The bank's process ends: its memory is gone, its connections break, and it is back at once."""
        self.world.soon(self.till.drive.stop_bank)
        self.world.soon(self.till.drive.start_bank)

    def cut_bank_power(self) -> None:
        """The bank is off for a while, and remembers what it has committed."""
        self.world.soon(lambda: self.till.drive.cut_bank_power(OFF_MS))

    def lose_bytes(self) -> None:
        """The line is out for a moment: what was just sent does not arrive."""
        self.till.drive.cut_line()
        self.world.soon(lambda: self.world.at(self.world.now_ms + LOST_MS, self.till.drive.mend_line))
