"""What a terminal is told to be (0800/360), and what it says of itself (0820/362); sections 3.4 and 5.1.

Field 62 holds a code of two digits and a value of fixed length, again and again, in ASCII; the merchant's
name is GBK and the switches are four raw bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bank.answers import APPROVED, Outcome
from bank.merchants import Terminal
from bank.office import Office
from bank.request import Request

NAME_BYTES: Final = 40
_DIAL_NUMBER: Final = " " * 14  # nothing is dialled
_STATUS_BYTES_MAX: Final = 512

_SWITCHES_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "purchase": ("purchase", "purchase-void", "completion-advice", "completion-void"),
    "balance": ("balance",),
    "refund": ("refund",),
    "preauth": (
        "preauth",
        "preauth-cancel",
        "completion-request",
        "completion-void",
        "completion-advice",
    ),
    "offline": ("offline",),
    "tips": ("adjustment",),
}
"""Qualification of the merchant -> switches that it turns on. What a chip needs (12) is always on."""

SWITCHES: Final[Mapping[str, int]] = {
    "balance": 1,
    "preauth": 2,
    "preauth-cancel": 3,
    "completion-request": 4,
    "completion-void": 5,
    "purchase": 6,
    "purchase-void": 7,
    "refund": 8,
    "offline": 9,
    "adjustment": 10,
    "completion-advice": 11,
    "script-result": 12,
}
"""The bits of parameter 26, counted from 1 at the highest bit of the first byte (section 5.1)."""


def switch_bytes(names: frozenset[str]) -> bytes:
    """Parameter 26: four bytes with the bits of these switches set."""
    bits = sum(1 << (32 - SWITCHES[name]) for name in names)
    return bits.to_bytes(4, "big")


def send_parameters(office: Office, _request: Request, terminal: Terminal) -> Outcome:
    """0800/360: everything in one answer; 0800/361 ends it."""
    return Outcome(APPROVED, fields={62: parameter_list(office, terminal)})


def parameter_list(office: Office, terminal: Terminal) -> bytes:
    """Field 62 of the answer, code by code."""
    profile = office.policy.profile
    merchant = office.merchants.find(terminal.mid)
    assert merchant is not None, "a terminal has a merchant"
    held = office.merchants.qualifications(terminal.mid)
    switches = {"script-result", *(switch for name in held for switch in _SWITCHES_OF.get(name, ()))}
    name = (merchant.name_local or merchant.name).encode("gbk", errors="replace")[:NAME_BYTES]
    values: list[tuple[str, str | bytes]] = [
        ("11", "60"),
        ("12", f"{profile.response_timeout_s:02d}"),
        ("13", "3"),
        *((code, _DIAL_NUMBER) for code in ("14", "15", "16", "17")),
        ("18", f"{int('tips' in held)}"),
        ("19", f"{profile.tip_percent_max:02d}"),
        ("20", f"{int('manual' in held)}"),
        ("21", "0"),
        ("22", name.ljust(NAME_BYTES)),
        ("23", f"{profile.reversal_resends}"),
        ("24", "0"),
        ("25", f"{terminal.tmk_index % 10}"),
        ("26", switch_bytes(frozenset(switches))),
        ("27", f"{profile.offline_kept_max:02d}"),
    ]
    return b"".join(
        code.encode("ascii") + (value if isinstance(value, bytes) else value.encode("ascii"))
        for code, value in values
    )


def end_download(_office: Office, _request: Request, _terminal: Terminal) -> Outcome:
    """0800/361, 371, 381: the terminal has everything."""
    return Outcome(APPROVED)


def take_status(office: Office, request: Request, terminal: Terminal) -> Outcome:
    """0820/362: keep what the terminal says of itself, as it says it."""
    status = request.binary(62)
    if not status or len(status) > _STATUS_BYTES_MAX:
        return Outcome("30")
    office.merchants.take_status(terminal, status.decode("gbk", errors="replace"), now=request.now)
    return Outcome(APPROVED)
