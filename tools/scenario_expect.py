"""What a scenario can expect. `EXPECTATION_KINDS` is the whole list, with the help that `posterm run` shows.

An expectation is read from the file as what is wanted, and looks at the station for what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from bank.authoriser import Bank
from firmware.records import Outcome, OutgoingState, Payment, Reason
from tools.station import STATES, STATES_OF_PAYMENT, Station
from tools.toml_table import TomlTable
from wire.money import format_amount

COUNT_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Baseline:
    """Where a station stood before the script: what is counted is counted from here."""

    beeps: int
    slips: int
    postings: int

    @classmethod
    def of(cls, station: Station, expected: Iterable[Expectation]) -> Self:
        """Where `station` stands now. The bank is asked only if something is expected of its postings."""
        asks = any(one.name == "postings" for one in expected)
        return cls(station.beeps, len(station.slips), station.ask_bank(_count_postings) if asks else 0)


Look = Callable[[Station, Baseline], Any]
Fits = Callable[[Any, Any], bool]
ReadWanted = Callable[[TomlTable, str], Any]


@dataclass(frozen=True, slots=True)
class ExpectationKind:
    """How what is wanted is read, how what is there is seen, when the two fit, and a line of help."""

    read: ReadWanted
    look: Look
    help: str
    fits: Fits = lambda wanted, found: bool(wanted == found)


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that must be so."""

    name: str
    wanted: Any

    def miss(self, station: Station, baseline: Baseline) -> str | None:
        """What is wrong, in a line; None when it is as expected."""
        kind = EXPECTATION_KINDS[self.name]
        found = kind.look(station, baseline)
        if kind.fits(self.wanted, found):
            return None
        return f"{self.name}: expected {_words(self.wanted)}, found {_words(found)}"


def read_expectations(table: TomlTable) -> Sequence[Expectation]:
    """The expectations in a table, in the file's order. Raises the table's error."""
    table.refuse_unknown(EXPECTATION_KINDS)
    return [Expectation(name, EXPECTATION_KINDS[name].read(table, name)) for name in table.values]


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return " or ".join(map(_words, value)) or "nothing"
    if isinstance(value, dict):
        return ", ".join(f"{key} {text}" for key, text in value.items())
    return repr(value).replace("\\n", " | ")


# --- reading what is wanted --------------------------------------------------------------------------


def _bool(table: TomlTable, key: str) -> bool:
    return table.value(key, bool)


def _count(table: TomlTable, key: str) -> int:
    return table.number(key, 0, COUNT_MAX)


def _text(table: TomlTable, key: str) -> str:
    return table.text(key)


def _texts(table: TomlTable, key: str) -> tuple[str, ...]:
    return table.texts(key)


def _balances(table: TomlTable, key: str) -> dict[str, str]:
    accounts = table.table(key)
    return {name: accounts.text(name) for name in accounts.values}


def _among(known: Sequence[str] | frozenset[str]) -> ReadWanted:
    return lambda table, key: table.choices(key, known)


# --- looking at what is there ------------------------------------------------------------------------


def _of_payment(look: Callable[[Payment], Any]) -> Look:
    return lambda station, _base: look(station.payment) if station.payment else None


def _states(station: Station, _base: Baseline) -> tuple[str, ...]:
    """The state, and the payment's end while it is shown."""
    names = dict.fromkeys((station.state, *station.states[-1:]))
    return tuple(state for state in names if station.is_in(state))


def _last_slip(station: Station, _base: Baseline) -> str:
    return station.slips[-1] if station.slips else ""


def _count_slips(station: Station, base: Baseline) -> int:
    complete = [slip for slip in station.devices.printer.slips if slip.complete]
    return len(complete) - base.slips


def _count_pending(station: Station, _base: Baseline) -> int | None:
    if station.terminal is None:
        return None
    outbox = station.terminal.journal.outbox.values()
    return sum(entry.state is not OutgoingState.REFUSED for entry in outbox)


def _count_postings(bank: Bank) -> int:
    return len(bank.ledger.postings())


def _card_balances(station: Station, _base: Baseline) -> dict[str, str]:
    def look(bank: Bank) -> dict[str, str]:
        cards = [card.name for card in bank.cards.cards()]
        return {name: format_amount(bank.card_account(name).balance_minor) for name in cards}

    return station.ask_bank(look)


def _contains(wanted: Sequence[str], found: str) -> bool:
    return all(text in found for text in wanted)


def _is_subset(wanted: Mapping[str, str], found: Mapping[str, str]) -> bool:
    return wanted.items() <= found.items()


def _in_order(wanted: Sequence[str], found: Sequence[str]) -> bool:
    """Whether all of `wanted` come in `found` in this order, others in between or not."""
    rest = iter(found)
    return all(state in rest for state in wanted)


EXPECTATION_KINDS: Mapping[str, ExpectationKind] = {
    "state": ExpectationKind(
        _among(STATES),
        _states,
        "of the payment, or else of the terminal",
        lambda wanted, found: not {*wanted}.isdisjoint(found),
    ),
    "passed": ExpectationKind(
        _among(STATES_OF_PAYMENT),
        lambda station, _base: station.states,
        "states that the payment has passed, in this order",
        _in_order,
    ),
    "display": ExpectationKind(
        _texts, lambda station, _base: station.display, "texts on the display", _contains
    ),
    "outcome": ExpectationKind(
        _among([one.value for one in Outcome]),
        _of_payment(lambda payment: payment.outcome.value if payment.outcome else None),
        "of the newest payment: approved, declined …",
        lambda wanted, found: found in wanted,
    ),
    "reason": ExpectationKind(
        _among([one.value for one in Reason]),
        _of_payment(lambda payment: payment.reason.value),
        "why it did not end well",
        lambda wanted, found: found in wanted,
    ),
    "response_code": ExpectationKind(
        _text, _of_payment(lambda payment: payment.response_code), 'the bank\'s newest: "00", "55" …'
    ),
    "reversed": ExpectationKind(
        _bool, _of_payment(lambda payment: payment.reversed), "true: the bank has confirmed the reversal"
    ),
    "completed": ExpectationKind(
        _bool, _of_payment(lambda payment: payment.completed), "true: the bank has confirmed the completion"
    ),
    "beeps": ExpectationKind(
        _count, lambda station, base: station.beeps - base.beeps, "since the script began, key clicks apart"
    ),
    "slips": ExpectationKind(_count, _count_slips, "how many were printed to their end"),
    "slip": ExpectationKind(_texts, _last_slip, "texts on the newest slip", _contains),
    "postings": ExpectationKind(
        _count,
        lambda station, base: station.ask_bank(_count_postings) - base.postings,
        "at the bank, since the script began",
    ),
    "holds": ExpectationKind(
        _count,
        lambda station, _base: station.ask_bank(lambda bank: len(bank.open_holds())),
        "still open at the bank",
    ),
    "balanced": ExpectationKind(
        _bool, lambda station, _base: station.ask_bank(lambda bank: bank.verify().ok), "the bank's books"
    ),
    "balance": ExpectationKind(_balances, _card_balances, 'of cards: { good = "9987.66" }', _is_subset),
    "pending": ExpectationKind(_count, _count_pending, "messages that the terminal owes the bank"),
}
