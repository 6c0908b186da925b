"""Requests out of the journal's records, and what an answer says. Pure: no keys, no link, no journal.

The fields of each message are those of iso8583-pos sections 4 and 7.2; which codes select it is in
`firmware.txn.plans`. Nothing that is stored for later (reversal, completion) needs the card's data: the bank
finds the original by terminal, merchant, batch and trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from firmware.records import Payment, ReversalReason
from firmware.settings import TerminalSettings
from firmware.txn.plans import (
    COMPLETION,
    PIN_VERIFICATION,
    PLANS,
    Amount,
    Delivery,
    Link,
    MessagePlan,
    Plan,
    Totals,
)
from hal.api import TrackData
from wire.confidential import ConfidentialText
from wire.iso8583 import IsoMessage
from wire.pan import Pan

Fields = dict[int, str | bytes]

OFFLINE = frozenset({"offline_settlement", "adjustment"})

PIN_SECURITY = "2600000000000000"  # F53: PIN block with PAN, double-length 3DES, clear track (section 2.6)
READ_CAPABILITY = "2"  # F60.4: magnetic stripe only
FALLBACK = "2"  # F60.5: the chip could not be read (section 3.2)
ANY_ORGANISATION = "000"  # F63 of a refund (section 3.5)
OFFLINE_ORGANISATION = "CUP"  # and of what was decided offline, where the bank has not said whose card it is
NO_MESSAGE = "000000"  # F61.1 and 61.2 where no message is named
BY_TELEPHONE = "01"  # F61.4: how an offline settlement was authorised
APPROVALS = frozenset({"00", "10", "11", "A2", "A4", "A5", "A6"})
REVERSAL_DONE = frozenset({"00", "12", "25"})
SIGN_IN_AGAIN = frozenset({"99", "A0"})
PARTIAL_APPROVAL = "10"  # F4 of the answer is what was approved
WRONG_PIN = "55"
DUPLICATE = "94"
SYSTEM_TROUBLE = frozenset({"68", "90", "91", "92", "96", "98"})  # class E: the same message may do later


@dataclass(frozen=True, slots=True)
class CardData:
    """The card's data while a payment needs it; never stored, and masked in every way of printing it.

    `tracks` is None for a card whose number was typed.
    """

    pan: Pan
    expiry_yymm: str = ""
    tracks: TrackData | None = None
    held: bool = False


def sign_in(settings: TerminalSettings, batch: str, stan: str) -> dict[int, str]:
    """0800: ask for working keys, batch and time (section 5.3)."""
    return {
        11: stan,
        41: settings.terminal_id,
        42: settings.merchant_id,
        60: f"00{batch}{settings.security.sign_in_code}",
        63: f"{settings.operator:3}",
    }


def plan_of(payment: Payment) -> Plan:
    """The type of a transaction."""
    return PLANS[payment.kind]


def message_of(payment: Payment) -> MessagePlan:
    """What selects the message that a transaction sends to the bank."""
    return PLANS[payment.sends].message


def may_be_done(payment: Payment) -> bool:
    """Whether the bank may have moved money for it although no answer came, and no reversal undoes that."""
    plan = plan_of(payment)
    return bool(payment.stan) and not plan.reversible and plan.totals is not Totals.NONE


def request(
    settings: TerminalSettings, payment: Payment, card: CardData | None, pin_block: bytes | None
) -> Fields:
    """The request of a transaction, by its plan; `pin_block`: None when no PIN was entered.

    Sources: iso8583-pos section 4 and, for the links to an original, 3.3 and 7.4 to 7.6.
    """
    fields: Fields = {**stored(settings, payment), **(_card(card) if card else {})}
    return fields | _pin(settings, pin_block) if pin_block is not None else fields


def stored(settings: TerminalSettings, payment: Payment) -> dict[int, str]:
    """The part of a request that may be stored: all but the card's data and the PIN."""
    plan = plan_of(payment)
    fields = _request(message_of(payment), settings, payment, payment.stan) | _link(payment)
    if plan.amount is not Amount.NONE:
        fields[4] = amount(payment)
    if plan.amount is Amount.TIP:
        fields |= _tip(settings, payment)
    if plan.link is Link.REFERENCE:
        fields[63] = ANY_ORGANISATION
    if plan.name in OFFLINE:
        fields[63] = payment.card_organisation or OFFLINE_ORGANISATION
    return fields


def _tip(settings: TerminalSettings, payment: Payment) -> dict[int, str]:
    """What an adjustment has of its own; acquirers differ in 60.1 and in F4 (sections 2.2 and 7.7)."""
    acquirer, tip = settings.acquirer, f"{payment.tip_minor:012d}"
    type_code = acquirer.adjustment_type
    fields = {48: tip, 60: _private(type_code, settings, payment)}
    return fields | {4: tip} if acquirer.adjustment_amount == "tip" else fields


def card_fields(pan: Pan, expiry_yymm: str) -> dict[int, str]:
    """F2 and F14: the card of a message that carries no track."""
    number = {2: ConfidentialText(pan.reveal())}
    return {**number, 14: expiry_yymm} if expiry_yymm else {**number}


def pin_verification(settings: TerminalSettings, payment: Payment, pin_block: bytes) -> Fields:
    """0100 with F3 330000: steps 5 and 6, posterm's own message."""
    fields = _request(PIN_VERIFICATION, settings, payment, payment.verification_stan)
    return {**fields, **_pin(settings, pin_block), 38: payment.authorisation_code, 61: original(payment)}


def completion(settings: TerminalSettings, payment: Payment) -> dict[int, str]:
    """0220: step 7, the advice that turns the hold into a posting; repeated until it is acknowledged."""
    return _request(COMPLETION, settings, payment, payment.completion_stan) | {
        4: amount(payment),
        38: payment.authorisation_code,
        61: original(payment),
    }


