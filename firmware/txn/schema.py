"""The shape of a state table: rows, rules, ignored pairs, and what makes a table whole.

A table is data. The machine that runs (`firmware.txn.machine`), the diagrams, `docs/states.md` and the
completeness test are all made from it, so that none of them can say anything else than the table does.

What a rule may say, in the order in which it is carried out:

1. `guard`: the rule applies only if this predicate holds; rules of one pair are tried in order, and the
   last one has no guard, so that every event has an answer.
2. `records`, and `outcome`, `reason`, `reversal`: what the journal commits, together with the new state.
3. `effects`: what leaves the terminal (messages, sounds, paper), only after the commit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from firmware.records import Outcome, Reason, ReversalReason


class Name(Enum):
    """A state or an event, by its name.

    There is one of each, so it is looked up by identity: the hash of an `Enum` goes through its name, in
    Python, several times for every event.
    """

    __hash__ = object.__hash__


class Group(Enum):
    """Which part of the work a state belongs to: a box in the diagrams."""

    START = "Start"
    ENTRY = "Amount, card, PIN"
    ONLINE = "With the bank"
    FLOOR = "Shop floor"
    PAPER = "Paper"
    UNDO = "Undo"
    IN_SERVICE = "In service"
    KEYS = "Key loading"
    ASKING = "What a person types"
    UPKEEP = "Maintenance"
    SERVICE = "Out of service"
    END = "End"


class Kind(Enum):
    """What a state is, which decides its colour."""

    WAITING = "waiting"  # for a person, the bank, a device; has a timer
    RESTING = "resting"  # may last for ever: idle, out of service
    PASSING = "passing"  # left in the moment it is entered, by a signal that entering it posts: no timer
    ENDED_WELL = "ended well"
    ENDED_BADLY = "ended badly"


class Keys(Enum):
    """What the keypad means in a state."""

    NONE = "none"  # enter and cancel only
    AMOUNT = "amount"
    TYPING = "typing"  # digits of a number, a code or a date
    CARD = "card"  # the first digit of a card number
    PIN = "pin"  # digits go to the secure room
    IDLE = "idle"  # function keys and the first digit of an amount
    KEY_CHOICE = "key choice"  # digits choose a key's index
    COMPONENT = "component"  # hexadecimal digits go to the secure room
    SERIAL_NUMBER = "serial number"  # hexadecimal digits
    CHECK_VALUE = "check value"  # hexadecimal digits
    CUSTODIAN = "custodian"  # enter, cancel, and a key for one more custodian
    MENU = "menu"  # digits and arrows choose an entry
    NUMBER = "number"  # digits of a number
    PASSWORD = "password"  # noqa: S105 - digits, shown as stars
    NEW_PASSWORD = "new password"  # noqa: S105 - digits, shown as stars
    CONFIRMATION = "confirmation"  # enter and cancel
    READING = "reading"  # arrows turn the pages
    LEVEL = "level"  # arrows or digits set a level


class Recovery(Enum):
    """What becomes of a payment in whose state the power failed (the design's table)."""

    NOTHING = "nothing"  # nothing was sent: idle, with a notice
    REVERSE = "reverse"  # the reversal goes first; no new transaction until it is answered
    STANDS = "stands"  # the payment is approved; the completion is repeated, the slip can be printed again
    ENDED = "ended"  # it was over
    NOT_JOURNALLED = "not journalled"  # a state of the terminal, not of a payment


@dataclass(frozen=True, slots=True)
class Row:
    """One state: what it shows, how long it lasts, and what a power cut in it means."""

    state: Enum
    group: Group
    kind: Kind
    screen: str
    timeout: str = ""  # the name of a setting of TerminalSettings, or "" for none
    keys: Keys = Keys.NONE
    recovery: Recovery = Recovery.NOT_JOURNALLED
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """In `source`, on `event`, if `guard`: go to `target`."""

    source: Enum
    event: Enum
    target: Enum
    guard: str = ""
    records: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    outcome: Outcome | None = None
    reason: Reason = Reason.NONE
    reversal: ReversalReason | None = None


Ignored = Mapping[tuple[Enum, Enum], str]


@dataclass(frozen=True)
class Table:
    """A whole machine as data."""

    name: str
    title: str
    initial: Enum
    rows: tuple[Row, ...]
    events: tuple[Enum, ...]
    rules: tuple[Rule, ...]
    ignored: Ignored

    @cached_property
    def by_state(self) -> Mapping[Enum, Row]:
        """The row of each state."""
        return {row.state: row for row in self.rows}

    @cached_property
    def by_pair(self) -> Mapping[tuple[Enum, Enum], Sequence[Rule]]:
        """The rules of each pair of state and event, in order."""
        pairs: dict[tuple[Enum, Enum], list[Rule]] = defaultdict(list)
        for rule in self.rules:
            pairs[rule.source, rule.event].append(rule)
        return pairs

    def names(self, part: str) -> set[str]:
        """All names used in the rules' `records`, `effects` or `guard`."""
        return self._names[part]

    @cached_property
    def _names(self) -> Mapping[str, set[str]]:
        return {
            "records": {name for rule in self.rules for name in rule.records},
            "effects": {name for rule in self.rules for name in rule.effects},
            "guard": {rule.guard for rule in self.rules if rule.guard},
        }

    def defects(self) -> list[str]:
        """Everything that keeps the table from being whole; empty for a good table."""
        return [*self._undecided(), *self._unguarded(), *self._unreachable(), *self._endless()]

    def _undecided(self) -> Iterator[str]:
        for row in self.rows:
            for event in self.events:
                pair = (row.state, event)
                if (pair in self.by_pair) == (pair in self.ignored):
                    verb = "both a rule and ignored" if pair in self.ignored else "neither a rule nor ignored"
                    yield f"{row.state.value} on {event.value}: {verb}"

    def _unguarded(self) -> Iterator[str]:
        for (state, event), rules in self.by_pair.items():
            open_rules = [index for index, rule in enumerate(rules) if not rule.guard]
            if open_rules != [len(rules) - 1]:
                yield f"{state.value} on {event.value}: exactly the last rule must have no guard"

    def _unreachable(self) -> Iterator[str]:
        reached, front = {self.initial}, [self.initial]
        while front:
            state = front.pop()
            new = {rule.target for rule in self.rules if rule.source is state} - reached
            reached |= new
            front.extend(new)
        yield from (f"{row.state.value}: not reachable" for row in self.rows if row.state not in reached)

    def _endless(self) -> Iterator[str]:
        for row in self.rows:
            if row.kind is Kind.WAITING and not row.timeout:
                yield f"{row.state.value}: waits without a timeout"
            if row.timeout and row.kind in {Kind.ENDED_WELL, Kind.ENDED_BADLY}:
                yield f"{row.state.value}: has ended and has a timeout"
            if row.timeout and row.kind is Kind.PASSING:
                yield f"{row.state.value}: lasts no time and has a timeout"


def ignore(states: Iterable[Enum], events: Iterable[Enum], reason: str) -> dict[tuple[Enum, Enum], str]:
    """Every pair of `states` and `events`, ignored for `reason`."""
    events = tuple(events)
    return {(state, event): reason for state in states for event in events}
