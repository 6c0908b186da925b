"""What the floor shows and prints: reports and slips, page by page on the display or on paper."""

from __future__ import annotations

from collections.abc import Sequence

from firmware.batch_reports import detail_report, parameters_report, pending_report
from firmware.boot import DeviceReport, self_test
from firmware.exchange import Answer
from firmware.floor_clearing import FloorClearing
from firmware.line_report import EchoResult, line_report
from firmware.management_work import MESSAGES, management_fields, stored_parameters
from firmware.menus import Verb
from firmware.paper import Paper, lines_of
from firmware.records import Payment, SlipCopy
from firmware.reports import (
    Items,
    counters_report,
    head_pattern,
    heading,
    operator_list,
    self_test_report,
    transaction_report,
    version_report,
)
from firmware.settlement_slip import settlement_slip, totals_items
from firmware.totals import batch_totals
from firmware.work import Parts
from hal.api import Key, PrintCut, PrintItem

SLIPS = frozenset({"last_slip", "slip"})


class FloorReports(FloorClearing):
    """The part of the floor's work that tells something."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.lines: Sequence[str] = ()  # of the report on the display
        self.first_line = 0
        self.reports: list[DeviceReport] = []  # of the self-test
        self.echo = EchoResult()
        self._asked_at_ms = 0

    @property
    def visible_lines(self) -> int:
        """How many lines of a menu or a report the display holds below the heading."""
        rows = self.parts.board.display.rows
        if rows < 8:
            return rows - 1
        free = rows - 6  # a large display has a header and explains the keys
        return (free + 1) // 2 if self.lines_stand_apart else free

    @property
    def lines_stand_apart(self) -> bool:
        """Chinese characters fill their cells: on a large display a blank row keeps their lines apart."""
        return self.parts.display_language == "zh" and self.parts.board.display.rows >= 8

    def turn(self, key: Key) -> bool:
        """Turn the pages; False for a key that turns nothing."""
        step = {Key.DOWN: 1, Key.RIGHT: 1, Key.UP: -1, Key.LEFT: -1}.get(key, 0) * self.visible_lines
        first = self.first_line + step
        if not step or not 0 <= first < len(self.lines):
            return False
        self.first_line = first
        return True

    def payment_asked(self) -> Payment | None:
        """The transaction that the entry is about; None when there is none."""
        assert self.entry is not None
        journal = self.parts.journal
        match self.entry.what:
            case "last_slip":
                return journal.read_payment(journal.counters.last_slip)
            case "last_transaction":
                return journal.payment
            case "slip" | "transaction":
                voucher = self.answers.voucher
                found = [one for one in journal.payments() if voucher in (one.stan, one.completion_stan)]
                return found[-1] if found else None
        return None

    # --- effects ------------------------------------------------------------------------------------

    def open_report(self, _data: object) -> None:
        """Lay the report out for the display."""
        self.first_line = 0
        columns = self.parts.board.display.columns
        self.lines = lines_of(self._report(self.parts.display_language, columns), columns)

    def print_report(self, _data: object) -> None:
        """Print what is on the display, or the slip that was asked for."""
        assert self.entry is not None
        payment = self.payment_asked()
        if self.entry.verb is Verb.PRINT and self.entry.what in SLIPS:
            assert payment is not None
            copy = SlipCopy.CARDHOLDER if self.parts.settings.slip_copies > 1 else SlipCopy.MERCHANT
            self.print_slip(payment, copy, duplicate=True)
        else:
            self.parts.slip_printer.start(self._on_paper())

    def send_echo(self, _data: object) -> None:
        """0820/301: whether the bank is there, and how long it takes to answer."""
        parts, message = self.parts, MESSAGES["echo"]
        self.echo, self._asked_at_ms = EchoResult(), parts.now_ms
        self.send(message.mti, management_fields(parts.settings, parts.journal.counters.batch, message))

    def note_echo(self, data: object) -> None:
        """What became of it."""
        assert isinstance(data, Answer)
        self.echo = EchoResult(data.verdict, self.parts.now_ms - self._asked_at_ms)

    # --- their parts --------------------------------------------------------------------------------

    def _on_paper(self) -> Sequence[PrintItem]:
        assert self.entry is not None
        parts = self.parts
        language, columns = parts.language, parts.board.printer.columns
        if self.entry.what == "settlement_slip":
            return self._settlement_slip(language, columns)
        paper = Paper(language, columns, "report")
        top = heading(paper, self.entry.what, parts.settings, parts.board.clock.wall())
        return (*top, *self._report(language, columns), PrintCut())

    def _settlement_slip(self, language: str, columns: int) -> Sequence[PrintItem]:
        """The newest settlement's slip once more, marked."""
        parts, settlement = self.parts, self.parts.journal.settlement
        assert settlement is not None
        totals = batch_totals(parts.journal.payments(), settlement.batch)
        mark = Paper(language, columns, "slip").centred("duplicate", bold=True)
        items = settlement_slip(
            settlement,
            totals,
            parts.settings,
            language=language,
            columns=columns,
            printed_at=parts.board.clock.wall(),
        )
        return (*mark, *items)

    def _report(self, language: str, columns: int) -> Items:
        """The report's body."""
        assert self.entry is not None
        paper, parts, payment = Paper(language, columns, "report"), self.parts, self.payment_asked()
        journal, settings = parts.journal, parts.settings
        match self.entry.what:
            case "last_transaction" | "transaction":
                assert payment is not None
                return transaction_report(paper, payment, journal.outbox.values(), settings.slip_copies)
            case "totals":
                totals = batch_totals(journal.payments(), journal.counters.batch)
                words = Paper(language, columns, "settlement")
                return [
                    *words.field("batch_no", journal.counters.batch),
                    *totals_items(words, totals, settings.currency),
                ]
            case "detail":
                return detail_report(paper, journal.payments(), journal.counters.batch)
            case "pending":
                pending = [(one, journal.read_payment(one.payment_number)) for one in self.clearable()]
                return pending_report(paper, pending)
            case "parameters":
                return parameters_report(paper, settings, stored_parameters(parts.board.storage))
            case _:
                return self._own_report(paper)

    def _own_report(self, paper: Paper) -> Items:
        """A report about the terminal itself."""
        assert self.entry is not None
        parts = self.parts
        match self.entry.what:
            case "operators":
                now, operators = parts.board.clock.wall(), parts.operators.all()
                locked = frozenset(one.number for one in operators if parts.operators.is_locked(one, now))
                return operator_list(paper, operators, locked)
            case "devices":
                return self_test_report(paper, self.reports)
            case "printer":
                return [*head_pattern(), *counters_report(paper, parts.upkeep.wear, parts.settings)]
            case "reader" | "counters":
                return counters_report(paper, parts.upkeep.wear, parts.settings)
            case "version":
                reports = self_test(parts.board, parts.secure)
                return version_report(paper, parts.settings, reports, parts.secure.check_values())
            case "line":
                session, rate = parts.session, parts.board.serial_port.bits_per_s
                return line_report(paper, self.echo, session.counters, is_up=session.is_up, bits_per_s=rate)
        raise LookupError(f"no report is called {self.entry.what!r}: see texts/menus.toml")
