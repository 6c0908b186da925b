"""Where the values of screens come from: each is asked for only when a screen looks at it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from firmware.boot import SECURE, first_failure
from firmware.floor_view import view_of
from firmware.floor_work import FloorWork
from firmware.payment_work import PaymentWork
from firmware.records import Payment, Reason, SlipCopy
from firmware.screen_values import FloorView, ScreenValues
from firmware.terminal_work import TerminalWork
from firmware.txn import floor
from firmware.txn.schema import Keys, Recovery, Row
from firmware.upkeep import heads_due
from firmware.work import Parts
from hal.api import PrinterStatus, ReadFailure


@dataclass(slots=True)
class Sight:
    """What a value is made of: the parts of the terminal, and what the moment is like."""

    parts: Parts
    work: PaymentWork
    service: TerminalWork
    shop_floor: FloorWork
    row: Row
    in_transaction: bool
    payment: Payment | None  # the newest
    minute: datetime
    printer_status: PrinterStatus
    pin_digits: int
    link_bars: int


def values_for(names: Iterable[str], sight: Sight) -> ScreenValues:
    """The values of those names; all others stay at their defaults."""
    return ScreenValues(**{name: SOURCES[name](sight) for name in names})


def _amount(sight: Sight) -> int | None:
    typed = sight.work.amount
    if sight.payment is None:
        return None
    if sight.row.keys is Keys.AMOUNT:  # a tip is typed where the original's amount is known already
        return typed.amount_minor
    return sight.payment.amount_minor or typed.amount_minor


def _reason(sight: Sight) -> Reason:
    if sight.service.recovered in (Recovery.NOTHING, Recovery.REVERSE, Recovery.STANDS):
        return Reason.POWER_CUT
    return sight.payment.reason if sight.payment else Reason.NONE


def _detail(sight: Sight) -> str:
    """Why the terminal is out of service, a key was not loaded, or none of those stored opens."""
    service = sight.service
    if service.key_error or service.management_error:
        return service.key_error or service.management_error
    failed = first_failure(service.reports) or first_failure(service.reports, (SECURE,))
    return f"{failed.kind}: {failed.result.detail}" if failed else ""


def _merchant_name(sight: Sight) -> str:
    settings = sight.parts.settings
    return settings.merchant_name_zh if sight.parts.display_language == "zh" else settings.merchant_name


def _read_failure(sight: Sight) -> ReadFailure | None:
    failure = sight.work.read_failure
    return failure.reason if sight.in_transaction and failure else None


def _slip_copy(sight: Sight) -> SlipCopy:
    is_second = sight.payment is not None and bool(sight.payment.copies_printed)
    return SlipCopy.CARDHOLDER if is_second else SlipCopy.MERCHANT


def _typed(sight: Sight) -> str:
    entry = sight.work.entry if sight.in_transaction else None
    return sight.work.typed.shown(entry) if entry else ""


def _floor(sight: Sight) -> FloorView | None:
    state = sight.row.state
    return view_of(sight.shop_floor, state) if state in floor.TABLE.by_state else None


SOURCES: Mapping[str, Callable[[Sight], Any]] = {
    "amount_minor": _amount,
    "currency": lambda sight: sight.parts.settings.currency,
    "pin_digits": lambda sight: sight.pin_digits,
    "tries_left": lambda sight: sight.work.pin_tries_left if sight.payment else 0,
    "swipes_left": lambda sight: sight.work.swipes_left if sight.payment else 0,
    "response_code": lambda sight: sight.payment.response_code if sight.payment else "",
    "authorisation_code": lambda sight: sight.payment.authorisation_code if sight.payment else "",
    "pan_masked": lambda sight: sight.payment.pan_masked if sight.payment else "",
    "reason": _reason,
    "detail": _detail,
    "storage_trouble": lambda sight: sight.service.storage_trouble,
    "now": lambda sight: sight.minute,
    "signed_in": lambda sight: sight.parts.journal.counters.signed_in,
    "link_up": lambda sight: sight.parts.session.is_up,
    "pending": lambda sight: len(sight.parts.journal.due()),
    "merchant_name": _merchant_name,
    "printer_status": lambda sight: sight.printer_status,
    "read_failure": _read_failure,
    "slip_copy": _slip_copy,
    "terminal_id": lambda sight: sight.parts.settings.terminal_id,
    "key_index": lambda sight: sight.service.choice.index,
    "key_use": lambda sight: sight.service.choice.use,
    "serial_number": lambda sight: sight.service.serial_digits.digits,
    "component_number": lambda sight: sight.service.component_number,
    "component_digits": lambda sight: sight.service.component_digits,
    "kind": lambda sight: sight.payment.kind if sight.payment and sight.in_transaction else "purchase",
    "typed": _typed,
    "is_refused": lambda sight: sight.work.amount_refused or sight.work.original_missing,
    "original_voucher": lambda sight: sight.payment.original_voucher if sight.payment else "",
    "balance_minor": lambda sight: sight.work.balance_minor,
    "check_value": lambda sight: sight.service.check_digits.digits or sight.service.shown_check_value,
    "operator": lambda sight: sight.parts.settings.operator,
    "link_bars": lambda sight: sight.link_bars,
    "cleaning": lambda sight: heads_due(sight.parts.upkeep.wear, sight.parts.settings),
    "floor": _floor,
}
