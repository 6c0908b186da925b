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


@pytest.mark.parametrize(("length", "encoded"), [(0, "00"), (127, "7f"), (128, "8001"), (624485, "e58e26")])
def test_lengths_are_leb128(length: int, encoded: str) -> None:
    """624485 is the worked example of the DWARF standard's appendix on LEB128."""
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
            start, data = sender.take(rng.randrange(1, cut + 1))
            assert 0 < len(data) <= cut
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
            start, data = sender.take(400)
            messages += receiver.accept(start & 0xFFFF, data)
            assert receiver.accept(start & 0xFFFF, data) == []
            sender.confirm(start, start + len(data))
        assert messages == [message]


def test_the_sender_keeps_to_the_window() -> None:
    sender = SendStream(window_bytes=300)
    sender.append(1, bytes(1000))
    taken = []
    while sender.has_sendable:
        taken.append(sender.take(128))
    assert [(start, len(data)) for start, data in taken] == [(0, 128), (128, 128), (256, 44)]
    sender.confirm(0, 128)
    assert sender.take(200) == (300, bytes(128))


def test_what_another_frame_has_brought_is_not_sent_again() -> None:
    sender = SendStream()
    sender.append(1, bytes(99))
    sender.take(50)
    sender.take(50)
    sender.confirm(20, 60)
    sender.give_back(0, 100)
    assert sender.take(1000)[0] == 0
    assert [sender.take(1000)[0], sender.has_sendable] == [60, False]


def test_a_late_confirmation_takes_back_what_was_to_be_sent_again() -> None:
    sender = SendStream()
    sender.append(1, bytes(99))
    sender.take(100)
    sender.give_back(0, 100)
    assert sender.confirm(0, 60) == []
    assert sender.take(1000)[0] == 60
    sender.give_back(60, 100)
    assert sender.confirm(60, 100) == [1]
    assert not sender.has_sendable


def test_what_the_protocol_forbids_is_refused() -> None:
    with pytest.raises(ProtocolViolation, match="window"):
        ReceiveStream().accept(WINDOW_BYTES_MAX, b"x")
    with pytest.raises(ProtocolViolation, match="announced"):
        ReceiveStream().accept(0, encode_length(MESSAGE_BYTES_MAX + 1))
    with pytest.raises(ProtocolViolation, match="three bytes"):
        ReceiveStream().accept(0, b"\xff\xff\xff\x01")
