"""The terminal: joins the board, the two state machines, the link and the journal.

The plan. `step` asks every device, the link, the PIN entry and the timers what has happened, queues it as
signals, and handles each to completion: the active table decides, the journal commits, and only then do the
effects leave. Nothing here blocks; whoever drives the terminal calls `step` when a file descriptor is
readable or `deadline_ms` has come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from firmware.exchange import Answer, Verdict
from firmware.faceplate import Faceplate, show_refusal
from firmware.floor_upkeep import set_levels
from firmware.floor_work import FloorGuards, FloorWork
from firmware.intake import Intake
from firmware.journal import Journal
from firmware.kernel import Kernel
from firmware.management_work import MESSAGES, SIGN_IN_JOB
from firmware.payment_guards import PaymentGuards
from firmware.payment_work import PaymentWork
from firmware.section import DELEGATES, TERMINAL, Section
from firmware.settings import TerminalSettings
from firmware.settlement_work import SettlementGuards, SettlementWork
from firmware.terminal_guards import TerminalGuards
from firmware.terminal_work import TerminalWork, accept_keys
from firmware.txn import floor, settlement, terminal, transaction
from firmware.txn.plans import PLANS
from firmware.txn.schema import Keys, Kind, Row, Rule
from firmware.upkeep import Levels
from firmware.waking import wake
from firmware.work import Parts, Signal, is_known_already
from hal import api
from hal.board import Board
from host_link.transport import earliest

IDLE_KEYS = {
    api.Key.F1: "sale_key",
    api.Key.F2: "reprint_key",
    api.Key.F3: "sign_in_key",
    api.Key.F4: "language_key",
    api.Key.UP: "load_key_key",
    api.Key.DOWN: "menu_key",
    api.Key.CLEAR: "menu_key",  # keypads without arrows have it too
}


@dataclass(frozen=True, slots=True)
class Transition:
    """One rule taken, for whoever watches: when, in which machine, which rule.

    `why`: the error of the device that made it necessary, if one did; in English, without secrets.
    """

    at_ms: int
    machine: str
    rule: Rule
    why: str = ""


Observer = Callable[[Transition], None]


class Terminal:
    """One payment terminal on one board.

    After a power cut, make a new Terminal on a board with the same storage and call `power_on`.
    """

    def __init__(self, board: Board, settings: TerminalSettings, *, observer: Observer | None = None) -> None:
        self.board = board
        self.settings = settings
        self.states_passed: list[str] = []  # of the newest payment
        self._observer = observer
        self._kernel: Kernel[Signal] = Kernel()
        self._parts: Parts | None = None
        self._typed_ahead: list[api.Key] = []  # while a sale is wanted and cannot begin yet

    def power_on(self) -> None:
        """Open the board, read the journal, test every device.

        Raises DeviceMissing, StorageVersion, StorageFailed: the terminal is not on, nothing was changed, and
        the display says so.
        """
        try:
            self._parts = wake(self.board, self.settings, self._kernel)
            if self._parts.upkeep.levels != Levels():  # what was never changed is left to the devices
                set_levels(self.board, self._parts.upkeep.levels)
            self._assemble(self._parts)  # reads what the bank has set, and then every key
            self._service.start(None)
        except (api.StorageFailed, api.StorageVersion, api.DeviceMissing) as error:
            show_refusal(self.board, self.settings, error)
            raise
        self.step()

    def _assemble(self, parts: Parts) -> None:
        self._payment = PaymentWork(parts)
        self._floor = FloorWork(parts)
        self._service = TerminalWork(parts, begin_section=self._begin_section, floor=self._floor)
        self._service_guards = TerminalGuards(self._service)
        sections = (
            Section(terminal.TABLE, self._service, self._service_guards),
            Section(transaction.TABLE, self._payment, PaymentGuards(self._payment)),
            Section(floor.TABLE, self._floor, FloorGuards(self._floor)),
            Section(settlement.TABLE, settling := SettlementWork(parts), SettlementGuards(settling)),
        )
        self._sections = {section.name: section for section in sections}
        self._active = self._terminal = self._sections[TERMINAL]
        self._intake = Intake(parts, self._payment, self._service)
        self._faceplate = Faceplate(parts, self._payment, self._service, self._floor)

    # --- what the outside may ask -------------------------------------------------------------------

    @property
    def parts(self) -> Parts:
        """The running parts: for tools that show or test them. Only after `power_on`."""
        assert self._parts is not None, "power_on first"
        return self._parts

    @property
    def journal(self) -> Journal:
        """The journal."""
        return self.parts.journal

    @property
    def state(self) -> str:
        """The state of the section in charge: the terminal's, or the payment's while one runs."""
        return str(self._row.state.value)

    @property
    def row(self) -> Row:
        """The row of that state: what it shows, how long it lasts."""
        return self._row

    @property
    def in_transaction(self) -> bool:
        """True while the transaction table decides."""
        return self._terminal.state is terminal.State.IN_TRANSACTION

    @property
    def link_is_up(self) -> bool:
        """True while the session with the host link is up."""
        return self.parts.session.is_up

    def deadline_ms(self) -> int | None:
        """When to call `step` although nothing comes in."""
        parts = self.parts
        return earliest(
            parts.session.deadline_ms(),
            self._kernel.deadline_ms(),
            parts.secure.pin_deadline_ms(),
            self.board.deadline_ms(),
        )

    def state_deadline_ms(self) -> int | None:
        """When the time of the state at hand is over; None when it has no end of its own."""
        return self._kernel.timer_ms("state")

    def start(self, kind: str) -> None:
        """Ask for a transaction by its type's name, as the sale key does for a purchase; then call `step`.

        It begins when the terminal is at rest, after what must be sent first. KeyError: no such type.
        """
        self._kernel.post(Signal("sale_key", PLANS[kind].name))

    def settle(self) -> None:
        """Ask for the settlement of the batch, or go on with one that was cut off; then call `step`."""
        self._kernel.post(Signal("settle_key"))

    def manage(self, name: str) -> None:
        """Ask for a management message by its name, such as "echo"; then call `step`."""
        assert name in MESSAGES, f"the messages are {', '.join(MESSAGES)}"
        self._kernel.post(Signal("manage_key", name))

    # --- the pump -----------------------------------------------------------------------------------

    def step(self) -> None:
        """Take in what has happened, and handle it until nothing is left to do at this moment."""
        happened = False
        while self._turn():
            happened = True
            self._flush()
        self._flush()
        if happened or self._faceplate.is_outdated():
            self._faceplate.show(self._row, in_transaction=self.in_transaction)

    def _turn(self) -> bool:
        """Poll once and handle what came of it; whether anything did."""
        try:
            self._intake.poll()
            return self._kernel.run(self._handle, now_ms=self.board.clock.monotonic_ms())
        except api.StorageFailed as error:
            self._service.storage_trouble = error.trouble
            self._stop_working("storage_failed", error)
        except api.Tampered as error:
            self._stop_working("tampered", error)
        return True

    def _flush(self) -> None:
        data = self.parts.session.bytes_to_send(now_ms=self.board.clock.monotonic_ms())
        if data:
            self.board.serial_port.write(data)

    # --- from signals to rules ----------------------------------------------------------------------

    @property
    def _row(self) -> Row:
        return self._active.row

    def _handle(self, signal: Signal) -> None:
        if isinstance(signal.data, api.Key):
            self._on_key(signal.data)
        elif not isinstance(signal.data, Answer):
            self._fire(signal)
        elif self.parts.exchange.is_current(signal.data):
            self._fire(self._on_answer(signal.data))

    def _on_answer(self, answer: Answer) -> Signal:
        if self._terminal.state is terminal.State.SIGNING_IN and answer.verdict is Verdict.APPROVED:
            answer = accept_keys(self.parts, answer)
        elif answer.sign_in_again:
            self._service.remember_job(SIGN_IN_JOB)
        self._service.remember_job(answer.demanded)
        if self._terminal.state is terminal.State.CLEARING and is_known_already(
            self._service.sending, answer
        ):
            answer = replace(answer, verdict=Verdict.APPROVED)
        without_message = replace(answer, message=None)  # which may name a card
        for section in self._sections.values():
            section.guards.answer = without_message
        return Signal(f"host_{answer.verdict.value}", answer)

    def _on_key(self, key: api.Key) -> None:
        mode = self._row.keys
        if self._service.sale_wanted and self._active.state in CLEARED_FIRST and key is not api.Key.CANCEL:
            self._typed_ahead.append(key)
        elif key is not api.Key.CANCEL and self._taken_by_work(mode, key):
            pass  # it belongs to what is typed there
        elif key is api.Key.ENTER:
            self._fire(Signal("confirm"))
        elif key is api.Key.CANCEL:
            self._fire(Signal("cancel"))
        elif mode is Keys.IDLE:
            self._on_idle_key(key)

    def _taken_by_work(self, mode: Keys, key: api.Key) -> bool:
        """Offer a key to the section in charge; False when it means what it always means."""
        answer = self._active.work.press_key(mode, key)
        if isinstance(answer, Signal):
            self._fire(answer)
        elif answer is not None:
            self._answer_key(accepted=answer)
        return answer is not None

    def _answer_key(self, *, accepted: bool) -> None:
        if accepted:
            self._payment.beep_key(None)
            self._arm_timer(self._row)
        else:
            self._payment.beep_error(None)

    def _on_idle_key(self, key: api.Key) -> None:
        self._typed_ahead = [key] if key.digits else []
        if key in IDLE_KEYS:
            self._fire(Signal(IDLE_KEYS[key]))
        elif key.digits:
            self._fire(Signal("sale_key"))

    # --- from rules to the journal, then to the world -----------------------------------------------

    def _fire(self, signal: Signal) -> None:
        section = self._terminal if signal.name in _TERMINAL_ONLY else self._active
        if not section.knows(signal):
            return  # another table's business
        rule = section.fire(signal)
        if section is self._terminal:
            self._active = self._sections[DELEGATES.get(section.state, TERMINAL)]
        if rule is not None:
            self._carry_out(section, rule, signal.data)
        elif signal.name == "outbox_due":
            self._kernel.arm("outbox", self.parts.now_ms + self.settings.outbox_retry_ms, signal)

    def _carry_out(self, section: Section, rule: Rule, data: object) -> None:
        section.commit(rule, data)
        if self._observer is not None:
            why = str(data) if isinstance(data, api.HalError) else ""
            self._observer(Transition(self.parts.now_ms, section.name, rule, why))
        self._enter(section, rule)
        for name in rule.effects:
            section.methods[name](data)

    def _enter(self, section: Section, rule: Rule) -> None:
        row = section.row
        if row.state is not rule.source:
            self._leave(section, rule)
        if section.name == "transaction":
            self.states_passed.append(str(row.state.value))
        if self._active is section:
            self._arm_timer(row)
        if row.kind in (Kind.ENDED_WELL, Kind.ENDED_BADLY):
            section.work.end()
            self._kernel.post(Signal(f"{section.name}_ended"))

    def _leave(self, section: Section, rule: Rule) -> None:
        """What holds in one state only ends with it: an armed reader, a PIN entry, an open request."""
        section.work.leave(rule.source)
        if section is self._terminal and rule.source in DELEGATES:
            self._sections[DELEGATES[rule.source]].work.end()
        self.parts.exchange.close()

    def _arm_timer(self, row: Row) -> None:
        if row.timeout:
            parts = self.parts
            at_ms = parts.now_ms + getattr(parts.settings, row.timeout)
            self._kernel.arm("state", at_ms, Signal("timeout"))
        else:
            self._kernel.disarm("state")

    def _begin_section(self, name: str) -> None:
        """Put a section in charge: the terminal table has just entered a state that hands over to it."""
        section = self._sections[name]
        if name == "transaction":
            self.states_passed = []
            self._type_ahead()
        section.begin()
        self._arm_timer(section.row)

    def _type_ahead(self) -> None:
        typed_ahead, self._typed_ahead = self._typed_ahead, []
        for key in reversed(typed_ahead):
            self._kernel.post_first(Signal("key", key))  # before the keys that were typed after them

    def _stop_working(self, name: str, why: api.HalError) -> None:
        """Storage or keys are gone: nothing more leaves the terminal; the journal knows where it stood."""
        for section in self._sections.values():
            section.work.end()
        self._service.abandon_key(None)
        self._service.forget_sale(None)
        self._kernel.post_first(Signal(name, why))


CLEARED_FIRST = (terminal.State.SIGNING_IN, terminal.State.CLEARING)  # before a sale that is wanted
_TERMINAL_ONLY = frozenset(
    {"tampered", "storage_failed", "outbox_due", *(f"{name}_ended" for name in DELEGATES.values())}
)
