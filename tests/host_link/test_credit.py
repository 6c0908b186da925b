"""Flow control for each channel, and messages of up to 1 MiB."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_link.credit import HOLD_BYTES, LINK_CHANNEL, Go, Hold, decode_credit, encode_credit
from host_link.errors import ProtocolViolation
from host_link.events import Channel, DownReason, LinkDown, LinkEvent, MessageDelivered, MessageReceived
from host_link.frames import Data, encode_body
from host_link.framing import encode_frame
from host_link.inbox import MESSAGE_COST_BYTES, Inbox
from host_link.streams import MESSAGE_BYTES_MAX, WINDOW_BYTES_MAX
from tests.host_link.virtual_link import VirtualLink

FAST = 4_000_000
"""bits/s: 1 MiB in under three seconds of virtual time."""


def received(link: VirtualLink, name: str, channel: Channel) -> list[bytes]:
    messages = (event for event in link.events[name] if isinstance(event, MessageReceived))
    return [message.payload for message in messages if message.channel is channel]


def test_hold_and_go_as_the_protocol_writes_them() -> None:
    assert encode_credit(Hold(2, 0x4000)) == bytes.fromhex("01 02 40 00")
    assert encode_credit(Go(2)) == bytes.fromhex("02 02")
    for credit in (Hold(4, 0xFFFF), Go(0)):
        assert decode_credit(encode_credit(credit) + b"what a later version adds") == credit
    assert (decode_credit(b""), decode_credit(b"\x77")) == (None, None)
    for short in (b"\x01\x02\x40", b"\x02"):
        with pytest.raises(ProtocolViolation):
            decode_credit(short)


def held_link(seed: int = 1, **faults: float) -> tuple[VirtualLink, list[bytes]]:
    """A link whose gateway does not take FILE messages, and the messages that wait to get through."""
    link = VirtualLink(seed, bits_per_s=FAST, **faults)  # type: ignore[arg-type]
    link.run_until(100)
    link.sessions["b"].pause(Channel.FILE)
    messages = [link.rng.randbytes(1000) for _ in range(100)]
    for message in messages:
        link.sessions["a"].send(Channel.FILE, message, now_ms=link.now_ms)
    return link, messages


@pytest.mark.parametrize("bit_error_rate", [0.0, 1e-4])
def test_a_channel_that_nobody_reads_stops_and_the_others_go_on(bit_error_rate: float) -> None:
    link, messages = held_link(bit_error_rate=bit_error_rate)
    sender, receiver = link.sessions["a"], link.sessions["b"]
    link.run_until(1000)
    stuck_bytes = sender.backlog_bytes(Channel.FILE)
    held_bytes = receiver._inbox.waiting_bytes[Channel.FILE]
    assert HOLD_BYTES <= held_bytes <= HOLD_BYTES + 2 * (WINDOW_BYTES_MAX + 1000)
    assert stuck_bytes >= 100_000 - held_bytes
    link.run_until(20_000)
    assert sender.backlog_bytes(Channel.FILE) == stuck_bytes
    for turn in range(20):
        sender.send(Channel.HOST, bytes([turn]) * 1000, now_ms=link.now_ms)
        sender.send(Channel.LOG, bytes([turn]) * 1000, now_ms=link.now_ms)
        link.run_until(link.now_ms + 200)
    for channel in (Channel.HOST, Channel.LOG):
        assert received(link, "b", channel) == [bytes([turn]) * 1000 for turn in range(20)]
    assert received(link, "b", Channel.FILE) == []
    receiver.resume(Channel.FILE)
    link.run_until(link.now_ms + 3000)
    assert received(link, "b", Channel.FILE) == messages
    assert sender.backlog_bytes(Channel.FILE) == 0
    assert [event for event in link.events["a"] if isinstance(event, LinkDown)] == []


def test_an_idle_line_stays_idle_while_a_channel_is_held() -> None:
    link, _ = held_link()
    link.run_until(5000)
    before = link.sessions["a"].counters.bytes_sent
    link.run_until(15_000)
    assert link.sessions["a"].counters.bytes_sent - before < 400  # keep-alive and its answers


def test_a_hold_outlives_a_restart_of_the_peer() -> None:
    """What waits for the user still takes memory, whichever session it came in."""
    link, _ = held_link()
    link.run_until(1000)
    held_bytes = link.sessions["b"]._inbox.waiting_bytes[Channel.FILE]
    link.boot("a")
    link.run_until(1500)
    later = [link.rng.randbytes(1000) for _ in range(100)]
    for message in later:
        link.sessions["a"].send(Channel.FILE, message, now_ms=link.now_ms)
    link.run_until(3000)
    assert link.sessions["b"]._inbox.waiting_bytes[Channel.FILE] <= held_bytes + 2 * WINDOW_BYTES_MAX
    link.sessions["b"].resume(Channel.FILE)
    link.run_until(6000)
    assert received(link, "b", Channel.FILE)[-100:] == later


def test_a_peer_that_does_not_stop_gets_nothing_more_taken() -> None:
    """Memory is bounded whatever the peer does."""
    link, _ = held_link()
    link.run_until(1000)
    receiver = link.sessions["b"]
    waiting = receiver._inbox.waiting_bytes[Channel.FILE]
    tag = receiver._decoder.tag
    expected = receiver._transport._incoming[Channel.FILE]._expected
    limit = receiver._transport._incoming[Channel.FILE].limit
    assert limit is not None
    for step in range(100):
        at = (limit - 10 + step * 500) & 0xFFFF
        body = encode_body(Data(Channel.FILE, step & 0xFF, at, bytes(500)))
        receiver.receive(encode_frame(body, tag), now_ms=link.now_ms)
    assert receiver._inbox.waiting_bytes[Channel.FILE] == waiting
    assert receiver._transport._incoming[Channel.FILE]._expected == expected


@pytest.mark.parametrize("channel", [5, LINK_CHANNEL])
def test_a_hold_of_a_channel_that_cannot_be_held_ends_the_session(channel: int) -> None:
    link = VirtualLink()
    link.run_until(100)
    hold = encode_credit(Hold(channel, 9))
    body = encode_body(Data(LINK_CHANNEL, 0, 0, bytes([len(hold)]) + hold))
    session = link.sessions["a"]
    session.receive(encode_frame(body, session._decoder.tag), now_ms=link.now_ms)
    link.run_until(300)
    assert LinkDown(DownReason.PROTOCOL) in link.events["a"]


def test_a_message_of_a_mebibyte_arrives_and_urgent_ones_pass_it() -> None:
    link = VirtualLink(2, bits_per_s=FAST, bit_error_rate=1e-6)
    link.run_until(100)
    sender = link.sessions["a"]
    large = link.rng.randbytes(MESSAGE_BYTES_MAX)
    message_id = sender.send(Channel.FILE, large, now_ms=link.now_ms)
    waited_ms = []
    for turn in range(20):
        link.run_until(link.now_ms + 50)
        began_ms = link.now_ms
        sender.send(Channel.HOST, b"urgent", now_ms=began_ms)
        link.run_until(began_ms + 1000, stop=lambda turn=turn: len(received(link, "b", Channel.HOST)) > turn)  # type: ignore[misc]
        waited_ms.append(link.now_ms - began_ms)
    assert sorted(waited_ms)[-2] <= 12  # what is handed over ahead of the line, and a frame
    link.run_until(link.now_ms + 8000, stop=lambda: bool(received(link, "b", Channel.FILE)))
    link.run_until(link.now_ms + 100)
    assert received(link, "b", Channel.FILE) == [large]
    assert MessageDelivered(message_id) in link.events["a"]
    assert sender.backlog_bytes(Channel.FILE) == 0


STEPS = st.lists(st.tuples(st.sampled_from("psrt"), st.integers(0, 2)), max_size=60)


@given(STEPS)
def test_an_inbox_gives_each_channel_in_order_and_nothing_of_one_that_is_paused(
    steps: list[tuple[str, int]],
) -> None:
    inbox, paused, count = Inbox(), set[int](), 0
    waiting: list[list[int]] = [[], [], []]
    for step, number in steps:
        match step:
            case "s":
                inbox.put(MessageReceived(Channel(number), count.to_bytes(2, "big")))
                waiting[number].append(count)
                count += 1
            case "p":
                inbox.pause(number)
                paused.add(number)
            case "r":
                inbox.resume(number)
                paused.discard(number)
            case _:
                event = inbox.take()
                ready = [channel for channel in range(3) if waiting[channel] and channel not in paused]
                if not ready:
                    assert event is None
                    continue
                assert isinstance(event, MessageReceived)
                assert event.channel in ready
                assert waiting[event.channel].pop(0) == int.from_bytes(event.payload, "big")
        for channel in range(3):
            assert inbox.waiting_bytes[channel] == len(waiting[channel]) * (2 + MESSAGE_COST_BYTES)


@pytest.mark.parametrize("seed", range(4))
def test_a_reader_that_stops_and_goes_gets_everything_in_any_weather(seed: int) -> None:
    rng = random.Random(seed)
    link = VirtualLink(seed, bits_per_s=1_000_000, bit_error_rate=2e-4, latency_ms=rng.randrange(10))
    sent = {channel: [link.rng.randbytes(rng.randrange(4000)) for _ in range(25)] for channel in Channel}
    for channel, messages in sent.items():
        for message in messages:
            link.sessions["a"].send(channel, message, now_ms=0)
    for _ in range(40):
        channel = rng.choice(list(Channel))
        rng.choice([link.sessions["b"].pause, link.sessions["b"].resume])(channel)
        link.run_until(link.now_ms + rng.randrange(200))
        if rng.random() < 0.1:
            link.line.cut(link.now_ms)
            link.run_until(link.now_ms + rng.randrange(400))
            link.line.mend(link.now_ms)
    for channel in Channel:
        link.sessions["b"].resume(channel)
    link.run_until(
        link.now_ms + 30_000,
        stop=lambda: all(len(received(link, "b", channel)) == len(sent[channel]) for channel in Channel),
    )
    for channel in Channel:
        assert received(link, "b", channel) == sent[channel]


def test_events_other_than_messages_pass_a_paused_channel() -> None:
    inbox = Inbox()
    inbox.pause(Channel.HOST)
    down: LinkEvent = LinkDown(DownReason.SILENCE)
    inbox.extend([MessageReceived(Channel.HOST, b"1"), down])
    assert (inbox.take(), inbox.take()) == (down, None)
