"""What the terminal table's records and effects do: sign-in, outbox, reprint, the next payment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from firmware import boot, messages, retention
from firmware.batch_limit import BatchLimit
from firmware.exchange import Answer, Verdict
from firmware.floor_work import FloorWork
from firmware.journal import Draft
from firmware.management_work import SIGN_IN_JOB, ManagementWork
from firmware.menus import DOOR, TOP, Entry
from firmware.messages import plan_of
from firmware.records import Flow, Outgoing, OutgoingKind, OutgoingState, Payment, Reason, SlipCopy
from firmware.secure.errors import KeyFormat, SecureError
from firmware.settlement_work import begun
from firmware.txn.plans import DEFAULT_PLAN, PLANS, SIGN_IN_MTI, Mark
from firmware.txn.schema import Recovery, Rule
from firmware.work import Parts, Signal, tried
from hal.api import StorageTrouble
from wire.iso8583 import IsoMessage

LANGUAGES = ("en", "zh")


class TerminalWork(ManagementWork):
    """Carries out the terminal table."""

    def __init__(self, parts: Parts, *, begin_section: Callable[[str], None], floor: FloorWork) -> None:
        super().__init__(parts)
        self._floor = floor
        self.reports: list[boot.DeviceReport] = []
        self.storage_trouble: StorageTrouble | None = None  # since the last self-test
        self.batch_limit = BatchLimit(parts.journal)
        self._begin_section = begin_section
        self.wanted = DEFAULT_PLAN  # the type of the transaction that was asked for
        self.sale_wanted = False
        self.settlement_wanted = False
        self.signed_in_again = False  # once per round: a bank that refuses new keys too is not asked for ever
        self.recovered = Recovery.ENDED
        self._sending: int | None = None  # outbox number
        self._retries = 0

    def apply(self, _rule: Rule, _draft: Draft) -> None:
        """The terminal's own state is not journalled: after a power cut it starts at the start."""

    @property
    def sending(self) -> Outgoing | None:
        """The message of the outbox that is with the bank."""
        return self.parts.journal.outbox.get(self._sending) if self._sending is not None else None

    # --- records ------------------------------------------------------------------------------------

    def recover_payment(self, draft: Draft, _data: object) -> None:
        """Bring a payment that the power cut left open to its end."""
        self.recovered = boot.recover(draft)
        if self.recovered is Recovery.STANDS:
            self.parts.slip_printer.expect_remains()

    def begin_payment(self, draft: Draft, data: object) -> None:
        """A new record, before the first key."""
        self._note_wanted(data)
        settings, number = self.parts.settings, draft.counters.payment_number + 1
        draft.counters = draft.counters.changed(payment_number=number)
        is_seven_steps = self.wanted is DEFAULT_PLAN and settings.flow is Flow.AUTHORISE_FIRST
        retention.retire(draft, kept=settings.payments_kept)
        draft.payment = Payment(
            number,
            Flow.AUTHORISE_FIRST if is_seven_steps else Flow.PIN_FIRST,
            amount_minor=0,
            kind=self.wanted.name,
            sends="preauth" if is_seven_steps else self.wanted.name,
            currency=settings.currency,
            operator=settings.operator,
            started_at=self.parts.board.clock.wall().isoformat(timespec="seconds"),
        )

    def note_sign_in(self, draft: Draft, data: object) -> None:
        """The bank's working keys are in the secure room; adopt its batch (iso8583-pos section 3.1)."""
        assert isinstance(data, Answer)
        assert data.message is not None
        private = messages.text_of(data.message, 60)
        batch = private[2:8] if len(private) >= 8 else draft.counters.batch
        draft.counters = draft.counters.changed(
            signed_in=True,
            signed_out=False,
            signed_in_as=self.parts.secure.security.name,
            signed_in_at=told_time(data.message, self.parts.board.clock.wall()).isoformat(timespec="seconds"),
            batch=batch,
            jobs=draft.counters.jobs.replace(SIGN_IN_JOB, ""),
        )

    def begin_settlement(self, draft: Draft, _data: object) -> None:
        """The totals are fixed from now on; one that is open already goes on."""
        if draft.settlement is None or not draft.settlement.is_open:
            draft.settlement = begun(self.parts, draft)

    def forget_sign_in(self, draft: Draft, _data: object) -> None:
        """The bank does not accept the keys any more."""
        self.signed_in_again = True
        draft.counters = draft.counters.changed(signed_in=False)

    def switch_language(self, draft: Draft, _data: object) -> None:
        """The next of the languages."""
        index = LANGUAGES.index(self.parts.language)
        draft.counters = draft.counters.changed(language=LANGUAGES[(index + 1) % len(LANGUAGES)])

    def settle_outgoing(self, draft: Draft, data: object) -> None:
        """A definite answer: the message has done its work, and its payment knows."""
        assert isinstance(data, Answer)
        entry = draft.outbox.pop(self._sending) if self._sending is not None else None
        assert entry is not None
        self._retries = 0
        if entry.kind is OutgoingKind.REVERSAL and entry.names_card:
            draft.extra.append(self.parts.cards.forgotten(entry.payment_number))
        if draft.payment is not None and draft.payment.number == entry.payment_number:
            draft.payment = _settled(draft.payment, entry.kind, data)
        elif (older := self.parts.journal.read_payment(entry.payment_number)) is not None:
            draft.older[older.number] = _settled(older, entry.kind, data)

    def count_outgoing_attempt(self, draft: Draft, data: object) -> None:
        """A try without a definite answer."""
        if (entry := self.sending) is not None:
            draft.outbox[entry.number] = tried(entry, data)

    def refuse_outgoing(self, draft: Draft, _data: object) -> None:
        """A definite no: kept for the operator, not sent again; its payment does not count any more."""
        if (entry := self.sending) is None:
            return
        draft.outbox[entry.number] = entry.changed(state=OutgoingState.REFUSED)
        self._note_refused(draft, entry.payment_number)

    def _note_refused(self, draft: Draft, number: int) -> None:
        journal, payment = self.parts.journal, draft.payment
        if payment is not None and payment.number == number:
            draft.payment = payment = payment.changed(reason=Reason.COMPLETION_REFUSED)
        elif (payment := journal.read_payment(number)) is not None:
            draft.older[number] = payment = payment.changed(reason=Reason.COMPLETION_REFUSED)
        if payment is not None and plan_of(payment).mark is Mark.ADJUSTED:
            original = journal.read_payment(payment.original_number)
            if original is not None:
                draft.older[original.number] = original.changed(mark="", tip_minor=0)

    def note_outgoing_declined(self, draft: Draft, data: object) -> None:
        """A no: definite for a completion, one more try for a reversal (nothing forgets a reversal)."""
        assert isinstance(data, Answer)
        if refusal_is_final(self.sending, data):
            self.refuse_outgoing(draft, data)
        elif (entry := self.sending) is not None:
            is_no = data.response_code not in messages.SYSTEM_TROUBLE | messages.SIGN_IN_AGAIN
            draft.outbox[entry.number] = entry.changed(
                attempts=entry.attempts + 1,
                refusals=entry.refusals + is_no,
                refused_with=data.response_code if is_no else entry.refused_with,
            )

    # --- effects ------------------------------------------------------------------------------------

    def start(self, _data: object) -> None:
        """Power-on, or another try at it: every device tests itself, and every stored key is opened once."""
        self.reports = boot.self_test(self.parts.board, self.parts.secure)
        self.storage_trouble = boot.storage_trouble(self.reports)
        if self.parts.board.tamper.tripped:
            self.parts.kernel.post(Signal("tampered"))
        else:
            passed = boot.first_failure(self.reports) is None
            self.parts.kernel.post(Signal("self_test_passed" if passed else "self_test_failed"))

    def _store(self, key: bytearray) -> None:
        super()._store(key)
        self.reports = boot.with_keys(self.reports, self.parts.secure)  # what did not open may be gone

    def open_link(self, _data: object) -> None:
        """Begin the session with the host link."""
        self.parts.session.open(now_ms=self.parts.now_ms)

    def want_sale(self, data: object) -> None:
        """The cashier wants a transaction of the type in `data`; first something else must be done."""
        self._note_wanted(data)
        self.sale_wanted = True

    def _note_wanted(self, data: object) -> None:
        """The sale key brings the name of a type, or nothing; an answer of the bank changes nothing."""
        if not isinstance(data, Answer):
            self.wanted = PLANS[data] if isinstance(data, str) else DEFAULT_PLAN

    def want_settlement(self, _data: object) -> None:
        """The batch is to be settled; first everything that is due must be sent."""
        self.settlement_wanted = True

    def settle(self, _data: object) -> None:
        """Hand over to the settlement table."""
        self._begin_section("settlement")

    def sign_out(self, _data: object) -> None:
        """After a settlement, where the parameters ask for it."""
        self.send_management("sign_out")

    def forget_sale(self, _data: object) -> None:
        """What was wanted is done, or could not be done."""
        self.sale_wanted = self.settlement_wanted = False

    def begin_transaction(self, _data: object) -> None:
        """Hand over to the transaction table."""
        self.sale_wanted = False
        self.signed_in_again = False
        self._retries = (
            0  # the bank was there: what this payment leaves behind waits for the first pause only
        )
        self.recovered = Recovery.ENDED
        self._begin_section("transaction")

    def open_floor(self, _data: object) -> None:
        """Hand over to the floor table: the main menu."""
        self._open_floor(TOP)

    def ask_log_on(self, _data: object) -> None:
        """Nobody works here yet."""
        self._open_floor(DOOR["first_log_on"])

    def ask_administrator(self, _data: object) -> None:
        """Keys are loaded with the administrator's password only."""
        self._open_floor(DOOR["key_loading"])

    def _open_floor(self, goal: Entry) -> None:
        self._floor.goal = goal
        self._begin_section("floor")

    def send_sign_in(self, _data: object) -> None:
        """0800: working keys, batch, time.

        From here until its answer nobody knows which keys the bank holds: it may have changed them already.
        """
        self._sending = None
        draft = self.parts.journal.draft()
        stan = draft.next_stan()
        draft.counters = draft.counters.changed(signed_in=False)
        self.parts.journal.commit(draft)
        self.send(SIGN_IN_MTI, messages.sign_in(self.parts.settings, draft.counters.batch, stan))

    def set_clock(self, data: object) -> None:
        """Take the bank's date and time; the year is the one that brings it nearest to the terminal's."""
        assert isinstance(data, Answer)
        assert data.message is not None
        clock = self.parts.board.clock
        now = clock.wall()
        if (told := told_time(data.message, now)) is not now:
            clock.set_wall(told)

    def must_go_first(self) -> list[Outgoing]:
        """What is due and does not wait: all but advices, and those too once there are too many."""
        due = self.parts.journal.due()
        advices = [entry for entry in due if entry.kind is OutgoingKind.ADVICE]
        return due if len(advices) >= self.parts.settings.offline_kept_max else due[: len(due) - len(advices)]

    def device_reports(self) -> list[boot.DeviceReport]:
        """How the devices are, by their newest self-test."""
        return self.reports

    def send_outgoing(self, _data: object) -> None:
        """The next message that is due."""
        entry = self.parts.journal.due()[0]
        self._sending = entry.number
        self.send_stored(entry)

    def schedule_outbox(self, _data: object) -> None:
        """Try again later, later each time, for as long as something is due or no key is there."""
        self._sending = None
        self.signed_in_again = False
        settings, wait = self.parts.settings, self.parts.settings.outbox_retry_ms << min(self._retries, 10)
        self._retries += 1
        at_ms = self.parts.now_ms + min(wait, settings.outbox_retry_max_ms)
        self.parts.kernel.arm("outbox", at_ms, Signal("outbox_due"))

    def print_duplicate(self, _data: object) -> None:
        """The last slip once more, marked: the cardholder's copy, or the only one."""
        payment = self.parts.journal.read_payment(self.parts.journal.counters.last_slip)
        assert payment is not None
        copy = SlipCopy.CARDHOLDER if self.parts.settings.slip_copies > 1 else SlipCopy.MERCHANT
        self.print_slip(payment, copy, duplicate=True)

    def wipe_keys(self, _data: object) -> None:
        """Tamper: nothing secret stays."""
        self.abandon_key(None)
        self.parts.secure.wipe()
        if erased := self.parts.cards.erased():
            self.parts.board.storage.commit(erased)
        self.parts.exchange.close()


