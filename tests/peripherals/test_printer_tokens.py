"""The printer's tokeniser against published streams and malformed ones, and against any bytes whatever."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.peripherals.printer_tokens import PARAMETERS_MAX, Token, Tokeniser, TokenKind, grammar
from tests.peripherals.printing import VECTORS

CASES = json.loads((VECTORS / "escpos.json").read_text("utf-8"))["cases"]


def tokens(*pieces: bytes) -> tuple[list[Token], Tokeniser]:
    tokeniser = Tokeniser()
    found = []
    for piece in pieces:
        tokeniser.feed(piece)
        found += list(tokeniser.all())
    return found, tokeniser


def commands(found: list[Token]) -> list[list[str]]:
    """The notation of the vectors: name and parameters, runs of text joined."""
    listed: list[list[str]] = []
    for token in found:
        if token.kind is not TokenKind.TEXT:
            listed.append([token.name, token.data.hex().upper()])
        elif listed and listed[-1][0] == "text":
            listed[-1][1] += token.data.hex().upper()
        else:
            listed.append(["text", token.data.hex().upper()])
    return listed


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_published_streams(case: dict[str, Any]) -> None:
    data, expected = bytes.fromhex(case["inputs"]["data"]), case["expected"]
    found, tokeniser = tokens(data)
    reason = ""
    if any(token.kind is not TokenKind.TEXT and token.kind is not TokenKind.COMMAND for token in found):
        reason = "unsupported"
    elif tokeniser.is_within_command:
        reason = "truncated"
    assert reason == expected.get("reject", "")
    if "commands" in expected:
        assert commands(found) == expected["commands"]
    elif "commands_sha256" in expected:
        listed = commands(found)
        assert len(listed) == expected["command_count"]
        digest = hashlib.sha256(json.dumps(listed).encode()).hexdigest()
        assert digest == expected["commands_sha256"].lower()


@given(st.binary(max_size=400), st.integers(1, 7))
def test_pieces_make_no_difference(data: bytes, size: int) -> None:
    whole, _ = tokens(data)
    cut, _ = tokens(*(data[at : at + size] for at in range(0, len(data), size)))
    assert commands(cut) == commands(whole)


def test_parameters_that_are_too_long_are_read_and_thrown_away() -> None:
    head = b"\x1dv0\x00\xff\x00\xff\xff"
    size = 255 * 65_535
    tokeniser = Tokeniser()
    tokeniser.feed(head)
    chunk = bytes(64 * 1024)
    for _ in range(size // len(chunk)):
        tokeniser.feed(chunk)
        assert tokeniser.next() is None
        assert tokeniser.waiting_bytes == 0
    tokeniser.feed(bytes(size % len(chunk)) + b"after")
    assert [(token.kind, token.name, token.data) for token in tokeniser.all()] == [
        (TokenKind.TOO_LONG, "GS v", b""),
        (TokenKind.TEXT, "", b"after"),
    ]
    assert size > PARAMETERS_MAX


def test_a_list_without_its_end_is_ended() -> None:
    found, _ = tokens(b"\x1bD" + bytes([1]) * 256 + b"after\n")
    assert [token.name or "text" for token in found] == ["ESC D", "text", "LF"]


def test_every_prefix_with_every_byte_has_an_end() -> None:
    """Whatever the command, enough bytes end it: nothing swallows the stream for good."""
    for prefix in (0x10, 0x1B, 0x1C, 0x1D):
        for second in range(256):
            found, _ = tokens(bytes([prefix, second]) + b"\x01\x01" + bytes(2_000) + b"\nend")
            assert found[-1].data.endswith(b"end"), (prefix, second)


def test_the_grammar_names_known_rules_only() -> None:
    assert len(grammar()) >= 110
    for name, rule in grammar().items():
        assert rule(b"") >= 0, name
