from __future__ import annotations

import pytest

from host_link.arq import NUMBERS_AHEAD_MAX, Flight, FrameSizer, Receipts, RoundTrip, SentFrame
from host_link.frames import HISTORY_BITS, AckBlock

ALL = (1 << HISTORY_BITS) - 1


def flight_of(count: int) -> Flight:
    flight = Flight(round_trip_us=20_000, probe_interval_us=40_000, sizer=FrameSizer(1000, 11))
    for index in range(count):
        send(flight, index)
    return flight


def send(flight: Flight, index: int) -> None:
    frame = SentFrame(1, index * 10, index * 10 + 10, 21, 0)
    flight.sent(frame)
    flight.left(frame, index * 1000)


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
    resent = [flight.overdue(now_us=0) for _ in range(4)]
    assert starts([frame for frame in resent if frame]) == [0, 1]
    assert resent[2:] == [None, None]
    assert flight.stalled
    flight.next_ping(50_000)
    assert flight.deadline_us() == 90_000
    assert starts(
        flight.acknowledged(AckBlock(3, ALL - 0b111, HISTORY_BITS), echo=1, now_us=60_000).lost
    ) == [0, 1, 2]
    assert not flight.stalled
    assert flight.deadline_us() is None


def test_round_trip_follows_rfc_6298() -> None:
    round_trip = RoundTrip(100_000)
    round_trip.sample(20_000)
    assert (round_trip.smoothed_us, round_trip.timeout_us) == (20_000, 60_000)
    round_trip.sample(28_000)
    assert round_trip.smoothed_us == 21_000
    assert round_trip.timeout_us == 21_000 + 4 * 9_500


def test_frames_shrink_on_a_bad_line_and_grow_on_a_good_one() -> None:
    sizer = FrameSizer(1000, 11)
    assert sizer.payload_bytes == 1000
    for _ in range(200):
        sizer.count(40, lost=True)
        sizer.count(40, lost=False)
        sizer.count(40, lost=False)
    assert sizer.payload_bytes == pytest.approx((11 * 120 / 1) ** 0.5, abs=3)
    for _ in range(300):
        sizer.count(500, lost=False)
    assert sizer.payload_bytes == 1000