def _settled(payment: Payment, kind: OutgoingKind, answer: Answer) -> Payment:
    match kind:
        case OutgoingKind.REVERSAL:
            return payment.changed(reversed=True)
        case OutgoingKind.SCRIPT_RESULT:
            return payment
    return messages.note_posting(payment, answer.message)


def refusal_is_final(entry: Outgoing | None, answer: Answer | None) -> bool:
    """Whether a declined message need not be sent again. Never true of a reversal."""
    if entry is None or answer is None or entry.kind is OutgoingKind.REVERSAL:
        return False
    return answer.response_code not in messages.SYSTEM_TROUBLE | messages.SIGN_IN_AGAIN


def nearest(date_mmdd: str, time_hhmmss: str, now: datetime) -> datetime | None:
    """The moment of that date and time that lies nearest to `now`; None when there is no such moment."""
    candidates = []
    for year in (now.year - 1, now.year, now.year + 1):
        try:
            candidates.append(datetime.strptime(f"{year:04d}{date_mmdd}{time_hhmmss}", "%Y%m%d%H%M%S"))  # noqa: DTZ007 - local time
        except ValueError:
            continue
    return min(candidates, key=lambda moment: abs(moment - now), default=None)


def told_time(answer: IsoMessage, now: datetime) -> datetime:
    """The bank's date and time in an answer; `now` itself when it tells none."""
    told = nearest(messages.text_of(answer, 13), messages.text_of(answer, 12), now)
    return now if told is None else told


def accept_keys(parts: Parts, answer: Answer) -> Answer:
    """Give the sign-in answer's key bundle to the secure room; a bundle that it refuses is a bad answer.

    Source: iso8583-pos sections 5.3 and 6.2. Afterwards the keys are stored, or all are discarded.
    """
    bundle = answer.message.fields.get(62) if answer.message else None
    security = parts.secure.security
    if security.is_dukpt:
        return answer
    try:
        if not isinstance(bundle, bytes):
            raise KeyFormat("the sign-in answer has no keys in F62: ask the acquirer")
        parts.secure.accept_working_keys(bundle, security.sign_in_code)
    except SecureError:
        return replace(answer, verdict=Verdict.BAD_MAC)
    return answer
