"""What the bank does for each transaction: the rules of steps 3, 6 and 7 of a payment, and of a purchase.

Each function takes the office (the bank's registers), the request, its terminal and the number of its row,
and returns an Outcome. It may hold and post money; the caller's store transaction makes that and the answer
one. The order of the checks is iso8583-pos section 13.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from bank.answers import APPROVED, BankPolicy, Outcome
from bank.cards import Card, Cards, is_expired
from bank.entropy import Entropy
from bank.errors import HsmError
from bank.hsm import Hsm, PinFormatError
from bank.ledger import Hold, HoldState, Ledger, PinState
from bank.merchants import Merchants, Terminal
from bank.payments import Payment, PaymentKind, Payments, PaymentState
from bank.request import Request, read_card, security_data

CURRENCY: Final = "156"
CHIP_SERVICE: Final = "26"  # first digit of the service code of a card that has a chip


@dataclass(frozen=True, slots=True)
class Office:
    """The registers and the rules of one bank, as the transactions use them."""

    ledger: Ledger
    cards: Cards
    merchants: Merchants
    payments: Payments
    hsm: Hsm
    entropy: Entropy
    policy: BankPolicy


Handler = Callable[[Office, Request, Terminal, int], Outcome]


@dataclass(frozen=True, slots=True)
class TransactionType:
    """One row of the dispatch table: what it is, what it must carry (beside F3 11 41 42 60 64), who acts."""

    kind: PaymentKind
    required: frozenset[int]
    handle: Handler


# --- step 3: the card is checked, the money is held --------------------------------------------------


def authorise(office: Office, request: Request, terminal: Terminal, payment_id: int) -> Outcome:
    """Check the card and set the amount aside; the answer carries an authorisation code."""
    card, refusal = _card_of(office, request, terminal)
    if card is None or refusal is not None:
        return Outcome(refusal or "14", pan=card.pan if card else None)
    refusal = _pin_refusal(office, request, terminal, card) if request.pin_block is not None else None
    refusal = refusal or _funds_refusal(office, request, card)
    if refusal is not None:
        return Outcome(refusal, pan=card.pan)
    office.ledger.place_hold(
        card.account_id,
        payment_id,
        request.amount_minor,
        now=request.now,
        expires_at=request.now + office.policy.hold_lifetime,
    )
    if request.pin_block is not None:
        hold = office.ledger.hold_of(payment_id)
        assert hold is not None
        office.ledger.note_pin(hold.hold_id, PinState.VERIFIED)
    return Outcome(
        APPROVED, auth_code=office.payments.new_auth_code(request.mid, office.entropy), pan=card.pan
    )


# --- step 6: the PIN is verified ---------------------------------------------------------------------


def verify_pin(office: Office, request: Request, terminal: Terminal, _payment_id: int) -> Outcome:
    """Verify the PIN of an authorised payment, whose card is known from the authorisation."""
    original, hold, refusal = _held_original(office, request)
    if original is None or hold is None or refusal is not None:
        return Outcome(refusal or "25", original_id=original.payment_id if original else None)
    card = office.cards.find_sealed(original.pan_sealed)
    assert card is not None, "an approved authorisation has a card of this bank"
    refusal = "22" if hold.state is not HoldState.OPEN else _pin_refusal(office, request, terminal, card)
    if refusal in {None, "55"}:
        office.ledger.note_pin(hold.hold_id, PinState.WRONG if refusal else PinState.VERIFIED)
    return Outcome(
        refusal or APPROVED, auth_code=original.auth_code, pan=card.pan, original_id=original.payment_id
    )


# --- step 7: the hold becomes a posting --------------------------------------------------------------


def complete(office: Office, request: Request, _terminal: Terminal, payment_id: int) -> Outcome:
    """Turn a hold into a posting. A repeat never gets here: it is answered from the register.

    A hold whose last PIN was wrong is not completed. One that expired still is, if the money is there.
    """
    original, hold, refusal = _held_original(office, request)
    if original is None or hold is None or refusal is not None:
        return Outcome(refusal or "25", original_id=original.payment_id if original else None)
    refusal = _completion_refusal(office, request, hold)
    card = office.cards.find_sealed(original.pan_sealed)
    pan = card.pan if card else None
    if refusal is not None:
        return Outcome(refusal, pan=pan, original_id=original.payment_id)
    office.ledger.close_hold(hold.hold_id, HoldState.COMPLETED)
    _pay_merchant(office, request, "completion", hold.account_id, payment_id)
    return Outcome(APPROVED, auth_code=original.auth_code, pan=pan, original_id=original.payment_id)


def _completion_refusal(office: Office, request: Request, hold: Hold) -> str | None:
    if hold.state in {HoldState.COMPLETED, HoldState.RELEASED}:
        return "22"
    if hold.pin_state is PinState.WRONG:
        return "55"
    if not 0 < request.amount_minor <= hold.amount_minor * office.policy.completion_percent_max // 100:
        return "64"
    held_minor = hold.amount_minor if hold.state is HoldState.OPEN else 0
    available_minor = office.ledger.account(hold.account_id).available_minor + held_minor
    return "51" if request.amount_minor > available_minor else None


# --- one message does it all -------------------------------------------------------------------------


def purchase(office: Office, request: Request, terminal: Terminal, payment_id: int) -> Outcome:
    """Check card and PIN and post at once."""
    card, refusal = _card_of(office, request, terminal)
    if card is None or refusal is not None:
        return Outcome(refusal or "14", pan=card.pan if card else None)
    refusal = _pin_refusal(office, request, terminal, card) or _funds_refusal(office, request, card)
    if refusal is not None:
        return Outcome(refusal, pan=card.pan)
    _pay_merchant(office, request, "purchase", card.account_id, payment_id)
    return Outcome(
        APPROVED, auth_code=office.payments.new_auth_code(request.mid, office.entropy), pan=card.pan
    )


def balance(office: Office, request: Request, terminal: Terminal, _payment_id: int) -> Outcome:
    """Tell the available balance in field 54: account 00, amount type 02, currency, C or D, twelve digits."""
    card, refusal = _card_of(office, request, terminal)
    if card is None or refusal is not None:
        return Outcome(refusal or "14", pan=card.pan if card else None)
    refusal = _pin_refusal(office, request, terminal, card)
    if refusal is not None:
        return Outcome(refusal, pan=card.pan)
    available_minor = office.ledger.account(card.account_id).available_minor
    sign = "C" if available_minor >= 0 else "D"
    return Outcome(APPROVED, pan=card.pan, fields={54: f"0002{CURRENCY}{sign}{abs(available_minor):012d}"})


# --- a reversal undoes any of the reversible ---------------------------------------------------------


def reverse(office: Office, request: Request, original: Payment | None, *, rrn: str) -> Outcome:
    """Undo the request that had this key (section 7.2).

    00: undone, also the second time. 12: it was declined. 25: unknown, and remembered from now on.
    64: another amount or kind than the original's. 22: too late, or nothing that can be reversed.
    """
    if original is None:
        office.payments.forestall(request, rrn=rrn)
        return Outcome("25")
    if original.state is PaymentState.FORESTALLED:
        return Outcome("25")
    if (original.processing_code, original.amount_minor) != (request.text(3), request.amount_minor):
        return Outcome("64")
    if original.state is PaymentState.REVERSED:
        return Outcome(APPROVED)
    if original.state is PaymentState.DECLINED:
        return Outcome("12")
    hold = office.ledger.hold_of(original.payment_id)
    is_reversible = original.kind in {PaymentKind.AUTHORISATION, PaymentKind.PURCHASE}
    if not is_reversible or (hold is not None and hold.state is HoldState.COMPLETED):
        return Outcome("22")
    if hold is not None:
        office.ledger.close_hold(hold.hold_id, HoldState.RELEASED)
    office.ledger.reverse_postings(original.payment_id, now=request.now)
    office.payments.mark_reversed(original.payment_id, request.text(39))
    return Outcome(APPROVED)


# --- the questions they share ------------------------------------------------------------------------


def _card_of(office: Office, request: Request, terminal: Terminal) -> tuple[Card | None, str | None]:
    """The bank's record of the card in the request, and the code that refuses it (None: it may go on)."""
    track2, refusal = _clear_track2(office, request, terminal)
    if refusal is not None:
        return None, refusal
    data = read_card(request, track2)
    card = office.cards.find(data.pan) if data else None
    if data is None or card is None:
        return None, "14"
    refusal = card.refusal(request.now)
    if refusal is None and data.expiry_yymm and data.expiry_yymm != card.expiry_yymm:
        # An earlier plastic of the same account, or a forged one.
        refusal = "54" if is_expired(data.expiry_yymm, request.now) else "14"
    if (
        refusal is None
        and request.is_swiped
        and request.ic_condition == "0"
        and data.service_code[:1] in set(CHIP_SERVICE)
    ):
        refusal = "45"
    return card, refusal


