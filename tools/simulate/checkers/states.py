"""A running till: no state waits without its timer, and nothing in it grows without a bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from firmware.app import Terminal
from firmware.txn.schema import Kind
from hal.virtual.storage import Snapshot
from host_link.session import Channel, Session
from tools.simulate.any_till import AnyTill
from tools.simulate.checkers.finding import Finding

OUTBOX_MAX = 40
"""More entries than this in one outbox, and the journal would grow without bound."""
BACKLOG_BYTES_MAX = 8_192
"""What one channel of the link may have waiting: a terminal has one request open, a gateway its answer."""
VALUE_BYTES_MAX = 4_096
"""A record of the journal is under 1 KiB; one that grows with what happens would pass this."""
ROWS_MAX: Mapping[str, int] = {
    "terminal": 16,
    "keys": 64,
    "upkeep": 16,
    "operator": 128,
    "outbox": OUTBOX_MAX,
}
"""Rows of the tables that do not grow with the number of payments."""
ROWS_ELSEWHERE_MAX = 64
SPARE = 4  # rows that a commit may be late with


def waiting(till: AnyTill) -> Iterator[Finding]:
    """The state at hand, of whichever table is in charge: payment, settlement, menus, the terminal's."""
    terminal = till.station.terminal
    if terminal is None:
        return
    row, now_ms = terminal.row, terminal.board.clock.monotonic_ms()
    until_ms = terminal.state_deadline_ms()
    if row.kind is Kind.WAITING and until_ms is None:
        yield Finding("timer", f"{till.name} waits in {row.state.value} and nothing will end that")
    elif row.kind is Kind.PASSING:
        yield Finding("timer", f"{till.name} stays in {row.state.value}, which lasts no time")
    elif until_ms is not None and until_ms < now_ms:
        yield Finding("timer", f"{till.name}: the time of {row.state.value} was over at {until_ms} ms")
    if len(terminal.journal.outbox) > OUTBOX_MAX:
        yield Finding("bounds", f"{till.name}: {len(terminal.journal.outbox)} messages in the outbox")


def backlogs(till: AnyTill, gateway: Session) -> Iterator[Finding]:
    """What waits on the link, on either side of it."""
    terminal = till.station.terminal
    ends = {"gateway": gateway} | ({"terminal": terminal.parts.session} if terminal is not None else {})
    for name, session in ends.items():
        for channel in Channel:
            if (waiting_bytes := session.backlog_bytes(channel)) > BACKLOG_BYTES_MAX:
                yield Finding(
                    "bounds", f"{till.name}: {waiting_bytes} bytes wait in the {name} for {channel.name}"
                )


def memory(till: AnyTill, content: Snapshot) -> Iterator[Finding]:
    """How much a terminal remembers, by what it may."""
    terminal = till.station.terminal
    if terminal is None:
        return
    for (table, key), value in content.items():
        if len(value) > VALUE_BYTES_MAX:
            yield Finding("bounds", f"{till.name}: {table}/{key} has {len(value)} bytes")
    allowed = _rows_allowed(terminal)
    for table, rows in Counter(table for table, _ in content).items():
        if rows > allowed.get(table, ROWS_ELSEWHERE_MAX):
            yield Finding("bounds", f"{till.name}: {rows} rows of {table}")


def _rows_allowed(terminal: Terminal) -> Mapping[str, int]:
    """Payments are kept for the open batch, and of the settled ones the newest; cards for the open batch."""
    counters = terminal.journal.counters
    still_open = counters.payment_number - counters.settled_up_to + len(terminal.journal.outbox) + SPARE
    kept = max(terminal.settings.payments_kept, 0) + SPARE
    return {**ROWS_MAX, "payment": kept + still_open, "cards": still_open}
