"""What a person sees: the screen of the state and the lights, sent to the devices only when they change."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import compress

from firmware.boot import SECURE, first_failure
from firmware.floor_view import view_of
from firmware.floor_work import FloorWork
from firmware.link_quality import LinkQuality
from firmware.payment_work import PaymentWork
from firmware.records import Payment, Reason, SlipCopy
from firmware.screen_values import ScreenValues
from firmware.screens import layout_of, render
from firmware.settings import TerminalSettings
from firmware.terminal_work import TerminalWork
from firmware.txn import floor, terminal, transaction
from firmware.txn.schema import Keys, Recovery, Row
from firmware.upkeep import heads_due
from firmware.work import Parts, nobody_logged_on
from hal.api import HalError, Led, PrinterStatus, Screen, StorageFailed
from hal.board import Board

OUT_OF_SERVICE = frozenset({terminal.State.OUT_OF_SERVICE, terminal.State.TAMPERED, terminal.State.NO_KEYS})
_MINUTE = timedelta(minutes=1)
LIGHTS = (Led.POWER, Led.LINK, Led.CARD, Led.ALARM)


class Faceplate:
    """The display and the lights of one terminal."""

    def __init__(
        self, parts: Parts, payment: PaymentWork, service: TerminalWork, shop_floor: FloorWork
    ) -> None:
        self._parts = parts
        self._payment = payment
        self._service = service
        self._floor = shop_floor
        self._link = LinkQuality()
        self._said: tuple[str, ScreenValues, str] | None = None  # what the screen was made of
        self._screen: Screen | None = None
        self._lit: tuple[bool, ...] | None = None  # of each of LIGHTS, whether it is on
        self._minute_began = parts.board.clock.wall().replace(second=0, microsecond=0)
        self._seen = self._unannounced()  # as it was then

    def is_outdated(self) -> bool:
        """Whether something has changed since `show` that no signal tells of."""
        return self._unannounced() != self._seen

    def _unannounced(self) -> tuple[datetime, PrinterStatus, int]:
        """What changes without a signal: the minute, the state of the printer, the digits of a PIN."""
        board = self._parts.board
        return self._minute(board.clock.wall()), board.printer.status, self._payment.pin_digits

    def show(self, row: Row, *, in_transaction: bool) -> None:
        """Show `row`'s screen with the values of this moment."""
        board = self._parts.board
        self._seen = self._unannounced()
        language = self._parts.display_language
        name = self._screen_name(row)
        values = self._values(row, layout_of(name).lines, in_transaction=in_transaction)
        said = (name, values, language)
        if said != self._said:  # laying out a screen takes longer than the rest of a turn
            self._said = said
            columns, rows = board.display.columns, board.display.rows
            self._show(render(name, values, columns=columns, rows=rows, language=language))
        if (lit := self._lights(row)) != self._lit:
            self._lit = lit
            board.leds.set(frozenset(compress(LIGHTS, lit)))

    def _show(self, screen: Screen) -> None:
        if screen != self._screen:
            self._screen = screen
            self._parts.board.display.show(screen)

    def _screen_name(self, row: Row) -> str:
        if row.state is terminal.State.IDLE:
            return self._idle_screen()
        if row.screen:
            return row.screen
        payment = self._parts.journal.payment  # the result of the payment that has just ended
        return transaction.TABLE.by_state[transaction.State(payment.state)].screen if payment else "idle"

    def _idle_screen(self) -> str:
        if nobody_logged_on(self._parts):
            return "logged_off"
        return "idle" if self._parts.journal.counters.signed_in else "not_signed_in"

    def _values(self, row: Row, elements: Sequence[str], *, in_transaction: bool) -> ScreenValues:
        """What the screen's elements may tell; what takes longer to find out only where one of them asks."""
        parts, payment, failure = self._parts, self._parts.journal.payment, self._payment.read_failure
        entry = self._payment.entry if in_transaction else None
        bars = self._link_bars()  # looked at whatever is shown: they tell of the last minutes
        minute, printer_status, pin_digits = self._seen
        return ScreenValues(
            amount_minor=self._amount(row, payment),
            currency=parts.settings.currency,
            pin_digits=pin_digits,
            tries_left=self._payment.pin_tries_left if payment else 0,
            swipes_left=self._payment.swipes_left if payment else 0,
            response_code=payment.response_code if payment else "",
            authorisation_code=payment.authorisation_code if payment else "",
            pan_masked=payment.pan_masked if payment else "",
            reason=self._reason(payment),
            detail=self._detail() if "detail" in elements else "",
            storage_trouble=self._service.storage_trouble,
            now=minute,
            signed_in=parts.journal.counters.signed_in,
            link_up=parts.session.is_up,
            pending=len(parts.journal.due()),
            merchant_name=self._merchant_name(),
            printer_status=printer_status,
            read_failure=failure.reason if in_transaction and failure else None,
            slip_copy=SlipCopy.CARDHOLDER if payment and payment.copies_printed else SlipCopy.MERCHANT,
            terminal_id=parts.settings.terminal_id,
            key_index=self._service.choice.index,
            key_use=self._service.choice.use,
            serial_number=self._service.serial_digits.digits,
            component_number=self._service.component_number,
            component_digits=self._service.component_digits,
            kind=payment.kind if payment and in_transaction else "purchase",
            typed=self._payment.typed.shown(entry) if entry else "",
            is_refused=self._payment.amount_refused or self._payment.original_missing,
            original_voucher=payment.original_voucher if payment else "",
            balance_minor=self._payment.balance_minor,
            check_value=self._service.check_digits.digits or self._service.shown_check_value,
            operator=parts.settings.operator,
            link_bars=bars if "status" in elements else None,
            cleaning=heads_due(parts.upkeep.wear, parts.settings) if "cleaning" in elements else (),
            floor=view_of(self._floor, row.state) if row.state in floor.TABLE.by_state else None,
        )

    def _link_bars(self) -> int:
        session = self._parts.session
        spoilt, good = session.spoilt_and_good_frames
        return self._link.bars(spoilt, good, is_up=session.is_up, now_ms=self._parts.now_ms)

    def _merchant_name(self) -> str:
        settings = self._parts.settings
        return settings.merchant_name_zh if self._parts.display_language == "zh" else settings.merchant_name

    def _amount(self, row: Row, payment: Payment | None) -> int | None:
        if payment is None:
            return None
        if row.keys is Keys.AMOUNT:  # a tip is typed where the original's amount is known already
            return self._payment.amount.amount_minor
        return payment.amount_minor or self._payment.amount.amount_minor

    def _reason(self, payment: Payment | None) -> Reason:
        if self._service.recovered in (Recovery.NOTHING, Recovery.REVERSE, Recovery.STANDS):
            return Reason.POWER_CUT
        return payment.reason if payment else Reason.NONE

    def _detail(self) -> str:
        """Why the terminal is out of service, a key was not loaded, or none of those stored opens."""
        if self._service.key_error or self._service.management_error:
            return self._service.key_error or self._service.management_error
        reports = self._service.reports
        failed = first_failure(reports) or first_failure(reports, (SECURE,))
        return f"{failed.kind}: {failed.result.detail}" if failed else ""

    def _minute(self, now: datetime) -> datetime:
        """The clock of the idle screen has no seconds: it would change the screen at every step."""
        if not self._minute_began <= now < self._minute_began + _MINUTE:
            self._minute_began = now.replace(second=0, microsecond=0)
        return self._minute_began

    def _lights(self, row: Row) -> tuple[bool, ...]:
        if self._floor.lights_are_tested:
            return (True,) * len(LIGHTS)
        is_out = row.state in OUT_OF_SERVICE
        return (
            not is_out and row.state is not terminal.State.STARTING,
            self._parts.session.is_up,
            row.state is transaction.State.CARD,
            is_out or self._seen[1] is not PrinterStatus.READY,
        )


def show_refusal(board: Board, settings: TerminalSettings, error: HalError) -> None:
    """Say on the display why the terminal does not come on, if there is a display that can."""
    display = board.display
    trouble = error.trouble if isinstance(error, StorageFailed) else None
    values = ScreenValues(detail=str(error), storage_trouble=trouble, terminal_id=settings.terminal_id)
    with suppress(HalError):
        display.open()
        screen = render(
            "out_of_service",
            values,
            columns=display.columns,
            rows=display.rows,
            language=settings.language,
        )
        display.show(screen)
        display.close()
