from __future__ import annotations

from collections.abc import Iterator

import pytest

from bank.provision import demo_bank
from tests.bank.clerk import Clerk
from tests.bank.till import NOW, Till


@pytest.fixture
def fresh_till() -> Iterator[Till]:
    """A terminal of a demo bank in memory, not signed in."""
    bank = demo_bank(now=NOW)
    yield Till(bank)
    assert bank.verify().ok
    bank.close()


@pytest.fixture
def till(fresh_till: Till) -> Till:
    """The same, signed in."""
    assert fresh_till.sign_in().text(39) == "00"
    return fresh_till


@pytest.fixture
def clerk(till: Till) -> Clerk:
    """Somebody who does more than sell, at the terminal that is signed in."""
    return Clerk(**vars(till))
