"""Whole payments in virtual time: terminal, line, gateway, bank and paper, all on one core.

A payment is everything from the first key to the second slip and the idle screen: three requests in the
seven steps, every MAC and PIN block, every durable commit at both ends, both copies of the slip; the cashier
tears the first one off at once. What counts is the processor's time: other programs on the machine and
waiting for a disk do not. A card that pays a hundred times waits an hour before it goes on, because the
secure room takes no more PINs than that.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bank.authoriser import Bank
from bank.hsm import Hsm
from bank.store import BankStore
from firmware.app import Terminal
from firmware.faceplate import Faceplate
from firmware.records import Outcome
from firmware.secure.module import SecureModule
from hal.board import Board
from hal.virtual.storage import MemoryStorage, SqliteStorage
from host_link.line import Line
from host_link.session import Session
from tools.bench import measure as rounds
from tools.bench.measure import Measurement
from tools.bench.split import Entrance, Stopwatch, watched
from tools.runtime import start
from tools.station import Station

GOAL_PER_S = 400.0
ROUND_PAYMENTS = 20
_HOUR_MS = 3_600_000
_REST = "hands, virtual time"
PARTS: Mapping[str, Sequence[Entrance]] = {
    "terminal: states, messages, slips": [(Terminal, "step"), (Terminal, "deadline_ms")],
    "terminal: screens": [(Faceplate, "show"), (Faceplate, "is_outdated")],
    "terminal: keys, PIN, MACs": [
        (SecureModule, name)
        for name in ("mac", "verify_mac", "begin_pin_entry", "end_pin_entry", "pin_events", "open_message")
    ],
    "terminal: storage": [(MemoryStorage, "commit"), (SqliteStorage, "commit")],
    "terminal: virtual devices": [(Board, "poll"), (Board, "deadline_ms")],
    "link and line": [
        *((Session, name) for name in ("receive", "send", "next_event", "bytes_to_send", "on_deadline")),
        (Session, "deadline_ms"),
        (Line, "read"),
        (Line, "write"),
    ],
    "bank: decisions, messages": [(Bank, "handle")],
    "bank: keys, PIN, MACs": [(Hsm, name) for name in ("mac", "mac_is_right", "seal_pan", "pin_is_right")],
    "bank: database": [(BankStore, "execute"), (BankStore, "rows"), (BankStore, "row")],
}
"""What the time of a payment is split into: each part, and how it is entered."""


def measure() -> list[Measurement]:
    """Payments a second in both flows, in memory and on disk, and where the time goes."""
    rate, unit, spread = _rate("authorise-first")
    results = [
        Measurement(
            "payments, authorise-first, in memory", rate, unit, spread, references={"goal": GOAL_PER_S}
        ),
        *_split(1e6 / rate),
        Measurement("payments, pin-first, in memory", *_rate("pin-first")),
    ]
    with tempfile.TemporaryDirectory(prefix="posterm-bench-") as folder:
        on_disk = _rate("authorise-first", Path(folder))
        results.append(Measurement("payments, authorise-first, on disk", *on_disk))
    return results


def _rate(flow: str, folder: Path | None = None) -> tuple[float, str, float]:
    """The best round's payments a second, and how far the worst fell behind."""
    seconds = []
    with start(flow=flow, state_folder=folder) as station:
        for _ in range(rounds.ROUNDS + 1):  # the first warms the caches up
            seconds.append(_seconds_of_a_round(station))
            station.run_for(_HOUR_MS)
    best, *_, worst = sorted(seconds[1:])
    return ROUND_PAYMENTS / best, "1/s", 1 - best / worst


def _seconds_of_a_round(station: Station) -> float:
    began_s = time.process_time()
    for _ in range(ROUND_PAYMENTS):
        pay(station)
    return time.process_time() - began_s


def _split(payment_us: float) -> Iterator[Measurement]:
    """The microseconds of one authorise-first payment in memory, by part."""
    with start(flow="authorise-first") as station:
        _seconds_of_a_round(station)
        stopwatch = Stopwatch(_REST)
        with watched(PARTS, stopwatch):
            _seconds_of_a_round(station)
            shares = stopwatch.shares()
    for part in (*PARTS, _REST):
        yield Measurement(f"  {part}", payment_us * shares.get(part, 0.0), "us")


def pay(station: Station) -> None:
    """One payment that is approved, and both its slips."""
    station.enter_amount("0.01")
    station.swipe("good")
    station.enter_pin("123456")
    station.wait_for("tear_off")
    station.press("enter")
    payment = station.finish()
    assert payment is not None
    assert payment.outcome is Outcome.APPROVED, "anything else is another piece of work"
