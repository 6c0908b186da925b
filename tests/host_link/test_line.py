from __future__ import annotations

import random
from typing import Any

import pytest

from host_link.line import DuplexLine, Line, _read_without_start_bit


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


def test_of_a_cut_line_nothing_is_to_be_expected_until_it_is_mended() -> None:
    out = line(bits_per_s=10_000)
    out.write(bytes(range(1, 31)), 0)
    out.cut(10)
    assert out.deadline_ms() == 30, "what came before is there"
    assert list(out.read(30)) == list(range(1, 10))
    out.write(bytes(range(1, 31)), 100)
    assert out.deadline_ms() is None
    out.mend(120)
    assert out.deadline_ms() == 130
    assert list(out.read(130)) == list(range(20, 31)), "it was on its way when the line was mended"


def test_outages_that_are_over_are_forgotten_and_no_others() -> None:
    often = line(bits_per_s=10_000, outages=[(1_000, 1_011), (0, 11), (2_000, 3_000)])
    for at_ms, arrived in ((0, 20), (1_000, 20), (2_000, 0), (3_000, 30)):
        often.write(bytes(30), at_ms)
        assert len(often.read(at_ms + 30)) == arrived
    assert often._outages == []


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


@pytest.mark.parametrize("fault", ["bit_error_rate", "framing_error_rate", "drop_rate"])
def test_faults_hit_the_same_bytes_however_they_are_cut_into_writes(fault: str) -> None:
    """Whatever one write is told of the faults at once must be what many small ones are told one by one."""
    sent = bytes(range(1, 251)) * 8
    at_once = received(line(**{fault: 0.003}), sent)
    assert at_once != sent
    for size in (1, 7, 300):
        cut = line(**{fault: 0.003})
        for index in range(0, len(sent), size):
            cut.write(sent[index : index + size], 0)
        assert cut.read(1_000_000) == at_once


def test_what_was_sent_at_a_good_rate_does_not_count_when_the_line_is_too_fast() -> None:
    results = []
    for bytes_before in (0, 250):
        fast = line(bits_per_s_max=115_200, beyond_bit_error_rate=0.001)
        assert received(fast, bytes(bytes_before)) == bytes(bytes_before)
        fast.send_at(230_400)
        fast.read_at(230_400)
        results.append(received(fast, bytes(1000)))
    assert results[0] == results[1] != bytes(1000)


def received(of: Line, data: bytes) -> bytes:
    of.write(data, 0)
    return of.read(1_000_000)


def test_a_burst_spoils_a_few_bytes_that_stand_together() -> None:
    size = 100_000
    burst = line(bits_per_s=10**9, burst_rate=1e-4, burst_bits=40)
    hit = [index for index, byte in enumerate(received(burst, bytes(size))) if byte]
    groups = [index for index, before in zip(hit[1:], hit, strict=False) if index - before > 6]
    assert 40 < len(groups) + 1 <= 110  # 80 bursts of 5 bytes, some of them one behind the other
    assert 3 < len(hit) / (len(groups) + 1) < 8


def test_a_burst_goes_on_in_the_next_write() -> None:
    always = line(bits_per_s=10**9, burst_rate=1.0, burst_bits=8 * 50)
    always.write(b"\0", 0)
    still = [always._burst_left_bits]
    always._bursts = line()._bursts  # no more of them begin
    for _ in range(5):
        always.write(bytes(10), 0)
        still.append(always._burst_left_bits)
    assert still == [399, 319, 239, 159, 79, 0]


def test_a_missed_start_bit_makes_the_receiver_read_shifted_bytes() -> None:
    """55 hex is 0 1010 1010 1 on the line: without the first zero the next one is taken for the start."""
    assert _read_without_start_bit(b"\x55") == b"\xd5"  # 0101 0101 then the stop bit and the quiet line
    assert _read_without_start_bit(b"\xff\x41") == b"\x41"  # nothing but ones: the byte is lost, no more
    assert _read_without_start_bit(b"\xfe\x00") == b"\x00\x80"  # the first: no stop bit where it should be
    slips = line(bits_per_s=10**9, slip_rate=1e-3)
    writes = [b"\x55" * 10] * 10_000
    changed = sum(received(slips, data) != data for data in writes)
    assert 60 < changed < 140


def test_after_a_slip_the_receiver_comes_right_again() -> None:
    data = random.Random(2).randbytes(400)
    got = _read_without_start_bit(data)
    assert got != data
    assert got[-100:] == data[-100:]


def test_a_damaged_stop_bit_reads_as_zero() -> None:
    assert received(line(framing_error_rate=1.0), b"abc") == bytes(3)
    some = received(line(bits_per_s=10**9, framing_error_rate=0.01), b"a" * 100_000)
    assert 0.9 < some.count(0) / 1000 < 1.1


def test_an_adapter_hands_over_in_blocks() -> None:
    usb = line(bits_per_s=10_000, block_ms=16)
    usb.write(bytes(range(1, 31)), 3)  # byte n is complete at 3 + n milliseconds
    assert usb.deadline_ms() == 48
    assert [len(usb.read(now_ms)) for now_ms in (15, 16, 31, 32, 47, 48)] == [0, 13, 0, 16, 0, 1]


def test_jitter_delays_and_never_reorders() -> None:
    late = line(bits_per_s=10_000, jitter_ms=40)
    arrivals = []
    for turn in range(50):
        late.write(bytes([turn]), 10 * turn)
    for now_ms in range(700):
        arrivals += [(byte, now_ms) for byte in late.read(now_ms)]
    assert [byte for byte, _ in arrivals] == list(range(50))
    delays = [now_ms - (10 * byte + 1) for byte, now_ms in arrivals]
    assert min(delays) >= 0
    assert 20 < max(delays) <= 41


def test_on_one_wire_two_who_send_at_once_garble_each_other() -> None:
    a, b = line(bits_per_s=10_000), line(bits_per_s=10_000)
    DuplexLine(a, b, half_duplex=True)
    a.write(b"\x55" * 20, 0)  # until 20 ms
    b.write(b"\x55" * 20, 10)  # until 30 ms
    first, second = a.read(100), b.read(100)
    assert (first[:9], second[10:]) == (b"\x55" * 9, b"\x55" * 10)
    assert first[9:] != b"\x55" * 11
    assert second[:9] != b"\x55" * 9
    a.write(b"alone", 200)
    assert a.read(300) == b"alone"
