from __future__ import annotations

import random
from typing import Any

from host_link.line import DuplexLine, Line


def line(**options: Any) -> Line:
    return Line(random.Random(5), **options)


def test_bytes_take_their_time() -> None:
    """10 bits a byte: 9600 baud carry 960 bytes a second."""
    slow = line(bits_per_s=9600)
    slow.write(bytes(range(96)), 1000)
    assert slow.read(1000) == b""
    assert slow.read(1050) == bytes(range(48))
    assert slow.deadline_ms() == 1100
    assert slow.read(1099) + slow.read(1100) == bytes(range(48, 96))
    assert slow.deadline_ms() is None


def test_what_is_written_while_the_line_is_busy_queues() -> None:
    busy = line(bits_per_s=9600)
    busy.write(bytes(96), 0)
    busy.write(b"\x01" * 96, 10)
    assert busy.read(199).count(1) < 96
    assert len(busy.read(200)) >= 1
    assert busy.byte_count == 192


def test_latency_shifts_arrival_only() -> None:
    late = line(bits_per_s=9600, latency_ms=16)
    late.write(bytes(96), 0)
    assert late.deadline_ms() == 116
    assert len(late.read(66)) == 48


def test_an_outage_takes_what_falls_inside() -> None:
    out = line(bits_per_s=10_000, outages=[(10, 20)])
    out.write(bytes(range(1, 31)), 0)  # byte n is complete at n milliseconds
    assert list(out.read(100)) == [*range(1, 10), *range(20, 31)]


def test_cut_and_mend() -> None:
    both = DuplexLine(line(bits_per_s=10_000), line(bits_per_s=10_000))
    both.a_to_b.write(bytes(range(1, 31)), 0)
    both.cut(10)
    both.cut(12)
    assert list(both.a_to_b.read(15)) == list(range(1, 10))
    both.mend(20)
    both.mend(22)
    assert list(both.a_to_b.read(100)) == list(range(20, 31))
    assert both.deadline_ms() is None


def test_fault_rates_are_what_they_say() -> None:
    size = 200_000
    flipped = line(bits_per_s=10**9, bit_error_rate=1e-3)
    flipped.write(bytes(size), 0)
    ones = sum(byte.bit_count() for byte in flipped.read(10_000))
    assert 0.9 < ones / (8 * size * 1e-3) < 1.1
    dropped, inserted = line(bits_per_s=10**9, drop_rate=0.01), line(bits_per_s=10**9, insert_rate=0.01)
    for lossy in (dropped, inserted):
        lossy.write(bytes(size), 0)
    assert 0.9 < (size - len(dropped.read(10_000))) / (size * 0.01) < 1.1
    assert 0.9 < (len(inserted.read(10_000)) - size) / (size * 0.01) < 1.1


def test_certain_loss_loses_all_and_the_same_seed_repeats() -> None:
    gone = line(drop_rate=1.0)
    gone.write(b"abc", 0)
    assert (gone.deadline_ms(), gone.read(1000)) == (None, b"")
    runs = []
    for _ in range(2):
        noisy = line(bit_error_rate=0.01, drop_rate=0.01, insert_rate=0.01)
        noisy.write(bytes(5000), 0)
        runs.append(noisy.read(10_000))
    assert runs[0] == runs[1]
