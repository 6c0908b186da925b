from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_link.errors import ProtocolViolation
from host_link.streams import (
    MESSAGE_BYTES_MAX,
    WINDOW_BYTES_MAX,
    Ranges,
    ReceiveStream,
    SendStream,
    decode_length,
    encode_length,
)

SPANS = st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(st.tuples(st.booleans(), SPANS), max_size=30))
def test_ranges_agree_with_a_set(steps: list[tuple[bool, tuple[int, int]]]) -> None:
    ranges, model = Ranges(), set[int]()
    for add, (start, end) in steps:
        if add:
            ranges.add(start, end)
            model |= set(range(start, end))
        else:
            ranges.remove(start, end)
            model -= set(range(start, end))
        pairs = list(ranges)
        assert [number for low, high in pairs for number in range(low, high)] == sorted(model)
        assert all(one[1] < two[0] for one, two in pairwise(pairs))


@pytest.mark.parametrize(
    ("length", "encoded"),
    [(0, "00"), (150, "96"), (223, "df"), (224, "e0e0"), (1000, "e3e8"), (7935, "feff"), (7936, "ff001f00"),
     (65536, "ff010000"), (16777215, "ffffffff")],
)  # fmt: skip
def test_lengths_take_one_two_or_four_bytes(length: int, encoded: str) -> None:
    assert encode_length(length).hex() == encoded
    assert decode_length(bytes.fromhex(encoded) + b"rest") == (length, len(encoded) // 2)
    assert decode_length(bytes.fromhex(encoded)[:-1]) is None


@given(
    st.lists(st.binary(max_size=300), min_size=1, max_size=12),
    st.integers(1, 90),
    st.integers(0, 1 << 32),
)
def test_messages_survive_any_cutting_loss_doubling_and_reordering(
    messages: list[bytes], cut: int, seed: int
) -> None:
    rng = random.Random(seed)
    sender, receiver = SendStream(), ReceiveStream()
    for message_id, message in enumerate(messages):
        sender.append(message_id, message)
    got: list[bytes] = []
    delivered: list[int] = []
    while sender.has_sendable:
        flight = []
        while sender.has_sendable:
            best = rng.randrange(1, cut + 1)
            start, data = sender.take(best, cut)
            assert 0 < len(data) <= min(cut, 2 * best)
            flight.append((start, data))
        rng.shuffle(flight)
        for start, data in flight:
            fate = rng.random()
            if fate < 0.3:
                sender.give_back(start, start + len(data))
                continue
            for _ in range(rng.randrange(1, 3)):
                got += receiver.accept(start & 0xFFFF, data)
            if fate < 0.5:
                sender.give_back(start, start + len(data))  # it arrived, but its acknowledgement did not
            else:
                delivered += sender.confirm(start, start + len(data))
    assert got == messages
    assert delivered == list(range(len(messages)))
    assert sender.unconfirmed == []


def test_offsets_go_round_many_times() -> None:
    rng = random.Random(3)
    sender, receiver = SendStream(), ReceiveStream()
    for message_id in range(300):
        message = rng.randbytes(1000)
        sender.append(message_id, message)
        messages: list[bytes] = []
        while sender.has_sendable:
            start, data = sender.take(400, 1000)
            messages += receiver.accept(start & 0xFFFF, data)
            assert receiver.accept(start & 0xFFFF, data) == []
            sender.confirm(start, start + len(data))
        assert messages == [message]


def test_the_sender_keeps_to_the_window() -> None:
    sender = SendStream(window_bytes=300)
    sender.append(1, bytes(1000))
    taken = []
    while sender.has_sendable:
        taken.append(sender.take(128, 128))
    assert [(start, len(data)) for start, data in taken] == [(0, 100), (100, 100), (200, 100)]
    sender.confirm(0, 128)
    assert sender.take(200, 200) == (300, bytes(128))


def test_what_is_left_is_cut_evenly_and_not_at_all_when_it_is_little() -> None:
    for size, best, cuts in (
        (95, 80, [95]),
        (150, 80, [75, 75]),
        (100, 60, [50, 50]),
        (90, 30, [30, 30, 30]),
    ):
        sender = SendStream()
        sender.append(1, bytes(size - 1))
        taken = []
        while sender.has_sendable:
            taken.append(len(sender.take(best, 1000)[1]))
        assert taken == cuts


def test_an_offset_is_near_when_few_low_bits_tell_it() -> None:
    """Whatever the receiver expects: from what is confirmed to what was sent last."""
    sender, receiver = SendStream(), ReceiveStream()
    sender.append(1, bytes(8996))  # and four for its length: 18 times 500
    sent = [sender.take(500, 500) for _ in range(8)]
    assert [sender.is_near(start, 2048) for start, _ in sent] == [False, False, False, False, True] + 3 * [
        False
    ]
    for start, data in sent[:4]:
        receiver.accept(start, data)
        sender.confirm(start, start + len(data))
    sender.give_back(3500, 4000)
    for start, data in (sent[4], sender.take(500, 500)):
        assert sender.is_near(start, 2048)
        receiver.accept(start & 0xFFF, data, offset_bits=12)
    assert receiver._expected == 2500
    assert list(receiver._held) == [(3500, 4000)]


def test_what_another_frame_has_brought_is_not_sent_again() -> None:
    sender = SendStream()
    sender.append(1, bytes(99))
    sender.take(50, 50)
    sender.take(50, 50)
    sender.confirm(20, 60)
    sender.give_back(0, 100)
    assert sender.take(1000, 1000)[0] == 0
    assert [sender.take(1000, 1000)[0], sender.has_sendable] == [60, False]


def test_a_late_confirmation_takes_back_what_was_to_be_sent_again() -> None:
    sender = SendStream()
    sender.append(1, bytes(99))
    sender.take(100, 100)
    sender.give_back(0, 100)
    assert sender.confirm(0, 60) == []
    assert sender.take(1000, 1000)[0] == 60
    sender.give_back(60, 100)
    assert sender.confirm(60, 100) == [1]
    assert not sender.has_sendable


def test_what_the_protocol_forbids_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="window"):
        ReceiveStream().accept(WINDOW_BYTES_MAX, b"x")
    with pytest.raises(ProtocolViolation, match="announced"):
        ReceiveStream().accept(0, encode_length(MESSAGE_BYTES_MAX + 1))
    with pytest.raises(ProtocolViolation, match="announced"):
        ReceiveStream().accept(0, b"\xff\xff\xff\xff")
