"""What the ends of a link tell each other about it, on the diagnostics channel.

    REQUEST  01 | token 1
    REPORT   02 | token 1 | { counter 1 | value 8 } ...

The token of a report is its request's. A counter's number never changes its meaning; a receiver shows numbers
that it does not know as they are. Other types are ignored.
"""

from __future__ import annotations

from dataclasses import asdict

from host_link.session import LinkCounters

COUNTER_NUMBERS = {
    "bytes_sent": 1,
    "bytes_received": 2,
    "frames_received": 3,
    "noise_pieces": 4,
    "noise_bytes": 5,
    "reflections": 6,
    "ranges_resent": 7,
    "messages_sent": 8,
    "messages_received": 9,
    "messages_delivered": 10,
    "messages_unconfirmed": 11,
    "outages": 12,
    "peer_restarts": 13,
    "round_trip_us": 14,
    "payload_bytes": 15,
    "frames_refused": 16,
    "frames_sent": 17,
    "check_errors": 18,
    "bits_per_s": 19,
    "rate_raises": 20,
    "rate_fall_backs": 21,
}
"""The numbers of `LinkCounters`' fields. A new field gets the next number."""

_REQUEST, _REPORT = 0x01, 0x02
_ENTRY_BYTES, _VALUE_BYTES = 9, 8
_VALUE_MAX = (1 << 8 * _VALUE_BYTES) - 1
_NAMES = {number: name for name, number in COUNTER_NUMBERS.items()}


def counter_request(token: int) -> bytes:
    """Ask the peer for its counters. `token`: 0 to 255, comes back with the report."""
    return bytes([_REQUEST, token])


def answer_to(message: bytes, counters: LinkCounters) -> bytes | None:
    """The answer to a message of the diagnostics channel; None when it asks for nothing that is known."""
    if len(message) < 2 or message[0] != _REQUEST:
        return None
    values = asdict(counters)
    entries = (
        bytes([number]) + min(values[name], _VALUE_MAX).to_bytes(_VALUE_BYTES, "big")
        for name, number in COUNTER_NUMBERS.items()
        if name in values
    )
    return bytes([_REPORT, message[1]]) + b"".join(entries)


def read_report(message: bytes) -> tuple[int, dict[str, int]] | None:
    """Token and counters of a report; None when it is none. What is left of a cut entry is ignored."""
    if len(message) < 2 or message[0] != _REPORT:
        return None
    counters = {}
    for start in range(2, len(message) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        number = message[start]
        value = int.from_bytes(message[start + 1 : start + _ENTRY_BYTES], "big")
        counters[_NAMES.get(number, f"counter_{number}")] = value
    return message[1], counters
