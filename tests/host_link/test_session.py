from __future__ import annotations

import pytest

from host_link.errors import MessageTooLong, SessionClosed
from host_link.frames import Data, Hello, encode_body
from host_link.framing import encode_frame
from host_link.handshake import Role
from host_link.session import (
    Channel,
    DownReason,
    LinkDown,
    LinkEvent,
    LinkUp,
    MessageDelivered,
    MessageReceived,
    MessageUnconfirmed,
    PeerRestarted,
    Session,
)
from tests.host_link.virtual_link import VirtualLink


def received(events: list[LinkEvent]) -> list[tuple[Channel, bytes]]:
    return [(event.channel, event.payload) for event in events if isinstance(event, MessageReceived)]


def up(seed: int = 1, **options: float) -> VirtualLink:
    link = VirtualLink(seed, **options)  # type: ignore[arg-type]
    link.run_until(300)
    assert link.events == {"a": [LinkUp()], "b": [LinkUp()]}
    return link


def test_both_ends_are_up_within_two_hellos() -> None:
    link = VirtualLink()
    link.run_until(10, stop=lambda: all(session.is_up for session in link.sessions.values()))
    assert link.now_ms < 10


@pytest.mark.parametrize("first", ["a", "b"])
def test_one_end_may_come_long_before_the_other(first: str) -> None:
    link = VirtualLink()
    late = "b" if first == "a" else "a"
    sessions = dict(link.sessions)
    link.sessions = {first: sessions[first]}
    message_id = sessions[first].send(Channel.HOST, b"early", now_ms=0)
    link.run_until(5000)
    link.sessions = sessions
    link.run_until(5200)
    assert link.events[first] == [LinkUp(), MessageDelivered(message_id)]
    assert received(link.events[late]) == [(Channel.HOST, b"early")]


@pytest.mark.parametrize("size", [0, 1, 127, 128, 1018, 5000, 65536])
def test_messages_of_every_size_arrive_and_are_confirmed(size: int) -> None:
    link = up()
    payload = link.rng.randbytes(size)
    message_id = link.sessions["a"].send(Channel.FILE, payload, now_ms=link.now_ms)
    link.run_until(link.now_ms + 10_000)
    assert received(link.events["b"]) == [(Channel.FILE, payload)]
    assert link.events["a"][1:] == [MessageDelivered(message_id)]


def test_what_cannot_be_sent_is_refused() -> None:
    session = Session(Role.TERMINAL, nonce=1)
    with pytest.raises(SessionClosed):
        session.send(Channel.HOST, b"x", now_ms=0)
    session.open(now_ms=0)
    with pytest.raises(MessageTooLong):
        session.send(Channel.HOST, bytes(1024 * 1024 + 1), now_ms=0)


def exchange_times(link: VirtualLink, count: int) -> list[int]:
    """Milliseconds from a request of 150 bytes to its answer of 120."""
    times: list[int] = []
    began = [0]

    def on_event(name: str, event: LinkEvent) -> None:
        if isinstance(event, MessageReceived):
            if name == "b":
                link.sessions["b"].send(Channel.HOST, link.rng.randbytes(120), now_ms=link.now_ms)
            else:
                times.append(link.now_ms - began[0])

    link.on_event = on_event
    for turn in range(count):
        began[0] = link.now_ms
        link.sessions["a"].send(Channel.HOST, link.rng.randbytes(150), now_ms=link.now_ms)
        link.run_until(link.now_ms + 60_000, stop=lambda turn=turn: len(times) > turn)  # type: ignore[misc]
        link.run_until(link.now_ms + 7)
    return sorted(times)


def test_an_exchange_takes_hardly_longer_than_the_line_needs() -> None:
    """270 bytes and 8 a frame take 24.8 ms at 115200 baud."""
    assert exchange_times(up(), 20)[10] <= 27


def test_an_exchange_survives_a_bad_line_quickly() -> None:
    times = exchange_times(up(2, bit_error_rate=1e-4), 100)
    assert times[98] < 80
    assert exchange_times(up(2, bit_error_rate=1e-3), 50)[48] <= 400


def test_on_one_wire_requests_are_answered_although_both_ends_may_talk_at_once() -> None:
    """Half duplex is not what the link is made for; but where one asks and one answers it must do."""
    link = VirtualLink(half_duplex=True)
    link.run_until(17)
    link.boot("b")  # ends that start in the same millisecond would say HELLO in the same one for ever
    link.run_until(500)
    assert len(exchange_times(link, 50)) == 50


