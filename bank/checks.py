"""Questions about the card, its PIN and the money: each is answered with a response code, or None for yes.

The order in which they are asked is iso8583-pos section 13, steps 6 to 10.
"""

from __future__ import annotations

from typing import Final

from bank.cards import Card, is_expired
from bank.errors import HsmError
from bank.hsm import PinFormatError
from bank.ledger import Account
from bank.merchants import Terminal
from bank.office import Office
from bank.request import CardData, Request, read_card
from bank.schemes import organisation_of

CHIP_SERVICE: Final = frozenset("26")
"""First digit of the service code of a card that has a chip."""


def card_in(office: Office, request: Request, terminal: Terminal) -> tuple[Card | None, CardData | None, str]:
    """The bank's record of the card that the message names, what it says of it, and a code ("" if found)."""
    track2, refusal = _clear_track2(office, request, terminal)
    if refusal:
        return None, None, refusal
    data = read_card(request, track2)
    if data is None:
        return None, None, "14"
    card = office.cards.find(data.pan)
    return card, data, "" if card else "14" if organisation_of(data.pan) else "15"


def standing_refusal(office: Office, request: Request, card: Card, data: CardData) -> str | None:
    """What keeps the card from being used today: its status, expiry or chip, or a stripe that is not its."""
    refusal = card.refusal(request.now)
    if refusal is None and data.expiry_yymm and data.expiry_yymm != card.expiry_yymm:
        # An earlier plastic of the same account, or a forged one.
        return "54" if is_expired(data.expiry_yymm, request.now) else "14"
    is_plain_swipe = request.is_swiped and request.ic_condition == "0"
    if refusal is None and is_plain_swipe and data.service_code[:1] in CHIP_SERVICE:
        return "45"
    if refusal is None and card.discretionary_sealed and data.service_code and request.is_swiped:
        is_its_own = office.hsm.seal_discretionary(data.discretionary) == card.discretionary_sealed
        return None if is_its_own else "59"
    return refusal


def _clear_track2(office: Office, request: Request, terminal: Terminal) -> tuple[str, str]:
    """Track 2 in clear ("" when none was sent), and the code if it cannot be deciphered."""
    keys = terminal.message_keys(request.protected.ksn)
    if request.protected.track2:
        try:
            return office.hsm.decrypt_whole_track(keys, request.protected.track2), ""
        except HsmError:
            return "", "30"
    track2 = request.text(35)
    if not track2 or request.text(53)[2:3] != "1":
        return track2, ""
    if terminal.tdk_sealed is None:
        return "", "99"
    try:
        return office.hsm.decrypt_track(keys, track2), ""
    except HsmError:
        return "", "30"


def pin_refusal(office: Office, request: Request, terminal: Terminal, card: Card) -> str | None:
    """What is wrong with the PIN that was sent: 55 wrong, 75 or 38 tries used up, 99 no PIN block, 30 no F53.

    Only a wrong PIN counts as a try; a right one clears the count; after the last one none is looked at.
    """
    assert request.pin_block is not None
    if request.text(53)[:1] not in {"1", "2"}:
        return "30"
    if card.pin_is_blocked:
        return office.policy.profile.pin_tries_exceeded
    # F53 says whether the block is mixed with the card number (section 2.6): format 1 is not.
    fitting = "1" if request.text(53)[:1] == "1" else "034"
    formats = "".join(one for one in fitting if one in office.policy.pin_formats)
    keys = terminal.message_keys(request.protected.ksn)
    try:
        is_right = office.hsm.pin_is_right(
            keys, request.pin_block, card.pan, card.pin_offset, formats=formats
        )
    except PinFormatError:
        return "99"
    except HsmError:
        return "30"
    tries_used = 0 if is_right else card.pin_tries_used + 1
    if tries_used != card.pin_tries_used:
        office.cards.set_pin_tries_used(card, tries_used)
    return None if is_right else "55"


def is_other_currency(request: Request, account: Account) -> bool:
    """Whether F49 was sent and is not the currency of the card's account."""
    return request.text(49) not in {"", account.currency}


def count_refusal(office: Office, request: Request, card: Card) -> str | None:
    """65 when the card has been debited as often today as it may be; or None."""
    if card.terms.daily_count_max is None:
        return None
    used = office.payments.debits_of_day(card.pan_sealed, request.now)
    return "65" if used >= card.terms.daily_count_max else None


def amount_refusal(request: Request, card: Card, account: Account) -> str | None:
    """13 no amount, 12 another currency than the account's, 61 above the card's limit; or None."""
    if request.amount_minor == 0:
        return "13"
    if is_other_currency(request, account):
        return "12"
    if card.amount_limit_minor is not None and request.amount_minor > card.amount_limit_minor:
        return "61"
    return None
