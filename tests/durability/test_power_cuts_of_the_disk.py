"""Every acknowledged commit outlives a power cut after any call to the disk.

A short day here, a long one with `make durability`. And the proof is one: with less syncing it finds what is
lost.
"""

import pytest

from tools.durability.day import BANK, DESPITE_FAILURES, TERMINAL
from tools.durability.recording import FailedSync, Operation, why_not
from tools.durability.verdict import judge, recorded_day

pytestmark = [
    pytest.mark.skipif(bool(why_not()), reason=why_not() or "it can be recorded"),
    pytest.mark.slow,
]
EVERY = {TERMINAL: 1, BANK: 4}
"""One image in so many; `make durability` looks at all of them."""
databases = pytest.mark.parametrize("name", [TERMINAL, BANK])


@pytest.fixture(scope="module")
def day() -> list[Operation]:
    return recorded_day(2)


@databases
def test_nothing_that_was_acknowledged_is_lost(day: list[Operation], name: str) -> None:
    verdict = judge(day, name, every=EVERY[name])
    assert verdict.losses == []
    assert verdict.ok
    assert verdict.commits >= 6
    assert verdict.images > 100


@databases
def test_less_syncing_would_be_noticed(name: str) -> None:
    verdict = judge(recorded_day(1, "NORMAL"), name, every=EVERY[name])
    assert not verdict.ok
    assert verdict.lost > 10
    assert "an acknowledged commit is missing" in verdict.losses[0]


@pytest.mark.parametrize(("number", "name", "every"), [(9, TERMINAL, 1), (1, BANK, 9)])
def test_nothing_is_lost_after_a_sync_that_failed_once(number: int, name: str, every: int) -> None:
    day = recorded_day(2, DESPITE_FAILURES, failing_sync=number)
    assert sum(isinstance(one, FailedSync) for one in day) == 1
    verdict = judge(day, name, every=every)
    assert verdict.losses == []
    assert verdict.commits >= 6
