"""What a chaos run is about: the bank's data, and a terminal in a hurry. Made from the seed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bank.authoriser import Bank
from bank.entropy import SystemEntropy
from bank.provision import DEMO_MASTER_KEY, Provision, fill
from firmware.records import Flow
from firmware.settings import TerminalSettings
from hal.profile import load_profile
from tools.runtime import settings_of
from tools.simulate.town import provision_for
from tools.terminal_board import REAL_TIME_PROFILE, TerminalPlan

PRINT_MM_PER_S = 1_000
BALANCE_MINOR = 100_000_000_00  # however long the run, the cards do not run dry
SPEED = 12
"""So many times faster than people do they act here; the terminal's patience is shorter by about as much."""

SETTINGS = TerminalSettings(
    operator_timeout_ms=1_500,
    card_timeout_ms=1_500,
    pin_total_timeout_ms=2_000,
    pin_key_timeout_ms=1_500,
    pin_guard_ms=2_500,
    connect_timeout_ms=1_500,
    response_timeout_ms=1_500,
    printer_timeout_ms=3_000,
    paper_timeout_ms=3_000,
    tear_off_timeout_ms=60,
    authorised_ms=20,
    balance_ms=60,
    wrong_pin_ms=40,
    result_ms=40,
    service_retry_ms=500,
    outbox_retry_ms=250,
    outbox_retry_max_ms=500,
    payments_kept=100_000,  # all of them are looked at in the end
    manual_entry_allowed=True,
)


def provision_of(seed: int) -> Provision:
    """One merchant with one terminal, and cards whose money does not end."""
    provision = provision_for(seed, 1)
    return replace(
        provision, cards=tuple(replace(one, balance_minor=BALANCE_MINOR) for one in provision.cards)
    )


def plan_of(seed: int, folder: Path, line: str, *, patience_ms: int | None = None) -> TerminalPlan:
    """The terminal, with its memory in `folder` and its gateway at the other end of `line`.

    `patience_ms`: how long it waits for the bank when nobody is in a hurry any more.
    """
    provision = provision_of(seed)
    flow = Flow.AUTHORISE_FIRST if seed % 2 else Flow.PIN_FIRST
    settings = settings_of(provision, replace(SETTINGS, flow=flow))
    if patience_ms is not None:
        settings = replace(settings, response_timeout_ms=patience_ms, connect_timeout_ms=patience_ms)
    profile = load_profile(REAL_TIME_PROFILE).with_device("serial_port", "serial", url=line)
    return TerminalPlan(
        profile.with_options("printer", speed_mm_per_s=PRINT_MM_PER_S), settings, provision, folder
    )


def make_bank(db: Path, seed: int) -> None:
    """A new database with the demo's master key, so that it needs no key file."""
    bank = Bank.open(db, DEMO_MASTER_KEY, entropy=SystemEntropy())
    try:
        fill(bank, provision_of(seed), now=datetime.now(tz=UTC).replace(tzinfo=None))
    finally:
        bank.close()


def open_books(db: Path) -> Bank:
    """The books of a bank that is not running, or beside one that is. The caller closes them."""
    return Bank.open(db, DEMO_MASTER_KEY, entropy=SystemEntropy(), create=False)


def forgive_wrong_pins(db: Path) -> None:
    """What a clerk of the bank does, or every card would be blocked in the end."""
    bank = open_books(db)
    try:
        with bank.store.transaction():
            for card in bank.cards.cards():
                bank.cards.set_pin_tries_used(card, 0)
    finally:
        bank.close()
