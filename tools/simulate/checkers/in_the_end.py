"""What must hold of a till that has settled, whoever has watched it: a simulated one, or a real one."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from bank.authoriser import Bank
from tools.simulate.any_till import AnyTill
from tools.simulate.checkers import journal
from tools.simulate.checkers.batches import batches
from tools.simulate.checkers.books import Books
from tools.simulate.checkers.finding import Finding
from tools.simulate.checkers.journal import Key
from tools.simulate.checkers.paper import slips
from tools.simulate.checkers.secrets import left_behind


def in_the_end(
    till: AnyTill, bank: Bank, paper: Sequence[str], refused: Container[Key] | None = None
) -> Iterator[Finding]:
    """Journal, settlements and paper against the bank. `refused`: see `paper.slips`."""
    yield from journal.at_rest(till)
    yield from journal.money(till, bank)
    yield from journal.preauthorisations(till, bank)
    yield from batches(till, bank)
    yield from slips(till, bank, paper, refused)


def of_one_till(till: AnyTill, bank: Bank) -> Iterator[Finding]:
    """All that can be found out afterwards about a bank and its only till."""
    books = Books()
    yield from books.audit(bank)
    yield from books.of_payments(bank)
    paper = till.slips
    yield from in_the_end(till, bank, paper)
    yield from journal.cardholders([till], bank)
    yield from journal.merchants([till], bank)
    yield from journal.holds([till], bank)
    yield from left_behind(till, paper)
