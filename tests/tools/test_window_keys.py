"""The keyboard's bytes: every terminal program's way to say a key, whole or in pieces."""

from __future__ import annotations

import pytest

from tools.window.keys import ESCAPE_WAIT_MS, KeyDecoder

KEYS = [
    (b"7", "7"),
    (b".", "."),
    (b"g", "g"),
    (b"?", "?"),
    (b"\r", "enter"),
    (b"\n", "enter"),
    (b"\x7f", "clear"),
    (b"\x08", "clear"),
    (b"\x1b[3~", "clear"),
    # xterm and its kin, plain and in application mode; with a modifier
    (b"\x1bOP", "f1"),
    (b"\x1bOQ", "f2"),
    (b"\x1bOR", "f3"),
    (b"\x1bOS", "f4"),
    (b"\x1b[1;2P", "f1"),
    (b"\x1b[A", "up"),
    (b"\x1bOA", "up"),
    (b"\x1b[B", "down"),
    (b"\x1b[1;5C", "right"),
    (b"\x1b[D", "left"),
    # VT220, rxvt
    (b"\x1b[11~", "f1"),
    (b"\x1b[12~", "f2"),
    (b"\x1b[13~", "f3"),
    (b"\x1b[14~", "f4"),
    # the Linux console
    (b"\x1b[[A", "f1"),
    (b"\x1b[[D", "f4"),
]


@pytest.mark.parametrize(("data", "name"), KEYS)
def test_a_key_in_one_piece(data: bytes, name: str) -> None:
    assert KeyDecoder().feed(data, now_ms=0) == [name]


@pytest.mark.parametrize(("data", "name"), KEYS)
def test_a_key_byte_by_byte_in_time(data: bytes, name: str) -> None:
    decoder = KeyDecoder()
    step_ms = ESCAPE_WAIT_MS - 1
    pieces = [decoder.feed(bytes([byte]), now_ms=at * step_ms) for at, byte in enumerate(data)]
    assert [key for keys in pieces for key in keys] == [name]


def test_keys_typed_in_a_row() -> None:
    data = b"".join(data for data, _ in KEYS)
    assert KeyDecoder().feed(data, now_ms=0) == [name for _, name in KEYS]


def test_escape_alone_is_cancel_once_nothing_has_followed() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b", now_ms=1000) == []
    assert decoder.flush(now_ms=1000 + ESCAPE_WAIT_MS - 1) == []
    assert decoder.flush(now_ms=1000 + ESCAPE_WAIT_MS) == ["cancel"]
    assert decoder.flush(now_ms=9999) == []


@pytest.mark.parametrize("data", [b"\x1bc", b"\x1b\x1b[Ac"])
def test_escape_before_another_key_is_cancel(data: bytes) -> None:
    keys = KeyDecoder().feed(data, now_ms=0)
    assert keys[0] == "cancel"
    assert keys[-1] == "c"


@pytest.mark.parametrize("data", [b"\x1b[15~", b"\x1b[Z", b"\x1b[?1;2c", b"\x1b[200~", b"\x1bOM", b"\x1b[[E"])
def test_a_sequence_without_meaning_presses_nothing(data: bytes) -> None:
    assert KeyDecoder().feed(data + b"5", now_ms=0) == ["5"]


@pytest.mark.parametrize("data", [b"\x1b[", b"\x1bO", b"\x1b[1;", b"\x1b[[", b"\x1b[" + b"1" * 40])
def test_a_sequence_that_is_cut_off_is_forgotten(data: bytes) -> None:
    decoder = KeyDecoder()
    keys = decoder.feed(data, now_ms=0) + decoder.flush(now_ms=ESCAPE_WAIT_MS)
    assert keys == []
    assert decoder.feed(b"5", now_ms=1000) == ["5"]


@pytest.mark.parametrize("data", ["中".encode(), b"\x00\x01\xff", b"\t"])
def test_other_characters_press_nothing(data: bytes) -> None:
    assert KeyDecoder().feed(data, now_ms=0) == []
