"""The people at a till: they want something, do it key by key, and are not always at their best.

They hesitate, mistype, press what means nothing, cancel, pull the card, swipe badly and walk away. What they
do depends on what the terminal asks for, on their intent, and on their own random numbers.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from firmware.management_work import MESSAGES
from firmware.records import Payment
from firmware.txn.plans import PLANS
from hal.api import Key
from tools.simulate.any_till import AnyTill
from tools.simulate.town import PIN, RICH_CARDS, WRONG_PIN

KINDS: Mapping[str, int] = {
    "purchase": 55,
    "balance": 4,
    "purchase_void": 7,
    "refund": 4,
    "preauth": 8,
    "preauth_cancel": 2,
    "completion": 4,
    "completion_advice": 3,
    "completion_void": 2,
    "offline_settlement": 3,
    "adjustment": 4,
}
"""How often each type of transaction is wanted."""
ODD_CARDS = ("poor", "expired", "lost", "limited", "unknown")
IDLE = frozenset({"idle", "result", "sale_refused", "nothing_to_reprint", "batch_closed", "not_settled"})
PATIENCE = 6  # times that somebody answers the same question before they give up
CALM_MS = (300, 2_500)
REPAIRS_MS = (1_000, 12_000)


@dataclass
class Intent:
    """What is wanted next, with what is needed for it."""

    kind: str
    amount: str = ""
    card: str = "rich0"
    pins: list[str] = field(default_factory=lambda: [PIN])
    typed: dict[str, str] = field(default_factory=dict)
    number: str = ""  # typed instead of a card that is swiped
    inserts: bool = False


class People:
    """Cashier and cardholder of one till. `begun` counts the transactions that they have asked for."""

    def __init__(
        self, till: AnyTill, seed: int, card_of: Mapping[str, str], numbers: Mapping[str, str]
    ) -> None:
        self._till = till
        self._rng = random.Random(f"people {seed} {till.number}")
        self._card_of = card_of  # masked number -> name
        self._numbers = numbers  # name -> number
        self._seen = (-1, False)
        self._answered: Counter[str] = Counter()  # how often what was asked in a state was answered
        self._intent = Intent("purchase")
        self.act_ms: int | None = None
        self.begun = 0
        self.rests = False  # no new transactions: the shop is about to close
        self.careful = False  # no mishaps any more
        self._answers: Mapping[str, Callable[[], None]] = {
            "amount": self._answer_amount,
            "card": self._answer_card,
            "card_number": self._answer_number,
            "pin": self._answer_pin,
            "purchase_pin": self._answer_pin,
            "original_shown": self._confirm,
            "balance_shown": self._confirm,
            "tear_off": self._confirm,
        }

    def turn(self, now_ms: int) -> bool:
        """Look at the till, and act when it is time. True when something was done."""
        seen = self._looks()
        if seen != self._seen:
            self._seen = seen
            self.act_ms = self._when(now_ms)
        if self.act_ms is None or now_ms < self.act_ms or not self._till.station.is_on:
            return False
        self.act_ms = None
        self._act()
        if self._looks() == self._seen and not self._rests_now():
            self.act_ms = self._when(now_ms)  # it did not help: try again, perhaps
        return True

    def _looks(self) -> tuple[int, bool]:
        """What changes whenever the till's state does."""
        return self._till.transitions, self._till.station.is_on

    def deadline_ms(self) -> int | None:
        """When they act; None when they wait for the till, or for its power."""
        return self.act_ms if self._till.station.is_on else None

    def close_shop(self, now_ms: int) -> None:
        """Come back, if they have walked away; begin nothing new, and make no mistakes any more."""
        self.rests = self.careful = True
        self.act_ms = now_ms + CALM_MS[1]

    def _rests_now(self) -> bool:
        return self.rests and self._till.state == "idle"

    def _when(self, now_ms: int) -> int | None:
        """A while later; None for somebody who walks away (the terminal's timeouts have to do)."""
        if self._till.state in {"printer_stopped", "reprint_stopped", "totals_stopped"}:
            return now_ms + self._rng.randint(*REPAIRS_MS)
        if not self.careful and self._rng.random() < 0.02:
            return None
        return now_ms + self._rng.randint(*CALM_MS)

    # --- acting -------------------------------------------------------------------------------------

    def _act(self) -> None:
        till, state = self._till, self._till.state
        self._answered[state] += 1
        is_asked = state in self._answers or state in self._intent.typed
        if is_asked and self._answered[state] > PATIENCE:
            self._press("cancel")
            return
        if not self.careful and state not in IDLE and self._mishap():
            return
        if state in IDLE:
            self._begin_something()
        elif state in self._answers:
            self._answers[state]()
        elif state in self._intent.typed:
            self._press(*self._intent.typed[state], "enter")
        elif state in {"printer_stopped", "reprint_stopped", "totals_stopped"}:
            mend_printer(till)
        elif state in {"out_of_service", "not_managed"}:
            self._press("enter")

    def _mishap(self) -> bool:
        """Something that a person should not have done."""
        luck = self._rng.random()
        if luck < 0.02:
            self._press("cancel")
        elif luck < 0.04:
            self._press(self._rng.choice([key.value for key in Key]))
        elif luck < 0.05 and self._till.station.devices.card_reader.card_present:
            self._till.station.remove()
        else:
            return False
        return True

    def _press(self, *keys: str) -> None:
        for key in keys:
            if self._till.station.is_on:
                self._till.station.press(key)

    def want(self, intent: Intent) -> None:
        """Let exactly this be done next, whatever they would have liked."""
        self._intent = intent
        self._answered.clear()
        terminal = self._till.station.terminal
        if terminal is not None:
            terminal.start(intent.kind)
            self._till.station.settle()

    def intent_about(self, kind: str, original: Payment | None) -> Intent:
        """The plainest intent of a type, about `original` where it has one."""
        intent = Intent(kind)
        if original is not None:
            self._refer(intent, original)
            intent.typed["original"] = original.stan
        elif kind == "offline_settlement":
            intent.number = self._numbers[intent.card]
            intent.typed = {"authorisation_code": "123456", "expiry": "3012"}
        return intent

    # --- wanting ------------------------------------------------------------------------------------

    def _begin_something(self) -> None:
        till, rng = self._till, self._rng
        self._take_card_out()
        if self.rests or till.station.terminal is None:
            return
        luck = rng.random()
        if luck < 0.03:
            till.station.terminal.settle()
        elif luck < 0.05:
            till.station.terminal.manage(rng.choice([name for name in MESSAGES if name != "parameters_end"]))
        elif luck < 0.08:
            self._press(rng.choice(["f2", "f3", "f4"]))
            return
        else:
            self._want_transaction()
        till.station.settle()

    def _want_transaction(self) -> None:
        terminal = self._till.station.terminal
        assert terminal is not None
        self.begun += 1
        self._answered.clear()
        kind = self._rng.choices(list(KINDS), list(KINDS.values()))[0]
        self._intent = self._intent_for(kind)
        if self._intent.kind == "purchase":
            self._press("f1")
        else:
            terminal.start(self._intent.kind)

    def _intent_for(self, kind: str) -> Intent:
        """An intent of that kind, about a real original where it needs one; a purchase when there is none."""
        rng, plan = self._rng, PLANS[kind]
        intent = Intent(kind, amount=str(rng.randint(1, 99_999)), card=f"rich{rng.randrange(RICH_CARDS)}")
        intent.inserts = rng.random() < 0.2
        if rng.random() < 0.06:
            intent.card = rng.choice(ODD_CARDS)
        if rng.random() < 0.08:
            intent.pins = [WRONG_PIN, PIN] if rng.random() < 0.7 else [WRONG_PIN]
        if kind == "offline_settlement":
            intent.number = self._numbers[intent.card]
            intent.typed = {"authorisation_code": f"{rng.randrange(10**6):06d}", "expiry": "3012"}
        elif plan.originals or plan.link.value in {"reference", "authorisation"}:
            original = self._original_for(kind)
            if original is None:
                return self._intent_for("purchase")
            self._refer(intent, original)
        return intent

    def _original_for(self, kind: str) -> Payment | None:
        wanted = set(PLANS[kind].originals) or {"purchase" if kind == "refund" else "preauth"}
        found = [
            one for one in self._till.batch_payments if one.kind in wanted and one.stands and not one.mark
        ]
        return self._rng.choice(found) if found else None

    def _refer(self, intent: Intent, original: Payment) -> None:
        rng = self._rng
        intent.card = self._card_of.get(original.pan_masked, intent.card)
        intent.typed = {
            "original": original.stan if rng.random() < 0.95 else f"{rng.randrange(10**6):06d}",
            "reference": original.posted_rrn,
            "authorisation_code": original.authorisation_code,
            "original_date": original.host_date,
        }
        share = {"adjustment": 0.1, "refund": rng.random()}.get(intent.kind, 1.0)
        intent.amount = str(max(1, int(original.amount_minor * share)))

    # --- answering ----------------------------------------------------------------------------------

    def _answer_amount(self) -> None:
        amount = self._intent.amount
        if not self.careful and self._rng.random() < 0.05:
            self._press(*amount, "9", "clear", "enter")
        else:
            self._press(*amount, "enter")

    def _answer_card(self) -> None:
        self._take_card_out()
        station, intent = self._till.station, self._intent
        if intent.number:
            self._press(intent.number[0])
        elif intent.inserts:
            station.insert(intent.card)
        else:
            bad = not self.careful and self._rng.random() < 0.06
            station.swipe(intent.card, self._rng.choice(["bad", "half", "too_fast"]) if bad else "good")

    def _answer_number(self) -> None:
        self._press(*self._intent.number[1:], "enter")

    def _answer_pin(self) -> None:
        pins = self._intent.pins
        self._press(*(pins.pop(0) if len(pins) > 1 else pins[0]), "enter")

    def _confirm(self) -> None:
        self._press("enter")

    def _take_card_out(self) -> None:
        if self._till.station.devices.card_reader.card_present:
            self._till.station.remove()


def mend_printer(till: AnyTill) -> None:
    """Whatever is wrong with it."""
    printer = till.station.devices.printer
    printer.plug()
    printer.close_cover()
    printer.clear_jam()
    printer.cool_down()
    printer.load_paper()
    till.station.settle()
