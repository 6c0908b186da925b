"""What screens may tell: the values of a moment, as the faceplate gathers them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from firmware.records import Reason, SlipCopy
from firmware.secure.key_use import KeyUse
from hal.api import PrinterStatus, ReadFailure, StorageTrouble


@dataclass(frozen=True, slots=True)
class FloorView:
    """What the shop floor shows at this moment, in words."""

    heading: str = ""
    place: str = ""  # how far it is, behind the heading where there is room
    lines: tuple[str, ...] = ()  # of a menu or a report, those that are in view
    prompt: tuple[str, ...] = ()  # what is to be done, the fullest form first
    typed: str = ""


class ScreenValues(NamedTuple):
    """What screens may tell. A value that is not known stays at its default, and its element is left out.

    A tuple, for one is made at every key and compared with the last: as a dataclass it takes twice as long.
    """

    amount_minor: int | None = None
    currency: str = "156"  # ISO 4217, numeric or alphabetic
    pin_digits: int = 0  # how many, never which
    tries_left: int = 0  # of the PIN
    swipes_left: int = 0
    response_code: str = ""
    authorisation_code: str = ""
    pan_masked: str = ""
    reason: Reason = Reason.NONE
    detail: str = ""  # one line in English, from a self-test or a device
    storage_trouble: StorageTrouble | None = None
    now: datetime | None = None
    signed_in: bool = False
    link_up: bool = False
    pending: int = 0  # messages that still have to reach the bank
    merchant_name: str = ""
    printer_status: PrinterStatus | None = None
    read_failure: ReadFailure | None = None
    slip_copy: SlipCopy | None = None
    terminal_id: str = ""
    key_index: int | None = None  # of the key being loaded
    key_use: KeyUse = KeyUse.TMK  # what it is for
    serial_number: str = ""  # of an initial DUKPT key, hexadecimal: as typed so far
    component_number: int = 0  # which of its components, from 1
    component_digits: int = 0  # how many are typed, never which
    kind: str = "purchase"  # the type of the transaction at hand
    typed: str = ""  # a number, code or date as typed so far; of a card number, what may be shown
    is_refused: bool = False  # what was typed last does not do: too much, or no such voucher
    original_voucher: str = ""
    balance_minor: int | None = None
    check_value: str = ""  # hexadecimal: as typed so far, or as the secure room answered
    operator: str = ""  # who works here
    link_bars: int | None = None  # how good the line is: 0 for none, 4 for the best
    cleaning: tuple[str, ...] = ()  # the heads that are due: "printer", "reader"
    floor: FloorView | None = None  # what the shop floor shows, while it is open
