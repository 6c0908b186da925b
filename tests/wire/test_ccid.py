"""CCID messages and the frames of serial readers: published bytes, damage, any bytes in any pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.ccid import (
    NAK_FRAME,
    CardMove,
    CardState,
    CcidError,
    CcidMessage,
    CcidType,
    CommandState,
    FrameDamaged,
    FrameEvent,
    RepeatWanted,
    SerialFrameReader,
    encode_frame,
)

# The escape with which pcscd's serial driver asks a GemPC Twin for its firmware.
ESCAPE = CcidMessage(CcidType.ESCAPE, sequence=1, data=b"\x02")
ESCAPE_FRAME = bytes.fromhex("0306 6B 01000000 00 01 000000 02 6C")
MESSAGES = st.builds(
    CcidMessage,
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 255),
    st.binary(min_size=3, max_size=3),
    st.binary(max_size=300),
)


def fed(data: bytes, size: int, *, data_bytes_max: int = 1024) -> list[FrameEvent]:
    reader, events = SerialFrameReader(data_bytes_max=data_bytes_max), []
    for begin in range(0, len(data), size):
        events += reader.feed(data[begin : begin + size])
    return events


def test_a_frame_as_it_is_on_the_line() -> None:
    assert encode_frame(ESCAPE) == ESCAPE_FRAME
    assert fed(ESCAPE_FRAME, 1) == [ESCAPE]
    assert bytes.fromhex("031516") == NAK_FRAME


def test_the_status_of_an_answer() -> None:
    answer = CcidMessage(CcidType.DATA_BLOCK, specific=bytes([0x42, 0xFE, 0x00]))
    assert (answer.card, answer.command, answer.error) == (CardState.ABSENT, CommandState.FAILED, 0xFE)
    extension = CcidMessage(CcidType.DATA_BLOCK, specific=bytes([0x80, 0x03, 0x00]))
    assert (extension.card, extension.command) == (CardState.ACTIVE, CommandState.TIME_EXTENSION)
    reserved = CcidMessage(CcidType.STATUS, specific=bytes([0xC3, 0, 0]))
    assert (reserved.card, reserved.command) == (None, None)


def test_card_moves_and_requests_to_repeat_stand_between_frames() -> None:
    stream = b"\x50\x03" + ESCAPE_FRAME + b"\x50\x02" + NAK_FRAME + b"\x03\x15\x17"
    for size in (1, 2, 5, len(stream)):
        assert fed(stream, size) == [
            CardMove.INSERTED,
            ESCAPE,
            CardMove.REMOVED,
            RepeatWanted(),
            FrameDamaged(),
        ]


def test_a_damaged_frame_does_not_hide_the_next_one() -> None:
    damaged = ESCAPE_FRAME[:-1] + b"\x00"
    assert fed(damaged + ESCAPE_FRAME, 4) == [FrameDamaged(), ESCAPE]


def test_noise_is_passed_over_and_counted() -> None:
    reader = SerialFrameReader()
    assert reader.feed(b"\xff\x50\x77\x03\x03" + ESCAPE_FRAME) == [ESCAPE]
    assert reader.skipped_bytes == 5


def test_a_length_that_no_reader_sends_is_damage() -> None:
    assert fed(bytes.fromhex("0306 80 FFFFFF7F"), 3)[0] == FrameDamaged()


def test_what_is_no_message() -> None:
    with pytest.raises(CcidError) as caught:
        CcidMessage.decode(ESCAPE.encode()[:-1])
    assert caught.value.reason == "truncated"
    with pytest.raises(CcidError) as caught:
        CcidMessage.decode(ESCAPE.encode() + b"\0")
    assert caught.value.reason == "trailing_data"
    with pytest.raises(CcidError):
        CcidMessage(0x6F, specific=b"").encode()


def test_contents_are_not_printed() -> None:
    assert "1234" not in repr(CcidMessage(CcidType.TRANSFER, data=b"1234"))


@given(st.lists(MESSAGES, max_size=4), st.integers(1, 50))
def test_messages_come_back_in_any_pieces(messages: list[CcidMessage], size: int) -> None:
    stream = b"".join(encode_frame(message) for message in messages)
    assert fed(stream, size) == messages


@given(st.binary(max_size=600), st.integers(1, 40))
def test_any_bytes_give_the_same_in_any_pieces_and_nothing_grows(data: bytes, size: int) -> None:
    assert fed(data, size, data_bytes_max=64) == fed(data, len(data) or 1, data_bytes_max=64)
    reader = SerialFrameReader(data_bytes_max=64)
    for byte in data:
        reader.feed(bytes([byte]))
        assert len(reader._buffer) <= 2 + 10 + 64 + 1
