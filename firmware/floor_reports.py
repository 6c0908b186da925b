"""What the floor shows and prints: reports and slips, page by page on the display or on paper."""

from __future__ import annotations

from collections.abc import Sequence

from firmware.boot import DeviceReport, self_test
from firmware.floor_actions import FloorActions
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
from firmware.work import Parts
from hal.api import Key, PrintCut, PrintItem

SLIPS = frozenset({"last_slip", "slip"})


class FloorReports(FloorActions):
    """The part of the floor's work that tells something."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.lines: Sequence[str] = ()  # of the report on the display
        self.first_line = 0
        self.reports: list[DeviceReport] = []  # of the self-test

    @property
    def visible_lines(self) -> int:
        """How many lines of a menu or a report the display holds below the heading."""
        rows = self.parts.board.display.rows
        return rows - 1 if rows < 8 else rows - 6  # a large display has a header and explains the keys

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
        self.lines = lines_of(self._report(Paper(self.parts.display_language, columns, "report")), columns)

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

    def _on_paper(self) -> Sequence[PrintItem]:
        assert self.entry is not None
        parts = self.parts
        paper = Paper(parts.language, parts.board.printer.columns, "report")
        top = heading(paper, self.entry.what, parts.settings, parts.board.clock.wall())
        return (*top, *self._report(paper), PrintCut())

    def _report(self, paper: Paper) -> Items:
        """The report's body."""
        assert self.entry is not None
        parts, payment = self.parts, self.payment_asked()
        match self.entry.what:
            case "last_transaction" | "transaction":
                assert payment is not None
                outbox = parts.journal.outbox.values()
                return transaction_report(paper, payment, outbox, parts.settings.slip_copies)
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
        raise LookupError(f"no report is called {self.entry.what!r}: see texts/menus.toml")
