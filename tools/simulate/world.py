"""The world of one seed: tills, people, troubles and one bank, in one thread of virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from bank.authoriser import Bank
from bank.provision import Provision, fill
from firmware.records import Outcome, OutgoingState, Settlement, SettlementStep
from hal.virtual.clock import VirtualClock
from host_link.transport import earliest
from tools.simulate.checkers.books import HOLD_DAYS_MAX
from tools.simulate.checkers.finding import Finding, crashed
from tools.simulate.checkers.watch import Watch
from tools.simulate.clerk import Clerk
from tools.simulate.options import Options, Trouble
from tools.simulate.people import People, mend_printer
from tools.simulate.till import Till, hurried_policy
from tools.simulate.town import as_town, bank_machine, names_by_mask, provision_for
from tools.simulate.trace import Trace
from tools.simulate.troubles import Troubles

CALM_MAX_MS = 300_000
"""How long a healed world may take to come to rest; longer, and something waits for ever."""
UNSOLD_MAX_MS = 3_600_000
"""In so long somebody can begin a transaction, whatever the troubles are."""
MONTH_MS = (HOLD_DAYS_MAX + 1) * 86_400_000


class _Checkout:
    """A till and the people at it: who looks there, and asks what is due, only after something was done."""

    def __init__(self, till: Till, people: People) -> None:
        self.till = till
        self.people = people
        self._due_ms: int | None = None
        self._asked_after = self._looked_after = -1  # the count of the till's pumps then

    def deadline_ms(self) -> int | None:
        """When something is due there, or its people act."""
        if self._asked_after != self.till.drive.pump_count:
            self._due_ms = earliest(self.till.deadline_ms(), self.people.deadline_ms())
            self._asked_after = self.till.drive.pump_count
        return self._due_ms

    def touched(self) -> None:
        """Something was done to the till, so that something else may be due."""
        self.till.touched()
        self._asked_after = -1

    def is_quiet(self, now_ms: int) -> bool:
        """Whether nothing was done there since its people looked, and nothing is due, as was asked before."""
        return self._looked_after == self.till.drive.pump_count and not _is_due(self._due_ms, now_ms)

    def act(self, now_ms: int) -> bool:
        """Let the people look, and do what they want to do now; whether they did anything."""
        has_acted = False
        while self.people.turn(now_ms):
            self.till.note_power()
            has_acted = True
        self._looked_after, self._asked_after = self.till.drive.pump_count, -1
        return has_acted


@dataclass
class Report:
    """What became of a run."""

    options: Options
    findings: list[Finding] = field(default_factory=list)
    transactions: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    struck: dict[str, int] = field(default_factory=dict)
    virtual_ms: int = 0  # until everything was settled
    digest: str = ""
    trace: Trace = field(default_factory=Trace, repr=False)
    traded_ms: int = 0  # until nothing new was begun

    @property
    def ok(self) -> bool:
        """Whether every promise was kept."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """A dictionary of plain values."""
        return {
            "options": self.options.to_json(),
            "ok": self.ok,
            "findings": [str(finding) for finding in self.findings],
            "transactions": self.transactions,
            "outcomes": self.outcomes,
            "troubles": self.struck,
            "virtual_s": self.virtual_ms // 1000,
            "digest": self.digest,
            "trace_lines": self.trace.lines,
        }


class World:
    """One run. `watch` is called after every moment, for whoever steps through it."""

    till_type: ClassVar[type[Till]] = Till

    def __init__(self, options: Options, *, watch: Callable[[World], None] = lambda _world: None) -> None:
        self.options = options
        self.now_ms = 0
        self.trace = Trace()
        self._watch = watch
        provision = self.provision_of(options)
        self.machine = bank_machine(options.seed, hurried_policy())
        fill(self.bank, provision, now=VirtualClock().wall())
        specs = sorted(
            (spec for shop in provision.merchants for spec in shop.terminals), key=lambda one: one.tid
        )
        self.tills = [
            self.till_type(number, spec, provision, self.machine, options.seed, self.trace)
            for number, spec in enumerate(specs)
        ]
        card_of = names_by_mask(provision)
        numbers = {card.name: card.plastic.pan.reveal() for card in provision.cards}
        self.people = [People(till, options.seed, card_of, numbers) for till in self.tills]
        self._checkouts = [_Checkout(*both) for both in zip(self.tills, self.people, strict=True)]
        self.clerk = Clerk(self.machine, options.seed)
        self.troubles = Troubles(options, self.tills, self.machine, self.trace)
        self._checkers = Watch(self.tills, specs, self.machine, self.trace)
        self._settled_before: dict[str, Settlement | None] = {}
        self._stirred = True  # something was done to the tills from outside
        self._soon: list[Callable[[], object]] = []
        self._planned: list[tuple[int, Callable[[], object]]] = []
        self._end_ms = int(options.hours * 3_600_000) if options.hours else None
        self._closed_ms: int | None = None  # when everything was settled
        self._traded_ms = 0

    @staticmethod
    def provision_of(options: Options) -> Provision:
        """What the bank knows of terminals and cards."""
        return as_town(provision_for(options.seed, options.terminals), options.seed)

    @property
    def bank(self) -> Bank:
        """The bank: after a power cut it is another object."""
        return self.machine.bank

    def run(self) -> Report:
        """Open the shop, let it trade, end the troubles, settle, and look at everything."""
        findings: list[Finding] = []
        try:
            with self.listening():
                for till in self.tills:
                    till.start()
                findings += self._trade()
                self._traded_ms = self.now_ms
                if not findings:
                    findings += self._close_shop()
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to this seed
            findings.append(crashed(error))
        finally:
            report = self._report(findings)
            self.machine.close()
        return report

    # --- the course of a run ------------------------------------------------------------------------

    def _trade(self) -> list[Finding]:
        """Until the transactions are made, or the time is over. A shop that sells nothing is a finding."""
        begun, findings = -1, list[Finding]()
        while not findings and not self._has_traded() and not self._is_over():
            if begun == self._begun():
                states = ", ".join(f"{till.name} in {till.state}" for till in self.tills)
                return [Finding("rest", f"nothing can be sold any more: {states}")]
            begun, end_ms = self._begun(), self.now_ms + UNSOLD_MAX_MS
            findings = self._until(lambda: self._has_traded() or self._is_over(), end_ms)
        return findings

    def _begun(self) -> int:
        return sum([people.begun for people in self.people])

    def _has_traded(self) -> bool:
        return self._begun() >= self.options.transactions

    def _is_over(self) -> bool:
        return self._end_ms is not None and self.now_ms >= self._end_ms

    def _close_shop(self) -> Iterable[Finding]:
        """No more troubles and no new transactions; then every till settles."""
        self._stirred = True
        self.troubles.end()
        self.clerk.rests = True
        for people in self.people:
            people.close_shop(self.now_ms)
        for till in self.tills:
            mend_printer(till)
        yield from self._calm("come to rest", self._at_rest)
        for till in self.tills:
            till.remember_payments()
            if till.station.terminal is not None:
                self._settled_before[till.name] = till.station.terminal.journal.settlement
                till.station.terminal.settle()
        self._stirred = True
        yield from self._calm("settle", self._all_settled)
        findings = list(self.verdict())
        yield from findings
        self._closed_ms = self.now_ms
        if not findings:  # or the trace would end with a month in which nothing happens
            yield from self._a_month_later()

    def _a_month_later(self) -> Iterable[Finding]:
        """The shop is dark for longer than any hold may last; then a till asks the bank for an echo."""
        for till in self.tills:
            till.cut_power(MONTH_MS)
        self.now_ms += MONTH_MS
        for till in self.tills:
            till.clock.advance_to(self.now_ms)
        self._stirred = True
        yield from self._calm("start after a month", self._at_rest)
        for till in self.tills:
            if till.station.terminal is not None:
                till.station.terminal.manage("echo")
                till.turn()
        yield from self._calm("get an echo", self._at_rest)
        if left := self.bank.open_holds():
            yield Finding("holds", f"after a month {len(left)} holds are still open")

    def _calm(self, what: str, condition: Callable[[], bool]) -> Iterable[Finding]:
        findings = self._until(condition, self.now_ms + CALM_MAX_MS)
        yield from findings
        if not findings and not condition():
            states = ", ".join(f"{till.name} in {till.state}" for till in self.tills)
            yield Finding("rest", f"with everything mended the tills do not {what}: {states}")

    def _at_rest(self) -> bool:
        return all(till.state == "idle" and not self.owes(till) for till in self.tills)

    def _all_settled(self) -> bool:
        return all(till.state == "idle" and self._is_settled(till) for till in self.tills)

    @staticmethod
    def owes(till: Till) -> bool:
        """Whether a till that is on still has to send something."""
        assert till.station.terminal is not None
        outbox = till.station.terminal.journal.outbox.values()
        return any(entry.state is not OutgoingState.REFUSED for entry in outbox)

    def _is_settled(self, till: Till) -> bool:
        """Whether the settlement that was asked for at the end is through; an earlier one does not count."""
        assert till.station.terminal is not None
        settlement = till.station.terminal.journal.settlement
        is_new = settlement != self._settled_before[till.name]
        return is_new and settlement is not None and settlement.step is SettlementStep.CLOSED

    def _until(self, condition: Callable[[], bool], end_ms: int | None) -> list[Finding]:
        while not condition() and (end_ms is None or self.now_ms < end_ms):
            if findings := self.moment():
                return findings
        return []

    # --- one moment ---------------------------------------------------------------------------------

    def moment(self) -> list[Finding]:
        """Go to the next moment at which anything is due, and do it."""
        self._advance()
        stirred, self._stirred = self._stirred or self.troubles.turn(self.now_ms), False
        if done := self.clerk.turn(self.now_ms):
            self.trace.note(self.now_ms, "bank", done)
        # To turn, and to look into, a till at which nothing is due would cost most of a run's time.
        turned = [
            one.till
            for one in self._checkouts
            if (stirred or not one.is_quiet(self.now_ms)) and self._turn(one, is_stirred=stirred)
        ]
        self._do_soon()
        self._watch(self)
        return self._checkers.moment(turned)

    def _turn(self, checkout: _Checkout, *, is_stirred: bool) -> bool:
        """Do what is due at a till, and let its people act; whether anything was done there."""
        till, is_turned = checkout.till, True
        if is_stirred:
            till.turn()
        elif _is_due(till.deadline_ms(), self.now_ms):
            till.turn_due()
        else:
            is_turned = False
        return checkout.act(self.now_ms) or is_turned

    def listening(self) -> AbstractContextManager[None]:
        """Hear what is logged until the `with` is left: for whoever lets it run."""
        return self._checkers.log.listening()

    def verdict(self) -> Iterable[Finding]:
        """Every promise, looked at when all is sent and settled."""
        for till in self.tills:
            till.remember_payments()
        yield from self._checkers.at_the_end()

    def soon(self, do: Callable[[], object]) -> None:
        """Do this when everything of the moment at hand is done."""
        self._soon.append(do)

    def at(self, at_ms: int, do: Callable[[], object]) -> None:
        """Do this at that moment."""
        self._planned.append((at_ms, do))

    def _do_soon(self) -> None:
        if not self._planned and not self._soon:
            return
        due = [do for at_ms, do in self._planned if at_ms <= self.now_ms]
        self._planned = [plan for plan in self._planned if plan[0] > self.now_ms]
        soon, self._soon = self._soon, []
        for do in (*due, *soon):
            do()
        self._stirred = self._stirred or bool(due or soon)

    def _advance(self) -> None:
        if self._stirred:
            for one in self._checkouts:
                one.touched()
        soonest_ms = earliest(
            self.troubles.deadline_ms(),
            *[one.deadline_ms() for one in self._checkouts],
            *[at_ms for at_ms, _ in self._planned],
        )
        self.now_ms = max(self.now_ms + 1, self.now_ms + 1_000 if soonest_ms is None else soonest_ms)
        for till in self.tills:
            till.clock.advance_to(self.now_ms)

    def _report(self, findings: list[Finding]) -> Report:
        payments = [one for till in self.tills for one in till.payments.values()]
        outcomes = dict.fromkeys((outcome.value for outcome in Outcome), 0)
        for payment in payments:
            if payment.outcome is not None:
                outcomes[payment.outcome.value] += 1
        return Report(
            self.options,
            findings,
            len(payments),
            outcomes,
            {trouble.value: self.troubles.struck[trouble] for trouble in Trouble},
            self.now_ms if self._closed_ms is None else self._closed_ms,
            self.trace.digest,
            self.trace,
            traded_ms=self._traded_ms,
        )


def _is_due(deadline_ms: int | None, now_ms: int) -> bool:
    return deadline_ms is not None and deadline_ms <= now_ms


def run(options: Options) -> Report:
    """One simulation from its first moment to its last."""
    return World(options).run()
