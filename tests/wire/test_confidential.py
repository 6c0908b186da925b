"""Confidential text and bytes: used like any other, and not shown."""

from __future__ import annotations

from wire.confidential import ConfidentialBytes, ConfidentialText

TRACK = "6225880123456783=30121200000000000000"


def test_they_do_not_show_themselves_not_even_in_containers() -> None:
    text, data = ConfidentialText(TRACK), ConfidentialBytes(TRACK.encode())
    assert repr({35: text}) == "{35: <37 confidential characters>}"
    assert repr([data]) == "[<37 confidential bytes>]"
    assert str(data) == "<37 confidential bytes>"
    assert f"{data!r} {text!r}" == "<37 confidential bytes> <37 confidential characters>"


def test_they_are_what_they_hold() -> None:
    assert ConfidentialText(TRACK) == TRACK
    assert ConfidentialText(TRACK)[:6] == "622588"
    assert ConfidentialBytes(b"\x01\x02") == b"\x01\x02"
    assert hash(ConfidentialText(TRACK)) == hash(TRACK)
