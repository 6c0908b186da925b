"""What a person sees: the screen of the state and the lights, sent to the devices only when they change."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from itertools import compress

from firmware.floor_work import FloorWork
from firmware.link_quality import LinkQuality
from firmware.payment_work import PaymentWork
from firmware.screen_sources import Sight, values_for
from firmware.screen_values import ScreenValues
from firmware.screens import render, values_of
from firmware.settings import TerminalSettings
from firmware.terminal_work import TerminalWork
from firmware.txn import terminal, transaction
from firmware.txn.schema import Row
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
        values = self._values(row, name, in_transaction=in_transaction)
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

    def _values(self, row: Row, name: str, *, in_transaction: bool) -> ScreenValues:
        parts, (minute, printer_status, pin_digits) = self._parts, self._seen
        sight = Sight(
            parts,
            self._payment,
            self._service,
            self._floor,
            row,
            in_transaction,
            parts.journal.payment,
            minute,
            printer_status,
            pin_digits,
            self._link_bars(),  # looked at whatever is shown: they tell of the last minutes
        )
        return values_for(values_of(name, parts.board.display.rows), sight)

    def _link_bars(self) -> int:
        session = self._parts.session
        spoilt, good = session.spoilt_and_good_frames
        return self._link.bars(spoilt, good, is_up=session.is_up, now_ms=self._parts.now_ms)

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
