"""Who works at a till: operators, the passwords that people remember, and when a shift ends."""

from __future__ import annotations

from firmware.operators import ADMINISTRATOR, DEFAULT_PASSWORDS, FIRST_CASHIER, SUPERVISOR, rank_of
from tools.simulate.habits import SHIFT, Luck

REMEMBERED_MAX = 3
CASHIERS = ("02", "03", "04")  # who may be taken on; 01 is there from the beginning


class Staff:
    """The operators of one till, as its people know them.

    A password is remembered newest first: whoever is not sure whether a change was made tries the next one.
    """

    def __init__(self, luck: Luck) -> None:
        self._luck = luck
        self.has_shifts = luck.has("shop_with_shifts")
        self.on_duty = FIRST_CASHIER
        first = (SUPERVISOR, FIRST_CASHIER, ADMINISTRATOR)
        self._known: dict[str, list[str]] = {number: [] for number in first}
        self._sales_left = self._sales_of_shift()

    # --- passwords ----------------------------------------------------------------------------------

    def password(self, number: str, tries: int) -> str:
        """What somebody types as that operator's password for the `tries`th time, from 1."""
        known = [*self._known.get(number, []), DEFAULT_PASSWORDS[rank_of(number)].decode()]
        return known[(tries - 1) % len(known)]

    def new_password(self) -> str:
        """One that the terminal takes."""
        return f"{self._luck.rng.randrange(10**6, 10**8)}"

    def learn(self, number: str, password: str) -> None:
        """From now on that is tried first."""
        self._known[number] = [password, *self._known.get(number, [])][:REMEMBERED_MAX]

    def forget(self, number: str) -> None:
        """That operator is gone."""
        self._known.pop(number, None)

    # --- people -------------------------------------------------------------------------------------

    @property
    def cashiers(self) -> list[str]:
        """Who may log on to sell."""
        return [number for number in self._known if number not in {SUPERVISOR, ADMINISTRATOR}]

    def somebody(self) -> str:
        """A cashier."""
        return self._luck.rng.choice(self.cashiers)

    def newcomer(self) -> str:
        """The number of a cashier who is to be taken on; of one who is there already when all are."""
        return next((number for number in CASHIERS if number not in self._known), CASHIERS[0])

    def leaver(self) -> str:
        """The number of one who may go; of nobody, when only the first is there."""
        return next((number for number in reversed(self.cashiers) if number != FIRST_CASHIER), CASHIERS[0])

    # --- shifts -------------------------------------------------------------------------------------

    def shift_ends(self) -> bool:
        """After this sale; the next shift begins with it."""
        self._sales_left -= 1
        if not self.has_shifts or self._sales_left > 0:
            return False
        self._sales_left = self._sales_of_shift()
        return True

    def settles_at_the_end(self) -> bool:
        """Whether the batch is settled when a shift ends."""
        return self._luck.rng.random() < SHIFT["settles"]

    def _sales_of_shift(self) -> int:
        return self._luck.rng.randint(int(SHIFT["sales_min"]), int(SHIFT["sales_max"]))
