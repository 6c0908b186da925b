from __future__ import annotations

import pytest

from host_link.backoff import Backoff
from host_link.control import BankReport, BankStatus, request_check
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


def told(status: BankStatus, port: int = 0) -> SendToTerminal:
    return SendToTerminal(Channel.CONTROL, BankReport(status).encode(), port)


def not_sent(payload: bytes, port: int = 0) -> SendToTerminal:
    report = BankReport(BankStatus.UNREACHABLE, request_check(payload))
    return SendToTerminal(Channel.CONTROL, report.encode(), port)


def connected(*payloads: bytes) -> Relay:
    relay = Relay()
    for payload in payloads or (b"first",):
        request(relay, payload)
    relay.on_bank_connected(now_ms=1)
    return relay


REPORTS = [BankReport(status) for status in BankStatus] + [BankReport(BankStatus.UNREACHABLE, 0xFFFFFFFF)]


@pytest.mark.parametrize("report", REPORTS, ids=repr)
def test_bank_reports_round_trip(report: BankReport) -> None:
    assert BankReport.decode(report.encode()) == report
    if report != BankReport(BankStatus.UNREACHABLE):
        assert BankReport.decode(report.encode() + b"what a newer peer adds") == report


def test_unreachable_names_its_request() -> None:
    # "123456789" and its CRC-32/ISO-HDLC: the check value of every catalogue of CRCs.
    report = BankReport(BankStatus.UNREACHABLE, request_check(b"123456789"))
    assert report.encode() == bytes.fromhex("0102 CBF43926")
    assert "CBF4" not in repr(report).upper()
    assert "3421780262" not in repr(report)


@pytest.mark.parametrize("message", [b"", b"\x01", b"\x01\x09", b"\x02\x01"])
def test_unknown_control_messages_are_nothing(message: bytes) -> None:
    assert BankReport.decode(message) is None


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
    assert relay.on_bank_refused(now_ms=1) == [not_sent(b"first")]
    assert request(relay, b"second", 2) == [Connect()]
    assert relay.on_bank_connected(now_ms=3) == [SendToBank(b"\x00\x06second"), told(BankStatus.REACHABLE)]


def test_connecting_is_given_up_after_the_timeout() -> None:
    relay = Relay()
    request(relay, b"first", 100)
    assert relay.deadline_ms() == 100 + CONNECT_TIMEOUT_MS
    assert relay.on_deadline(now_ms=CONNECT_TIMEOUT_MS + 99) == []
    assert relay.on_deadline(now_ms=CONNECT_TIMEOUT_MS + 100) == [CloseBank(), not_sent(b"first")]
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
    payloads = [bytes([number]) for number in range(REQUESTS_KEPT_MAX + 1)]
    actions = [action for payload in payloads for action in request(relay, payload)]
    assert actions == [Connect(), not_sent(payloads[-1])]
    assert relay.on_bank_refused(now_ms=1) == [not_sent(payload) for payload in payloads[:-1]]


def test_other_events_and_channels_change_nothing() -> None:
    relay = Relay()
    assert relay.on_link_event(LinkUp(), now_ms=0) == []
    assert relay.on_link_event(MessageReceived(Channel.LOG, b"x"), now_ms=0) == []
    assert relay.on_bank_refused(now_ms=0) == relay.on_bank_closed(now_ms=0) == []
    assert "6225" not in repr([SendToBank(b"6225"), SendToTerminal(Channel.HOST, b"6225")])


# --- coming back by itself ---------------------------------------------------------------------------


def test_waits_double_up_to_a_limit_and_begin_anew_after_success() -> None:
    backoff = Backoff(lambda: 0.5, first_ms=100, longest_ms=400)
    assert [backoff.next_ms() for _ in range(4)] == [75, 150, 300, 300]
    backoff.reset()
    assert backoff.next_ms() == 75


def test_waits_are_spread_between_half_and_whole() -> None:
    assert Backoff(lambda: 0.0, first_ms=100).next_ms() == 50
    assert Backoff(lambda: 0.999, first_ms=100).next_ms() == 99


def test_an_unreachable_bank_is_tried_again_until_it_answers_and_that_is_told() -> None:
    relay = Relay(backoff=Backoff(lambda: 0.0, first_ms=1_000))
    request(relay, b"first")
    relay.on_bank_refused(now_ms=10)
    assert relay.deadline_ms() == 510
    assert relay.on_deadline(now_ms=509) == []
    assert relay.on_deadline(now_ms=510) == [Connect()]
    assert relay.on_bank_refused(now_ms=520) == []  # nothing new to tell
    assert relay.deadline_ms() == 1_520
    assert relay.on_deadline(now_ms=1_520) == [Connect()]
    assert relay.on_bank_connected(now_ms=1_530) == [told(BankStatus.REACHABLE)]
    assert relay.deadline_ms() is None
    # The connection is kept: the next request needs none.
    assert request(relay, b"second", 2_000) == [SendToBank(b"\x00\x06second")]


