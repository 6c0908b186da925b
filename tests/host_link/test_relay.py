from __future__ import annotations

import pytest

from host_link.control import BankStatus
from host_link.relay import (
    CONNECT_TIMEOUT_MS,
    REQUESTS_KEPT_MAX,
    Action,
    BankState,
    CloseBank,
    Connect,
    Relay,
    SendToBank,
    SendToTerminal,
)
from host_link.session import Channel, LinkUp, MessageReceived, PeerRestarted


def request(relay: Relay, payload: bytes, now_ms: int = 0) -> list[Action]:
    return relay.on_link_event(MessageReceived(Channel.HOST, payload), now_ms=now_ms)


def told(status: BankStatus) -> SendToTerminal:
    return SendToTerminal(Channel.CONTROL, status.encode())


def connected(*payloads: bytes) -> Relay:
    relay = Relay()
    for payload in payloads or (b"first",):
        request(relay, payload)
    relay.on_bank_connected(now_ms=1)
    return relay


@pytest.mark.parametrize("status", list(BankStatus))
def test_bank_status_round_trip(status: BankStatus) -> None:
    assert BankStatus.decode(status.encode()) is status
    assert BankStatus.decode(status.encode() + b"what a newer peer adds") is status


@pytest.mark.parametrize("message", [b"", b"\x01", b"\x01\x09", b"\x02\x01"])
def test_unknown_control_messages_are_nothing(message: bytes) -> None:
    assert BankStatus.decode(message) is None


def test_the_first_request_connects_and_is_then_sent_with_its_length() -> None:
    relay = Relay()
    assert request(relay, b"first") == [Connect()]
    assert request(relay, b"second") == []
    assert relay.on_bank_connected(now_ms=1) == [SendToBank(b"\x00\x05first"), SendToBank(b"\x00\x06second")]
    assert request(relay, b"third") == [SendToBank(b"\x00\x05third")]
    assert relay.answers_due == 3


def test_answers_are_cut_out_of_the_stream_however_it_comes() -> None:
    relay = connected()
    stream = b"\x00\x03one\x00\x03two"
    actions = [action for byte in stream for action in relay.on_bank_bytes(bytes([byte]), now_ms=2)]
    assert actions == [SendToTerminal(Channel.HOST, b"one"), SendToTerminal(Channel.HOST, b"two")]
    assert relay.answers_due == 0


def test_a_bank_that_refuses_is_told_at_once_and_nothing_was_sent() -> None:
    relay = Relay()
    request(relay, b"first")
    assert relay.on_bank_refused(now_ms=1) == [told(BankStatus.UNREACHABLE)]
    assert request(relay, b"second", 2) == [Connect()]
    assert relay.on_bank_connected(now_ms=3) == [SendToBank(b"\x00\x06second"), told(BankStatus.REACHABLE)]


def test_connecting_is_given_up_after_the_timeout() -> None:
    relay = Relay()
    request(relay, b"first", 100)
    assert relay.deadline_ms() == 100 + CONNECT_TIMEOUT_MS
    assert relay.on_deadline(now_ms=CONNECT_TIMEOUT_MS + 99) == []
    assert relay.on_deadline(now_ms=CONNECT_TIMEOUT_MS + 100) == [CloseBank(), told(BankStatus.UNREACHABLE)]
    assert relay.deadline_ms() is None
    # A connection that stands only now is of no use: nobody waits for it.
    assert relay.on_bank_connected(now_ms=CONNECT_TIMEOUT_MS + 101) == [CloseBank()]


def test_a_connection_that_breaks_says_lost_only_when_an_answer_is_due() -> None:
    relay = connected()
    assert relay.on_bank_closed(now_ms=2) == [told(BankStatus.LOST)]
    relay = connected()
    relay.on_bank_bytes(b"\x00\x03one", now_ms=2)
    assert relay.on_bank_closed(now_ms=3) == []
    assert relay.state is BankState.IDLE
    assert request(relay, b"next", 4) == [Connect()]


def test_half_an_answer_of_a_broken_connection_is_forgotten() -> None:
    relay = connected()
    relay.on_bank_bytes(b"\x00\x08half", now_ms=2)
    relay.on_bank_closed(now_ms=3)
    request(relay, b"again", 4)
    relay.on_bank_connected(now_ms=5)
    assert relay.on_bank_bytes(b"\x00\x03new", now_ms=6) == [SendToTerminal(Channel.HOST, b"new")]


def test_a_bank_that_talks_nonsense_is_cut_off() -> None:
    relay = connected()
    assert relay.on_bank_bytes(b"HTTP/1.1 400", now_ms=2) == [CloseBank(), told(BankStatus.LOST)]
    assert relay.on_bank_bytes(b"\x00\x01x", now_ms=3) == []


def test_a_restarted_terminals_unsent_requests_are_dropped_and_its_answers_forwarded() -> None:
    relay = Relay()
    request(relay, b"unsent")
    assert relay.on_link_event(PeerRestarted(), now_ms=1) == []
    assert relay.on_bank_connected(now_ms=2) == []
    request(relay, b"sent", 3)
    relay.on_link_event(PeerRestarted(), now_ms=4)
    assert relay.on_bank_bytes(b"\x00\x03one", now_ms=5) == [SendToTerminal(Channel.HOST, b"one")]


def test_what_waits_for_the_connection_is_bounded() -> None:
    relay = Relay()
    actions = [action for _ in range(REQUESTS_KEPT_MAX + 1) for action in request(relay, b"x")]
    assert actions == [Connect(), CloseBank(), told(BankStatus.UNREACHABLE)]


def test_other_events_and_channels_change_nothing() -> None:
    relay = Relay()
    assert relay.on_link_event(LinkUp(), now_ms=0) == []
    assert relay.on_link_event(MessageReceived(Channel.LOG, b"x"), now_ms=0) == []
    assert relay.on_bank_refused(now_ms=0) == relay.on_bank_closed(now_ms=0) == []
    assert "6225" not in repr([SendToBank(b"6225"), SendToTerminal(Channel.HOST, b"6225")])
