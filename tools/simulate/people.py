"""The people at a till: they want something, do it key by key, and are not always at their best.

They hesitate, mistype, press what means nothing, cancel, pull the card, swipe badly and walk away. What they
do depends on what the terminal asks for, on what they want, and on their own random numbers; how often they
do it stands in `habits.toml`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping

from firmware.app import Terminal
from firmware.management_work import MESSAGES
from hal.api import Key
from tools.simulate.any_till import AnyTill
from tools.simulate.habits import ERRANDS, STAFF_ERRANDS, Luck
from tools.simulate.intents import PURCHASE, Intent, Wishes
from tools.simulate.menus import MenuUser
from tools.simulate.staff import Staff

IDLE = frozenset(
    {"idle", "result", "sale_refused", "nothing_to_reprint", "batch_closed", "not_settled", "managed"}
)
STOPPED = frozenset({"printer_stopped", "reprint_stopped", "totals_stopped", "report_stopped"})
LOST = frozenset(  # in the loading of keys, which is not their business
    {"choosing_key", "typing_serial_number", "typing_component", "typing_check_value", "component_accepted"}
)
FUNCTION_KEYS = ("f2", "f3", "f4", "up")
REGISTER_ASKS = tuple(name for name in MESSAGES if name != "parameters_end")
AMOUNT_DIGITS_MAX = 8
PATIENCE: Mapping[str, int] = {"guiding": 20}  # times that somebody answers before they give up
PATIENCE_ELSE = 6
CALM_MS = (300, 2_500)
REPAIRS_MS = (1_000, 12_000)


class People:
    """Cashier and cardholder of one till. `begun` counts the transactions that they have asked for.

    `changes_staff`: whether they change operators and passwords, which the next people would have to know.
    """

    def __init__(
        self,
        till: AnyTill,
        seed: int,
        card_of: Mapping[str, str],
        numbers: Mapping[str, str],
        *,
        changes_staff: bool = True,
    ) -> None:
        self._till = till
        self._luck = Luck(f"people {seed} {till.number}")
        self._staff = Staff(self._luck)
        self.wishes = Wishes(till, self._luck, card_of, numbers)
        self._menus = MenuUser(till, self._luck, self._staff, self._press)
        self._changes_staff = changes_staff
        self._todo: deque[str] = deque()  # entries of the menus that are next, such as at the end of a shift
        self._seen = (-1, False)
        self._answered: Counter[str] = Counter()  # how often what was asked in a state was answered
        self._intent = Intent(PURCHASE)
        self.act_ms: int | None = None
        self.begun = 0
        self.rests = False  # no new transactions: the shop is about to close
        self._answers: Mapping[str, Callable[[], None]] = {
            "amount": self._answer_amount,
            "card": self._answer_card,
            "card_number": self._answer_number,
            "pin": self._answer_pin,
            "purchase_pin": self._answer_pin,
            "original_shown": self._confirm,
            "balance_shown": self._confirm,
            "tear_off": self._confirm,
            "out_of_service": self._confirm,
            "not_managed": self._confirm,
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

    def be_careful(self) -> None:
        """Begin nothing by themselves, and make no mistakes any more."""
        self.rests = self._luck.careful = True

    def close_shop(self, now_ms: int) -> None:
        """Come back, if they have walked away; then as `be_careful`."""
        self.be_careful()
        self.act_ms = now_ms + CALM_MS[1]

    def _rests_now(self) -> bool:
        return self.rests and self._till.state == "idle"

    def _when(self, now_ms: int) -> int | None:
        """A while later; None for somebody who walks away (the terminal's timeouts have to do)."""
        if self._till.state in STOPPED:
            return now_ms + self._luck.rng.randint(*REPAIRS_MS)
        if self._luck.mishap("walks_away"):
            return None
        return now_ms + self._luck.rng.randint(*CALM_MS)

    # --- acting -------------------------------------------------------------------------------------

    def _act(self) -> None:
        state = self._till.state
        self._answered[state] += 1
        if state in IDLE:
            self._begin_something()
        elif self._is_lost(state):
            self._press("cancel")
        elif not self._mishap():
            self._answer(state)

    def _is_lost(self, state: str) -> bool:
        """Whether they give up here: it is beyond them, it takes too long, or they want it no more."""
        asked = state in self._answers or state in self._intent.typed or self._menus.knows(state)
        tires = asked and self._answered[state] > PATIENCE.get(state, PATIENCE_ELSE)
        goes_home = self.rests and self._menus.knows(state)
        return tires or goes_home or state in LOST or state == self._intent.cancels_in

    def _answer(self, state: str) -> None:
        if state in self._answers:
            self._answers[state]()
        elif self._menus.knows(state):
            self._menus.answer(state, self._answered[state])
        elif state in self._intent.typed:
            self._press(*self._intent.typed[state], "enter")
        elif state in STOPPED:
            mend_printer(self._till)

    def _mishap(self) -> bool:
        """Something that a person should not have done."""
        match self._luck.mishap("cancels", "wrong_key", "pulls_card"):
            case "cancels":
                self._press("cancel")
            case "wrong_key":
                self._press(self._luck.rng.choice([key.value for key in Key]))
            case "pulls_card" if self._till.station.devices.card_reader.card_present:
                self._till.station.remove()
            case _:
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
            self._ask_for(terminal, intent.kind)

    def _ask_for(self, terminal: Terminal, kind: str) -> None:
        """By the cash register."""
        terminal.start(kind)
        self._till.station.settle()

    # --- wanting ------------------------------------------------------------------------------------

    def _begin_something(self) -> None:
        terminal = self._till.station.terminal
        self._menus.leave()
        if not self._luck.mishap("forgets_card"):
            self._till.take_card_out()
        if self.rests or terminal is None:
            return
        self._answered.clear()
        if self._menus.unlock():
            return
        if self._todo:
            self._menus.begin(self._todo.popleft())
            return
        rng = self._luck.rng
        match self._luck.first_of(
            "register_settles", "register_manages", "function_key", "errand", "staff_errand"
        ):
            case "register_settles":
                terminal.settle()
                self._till.station.settle()
            case "register_manages":
                terminal.manage(rng.choice(REGISTER_ASKS))
                self._till.station.settle()
            case "function_key":
                self._press(rng.choice(FUNCTION_KEYS))
            case "errand":
                self._menus.begin(self._luck.one_of(ERRANDS))
            case "staff_errand" if self._changes_staff:
                self._menus.begin(self._luck.one_of(STAFF_ERRANDS))
            case _:
                self._begin_transaction()

    def _begin_transaction(self) -> None:
        self.begun += 1
        intent = self._intent = self.wishes.anything()
        terminal = self._till.station.terminal
        assert terminal is not None
        if self._staff.shift_ends():
            self._todo += [*(["settlement"] if self._staff.settles_at_the_end() else []), "log_off", "log_on"]
        if intent.kind != PURCHASE:
            if self._luck.has("others_by_menu"):
                self._menus.begin(intent.kind)
            else:
                self._ask_for(terminal, intent.kind)
            return
        match self._luck.first_of("purchase_by_menu", "purchase_by_register", "purchase_by_digits"):
            case "purchase_by_menu":
                self._menus.begin(PURCHASE)
            case "purchase_by_register":
                self._ask_for(terminal, PURCHASE)
            case "purchase_by_digits":
                intent.digits_first = True
                self._press(*intent.amounts[0])
            case _:
                self._press("f1")

    # --- answering ----------------------------------------------------------------------------------

    def _answer_amount(self) -> None:
        amounts, digits_first = self._intent.amounts, self._intent.digits_first
        self._intent.digits_first = False
        if not amounts:
            self._press("cancel")  # nobody has wanted to pay yet: wrong keys at a menu have led here
            return
        if digits_first:
            self._press("enter")
            return
        if self._answered["amount"] > 1:
            self._press(*["clear"] * AMOUNT_DIGITS_MAX)
        amount = amounts.pop(0) if len(amounts) > 1 else amounts[0]
        slip = ["9", "clear"] if self._luck.mishap("mistypes") else []
        self._press(*amount, *slip, "enter")

    def _answer_card(self) -> None:
        self._till.take_card_out()
        station, intent = self._till.station, self._intent
        if intent.number and self._answered["card"] == 1:
            self._press(intent.number[0])
        elif intent.inserts:
            station.insert(intent.card)
        else:
            bad = self._luck.mishap("bad_swipe")
            station.swipe(intent.card, self._luck.rng.choice(["bad", "half", "too_fast"]) if bad else "good")

    def _answer_number(self) -> None:
        """The rest of the card number; one digit wrong, and the terminal refuses it."""
        rest = self._intent.number[1:]
        if not rest:
            self._press("cancel")  # it was a key pressed by mistake
        elif self._luck.mishap("mistypes"):
            wrong = str((int(rest[-1]) + 1) % 10)
            self._press(*rest[:-1], wrong, "enter", "clear", rest[-1], "enter")
        else:
            self._press(*rest, "enter")

    def _answer_pin(self) -> None:
        pins = self._intent.pins
        self._press(*(pins.pop(0) if len(pins) > 1 else pins[0]), "enter")

    def _confirm(self) -> None:
        self._press("enter")


def mend_printer(till: AnyTill) -> None:
    """Whatever is wrong with it."""
    printer = till.station.devices.printer
    printer.plug()
    printer.close_cover()
    printer.clear_jam()
    printer.cool_down()
    printer.load_paper()
    till.station.settle()
