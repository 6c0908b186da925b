"""The limit of PIN entries: 120 within any hour, whatever is switched off and on in between."""

from __future__ import annotations

import pytest

from firmware.secure.errors import PinRateExceeded, SealBroken, StoreOutdated
from firmware.secure.pin_rate import ENTRIES_PER_HOUR_MAX, HOUR_MS, PinRateLimit
from firmware.secure.vault import TABLE, Vault
from hal.api import Put, StorageFailed, Tampered
from hal.virtual.tamper import VirtualTamper
from tests.firmware.secure.conftest import Bench

MINUTE_MS = 60_000


@pytest.fixture
def limit(bench: Bench) -> PinRateLimit:
    return restarted(bench)


def restarted(bench: Bench) -> PinRateLimit:
    """What a power cut leaves: storage and tamper device."""
    return PinRateLimit(Vault(bench.storage, bench.tamper, bench.rng))


def use_up(limit: PinRateLimit, *, every_ms: int = 1_000) -> None:
    for count in range(ENTRIES_PER_HOUR_MAX):
        limit.admit(now_ms=count * every_ms)


def wait_ms(limit: PinRateLimit, *, now_ms: int) -> int:
    with pytest.raises(PinRateExceeded) as caught:
        limit.admit(now_ms=now_ms)
    return caught.value.wait_ms


def test_a_hundred_and_twenty_entries_an_hour(limit: PinRateLimit) -> None:
    use_up(limit)
    assert wait_ms(limit, now_ms=200_000) == HOUR_MS - 200_000
    assert wait_ms(limit, now_ms=HOUR_MS - 1) == 1
    limit.admit(now_ms=HOUR_MS)  # the window slides: the first has left it, the second has not
    assert wait_ms(limit, now_ms=HOUR_MS) == 1_000


@pytest.mark.parametrize("now_ms", [0, 5, 3 * HOUR_MS], ids=["from zero", "from zero, late", "clock goes on"])
def test_a_restart_gains_nothing(bench: Bench, limit: PinRateLimit, now_ms: int) -> None:
    use_up(limit)
    age_ms = (ENTRIES_PER_HOUR_MAX - 1) * 1_000  # of the first entry, when the last one began
    again = restarted(bench)
    assert wait_ms(again, now_ms=now_ms) == HOUR_MS - age_ms
    assert wait_ms(restarted(bench), now_ms=now_ms) == HOUR_MS - age_ms, "nor does another"
    again.admit(now_ms=now_ms + HOUR_MS - age_ms)
    assert wait_ms(again, now_ms=now_ms + HOUR_MS - age_ms) == 1_000


def test_a_restart_in_the_middle_counts_what_was_before(bench: Bench, limit: PinRateLimit) -> None:
    for _ in range(ENTRIES_PER_HOUR_MAX // 2):
        limit.admit(now_ms=MINUTE_MS)
    again = restarted(bench)
    for _ in range(ENTRIES_PER_HOUR_MAX // 2):
        again.admit(now_ms=0)
    assert wait_ms(restarted(bench), now_ms=7) == HOUR_MS


def test_an_old_copy_of_the_record_is_noticed(bench: Bench, limit: PinRateLimit) -> None:
    limit.admit(now_ms=0)
    [(name, first)] = [pair for pair in bench.storage.scan(TABLE) if pair[0].startswith("pin/")]
    limit.admit(now_ms=1)
    bench.storage.commit([Put(TABLE, name, first)])
    with pytest.raises(StoreOutdated):
        restarted(bench).admit(now_ms=0)


def test_another_device_does_not_read_it(bench: Bench, limit: PinRateLimit) -> None:
    limit.admit(now_ms=0)
    bench.tamper = VirtualTamper(bench.rng, device_key=bytes(32))
    with pytest.raises(SealBroken):
        restarted(bench).admit(now_ms=0)


def test_an_entry_that_cannot_be_stored_does_not_begin(bench: Bench, limit: PinRateLimit) -> None:
    bench.storage.fail_at(bench.storage.commits + 1)
    with pytest.raises(StorageFailed):
        limit.admit(now_ms=0)
    use_up(limit)  # none of the hundred and twenty is gone


def test_a_tampered_terminal_counts_nothing(bench: Bench, limit: PinRateLimit) -> None:
    bench.tamper.trip("case")
    with pytest.raises(Tampered):
        limit.admit(now_ms=0)
