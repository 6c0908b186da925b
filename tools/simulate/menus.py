"""How people use a terminal's menus: which keys lead to an entry, and what they answer on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from firmware.menus import MAIN, MENUS, Ask, Entry, Verb
from firmware.operators import ADMINISTRATOR, APPROVERS, SUPERVISOR, Rank
from tools.simulate.any_till import AnyTill
from tools.simulate.habits import Luck
from tools.simulate.staff import Staff

WEAK, WRONG, MISTYPED = "111111", "864213", "97531862"
PAGES_READ = 3
TRIES_UNASKED = 2


def way_to(name: str) -> tuple[Entry, ...]:
    """The entries to choose, one menu after the other, to get to that one. KeyError: there is none."""
    for top in MENUS[MAIN]:
        if top.name == name:
            return (top,)
        for entry in MENUS[top.what] if top.verb is Verb.OPEN else ():
            if entry.name == name:
                return top, entry
    raise KeyError(name)


@dataclass
class Errand:
    """What somebody wants at the menus, and what is typed for it. `step`: how many entries are chosen."""

    way: tuple[Entry, ...]
    number: str = ""  # of an operator or a voucher
    new_password: str = ""
    forgets: bool = False  # the password, until the operator is locked out
    step: int = 0

    @property
    def entry(self) -> Entry:
        """What is wanted in the end."""
        return self.way[-1]


class MenuUser:
    """Somebody at the menus of one till. `locked_out`: operators whom somebody must unlock."""

    def __init__(self, till: AnyTill, luck: Luck, staff: Staff, press: Callable[..., None]) -> None:
        self._till = till
        self._luck = luck
        self._staff = staff
        self._press = press
        self._errand: Errand | None = None
        self.locked_out: list[str] = []
        self._answers: Mapping[str, Callable[[int], None]] = {
            "menu": self._choose,
            "typing_number": self._type_number,
            "typing_password": self._type_password,
            "typing_new_password": self._type_new_password,
            "repeating_password": self._repeat_password,
            "confirming": self._confirm,
            "reading": self._read,
            "notice": self._take_notice,
            "adjusting": self._adjust,
            "guiding": self._follow_guide,
        }

    def begin(self, name: str, *, number: str = "") -> None:
        """Open the menu for that entry; `number`: of the operator whom it is about, where that matters."""
        entry = way_to(name)[-1]
        self._errand = Errand(
            way_to(name),
            number or self._number_for(entry),
            self._staff.new_password() if Ask.NEW_PASSWORD in entry.asks else "",
            name == "log_on" and self._luck.has("forgets_password"),
        )
        self._press(self._luck.rng.choice(["down", "clear"]))

    def leave(self) -> None:
        """Nothing is wanted there any more."""
        self._errand = None

    def knows(self, state: str) -> bool:
        """Whether this is a state in which something is answered at the menus."""
        return state in self._answers

    def answer(self, state: str, tries: int) -> None:
        """Do what that state asks for, for the `tries`th time, from 1."""
        self._answers[state](tries)

    def _number_for(self, entry: Entry) -> str:
        """What is typed where a number is asked for."""
        numbers: Mapping[Ask, Callable[[], str]] = {
            Ask.VOUCHER: self._voucher,
            Ask.NEW_CASHIER: self._staff.newcomer,
            Ask.CASHIER: self._staff.leaver,
            Ask.OPERATOR: self._staff.somebody,
        }
        return next((numbers[ask]() for ask in entry.asks if ask in numbers), "")

    def _voucher(self) -> str:
        known = [one.stan for one in self._till.batch_payments if one.stan]
        if known and not self._luck.has("wrong_voucher"):
            return self._luck.rng.choice(known)
        return f"{self._luck.rng.randrange(10**6):06d}"

    # --- answers ------------------------------------------------------------------------------------

    def _choose(self, _tries: int) -> None:
        errand = self._errand
        if errand is None or errand.step == len(errand.way):
            self._press("cancel")
            return
        menu = errand.way[errand.step - 1].what if errand.step else MAIN
        at = MENUS[menu].index(errand.way[errand.step])
        errand.step += 1
        if self._luck.has("arrows"):
            self._press(*["down"] * at, "enter")
        else:
            self._press(str(at + 1))

    def _type_number(self, _tries: int) -> None:
        if self._errand is not None and not self._errand.step:
            self._errand = None  # no menu opened: somebody must log on first
        if self._errand is None:
            self._staff.on_duty = self._staff.somebody()
        self._press(*(self._errand.number if self._errand is not None else self._staff.on_duty), "enter")

    @property
    def _asked(self) -> str:
        """Whose password is asked for: whoever approves the entry, or the operator whose number was typed."""
        errand = self._errand
        if errand is None:
            return self._staff.on_duty
        return errand.number if errand.entry.rank is Rank.CASHIER else APPROVERS[errand.entry.rank]

    def _type_password(self, tries: int) -> None:
        errand = self._errand
        if errand is None and tries > TRIES_UNASKED:
            self._press("cancel")  # it is another one's password that is asked for
            return
        if (errand is not None and errand.forgets) or self._luck.mishap("wrong_password"):
            self._press(*WRONG, "enter")
            return
        if errand is not None and errand.entry.name == "log_on":
            self._staff.on_duty = errand.number
        self._press(*self._staff.password(self._asked, tries), "enter")

    def _type_new_password(self, tries: int) -> None:
        if self._errand is None or not self._errand.new_password:
            self._press("cancel")
        else:
            slips = tries == 1 and self._luck.mishap("mistypes")
            self._press(*(WEAK if slips else self._errand.new_password), "enter")

    def _repeat_password(self, tries: int) -> None:
        errand = self._errand
        if errand is None:
            self._press("cancel")
        elif tries == 1 and self._luck.mishap("mistypes"):
            self._press(*MISTYPED, "enter")
        else:
            self._staff.learn(errand.number or SUPERVISOR, errand.new_password)
            self._press(*errand.new_password, "enter")

    def _confirm(self, _tries: int) -> None:
        if self._errand is not None and self._errand.entry.name == "delete_cashier":
            self._staff.forget(self._errand.number)
        self._press("enter")

    def _read(self, tries: int) -> None:
        last = tries > PAGES_READ
        self._press("cancel" if last else self._luck.rng.choice(["down", "up", "enter", "cancel"]))

    def _take_notice(self, _tries: int) -> None:
        """Perhaps it says that somebody is locked out."""
        terminal = self._till.station.terminal
        if terminal is not None:
            operators, now = terminal.parts.operators, terminal.board.clock.wall()
            self.locked_out = [one.number for one in operators.all() if operators.is_locked(one, now)]
        self._press("enter")

    def unlock(self) -> bool:
        """Let somebody give a new password to an operator who is locked out; False when nobody is."""
        locked, self.locked_out = self.locked_out, []
        if not locked or ADMINISTRATOR in locked:
            return False
        if SUPERVISOR in locked:
            self.begin("reset_supervisor")
        else:
            self.begin("reset_cashier", number=locked[0])
        return True

    def _adjust(self, tries: int) -> None:
        self._press("enter" if tries > 1 else self._luck.rng.choice(["up", "down", "5", "enter"]))

    def _follow_guide(self, tries: int) -> None:
        """What is asked for is on the display: ENTER, or a card through the reader."""
        if tries % 2:
            self._press("enter")
        else:
            self._till.take_card_out()
            self._till.station.swipe("rich0")