def _clear_track2(office: Office, request: Request, terminal: Terminal) -> tuple[str, str | None]:
    """Track 2 in clear ("" when none was sent), and the code if it cannot be deciphered."""
    protected = security_data(request.message)
    keys = terminal.message_keys(protected.ksn)
    if protected.track2:
        try:
            return office.hsm.decrypt_whole_track(keys, protected.track2), None
        except HsmError:
            return "", "30"
    track2 = request.text(35)
    if not track2 or request.text(53)[2:3] != "1":
        return track2, None
    if terminal.tdk_sealed is None:
        return "", "99"
    try:
        return office.hsm.decrypt_track(keys, track2), None
    except HsmError:
        return "", "30"


def _pin_refusal(office: Office, request: Request, terminal: Terminal, card: Card) -> str | None:
    """What is wrong with the PIN: 55 wrong or missing, 75 tries used up, 99 no PIN block, 30 no F53; or None.

    Only a wrong PIN counts as a try; a right one clears the count; after the last one none is looked at.
    """
    if request.pin_block is None:
        return "55" if card.pin_required else None
    if request.text(53)[:1] not in {"1", "2"}:
        return "30"
    if card.pin_is_blocked:
        return "75"
    # F53 says whether the block is mixed with the card number (section 2.6): format 1 is not.
    fitting = "1" if request.text(53)[:1] == "1" else "034"
    formats = "".join(one for one in fitting if one in office.policy.pin_formats)
    keys = terminal.message_keys(security_data(request.message).ksn)
    try:
        is_right = office.hsm.pin_is_right(
            keys, request.pin_block, card.pan, card.pin_offset, formats=formats
        )
    except PinFormatError:
        return "99"
    except HsmError:
        return "30"
    office.cards.set_pin_tries_used(card, 0 if is_right else card.pin_tries_used + 1)
    return None if is_right else "55"


