"""How long payments stay in the journal: all of the open batch, and the newest of the settled ones.

So the memory has a bound. Each new payment takes the oldest ones along that nobody needs any more, a few at a
time, in its own commit: no other write, no pause, and a power cut changes nothing. The pages that become free
are used again; the file does not shrink.
"""

from __future__ import annotations

from firmware.journal import Draft
from hal.api import Delete

GONE_AT_A_TIME_MAX = 2  # more than the one that comes, so that a lowered bound is reached some day


def retire(draft: Draft, *, kept: int) -> None:
    """Drop payments beyond the newest `kept` from the draft: the oldest first, and never one that is needed.

    Needed is what belongs to the open batch, has something in the outbox, or is the slip to print again.
    """
    needed = {entry.payment_number for entry in draft.outbox.values()} | {draft.counters.last_slip}
    for _ in range(GONE_AT_A_TIME_MAX):
        oldest = draft.counters.oldest_payment
        is_settled = oldest <= draft.counters.settled_up_to
        if not is_settled or oldest in needed or draft.counters.payment_number - oldest < kept:
            return
        draft.extra.append(Delete("payment", f"{oldest:08d}"))
        draft.counters = draft.counters.changed(oldest_payment=oldest + 1)
