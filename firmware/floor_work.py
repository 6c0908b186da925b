"""What the floor table's guards and effects do: menus, and what is typed for an entry.

What an entry changes is in `firmware.floor_actions`, what it tells in `firmware.floor_reports`.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware.floor_answers import Answers, NumberEditor, PasswordEditor
from firmware.floor_reports import SLIPS
from firmware.floor_upkeep import FloorUpkeep
from firmware.menus import DIGITS_MAX, MENUS, NUMBERS, TOP, Ask, Entry, Verb, Wait
from firmware.operators import PASSWORD_DIGITS_MIN, SUPERVISOR, Rank, is_weak, rank_of
from firmware.parameters import is_on
from firmware.records import SettlementStep
from firmware.reports import has_slip
from firmware.secure.memory import wipe
from firmware.totals import batch_totals
from firmware.txn.schema import Keys
from firmware.work import Guards, Parts, Signal
from hal.api import Key, PrinterStatus

_ARROWS = {Key.DOWN: 1, Key.RIGHT: 1, Key.UP: -1, Key.LEFT: -1}


@dataclass(frozen=True, slots=True)
class AskedFor:
    """Whose password is typed, and how many tries are left. `is_again`: there was a wrong one."""

    number: str = ""
    tries_left: int = 0
    is_again: bool = False


class FloorWork(FloorUpkeep):
    """Carries out the floor table. `goal` is what it is opened for."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        self.goal: Entry = TOP
        self.menus: list[tuple[str, int]] = []  # open ones, the newest last, each with the entry at hand
        self.number = NumberEditor(DIGITS_MAX[Ask.OPERATOR])
        self.password = PasswordEditor()
        self.asked_for = AskedFor()
        self.password_fits = False
        self.repeat_fits = False

    def begin(self) -> None:
        """A visit begins: nobody has approved anything yet."""
        self.end()
        self.parts.duty.key_loading_approved = False
        self.menus.clear()
        self.entry = self.goal
        self.go_on(None)

    def end(self) -> None:
        """Forget what was typed and who approved; which entry it was is still wanted by `post_event`."""
        self.password.reset()
        self.answers.wipe()
        self.answers = Answers()
        self.approved = Rank.CASHIER
        self.lights_are_tested = False
        self.parts.slip_printer.stop()
        self.parts.board.card_reader.disarm()

    # --- keys ---------------------------------------------------------------------------------------

    def press_key(self, mode: Keys, key: Key) -> Signal | bool | None:
        """A key that is not CANCEL."""
        match mode:
            case Keys.MENU:
                return self._choose(key)
            case Keys.NUMBER:
                return self._type_number(key)
            case Keys.PASSWORD:
                return self._type_password(key)
            case Keys.NEW_PASSWORD:
                return self._type_new_password(key)
            case Keys.READING if key is not Key.ENTER:
                return self.turn(key)
            case Keys.LEVEL if key is not Key.ENTER:
                return self.set_level(key)
            case Keys.CONFIRMATION if key is Key.ENTER:
                self.answers.confirmed = True
        return None

    def _choose(self, key: Key) -> Signal | bool:
        name, at = self.menus[-1]
        entries = MENUS[name]
        if key in _ARROWS:
            self.menus[-1] = name, (at + _ARROWS[key]) % len(entries)
            return True
        number = int(key.digits) if len(key.digits) == 1 else 0
        if key is Key.ENTER:
            number = at + 1
        if not 1 <= number <= len(entries):
            return False
        self.menus[-1] = name, number - 1
        self.entry = entries[number - 1]
        return Signal("entry_chosen")

    def _type_number(self, key: Key) -> Signal | bool:
        if key is not Key.ENTER:
            return self.number.press(key)
        asked = self.next_ask
        if asked is None or not self.number.digits:
            return False
        if asked is Ask.VOUCHER:
            self.answers.voucher = self.number.value()
        else:
            self.answers.operator = self.number.value()
        self.answers.given.add(asked)
        return Signal("number_typed")

    def _type_password(self, key: Key) -> Signal | bool:
        if key is not Key.ENTER:
            return self.password.press(key)
        if not len(self.password):
            return False
        operator, typed = self.asked_operator, self.password.take()
        self.password_fits = operator is not None and operator.accepts(typed)
        wipe(typed)
        self.verified = operator if self.password_fits else None
        if self.verified is not None and self.approval_missing:
            self.approved = self.verified.rank
        elif self.verified is not None:
            self.answers.given.add(Ask.PASSWORD)
        return Signal("password_typed")

    def _type_new_password(self, key: Key) -> Signal | bool:
        if key is not Key.ENTER:
            return self.password.press(key)
        if len(self.password) < PASSWORD_DIGITS_MIN[rank_of(self.new_password_of)]:
            return False
        typed = self.password.take()
        if not self.answers.new_password:
            self.answers.new_password = typed
        else:
            self.repeat_fits = typed == self.answers.new_password
            wipe(typed)
            if self.repeat_fits:
                self.answers.given.add(Ask.NEW_PASSWORD)
        return Signal("new_password_typed")

    # --- what is asked --------------------------------------------------------------------------------

    @property
    def next_ask(self) -> Ask | None:
        """What the entry still asks for, approval apart."""
        asks = self.entry.asks if self.entry else ()
        return next((ask for ask in asks if ask not in self.answers.given), None)

    @property
    def new_password_of(self) -> str:
        """Whose new password is typed."""
        return self.answers.operator or SUPERVISOR

    @property
    def refusal(self) -> str:
        """Why the entry cannot be done, as far as is known by now: a key below `screen.notices`, or ""."""
        if self.entry is None:
            return ""
        if not is_on(self.parts.settings.switches, self.entry.switch):
            return "refused.switched_off"
        if self.entry.verb is Verb.ADJUST and not self.can_adjust():
            return "refused.no_such_setting"
        return (
            self._operator_refusal()
            or self._payment_refusal()
            or self._settlement_refusal()
            or self.clearing_refusal()
            or self._lock()
        )

    def _operator_refusal(self) -> str:
        given, number = self.answers.given, self.answers.operator
        operator = self.parts.operators.find(number) if number else None
        if given & {Ask.OPERATOR, Ask.CASHIER} and operator is None:
            return "refused.unknown_operator"
        if Ask.NEW_CASHIER in given and operator is not None:
            return "refused.operator_exists"
        if Ask.CASHIER in given and rank_of(number) is not Rank.CASHIER:
            return "refused.no_cashier"
        assert self.entry is not None
        if self.entry.what == "delete_operator" and number == self.parts.settings.operator:
            return "refused.at_work"
        return ""

    def _payment_refusal(self) -> str:
        assert self.entry is not None
        if self.next_ask is Ask.VOUCHER:
            return ""
        if self.entry.what not in SLIPS | {"transaction", "last_transaction"}:
            return ""
        payment = self.payment_asked()
        if payment is None:
            return "refused.no_transaction"
        return "refused.no_slip" if self.entry.what in SLIPS and not has_slip(payment) else ""

    def _settlement_refusal(self) -> str:
        assert self.entry is not None
        journal = self.parts.journal
        if self.entry.what != "settlement_slip":
            return ""
        settlement = journal.settlement
        if settlement is None or settlement.step not in {SettlementStep.PAPER, SettlementStep.CLOSED}:
            return "refused.no_settlement"
        totals = batch_totals(journal.payments(), settlement.batch)
        return "" if totals.encoded() == settlement.totals else "refused.no_settlement"  # its log is cleared

    def _lock(self) -> str:
        if not self.approval_missing and self.next_ask is not Ask.PASSWORD:
            return ""
        operator, now = self.asked_operator, self.parts.board.clock.wall()
        is_locked = operator is not None and self.parts.operators.is_locked(operator, now)
        return "refused.locked_out" if is_locked else ""

    # --- effects ------------------------------------------------------------------------------------

    def go_on(self, _data: object) -> None:
        """Decide what comes next, before keys that were typed ahead."""
        self.parts.kernel.post_first(Signal("go_on"))

    def begin_typing(self, _data: object) -> None:
        """Nothing is typed yet; whose password it is, the display is told once and reads nothing itself."""
        self.password.reset()
        asked = self.next_ask
        owner, operators = self.asked_operator, self.parts.operators
        if owner is not None:
            left = operators.tries_left(owner, self.parts.board.clock.wall())
            self.asked_for = AskedFor(owner.number, left, is_again=left < operators.tries)
        self.number = NumberEditor(DIGITS_MAX[asked] if asked in NUMBERS else 0)

    def refuse_password(self, _data: object) -> None:
        """The new password is typed anew."""
        self.password.reset()
        self.answers.wipe()

    def open_menu(self, _data: object) -> None:
        """Show the menu that the entry opens."""
        assert self.entry is not None
        self.menus.append((self.entry.what, 0))
        self.forget_entry(None)

    def leave_menu(self, _data: object) -> None:
        """Back to the menu above."""
        self.menus.pop()

    def forget_entry(self, _data: object) -> None:
        """The entry is done with."""
        self.password.reset()
        self.answers.wipe()
        self.answers = Answers()
        self.entry = self.verified = None
        self.lines = ()

    def post_event(self, _data: object) -> None:
        """The terminal table goes on from here: the floor has closed."""
        assert self.entry is not None
        entry = self.entry
        self.parts.duty.key_loading_approved = entry.what == "load_key_key"
        self.parts.kernel.post(Signal(entry.what, entry.data or None))

    def tell_refusal(self, _data: object) -> None:
        """Say why not."""
        self.notice = self.refusal

    def tell_lock(self, _data: object) -> None:
        """Say that this was one wrong try too many."""
        self.notice = "refused.locked_out"