def test_a_request_does_not_wait_for_the_next_attempt() -> None:
    relay = Relay(backoff=Backoff(lambda: 0.0, first_ms=1_000))
    request(relay, b"first")
    relay.on_bank_refused(now_ms=10)
    assert request(relay, b"second", 11) == [Connect()]
    assert relay.on_bank_refused(now_ms=12) == [not_sent(b"second")]


def test_a_connection_that_only_closes_is_not_made_again_before_it_is_needed() -> None:
    relay = Relay(backoff=Backoff(lambda: 0.0))
    request(relay, b"first")
    relay.on_bank_connected(now_ms=1)
    relay.on_bank_bytes(b"\x00\x03one", now_ms=2)
    relay.on_bank_closed(now_ms=3)
    assert relay.deadline_ms() is None


def test_a_request_that_no_frame_can_hold_was_surely_not_sent() -> None:
    relay = connected()
    huge = bytes(65_536)
    assert request(relay, huge, 2) == [not_sent(huge)]
    assert relay.state is BankState.CONNECTED


# --- several ports on one connection -----------------------------------------------------------------

TO_HOST = "60 0006 0000"  # a terminal's TPDU: host's NII 0006, itself 0000
FROM_HOST = "60 0000 0006"


def tpdu(text: str, rest: bytes = b"") -> bytes:
    return bytes.fromhex(text) + rest


def framed(message: bytes) -> bytes:
    return len(message).to_bytes(2, "big") + message


def shared(*requests: tuple[int, bytes]) -> Relay:
    relay = Relay(port_count=3)
    for port, message in requests:
        relay.on_link_event(MessageReceived(Channel.HOST, message), now_ms=0, port=port)
    return relay


def test_each_port_has_an_address_and_gets_its_own_back() -> None:
    relay = shared((0, tpdu(TO_HOST, b"a")), (2, tpdu("60 0006 1234", b"c")))
    assert relay.on_bank_connected(now_ms=1) == [
        SendToBank(framed(tpdu("60 0006 0001", b"a"))),
        SendToBank(framed(tpdu("60 0006 0003", b"c"))),
    ]
    assert relay.on_bank_bytes(framed(tpdu("60 0003 0006", b"C")), now_ms=2) == [
        SendToTerminal(Channel.HOST, tpdu("60 1234 0006", b"C"), 2)
    ]
    assert relay.on_bank_bytes(framed(tpdu("60 0001 0006", b"A")), now_ms=3) == [
        SendToTerminal(Channel.HOST, tpdu(FROM_HOST, b"A"), 0)
    ]


@pytest.mark.parametrize("answer", [tpdu("60 0009 0006", b"?"), b"\x60", b"\x60\x00\x01"])
def test_an_answer_for_nobody_is_dropped_and_counted(answer: bytes) -> None:
    relay = shared((0, tpdu(TO_HOST)))
    relay.on_bank_connected(now_ms=1)
    assert relay.on_bank_bytes(framed(answer), now_ms=2) == []
    assert relay.counters.answers_unroutable == 1


def test_each_port_is_told_of_its_own_requests_only() -> None:
    requests = (0, tpdu(TO_HOST, b"a")), (1, tpdu(TO_HOST, b"b"))
    relay = shared(*requests)
    assert relay.on_bank_refused(now_ms=1) == [not_sent(message, port) for port, message in requests]
    relay = shared(*requests)
    relay.on_bank_connected(now_ms=1)
    relay.on_bank_bytes(framed(tpdu("60 0001 0006")), now_ms=2)
    assert relay.on_bank_closed(now_ms=3) == [told(BankStatus.LOST, 1)]


def test_a_restarted_terminal_s_requests_are_dropped_and_the_others_sent() -> None:
    relay = shared((0, tpdu(TO_HOST, b"a")), (1, tpdu(TO_HOST, b"b")))
    relay.on_link_event(PeerRestarted(), now_ms=1, port=0)
    assert relay.on_bank_connected(now_ms=2) == [SendToBank(framed(tpdu("60 0006 0002", b"b")))]


def test_a_message_without_a_tpdu_cannot_share_a_connection() -> None:
    relay = shared()
    event = MessageReceived(Channel.HOST, b"\x60\x00")
    assert relay.on_link_event(event, now_ms=0, port=1) == [not_sent(b"\x60\x00", 1)]
