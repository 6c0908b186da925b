from __future__ import annotations

import random

import pytest

from host_link.arq import (
    NUMBERS_AHEAD_MAX,
    OUTAGE_OVERDUE_COUNT,
    Flight,
    FrameSizer,
    Receipts,
    RoundTrip,
    SentFrame,
)
from host_link.frames import HISTORY_BITS, AckBlock

ALL = (1 << HISTORY_BITS) - 1


def flight_of(count: int) -> Flight:
    flight = Flight(round_trip_us=20_000, probe_us_least=40_000, sizer=FrameSizer(1000, 11))
    for index in range(count):
        send(flight, index)
    return flight


def send(flight: Flight, index: int) -> None:
    flight.sent(SentFrame(1, index * 10, index * 10 + 10, 21, sent_us=index * 1000))


def starts(frames: list[SentFrame]) -> list[int]:
    return [frame.start // 10 for frame in frames]


def test_receipts_tell_what_came_and_what_did_not() -> None:
    receipts = Receipts()
    for number in (0, 1, 4, 5):
        receipts.accept(number, prompt=False, now_us=0)
    block = receipts.block()
    assert (block.next_number, block.received & 0x3F) == (6, 0b110011)
    assert block.received >> 6 == ALL >> 6


def test_acknowledgements_are_delayed_but_not_after_a_gap_or_a_prompt() -> None:
    receipts = Receipts()
    receipts.accept(0, prompt=False, now_us=5)
    assert receipts.ack_due_us == 10_005
    receipts.accept(1, prompt=False, now_us=7)
    assert receipts.ack_due_us == 7
    receipts.block()
    assert receipts.ack_due_us is None
    receipts.accept(3, prompt=False, now_us=9)
    assert receipts.ack_due_us == 9
    receipts.block()
    receipts.accept(4, prompt=True, now_us=11)
    assert receipts.ack_due_us == 11


def test_a_prompt_frame_is_answered_by_an_ack_of_its_own() -> None:
    receipts = Receipts()
    receipts.accept(0, prompt=False, now_us=0)
    assert receipts.fits_piggyback
    receipts.accept(1, prompt=True, now_us=0)
    assert not receipts.fits_piggyback
    receipts.block()
    receipts.accept(2, prompt=False, now_us=0)
    assert receipts.fits_piggyback


def test_numbers_go_round() -> None:
    receipts, flight = Receipts(), flight_of(0)
    for index in range(1000):
        receipts.accept(flight.next_number, prompt=False, now_us=0)
        send(flight, index)
        fates = flight.acknowledged(receipts.block(), now_us=index * 1000)
        assert (starts(fates.arrived), fates.lost) == ([index], [])


def test_a_later_arrival_proves_an_earlier_loss_at_once() -> None:
    fates = flight_of(6).acknowledged(AckBlock(5, 0b10110, 8), now_us=9000)
    assert starts(fates.arrived) == [0, 2, 3]
    assert starts(fates.lost) == [1, 4]


def test_a_short_block_decides_nothing_about_what_it_does_not_tell() -> None:
    flight = flight_of(20)
    fates = flight.acknowledged(AckBlock(20, 0xFF, 8), now_us=0)
    assert starts(fates.arrived) == list(range(12, 20))
    assert fates.lost == []
    assert starts(flight.acknowledged(AckBlock(20, ALL - (1 << 19), HISTORY_BITS), now_us=0).lost) == [0]


def test_an_old_acknowledgement_does_no_harm() -> None:
    flight = flight_of(4)
    flight.acknowledged(AckBlock(4, 0xFF, 8), now_us=0)
    send(flight, 4)
    assert flight.acknowledged(AckBlock(2, 0xFF, 8), now_us=0) == flight.acknowledged(
        AckBlock(4, 0xFF, 8), now_us=0
    )
    assert starts(flight.acknowledged(AckBlock(5, 0xFF, 8), now_us=0).arrived) == [4]


def test_numbers_never_run_so_far_ahead_that_they_are_ambiguous() -> None:
    flight, receipts = flight_of(0), Receipts()
    while flight.may_send:
        send(flight, 0)
    assert flight.next_number == NUMBERS_AHEAD_MAX
    # All of them are lost; a PING tells the receiver, and its answer frees the sender.
    receipts.skip_to(flight.next_ping(0).number)
    fates = flight.acknowledged(receipts.block(), echo=1, now_us=0)
    assert len(fates.lost) == NUMBERS_AHEAD_MAX
    assert flight.may_send


def test_the_timer_sends_again_twice_and_then_asks() -> None:
    flight = flight_of(3)
    resent = [flight.overdue(now_us=0, more_follows=False) for _ in range(4)]
    assert starts([frame for frame in resent if frame]) == [2, 1]
    assert resent[2:] == [None, None]
    assert flight.stalled
    flight.next_ping(50_000)
    assert flight.deadline_us() == 50_000 + 75_000 - 20_000
    assert starts(
        flight.acknowledged(AckBlock(3, ALL - 0b111, HISTORY_BITS), echo=1, now_us=60_000).lost
    ) == [0, 1, 2]
    assert not flight.stalled
    assert flight.deadline_us() is None


def test_pings_begin_quickly_and_slow_down_to_the_probe_interval() -> None:
    flight = flight_of(1)
    flight.round_trip.sample(2_000)
    for _ in range(3):
        flight.overdue(now_us=0, more_follows=False)
    waits = []
    for _ in range(6):
        flight.next_ping(0)
        waits.append(flight.deadline_us())
        flight.overdue(now_us=0, more_follows=False)
    assert waits == [7_000, 14_000, 28_000, 56_000, 73_000, 73_000]


def test_a_frame_on_its_way_again_is_not_overdue_before_it_has_left() -> None:
    flight = flight_of(0)
    flight.round_trip.sample(2_000)
    flight.sent(SentFrame(1, 0, 10, 21, prompt=True, sent_us=1_000))
    assert flight.deadline_us() == 8_000
    assert flight.overdue(now_us=8_000, more_follows=False) is not None
    flight.sent(SentFrame(1, 0, 10, 21, prompt=True, sent_us=22_000))
    assert flight.deadline_us() == 29_000


def test_what_the_timer_sends_again_goes_in_smaller_frames() -> None:
    flight = flight_of(3)
    sizes = [flight.payload_bytes]
    for _ in range(2):
        flight.overdue(now_us=0, more_follows=False)
        sizes.append(flight.payload_bytes)
    flight.acknowledged(AckBlock(3, ALL, 8), now_us=3_000)
    assert sizes[1:] == [80, 40]
    assert flight.payload_bytes >= sizes[0] > 80


def test_while_data_follows_the_timer_only_asks() -> None:
    flight = flight_of(3)
    assert flight.overdue(now_us=0, more_follows=True) is None
    assert not flight.stalled
    assert starts([frame for frame in [flight.overdue(now_us=0, more_follows=False)] if frame]) == [2]


def test_the_timer_runs_from_the_first_frame_that_is_answered_at_once() -> None:
    """The second one, or one that is marked prompt; a lonely first one may be answered late."""
    flight = flight_of(5)
    timeout_us = flight.round_trip.timeout_us
    assert flight.deadline_us() == 1000 + timeout_us
    prompt = flight_of(0)
    prompt.sent(SentFrame(1, 0, 10, 21, prompt=True, sent_us=7000))
    send(prompt, 9)
    assert prompt.deadline_us() == 7000 + timeout_us


def test_only_what_is_answered_at_once_measures_the_round_trip() -> None:
    flight = flight_of(4)
    flight.acknowledged(AckBlock(1, ALL, 8), now_us=12_000)  # one frame: perhaps told after the delay
    assert flight.round_trip.sample_count == 0
    flight.acknowledged(AckBlock(3, ALL, 8), now_us=4_000)
    assert (flight.round_trip.sample_count, flight.round_trip.smoothed_us) == (1, 2_000)


def test_an_outage_is_not_taken_for_bit_errors() -> None:
    lost_all = AckBlock(30, ALL - ((1 << 30) - 1), HISTORY_BITS)
    bad, out = flight_of(30), flight_of(30)
    before = bad.sizer.bit_error_rate
    bad.acknowledged(lost_all, now_us=60_000)
    assert bad.sizer.bit_error_rate > 10 * before
    for _ in range(OUTAGE_OVERDUE_COUNT):
        out.overdue(now_us=0, more_follows=False)
    token = out.next_ping(50_000).token
    out.acknowledged(lost_all, now_us=60_000, echo=token)
    assert out.sizer.bit_error_rate == before


def test_numbers_are_near_while_six_bits_tell_them() -> None:
    flight, receipts = flight_of(0), Receipts()
    for index in range(32):
        assert flight.number_is_near
        send(flight, index)
    assert not flight.number_is_near
    receipts.accept(31, number_bits=6, prompt=False, now_us=0)
    assert receipts.block().next_number == 32
    receipts.accept(60 & 0x3F, number_bits=6, prompt=False, now_us=0)
    receipts.accept(70 & 0x3F, number_bits=6, prompt=False, now_us=0)
    assert receipts.block().next_number == 71


def test_round_trip_follows_rfc_6298() -> None:
    round_trip = RoundTrip(100_000)
    round_trip.sample(20_000)
    assert (round_trip.smoothed_us, round_trip.timeout_us) == (20_000, 60_000)
    round_trip.sample(28_000)
    assert round_trip.smoothed_us == 21_000
    assert round_trip.timeout_us == 21_000 + 4 * 9_500


def best_payload(bit_error_rate: float, overhead_bytes: int) -> int:
    """By trying all sizes: goodput = P / (P + H) x (1 - p)^(8 (P + H))."""

    def goodput(payload: int) -> float:
        total = payload + overhead_bytes
        return payload / total * (1 - bit_error_rate) ** (8 * total)

    return max(range(1, 2000), key=goodput)


@pytest.mark.parametrize("bit_error_rate", [1e-5, 1e-4, 1e-3])
@pytest.mark.parametrize("past", ["fresh", "good", "bad"])
def test_frames_find_the_size_that_carries_most(bit_error_rate: float, past: str) -> None:
    """Within a quarter of the best: there the goodput is within one percent of the best."""
    rng = random.Random(4)
    sizer = FrameSizer(2000, 9)
    for _ in range(0 if past == "fresh" else 1000):
        sizer.count(sizer.payload_bytes + 9, lost=past == "bad" and rng.random() < 0.3)
    sizes = []
    for turn in range(3000):
        wire_bytes = sizer.payload_bytes + 9
        sizer.count(wire_bytes, lost=rng.random() > (1 - bit_error_rate) ** (8 * wire_bytes))
        if turn >= 1500:
            sizes.append(sizer.payload_bytes)
    assert sum(sizes) / len(sizes) == pytest.approx(best_payload(bit_error_rate, 9), rel=0.25)


def test_frames_grow_to_the_largest_without_errors_and_shrink_quickly_when_it_gets_worse() -> None:
    sizer = FrameSizer(1000, 9)
    frames = 0
    while sizer.payload_bytes < 1000:
        sizer.count(sizer.payload_bytes + 9, lost=False)
        frames += 1
    assert frames < 200
    for _ in range(500):
        sizer.count(1009, lost=False)
    for _ in range(5):
        sizer.count(sizer.payload_bytes + 9, lost=True)
    assert sizer.payload_bytes < 200


def test_after_an_outage_frames_begin_small() -> None:
    sizer = FrameSizer(1000, 9)
    for _ in range(200):
        sizer.count(1009, lost=False)
    sizer.restart()
    sizes = []
    for _ in range(6):
        sizes.append(sizer.payload_bytes)
        sizer.count(sizes[-1] + 9, lost=False)
    assert sizes == [64, 128, 256, 512, 1000, 1000]