class FloorGuards(Guards):
    """The floor table's questions."""

    def __init__(self, work: FloorWork) -> None:
        super().__init__()
        self._work = work

    def _does(self, verb: Verb) -> bool:
        return self._work.entry is not None and self._work.entry.verb is verb

    def entry_refused(self) -> bool:
        """It cannot be done now."""
        return bool(self._work.refusal)

    def password_missing(self) -> bool:
        """Somebody with authority must approve, or prove who is at the terminal."""
        return self._work.approval_missing or self._work.next_ask is Ask.PASSWORD

    def number_missing(self) -> bool:
        """The number of an operator or a voucher comes next."""
        return self._work.next_ask in NUMBERS

    def new_password_missing(self) -> bool:
        """A new password comes next."""
        return self._work.next_ask is Ask.NEW_PASSWORD

    def confirmation_missing(self) -> bool:
        """It cannot be taken back, and nobody has confirmed it yet."""
        return self._work.entry is not None and self._work.entry.confirms and not self._work.answers.confirmed

    def opens_menu(self) -> bool:
        """It opens a menu."""
        return self._does(Verb.OPEN)

    def posts_event(self) -> bool:
        """It is the terminal table's to do."""
        return self._does(Verb.POST)

    def shows_report(self) -> bool:
        """It is read on the display."""
        return self._does(Verb.SHOW)

    def prints_report(self) -> bool:
        """It goes to paper at once."""
        return self._does(Verb.PRINT) or self._does(Verb.CLEAR)

    def asks_bank(self) -> bool:
        """It is the communication test."""
        return self._does(Verb.ASK)

    def clears_after_paper(self) -> bool:
        """What is on paper now is what is to be cleared."""
        return self._does(Verb.CLEAR)

    def adjusts_level(self) -> bool:
        """It sets contrast or volume."""
        return self._does(Verb.ADJUST)

    def guides(self) -> bool:
        """It is done by hand, step by step."""
        return self._does(Verb.GUIDE)

    def tests_devices(self) -> bool:
        """It is the self-test."""
        return self._does(Verb.TEST)

    def card_awaited(self) -> bool:
        """The step ends with a card, not with ENTER."""
        return self._work.step.wait is not Wait.ENTER

    def card_must_be_read(self) -> bool:
        """A card that cannot be read does not end the step."""
        return self._work.step.wait is Wait.READING

    def passes_left(self) -> bool:
        """After this pass, another is to come."""
        return self._work.passes_done + 1 < self._work.step.passes

    def steps_left(self) -> bool:
        """After this step there is another."""
        return self._work.step_number + 1 < self._work.steps

    def devices_left(self) -> bool:
        """A device's turn is still to come."""
        return self._work.devices_left

    def printer_is_ready(self) -> bool:
        """The report can go to paper."""
        return self._work.parts.board.printer.status is PrinterStatus.READY

    def in_menu(self) -> bool:
        """No entry is at hand, and a menu is open."""
        return self._work.entry is None and bool(self._work.menus)

    def nothing_left(self) -> bool:
        """No entry is at hand, and no menu is open."""
        return self._work.entry is None and not self._work.menus

    def password_wrong(self) -> bool:
        """It is not the password."""
        return not self._work.password_fits

    def password_locks(self) -> bool:
        """It is not, and there is no further try."""
        operators, operator = self._work.parts.operators, self._work.asked_operator
        if self._work.password_fits or operator is None:
            return False
        return operators.tries_left(operator, self._work.parts.board.clock.wall()) <= 1

    def new_password_weak(self) -> bool:
        """Everybody knows it."""
        return is_weak(self._work.new_password_of, self._work.answers.new_password)

    def new_password_differs(self) -> bool:
        """It was typed differently the second time."""
        return not self._work.repeat_fits
