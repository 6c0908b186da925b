"""What people want to do with a card: one transaction, with everything that they will type and present."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from firmware.records import Payment
from firmware.txn.plans import PLANS, Link
from tools.simulate.any_till import AnyTill
from tools.simulate.habits import ODD_CARDS, TRANSACTIONS, Luck
from tools.simulate.town import EXPIRY, PIN, RICH_CARDS, WRONG_PIN

PURCHASE = "purchase"
AMOUNT_MAX_MINOR = 99_999


@dataclass
class Intent:
    """What is wanted next, with what is needed for it."""

    kind: str
    amounts: list[str] = field(default_factory=list)  # typed one after the other, where one is refused
    card: str = "rich0"
    pins: list[str] = field(default_factory=lambda: [PIN])
    typed: dict[str, str] = field(default_factory=dict)
    number: str = ""  # typed instead of a card that is swiped
    inserts: bool = False
    digits_first: bool = False  # the amount is typed on the idle screen
    cancels_in: str = ""  # the state in which they change their mind


class Wishes:
    """Makes intents, about real originals where they need one."""

    def __init__(
        self, till: AnyTill, luck: Luck, card_of: Mapping[str, str], numbers: Mapping[str, str]
    ) -> None:
        self._till = till
        self._luck = luck
        self._card_of = card_of  # masked number -> name
        self._numbers = numbers  # name -> number

    def anything(self) -> Intent:
        """A transaction of a type that somebody may want now; a purchase where there is no original."""
        luck, rng = self._luck, self._luck.rng
        kind = luck.one_of(TRANSACTIONS)
        referred_to = _referred_to(kind)
        originals = self._originals(referred_to) if referred_to else []
        if referred_to and not originals:
            kind = PURCHASE
        intent = Intent(kind, [str(rng.randint(1, AMOUNT_MAX_MINOR))], f"rich{rng.randrange(RICH_CARDS)}")
        intent.inserts = luck.has("inserts")
        if luck.has("odd_card"):
            intent.card = luck.one_of(ODD_CARDS)
        if luck.has("wrong_pin"):
            intent.pins = [WRONG_PIN] if luck.has("wrong_pin_only") else [WRONG_PIN, PIN]
        if _referred_to(kind):
            self._refer(intent, rng.choice(originals), luck)
        elif kind == "offline_settlement":
            self._by_telephone(intent, f"{rng.randrange(10**6):06d}")
        elif PLANS[kind].manual_entry and luck.has("keys_number"):
            intent.number = self._numbers[intent.card]
            intent.typed["expiry"] = EXPIRY
        return intent

    def plainest(self, kind: str, original: Payment | None, amount: str, card: str = "") -> Intent:
        """What somebody wants who makes no mistakes, about `original` where the type needs one."""
        intent = Intent(kind, [amount], card or Intent(kind).card)
        if original is not None:
            self._refer(intent, original, None)
        elif kind == "offline_settlement":
            self._by_telephone(intent, "123456")
        return intent

    def newest_original(self, kind: str, card: str = "") -> Payment | None:
        """The newest transaction that one of this type can be about, of that card if one is named."""
        found = reversed(self._originals(_referred_to(kind)))
        return next((one for one in found if not card or self._card_of.get(one.pan_masked) == card), None)

    def _originals(self, kinds: frozenset[str]) -> list[Payment]:
        return [one for one in self._till.batch_payments if one.kind in kinds and one.stands and not one.mark]

    def _by_telephone(self, intent: Intent, code: str) -> None:
        intent.number = self._numbers[intent.card]
        intent.typed = {"authorisation_code": code, "expiry": EXPIRY}

    def _refer(self, intent: Intent, original: Payment, luck: Luck | None) -> None:
        """About that original; with luck some of it is typed wrongly, or is a part only."""
        rng = luck.rng if luck is not None else None
        intent.card = self._card_of.get(original.pan_masked, intent.card)
        wrong = luck is not None and luck.has("wrong_voucher")
        intent.typed = {
            "original": f"{rng.randrange(10**6):06d}" if rng is not None and wrong else original.stan,
            "reference": original.posted_rrn,
            "authorisation_code": original.authorisation_code,
            "original_date": original.host_date,
        }
        if luck is not None:
            intent.amounts = _amounts_about(intent.kind, original.amount_minor, luck)


def _amounts_about(kind: str, original_minor: int, luck: Luck) -> list[str]:
    """What is typed as the amount: a tip, a part of a sale, or all of it."""
    if kind == "adjustment":
        tip = max(1, original_minor // 10)
        return [str(original_minor), str(tip)] if luck.has("tip_too_high") else [str(tip)]
    share = luck.rng.random() if kind == "refund" else 1.0
    return [str(max(1, int(original_minor * share)))]


def _referred_to(kind: str) -> frozenset[str]:
    """The types that one of this type is about; none for one that stands alone."""
    plan = PLANS[kind]
    if plan.link in {Link.REFERENCE, Link.AUTHORISATION}:
        return frozenset({PURCHASE if kind == "refund" else "preauth"})
    return frozenset(plan.originals)