def _funds_refusal(office: Office, request: Request, card: Card) -> str | None:
    """13 no amount, 12 another currency, 61 above the card's limit, 51 not enough; or None."""
    account = office.ledger.account(card.account_id)
    if request.amount_minor == 0:
        return "13"
    if request.text(49) != account.currency:
        return "12"
    if card.amount_limit_minor is not None and request.amount_minor > card.amount_limit_minor:
        return "61"
    return "51" if request.amount_minor > account.available_minor else None


def _held_original(office: Office, request: Request) -> tuple[Payment | None, Hold | None, str | None]:
    """The authorisation that F61 (or F38 and the card) names, its hold, and the code if it cannot serve."""
    original = _find_original(office, request)
    if original is None or original.kind is not PaymentKind.AUTHORISATION:
        return None, None, "22" if original and original.state is PaymentState.FORESTALLED else "25"
    if original.state is PaymentState.DECLINED:
        return original, None, "12"
    if original.auth_code != request.text(38):
        return original, None, "25"
    return (
        original,
        office.ledger.hold_of(original.payment_id),
        ("22" if original.state is PaymentState.REVERSED else None),
    )


def _find_original(office: Office, request: Request) -> Payment | None:
    reference = request.original
    if reference is not None and reference.names_a_message:
        found = office.payments.find(request.mid, request.tid, reference.batch, reference.trace)
        return found if found and reference.date_mmdd in {"", "0000", found.date_mmdd} else None
    data = read_card(request, request.text(35))
    if data is None:
        return None
    return office.payments.find_authorisation(request.mid, request.text(38), office.hsm.seal_pan(data.pan))


def _pay_merchant(office: Office, request: Request, kind: str, account_id: int, payment_id: int) -> None:
    merchant = office.merchants.find(request.mid)
    assert merchant is not None, "the authoriser has looked the merchant up"
    office.ledger.transfer(
        kind,
        debit=account_id,
        credit=merchant.account_id,
        amount_minor=request.amount_minor,
        now=request.now,
        payment_id=payment_id,
    )


TRANSACTIONS: Final[Mapping[tuple[str, str, str], TransactionType]] = {
    ("0100", "030000", "10"): TransactionType(
        PaymentKind.AUTHORISATION, frozenset({4, 22, 25, 49}), authorise
    ),
    ("0100", "330000", "01"): TransactionType(
        PaymentKind.PIN_VERIFICATION, frozenset({22, 25, 38, 52, 53, 61}), verify_pin
    ),
    ("0220", "000000", "24"): TransactionType(
        PaymentKind.COMPLETION, frozenset({4, 22, 25, 38, 49, 61}), complete
    ),
    ("0200", "000000", "22"): TransactionType(PaymentKind.PURCHASE, frozenset({4, 22, 25, 49}), purchase),
    ("0200", "310000", "01"): TransactionType(PaymentKind.BALANCE, frozenset({22, 25}), balance),
}
"""(MTI, F3, 60.1) -> transaction. iso8583-pos section 2.2; PIN verification is this project's own."""