def test_an_urgent_message_waits_for_one_frame_at_most() -> None:
    link = up()
    link.sessions["a"].send(Channel.FILE, bytes(60_000), now_ms=link.now_ms)
    link.run_until(link.now_ms + 1000)
    began = link.now_ms
    link.sessions["a"].send(Channel.HOST, b"authorise", now_ms=began)
    link.run_until(began + 5000, stop=lambda: bool(received(link.events["b"])))
    assert received(link.events["b"]) == [(Channel.HOST, b"authorise")]
    assert link.now_ms - began <= 100 + 10


@pytest.mark.parametrize("outage_ms", [50, 500, 4_000, 60_000])
@pytest.mark.parametrize("bits_per_s", [115_200, 9_600])
def test_after_an_outage_traffic_flows_again_at_once(outage_ms: int, bits_per_s: int) -> None:
    link = up(bits_per_s=bits_per_s)
    sent = [link.rng.randbytes(40) for _ in range(4)]
    link.sessions["a"].send(Channel.HOST, sent[0], now_ms=link.now_ms)
    link.turn()
    link.line.cut(link.now_ms + 1)
    link.run_until(link.now_ms + outage_ms)
    for message in sent[1:]:
        link.sessions["a"].send(Channel.HOST, message, now_ms=link.now_ms)
    link.line.mend(link.now_ms)
    began = link.now_ms
    link.run_until(began + 2000, stop=lambda: bool(received(link.events["b"])))
    own_time_ms = 60 * 10_000 // bits_per_s
    round_trip_ms = own_time_ms + 15 * 10_000 // bits_per_s
    assert link.now_ms - began <= max(100, 4 * round_trip_ms) + own_time_ms
    link.run_until(began + 3000)
    assert received(link.events["b"]) == [(Channel.HOST, message) for message in sent]
    assert [event for event in link.events["a"] if isinstance(event, MessageDelivered)] == [
        MessageDelivered(message_id) for message_id in (1, 2, 3, 4)
    ]
    downs = [LinkDown(DownReason.SILENCE), LinkUp()] if outage_ms > 2500 else []
    assert [event for event in link.events["a"] if isinstance(event, LinkUp | LinkDown)] == [LinkUp(), *downs]


def test_silence_is_told_within_three_seconds_and_without_traffic() -> None:
    link = up()
    link.run_until(10_000)
    assert link.events["a"] == [LinkUp()]
    link.line.cut(10_000)
    link.run_until(13_000)
    link.line.mend(13_000)
    link.run_until(13_100)
    told = [LinkUp(), LinkDown(DownReason.SILENCE), LinkUp()]
    assert link.events == {"a": told, "b": told}
    assert link.times["a"][1] - 10_000 <= 3000


@pytest.mark.parametrize("rebooted", ["a", "b"])
def test_a_silent_reboot_is_noticed_at_the_first_frame(rebooted: str) -> None:
    link = up()
    other = "b" if rebooted == "a" else "a"
    done = link.sessions[other].send(Channel.HOST, b"done", now_ms=link.now_ms)
    link.run_until(link.now_ms + 100)
    link.line.cut(link.now_ms)
    lost = [link.sessions[other].send(Channel.HOST, b"lost", now_ms=link.now_ms) for _ in range(2)]
    link.run_until(link.now_ms + 1000)
    link.boot(rebooted)
    link.line.mend(link.now_ms)
    began = link.now_ms
    link.run_until(began + 200)
    assert link.events[other] == [
        LinkUp(),
        MessageDelivered(done),
        LinkDown(DownReason.PEER_RESTARTED),
        PeerRestarted(),
        *[MessageUnconfirmed(message_id) for message_id in lost],
        LinkUp(),
    ]
    noticed = link.times[other][link.events[other].index(PeerRestarted())]
    assert noticed - began <= 5
    again = link.sessions[other].send(Channel.HOST, b"again", now_ms=link.now_ms)
    link.run_until(link.now_ms + 100)
    assert link.events[other][-1] == MessageDelivered(again)
    assert received(link.events[rebooted])[-1] == (Channel.HOST, b"again")
    assert link.sessions[other].counters.peer_restarts == 1


def test_both_ends_may_reboot_at_once() -> None:
    link = up()
    link.boot("a")
    link.boot("b")
    link.run_until(link.now_ms + 200)
    assert link.events == {"a": [LinkUp(), LinkUp()], "b": [LinkUp(), LinkUp()]}


