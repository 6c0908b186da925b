"""One till for the crash matrix: people who make no mistakes, and one fault at one exact point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal, Protocol

from bank.faults import Fault, FaultKind
from bank.provision import Provision
from firmware.app import Terminal, Transition
from firmware.messages import SIGN_IN_AGAIN
from firmware.records import Payment, Reason
from hal.virtual.power import PowerCut
from tools.simulate.checkers.finding import Finding, crashed
from tools.simulate.intents import Intent
from tools.simulate.options import Options
from tools.simulate.plays import Begins, Deed, Play
from tools.simulate.points import (
    BANK_ANSWER,
    BANK_COMMIT,
    COMMIT,
    RULE,
    Deliver,
    GatewayStopped,
    PointedTill,
    Points,
)
from tools.simulate.town import provision_for
from tools.simulate.world import World

SEED = 1
LATE_MS = 8_000  # longer than the terminal waits for an answer
OFF_MS = 2_500  # how long a part has no power
PATIENCE_MS = 400_000
AMOUNT, TIP = "1000", "100"
LAST_SALE_MINOR = 50


class StageWorld(World):
    """A world whose tills tell of every point."""

    till_type = PointedTill

    @staticmethod
    def provision_of(options: Options) -> Provision:
        """The usual key scheme: what is struck does not depend on it."""
        return provision_for(options.seed, options.terminals)


class Onlooker(Protocol):
    """Whoever looks on while something is played."""

    def listen(self, world: World) -> None:
        """Hear what crosses the lines of a world in which nothing has happened yet."""

    def watch(self, world: World) -> None:
        """Look at what the last moment has brought."""


class Stage:
    """A world of one careful till, in which the points of a play are counted or struck."""

    def __init__(self, play: Play, onlooker: Onlooker | None = None) -> None:
        self.play = play
        self.points = Points(self._note_strike)
        self._findings: list[Finding] = []  # of every moment so far
        options = Options(SEED, transactions=1, terminals=1, troubles=frozenset())
        if onlooker is None:
            self.world = StageWorld(options)
        else:
            self.world = StageWorld(options, watch=onlooker.watch)
            onlooker.listen(self.world)
        self.till, self.people = self.world.tills[0], self.world.people[0]
        assert isinstance(self.till, PointedTill)
        self.till.use(flow=play.flow, log_on_required=False)
        self.till.drive.tell(self.points)
        self.till.station.observers.append(self._on_rule)
        self.people.be_careful()
        self.world.clerk.rests = True
        self._arm: Callable[[], object] = lambda: None
        self._waits_for = ""  # the state with which counting begins
        self._first_commit = 0
        self.till.storage.on_commit = lambda: self.points.pass_on(COMMIT, _nothing)
        self.world.machine.on_request = lambda _message: self.points.pass_on(BANK_ANSWER, _nothing)
        self.world.machine.watch_commits(lambda: self.points.pass_on(BANK_COMMIT, _nothing))
        self.till.start()
        self._rest()

    def close(self) -> None:
        """End the world."""
        self.world.machine.close()

    # --- playing ------------------------------------------------------------------------------------

    def count_points(self) -> Counter[str]:
        """Play without faults; how many points of each sort are passed."""
        self._prepare()
        self._perform()
        return self.points.counts

    def strike(self, arm: Callable[[], object]) -> str:
        """Play with what `arm` arms, recover, sell once more, settle; what was wrong, "" for nothing."""
        self._arm = arm
        try:
            with self.world.listening():
                self._prepare()
                self._perform()
                self._heal()
                self._sell_once_more()
                return self._verdict()
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to this cell
            return str(crashed(error))

    def _prepare(self) -> None:
        for deed in self.play.before:
            self._do_before(deed)

    def _do_before(self, deed: Deed) -> None:
        if deed.answer_lost:
            self.world.bank.faults.add(Fault(FaultKind.SILENT_AFTER_POSTING))
        payment = self._do(self._intent(deed.kind, deed.card))
        self.world.bank.faults.clear()
        assert payment is not None
        assert payment.stands is not deed.answer_lost, f"{deed} was to be done before: {payment}"

    def _perform(self) -> None:
        play = self.play
        self._waits_for = play.counts_from
        if not play.counts_from:
            self._begin_counting()
        match play.begins:
            case Begins.TRANSACTION:
                intent = self._intent(play.what)
                intent.cancels_in = play.cancels_in
                self._do(intent)
                return
            case Begins.SETTLEMENT:
                self._on.settle()
            case Begins.MANAGEMENT:
                self._on.manage(play.what)
            case Begins.SIGN_IN:
                self.till.station.press("f3")
        self.till.station.settle()
        self._rest()

    def _sell_once_more(self) -> None:
        """A sale; and another, when the first one had to find out that keys or connection are gone."""
        before = self._on.journal.payment
        sold = self._do(Intent("purchase", [str(LAST_SALE_MINOR)]))
        began = sold is not None and (before is None or sold.number > before.number)
        if (
            sold is None
            or not began
            or sold.response_code in SIGN_IN_AGAIN
            or sold.reason is Reason.LINE_LOST
        ):
            self._do(Intent("purchase", [str(LAST_SALE_MINOR)]))

    def _verdict(self) -> str:
        if self._findings:
            return str(self._findings[0])
        if self.till.station.terminal is None or self.till.state != "idle":
            return f"it does not come to rest: {self.till.state}"
        newest = self._on.journal.payment
        if newest is None or newest.amount_minor != LAST_SALE_MINOR or not newest.stands:
            return f"the next sale does not work: {newest}"
        self._on.settle()
        self.till.station.settle()
        self._rest()
        findings = [*self._findings, *self.world.verdict()]
        return str(findings[0]) if findings else ""

    def _intent(self, kind: str, card: str = "") -> Intent:
        """The plainest intent of that type, about the newest transaction that fits it."""
        wishes = self.people.wishes
        amount = TIP if kind == "adjustment" else AMOUNT
        return wishes.plainest(kind, wishes.newest_original(kind, card), amount, card)

    def _do(self, intent: Intent) -> Payment | None:
        self.people.want(intent)
        self._rest()
        terminal = self.till.station.terminal
        return terminal.journal.payment if terminal is not None else None

    @property
    def _on(self) -> Terminal:
        assert self.till.station.terminal is not None
        return self.till.station.terminal

    def _rest(self) -> None:
        """Until the till is idle, owes nothing and has nothing half settled, or that takes too long."""
        end_ms = self.world.now_ms + PATIENCE_MS
        self._findings += self.world.moment()
        while self.world.now_ms < end_ms:
            self._findings += self.world.moment()
            if self.till.station.terminal is not None and self._is_at_rest():
                return

    def _is_at_rest(self) -> bool:
        settlement = self._on.journal.settlement
        is_settling = settlement is not None and settlement.is_open
        return self.till.state == "idle" and not is_settling and not self.world.owes(self.till)

    def _heal(self) -> None:
        self.points.end()
        self._waits_for = ""
        self.world.bank.faults.clear()
        self.till.storage.forget_script()
        drive = self.till.drive
        drive.start_bank()
        drive.restore_bank_power()
        drive.network.calm()
        drive.restore_gateway_power()
        drive.mend_line()
        self._rest()

    # --- points -------------------------------------------------------------------------------------

    def _begin_counting(self) -> None:
        self._waits_for = ""
        self._first_commit = self.till.storage.commits
        self.points.begin()
        if self.play.answer_lost:
            self.world.bank.faults.add(Fault(FaultKind.SILENT_AFTER_POSTING))
        self._arm()

    def _on_rule(self, transition: Transition) -> None:
        if self._waits_for and str(transition.rule.target.value) == self._waits_for:
            self._begin_counting()
        self.points.pass_on(RULE, _nothing)

    def _note_strike(self, point: str, number: int) -> None:
        self.world.trace.note(self.world.now_ms, self.till.name, f"{point} {number} is struck")

    # --- strikes ------------------------------------------------------------------------------------

    def cut_at_commit(self, number: int, when: Literal["before", "after"]) -> None:
        """The terminal's power goes at that commit."""
        self.till.storage.power_cut_at(self._first_commit + number, when)

    def fail_commit(self, number: int) -> None:
        """That commit fails."""
        self.till.storage.fail_at(self._first_commit + number)

    def stop_terminal(self, deliver: Deliver) -> None:
        """The terminal stops in the middle of what it is doing; nothing is delivered."""
        del deliver
        raise PowerCut("a cell of the matrix")

    def stop_terminal_after(self, deliver: Deliver) -> None:
        """It is delivered, and the terminal does nothing else."""
        deliver()
        raise PowerCut("a cell of the matrix")

    def cut_bank_at_commit(self, number: int, when: Literal["before", "after"]) -> None:
        """The bank's power goes at that commit."""
        self.world.machine.cut_power_at(number, when, OFF_MS)

    def cut_terminal(self, deliver: Deliver) -> None:
        """The terminal's power goes while the others go on."""
        deliver()
        self.world.soon(lambda: self.till.cut_power(OFF_MS))

    def stop_hearing(self, deliver: Deliver) -> None:
        """The gateway loses its power, and with it what it has just received."""
        del deliver
        self._cut_gateway()

    def stop_gateway(self, deliver: Deliver) -> None:
        """The gateway stops in the middle of what it is doing; nothing is delivered."""
        del deliver
        self._cut_gateway()
        raise GatewayStopped

    def cut_gateway(self, deliver: Deliver) -> None:
        """The gateway loses its power, as soon as it has done what it is doing."""
        deliver()
        self.world.soon(self._cut_gateway)

    def _cut_gateway(self) -> None:
        self.till.drive.cut_gateway_power()
        self.world.at(self.world.now_ms + OFF_MS, self.till.drive.restore_gateway_power)

    def stop_bank(self, deliver: Deliver) -> None:
        """The bank loses its power before it has done anything about what it has received."""
        del deliver
        self.till.drive.cut_bank_power(OFF_MS)

    def cut_bank(self, deliver: Deliver) -> None:
        """The bank loses its power, as soon as it has done what it is doing: what is durable is left."""
        deliver()
        self.world.soon(lambda: self.till.drive.cut_bank_power(OFF_MS))

    def restart_bank(self, deliver: Deliver) -> None:
        """The bank's process ends and starts again at once: connections break."""
        deliver()
        self.world.soon(self.till.drive.stop_bank)
        self.world.soon(self.till.drive.start_bank)

    def lose(self, deliver: Deliver) -> None:
        """It does not arrive."""

    def double(self, deliver: Deliver) -> None:
        """It arrives twice."""
        deliver()
        deliver()

    def delay(self, deliver: Deliver) -> None:
        """It arrives when nobody waits for it any more."""
        self.world.at(self.world.now_ms + LATE_MS, deliver)

    def answer_with(self, fault: Fault) -> Callable[[Deliver], None]:
        """What the bank does with the request that passes."""

        def strike(deliver: Deliver) -> None:
            self.world.bank.faults.add(fault)
            deliver()

        return strike


def _nothing() -> None:
    """What is done already cannot be kept back any more."""
