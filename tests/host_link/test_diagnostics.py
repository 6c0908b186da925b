from __future__ import annotations

from dataclasses import fields

import pytest

from host_link.diagnostics import COUNTER_NUMBERS, answer_to, counter_request, read_report
from host_link.session import LinkCounters


def test_every_counter_of_the_link_has_a_number_of_its_own() -> None:
    assert set(COUNTER_NUMBERS) == {field.name for field in fields(LinkCounters)}
    assert len(set(COUNTER_NUMBERS.values())) == len(COUNTER_NUMBERS)
    assert all(0 < number < 256 for number in COUNTER_NUMBERS.values())


def test_a_request_is_answered_with_every_counter() -> None:
    counters = LinkCounters(bytes_sent=1 << 40, noise_pieces=3, round_trip_us=2_600)
    answer = answer_to(counter_request(7), counters)
    assert answer is not None
    report = read_report(answer)
    assert report is not None
    token, values = report
    assert token == 7
    assert LinkCounters(**values) == counters


def test_the_layout_is_the_one_that_is_written_down() -> None:
    assert counter_request(7) == bytes.fromhex("0107")
    answer = answer_to(bytes.fromhex("0107"), LinkCounters(bytes_sent=258))
    assert answer is not None
    assert answer.startswith(bytes.fromhex("0207 01 0000000000000102 02 0000000000000000"))


def test_what_a_newer_peer_says_is_shown_as_it_is_or_ignored() -> None:
    assert read_report(bytes.fromhex("0201 FE 0000000000000005 01 00")) == (1, {"counter_254": 5})
    assert answer_to(b"\x01\x01what a newer peer adds", LinkCounters()) is not None


@pytest.mark.parametrize("message", [b"", b"\x01", b"\x09\x01", b"\x02\x01"])
def test_other_messages_ask_for_nothing(message: bytes) -> None:
    assert answer_to(message, LinkCounters()) is None


@pytest.mark.parametrize("message", [b"", b"\x02", b"\x01\x01"])
def test_other_messages_are_no_reports(message: bytes) -> None:
    assert read_report(message) is None