def test_close_tells_the_peer_and_reports_what_is_open() -> None:
    link = up()
    message_id = link.sessions["a"].send(Channel.HOST, bytes(5000), now_ms=link.now_ms)
    link.turn()
    link.sessions["a"].close(now_ms=link.now_ms)
    link.run_until(link.now_ms + 200)
    assert link.events["a"][1:] == [LinkDown(DownReason.CLOSED), MessageUnconfirmed(message_id)]
    assert link.events["b"][1:] == [LinkDown(DownReason.PEER_CLOSED)]
    assert link.sessions["a"].deadline_ms() is None
    link.sessions["a"].open(now_ms=link.now_ms)
    link.run_until(link.now_ms + 200)
    assert link.events["a"][-1] == link.events["b"][-1] == LinkUp()
    assert PeerRestarted() not in link.events["b"]


def test_a_close_that_was_lost_is_told_again() -> None:
    link = up()
    link.line.cut(link.now_ms)
    link.sessions["a"].close(now_ms=link.now_ms)
    link.run_until(link.now_ms + 100)
    link.line.mend(link.now_ms)
    link.run_until(link.now_ms + 1200)
    assert link.events["b"][-1] == LinkDown(DownReason.PEER_CLOSED)


def test_our_own_bytes_coming_back_do_no_harm() -> None:
    """A line that echoes (a loop-back plug, RS-485): before a session, and within one."""
    link = up()
    session = link.sessions["a"]
    message_id = session.send(Channel.HOST, b"hello", now_ms=link.now_ms)
    echo = session.bytes_to_send(now_ms=link.now_ms)
    link.ends("a")[0].write(echo, link.now_ms)
    session.receive(echo, now_ms=link.now_ms)
    link.run_until(link.now_ms + 500)
    assert link.events["a"] == [LinkUp(), MessageDelivered(message_id)]
    alone = Session(Role.TERMINAL, nonce=5)
    alone.open(now_ms=0)
    alone.receive(alone.bytes_to_send(now_ms=0), now_ms=1)
    assert (alone.is_up, alone.counters.reflections) == (False, 1)


def gateway_hello(nonce: int, peer_nonce: int, *, version_max: int, version_min: int = 1) -> Hello:
    return Hello(
        nonce,
        peer_nonce,
        from_gateway=True,
        answer_wanted=True,
        version_max=version_max,
        version_min=version_min,
        body_bytes_max=900,
        window_bytes=9000,
    )


def test_a_peer_of_another_version_is_told_apart() -> None:
    session = Session(Role.TERMINAL, nonce=5)
    session.open(now_ms=0)
    newer = gateway_hello(9, 0, version_max=3)
    alien = gateway_hello(8, 5, version_max=9, version_min=7)
    session.receive(encode_frame(encode_body(alien)) * 2, now_ms=1)
    assert [session.next_event(), session.next_event()] == [LinkDown(DownReason.INCOMPATIBLE), None]
    session.receive(encode_frame(encode_body(newer) + b"what version 3 adds"), now_ms=2)
    assert not session.is_up
    reply = encode_body(gateway_hello(9, 5, version_max=3))
    session.receive(encode_frame(reply), now_ms=3)
    assert session.next_event() == LinkUp()


def test_what_the_protocol_forbids_resets_the_session() -> None:
    link = up()
    lost = link.sessions["a"].send(Channel.HOST, bytes(9000), now_ms=link.now_ms)
    tag = link.sessions["a"]._decoder.tag
    wrong = encode_body(Data(Channel.HOST, 0, 0x7000, b"beyond the window"))
    link.sessions["a"].receive(encode_frame(wrong, tag), now_ms=link.now_ms)
    link.run_until(link.now_ms + 500)
    assert link.events["a"][1:] == [LinkDown(DownReason.PROTOCOL), MessageUnconfirmed(lost), LinkUp()]
    assert link.events["b"][1:] == [LinkDown(DownReason.PEER_CLOSED), LinkUp()]


def test_events_do_not_show_what_is_in_a_message() -> None:
    assert "6225" not in repr(MessageReceived(Channel.HOST, b"6225880123456783"))


def test_frames_sent_are_counted_and_crc_errors_apart_from_other_noise() -> None:
    link = up()
    sender, receiver = link.sessions["a"], link.sessions["b"]
    assert sender.counters.frames_sent == receiver.counters.frames_received > 2
    frame = encode_frame(b"\x02\x01\x01", receiver._decoder.tag)
    receiver.receive(frame[:2] + bytes([frame[2] ^ 0x10]) + frame[3:], now_ms=link.now_ms)
    receiver.receive(b"\x09\x01\x02\x00\x02\x05\x00", now_ms=link.now_ms)
    counters = receiver.counters
    assert (counters.noise_pieces, counters.check_errors) == (3, 1)