def reversal(settings: TerminalSettings, payment: Payment) -> dict[int, str]:
    """0400 of the request that `payment` is about to send: its F3 F4 F11 F22 F25 F38 F49 F60 F61.

    The number of a card that was typed comes with it when it is sent; a swiped one's never.

    F39 is added by `release`, when it is known why the reversal is sent. Source: section 7.2.
    """
    fields = _request(message_of(payment), settings, payment, payment.stan) | {4: amount(payment)}
    link = _link(payment)
    return fields | {number: link[number] for number in (38, 61) if number in link}


def release(fields: Mapping[str, str], why: ReversalReason) -> dict[str, str]:
    """The stored reversal's fields with its reason in F39; a reason that it has already is kept."""
    return {"39": why.value} | dict(fields)


def script_result(settings: TerminalSettings, payment: Payment, stan: str) -> dict[int, str]:
    """0620 without its field 55: what the card did with the script in the answer to `payment`'s request."""
    fields = _request(message_of(payment), settings, payment, stan)
    told = {32: payment.acquiring_institution, 37: payment.rrn, 38: payment.authorisation_code}
    named = {number: text for number, text in told.items() if text}
    return fields | named | {60: f"00{payment.batch}951", 61: original(payment)}


def amount(payment: Payment) -> str:
    """F4: twelve digits of minor units."""
    return f"{payment.amount_minor:012d}"


def original(payment: Payment) -> str:
    """F61: batch, trace and date of the authorisation (section 3.3)."""
    return f"{payment.batch}{payment.stan}{payment.host_date}"


def _request(plan: MessagePlan, settings: TerminalSettings, payment: Payment, stan: str) -> dict[int, str]:
    return {
        3: plan.processing_code,
        11: stan,
        22: payment.entry_mode + ("1" if payment.pin_entered else "2"),
        25: plan.condition_code,
        41: settings.terminal_id,
        42: settings.merchant_id,
        49: payment.currency,
        60: _private(plan.type_code, settings, payment),
    }


def _private(type_code: str, settings: TerminalSettings, payment: Payment) -> str:
    """F60 of a financial message: type, batch, what the terminal can read and what it takes (section 3.2)."""
    told = f"{type_code}{payment.batch}000{READ_CAPABILITY}{FALLBACK if payment.is_fallback else '0'}"
    return f"{told}1" if settings.partial_approval else told


def _link(payment: Payment) -> dict[int, str]:
    """The original: what the terminal knows of it, and zeros for what it does not (section 3.3)."""
    plan = plan_of(payment)
    if plan.link is Link.NONE:
        return {}
    batch, stan = payment.original_batch or NO_MESSAGE, payment.original_stan or NO_MESSAGE
    if plan.link is Link.AUTHORISATION and plan.delivery is Delivery.STORED:
        batch = stan = NO_MESSAGE  # a completion by advice names its authorisation by code and day alone
    named = f"{batch}{stan}{payment.original_date}"
    parts = {37: payment.original_rrn, 38: payment.original_code, 61: named}
    if plan.link is Link.TELEPHONE:
        parts = {38: payment.original_code, 61: f"{'0' * 16}{BY_TELEPHONE}"}
    return {number: text for number, text in parts.items() if text}


def _card(card: CardData) -> dict[int, str]:
    """A swipe's tracks, from which the bank takes the PAN; F2 and F14 for a typed number (section 4)."""
    if card.tracks is None:
        return card_fields(card.pan, card.expiry_yymm)
    fields: dict[int, str] = {}
    if card.tracks.track2 is not None:
        fields[35] = ConfidentialText(card.tracks.track2.nibbles())
    if card.tracks.track3 is not None:
        fields[36] = ConfidentialText(card.tracks.track3.nibbles())
    return fields


def _pin(settings: TerminalSettings, block: bytes) -> Fields:
    return {26: settings.acquirer.pin_length_max, 52: block, 53: PIN_SECURITY}


def note_posting(payment: Payment, answer: IsoMessage | None) -> Payment:
    """The bank has taken the completion or the advice: under which reference number, of whose card.

    The organisation decides in which block of the totals a transaction counts; of one that the terminal has
    decided on its own, this answer is the first to tell it.
    """
    rrn, organisation = ("", "") if answer is None else (text_of(answer, 37), text_of(answer, 63)[:3].strip())
    return payment.changed(
        completed=True,
        completion_rrn=rrn or payment.completion_rrn,
        card_organisation=payment.card_organisation or organisation,
    )


def text_of(answer: IsoMessage, field: int) -> str:
    """A text field of an answer; "" when it is absent."""
    value = answer.fields.get(field, "")
    return value if isinstance(value, str) else ""


def note_authorisation(payment: Payment, answer: IsoMessage) -> Payment:
    """What the bank's approval says, for the slip and for the messages to come."""
    institutions, remarks = text_of(answer, 44), text_of(answer, 63)
    is_partial = text_of(answer, 39) == PARTIAL_APPROVAL and bool(text_of(answer, 4))
    return payment.changed(
        amount_minor=int(text_of(answer, 4)) if is_partial else payment.amount_minor,
        response_code=text_of(answer, 39),
        rrn=text_of(answer, 37),
        authorisation_code=text_of(answer, 38),
        host_time=text_of(answer, 12),
        host_date=text_of(answer, 13),
        settlement_date=text_of(answer, 15),
        issuer=institutions[:11].strip(),
        acquirer=institutions[11:22].strip(),
        acquiring_institution=text_of(answer, 32),
        card_organisation=remarks[:3].strip(),
        host_text=" ".join(remarks[3:].split()),
    )
