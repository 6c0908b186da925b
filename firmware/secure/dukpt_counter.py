"""Counting transactions in DUKPT: a counter is used only while few of its bits are one.

Every one bit of the counter is one step of key derivation, so both schemes limit them: TDES DUKPT to 10 of 21
bits (ANSI X9.24-1), AES DUKPT to 16 of 32 (ANSI X9.24-3).
"""

from __future__ import annotations

from math import comb

from firmware.secure.errors import BadInput


def next_counter(counter: int, *, counter_bits: int, ones_max: int) -> int:
    """The next usable counter above `counter`. Raises BadInput (exhausted): the device has no key left."""
    counter += 1
    while counter.bit_count() > ones_max:
        counter += counter & -counter  # clears the lowest run of ones, skipping all that have too many
    if counter >> counter_bits:
        raise BadInput("exhausted", "the transaction counter has run out: the device needs a new initial key")
    return counter


def usable_counters(counter_bits: int, ones_max: int) -> int:
    """How many transactions one initial key is good for."""
    return sum(comb(counter_bits, ones) for ones in range(1, ones_max + 1))


def require_usable(counter: int, *, ones_max: int) -> None:
    """Raise BadInput (bad_format) unless `counter` belongs to a transaction."""
    if counter == 0:
        raise BadInput("bad_format", "counter 0 is the initial key's: no transaction has it")
    if counter.bit_count() > ones_max:
        raise BadInput("bad_format", f"the counter has more than {ones_max} one bits: no device uses it")
