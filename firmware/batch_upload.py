"""What is uploaded of a batch whose totals differ: which messages, in which order, with which fields. Pure.

Only the half that differs is sent, domestic or foreign. Sources: iso8583-pos sections 3.4 and 8.2. The
certificates of chip transactions come with the chip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from firmware import messages
from firmware.records import Payment, Settlement
from firmware.secure.card_vault import SealedCard
from firmware.settings import TerminalSettings
from firmware.totals import counted, is_domestic
from wire.iso8583.private import Detail, F48Details

UPLOAD_MTI = "0320"
SETTLEMENT_MTI = "0500"
BALANCED = 1
NO_TOTALS = "12"  # F39 of a 0330: the bank was not told the totals of this batch

Fields = Mapping[int, str | bytes]
CardOf = Callable[[int], SealedCard | None]

_STORED = ("offline_settlement", "adjustment")
_DETAILED = ("purchase", "purchase_void", "completion", "completion_void")


@dataclass(frozen=True, slots=True)
class UploadMessage:
    """One 0320: up to eight records of one half of the batch, or one advice again."""

    payments: tuple[Payment, ...]
    is_advice: bool = False


def upload_messages(
    payments: Iterable[Payment], settlement: Settlement, details_max: int
) -> list[UploadMessage]:
    """Every message of the upload, in order. The same journal gives the same list, also after a power cut.

    `details_max`: records in one message, 8 at most.
    """
    chosen = [one for one in counted(payments, settlement.batch) if _differs(one, settlement)]
    advices = [one for one in chosen if one.kind in _STORED]
    details = [one for one in chosen if one.kind in _DETAILED and not one.completion_stan]
    later = [one for one in chosen if one not in advices and one not in details]
    return [
        *(UploadMessage((one,), is_advice=True) for one in advices),
        *_together([one for one in details if is_domestic(one)], details_max),
        *_together([one for one in details if not is_domestic(one)], details_max),
        *(UploadMessage((one,), is_advice=True) for one in later),
    ]


def upload_fields(
    message: UploadMessage, settlement: Settlement, settings: TerminalSettings, card_of: CardOf
) -> Fields:
    """The fields of one message; `card_of` gives the card of a payment by its number, or None."""
    if not message.is_advice:
        details = tuple(_detail(one, card_of(one.number)) for one in message.payments)
        fields: dict[int, str] = {11: settlement.stan, 48: F48Details(details).encode()}
        return fields | _frame(settlement, settings, "201")
    payment, card = message.payments[0], card_of(message.payments[0].number)
    if payment.completion_stan:
        return messages.completion(settings, payment)
    named = messages.card_fields(card.pan, card.expiry_yymm) if card is not None else {}
    return messages.stored(settings, payment) | named


def totals_fields(settlement: Settlement, settings: TerminalSettings, operator: str) -> Fields:
    """0500: both blocks of totals."""
    frame = _frame(settlement, settings, "201")
    told = {11: settlement.stan, 48: settlement.totals, 49: settings.currency, 63: f"{operator:3}"}
    return frame | told


def end_fields(settlement: Settlement, settings: TerminalSettings) -> Fields:
    """0320 with 207, or 202 after totals that differed: how many records there were."""
    code = "207" if settlement.is_balanced else "202"
    return {11: settlement.stan, 48: f"{settlement.sent:04d}"} | _frame(settlement, settings, code)


def _frame(settlement: Settlement, settings: TerminalSettings, code: str) -> dict[int, str]:
    return {41: settings.terminal_id, 42: settings.merchant_id, 60: f"00{settlement.batch}{code}"}


def _differs(payment: Payment, settlement: Settlement) -> bool:
    result = settlement.domestic_result if is_domestic(payment) else settlement.foreign_result
    return result != BALANCED


def _together(payments: Sequence[Payment], details_max: int) -> Iterator[UploadMessage]:
    for start in range(0, len(payments), details_max):
        yield UploadMessage(tuple(payments[start : start + details_max]))


def _detail(payment: Payment, card: SealedCard | None) -> Detail:
    kind = "00" if is_domestic(payment) else "01"
    return Detail(kind, payment.posted_stan, card.pan if card is not None else None, payment.amount_minor)
