"""The terminal: joins the board, the two state machines, the link and the journal.

The plan. `step` asks every device, the link, the PIN entry and the timers what has happened, queues it as
signals, and handles each to completion: the active table decides, the journal commits, and only then do the
effects leave. Nothing here blocks; whoever drives the terminal calls `step` when a file descriptor is
readable or `deadline_ms` has come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware.exchange import Answer, HostExchange, Verdict
from firmware.faceplate import Faceplate
from firmware.floor_work import FloorGuards, FloorWork
from firmware.journal import Journal
from firmware.kernel import Kernel
from firmware.link_session import new_session
from firmware.operators import Operators
from firmware.payment_work import PaymentGuards, PaymentWork
from firmware.printing import PrintEvent, SlipPrinter
from firmware.section import DELEGATES, TERMINAL, Section
from firmware.secure.errors import SecureError
from firmware.secure.module import SecureModule
from firmware.secure.pin_entry import (
    PinBypassed,
    PinCancelled,
    PinDigits,
    PinReady,
    PinTimedOut,
    PinTooShort,
)
from firmware.settings import TerminalSettings
from firmware.terminal_work import TerminalGuards, TerminalWork, accept_keys
from firmware.txn import floor, terminal, transaction
from firmware.txn.schema import Keys, Kind, Row, Rule
from firmware.upkeep import Upkeep
from firmware.work import Parts, Signal
from hal import api
from hal.board import Board
from host_link.control import BankReport
from host_link.diagnostics import answer_to
from host_link.session import Channel, LineRate, LinkDown, LinkUp, MessageReceived, MessageUnconfirmed

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
    """One rule taken, for whoever watches: when, in which machine, which rule."""

    at_ms: int
    machine: str
    rule: Rule


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

        Raises DeviceMissing, StorageVersion, StorageFailed: the terminal is not on, nothing was changed.
        """
        self.board.open()
        secure = SecureModule(
            self.board.storage,
            self.board.tamper,
            self.board.rng,
            master_key_index=self.settings.master_key_index,
            security=self.settings.security,
        )
        session = new_session(self.board, self.settings)
        journal = Journal(self.board.storage)
        journal.load()
        self._parts = Parts(
            self.board,
            self.settings,
            journal,
            self._kernel,
            secure,
            session,
            HostExchange(self.settings, secure, session),
            SlipPrinter(self.board.printer),
            Operators(
                self.board.storage,
                self.board.rng,
                tries=self.settings.password_tries,
                lock_min=self.settings.password_lock_min,
            ),
            Upkeep(self.board.storage),
        )
        self._assemble(self._parts)
        self._arm_timer(self._row)
        self._service.start(None)
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
        )
        self._sections = {section.name: section for section in sections}
        self._terminal = self._sections[TERMINAL]
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
        deadlines = (
            self._kernel.deadline_ms(),
            parts.session.deadline_ms(),
            parts.secure.pin_deadline_ms(),
            self.board.deadline_ms(),
        )
        return min((at_ms for at_ms in deadlines if at_ms is not None), default=None)

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
            self._poll()
            return self._kernel.run(self._handle, now_ms=self.parts.now_ms)
        except api.StorageFailed:
            self._stop_working("storage_failed")
        except api.Tampered:
            self._stop_working("tampered")
        return True

    def _poll(self) -> None:
        parts = self.parts
        for event in self.board.poll():
            self._on_device(event)
        try:
            for pin_event in parts.secure.pin_events(now_ms=parts.now_ms):
                self._on_pin(pin_event)
        except SecureError:
            self._kernel.post(Signal("pin_unavailable"))
        self._service.poll_components()
        deadline_ms = parts.session.deadline_ms()
        if deadline_ms is not None and deadline_ms <= parts.now_ms:
            parts.session.on_deadline(now_ms=parts.now_ms)
        while (link_event := parts.session.next_event()) is not None:
            self._on_link(link_event)

    def _flush(self) -> None:
        data = self.parts.session.bytes_to_send(now_ms=self.parts.now_ms)
        if data:
            self.board.serial_port.write(data)

    # --- from devices, link and PIN entry to signals ------------------------------------------------

    def _on_device(self, event: api.DeviceEvent) -> None:
        match event:
            case api.BytesReceived(data):
                self.parts.session.receive(data, now_ms=self.parts.now_ms)
            case api.KeyPressed(key):
                self._kernel.post(Signal("key", key))
            case api.CardRead() | api.CardReadFailed():
                self._on_card(event)
            case api.CardRemoved():
                self._kernel.post(Signal("card_removed"))
            case api.TamperTripped():
                self._kernel.post(Signal("tampered"))
            case api.ItemPrinted() | api.PrintStopped() | api.PrinterReady():
                self._on_printer(event)
            case api.PortRestored():
                self.parts.session.line_returned(now_ms=self.parts.now_ms)
            case api.KeyStuck() | api.PortLost():
                pass  # a stuck key types nothing more; the session notices a lost port by itself

    def _on_card(self, event: api.CardRead | api.CardReadFailed) -> None:
        is_read = isinstance(event, api.CardRead)
        self.parts.upkeep.count(swipes=is_read, bad_swipes=not is_read)
        match event:
            case api.CardRead(tracks) if tracks.track2 is None or not tracks.track2.pan.luhn_valid:
                self._kernel.post(Signal("card_unreadable", api.CardReadFailed(api.ReadFailure.FORMAT)))
            case api.CardRead():
                self._kernel.post(Signal("card_read", event))
            case api.CardReadFailed():
                self._kernel.post(Signal("card_unreadable", event))

    def _on_printer(self, event: api.ItemPrinted | api.PrintStopped | api.PrinterReady) -> None:
        names = {
            PrintEvent.PRINTED: "copy_printed",
            PrintEvent.STOPPED: "printer_stopped",
            PrintEvent.READY: "printer_ready",
        }
        if (print_event := self.parts.slip_printer.handle(event)) is not None:
            self.parts.upkeep.count(slips=print_event is PrintEvent.PRINTED)
            self._kernel.post(Signal(names[print_event]))

    def _on_pin(self, event: object) -> None:
        match event:
            case PinDigits(count):
                self._payment.pin_digits = count
                self._payment.beep_key(None)
            case PinTooShort():
                self._payment.beep_error(None)
            case PinReady():
                self._kernel.post(Signal("pin_entered"))
            case PinBypassed():
                self._kernel.post(Signal("pin_bypassed"))
            case PinCancelled():
                self._kernel.post(Signal("cancel"))
            case PinTimedOut():
                self._kernel.arm("state", self.parts.now_ms, Signal("timeout"))

    def _on_link(self, event: object) -> None:
        exchange, answer = self.parts.exchange, None
        match event:
            case LinkUp():
                self._kernel.post(Signal("link_up"))
            case LinkDown():
                self._kernel.post(Signal("link_down"))
            case MessageReceived(channel=Channel.HOST, payload=payload):
                answer = exchange.on_message(payload)
            case MessageReceived(channel=Channel.CONTROL, payload=payload):
                report = BankReport.decode(payload)
                answer = exchange.on_bank_status(report) if report is not None else None
            case MessageReceived(channel=Channel.DIAGNOSTICS, payload=payload):
                self._on_diagnostics(payload)
            case MessageUnconfirmed(message_id):
                answer = exchange.on_unconfirmed(message_id)
            case LineRate(bits_per_s):
                if not self.board.serial_port.set_rate(bits_per_s):
                    self.parts.session.rate_refused(now_ms=self.parts.now_ms)
        if answer is not None:
            self._kernel.post(Signal(f"host_{answer.verdict.value}", answer))

    def _on_diagnostics(self, message: bytes) -> None:
        session = self.parts.session
        if (answer := answer_to(message, session.counters)) is not None:
            session.send(Channel.DIAGNOSTICS, answer, now_ms=self.parts.now_ms)

    # --- from signals to rules ----------------------------------------------------------------------

    @property
    def _active(self) -> Section:
        return self._sections[DELEGATES.get(self._terminal.state, TERMINAL)]

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
            self._service_guards.sign_in_demanded = False
        elif answer.sign_in_again:
            self._service_guards.sign_in_demanded = True
        for section in self._sections.values():
            section.guards.answer = answer
        verdict = answer.verdict
        if not self.in_transaction and verdict is Verdict.WRONG_PIN:
            verdict = Verdict.DECLINED
        return Signal(f"host_{verdict.value}", answer)

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
        if rule is not None:
            self._carry_out(section, rule, signal.data)
        elif signal.name == "outbox_due":
            self._kernel.arm("outbox", self.parts.now_ms + self.settings.outbox_retry_ms, signal)

    def _carry_out(self, section: Section, rule: Rule, data: object) -> None:
        section.commit(rule, data, self.journal)
        if self._observer is not None:
            self._observer(Transition(self.parts.now_ms, section.name, rule))
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
            at_ms = self.parts.now_ms + getattr(self.settings, row.timeout)
            self._kernel.arm("state", at_ms, Signal("timeout"))
        else:
            self._kernel.disarm("state")

    def _begin_section(self, name: str) -> None:
        """Put a section in charge: the terminal table has just entered a state that hands over to it."""
        section = self._sections[name]
        section.begin()
        self._arm_timer(section.row)
        if name == "transaction":
            self.states_passed = [str(section.state.value)]
            self._type_ahead()

    def _type_ahead(self) -> None:
        typed_ahead, self._typed_ahead = self._typed_ahead, []
        for key in reversed(typed_ahead):
            self._kernel.post_first(Signal("key", key))  # before the keys that were typed after them

    def _stop_working(self, name: str) -> None:
        """Storage or keys are gone: nothing more leaves the terminal; the journal knows where it stood."""
        for section in self._sections.values():
            section.work.end()
        self._service.abandon_key(None)
        self._service.forget_sale(None)
        self._kernel.post_first(Signal(name))


CLEARED_FIRST = (terminal.State.SIGNING_IN, terminal.State.CLEARING)  # before a sale that is wanted
_TERMINAL_ONLY = frozenset(
    {"tampered", "storage_failed", "outbox_due", *(f"{name}_ended" for name in DELEGATES.values())}
)
