"""Commands and responses: the published cases run through the calculator; here what they leave out."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wire.iso7816.apdu import ApduError, CommandApdu, ResponseApdu

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "apdu.json").read_text(encoding="utf-8"))
PUBLISHED = [
    case["inputs"]["apdu"]
    for case in VECTORS["cases"]
    if case["kind"] == "apdu_command" and "reject" not in case["expected"]
]
RECORDED = [
    command
    for case in VECTORS["cases"]
    if case["kind"] == "apdu_dialogue"
    for command, _ in case["inputs"]["exchanges"]
]

BYTES = st.integers(0, 255)
COMMANDS = st.builds(
    CommandApdu,
    BYTES,
    BYTES,
    BYTES,
    BYTES,
    st.binary(max_size=300),
    st.none() | st.integers(1, 65_536),
    st.booleans(),
)


@pytest.mark.parametrize("apdu", [*PUBLISHED, *sorted(set(RECORDED))])
def test_a_published_command_is_written_as_it_was_read(apdu: str) -> None:
    assert CommandApdu.decode(bytes.fromhex(apdu)).encode().hex().upper() == apdu


@given(COMMANDS)
def test_what_is_written_is_read(command: CommandApdu) -> None:
    again = CommandApdu.decode(command.encode())
    assert again.encode() == command.encode()
    assert (again.data, again.le, again.case) == (command.data, command.le, command.case)


@given(st.binary(max_size=600))
@example(bytes.fromhex("00D60000 00FFFF") + bytes(65_535) + bytes(2))
def test_any_bytes_are_a_command_or_refused(data: bytes) -> None:
    try:
        command = CommandApdu.decode(data)
    except ApduError:
        return
    assert command.encode() == data


@pytest.mark.parametrize(
    ("arguments", "case", "encoded"),
    [
        ((0x00, 0x20, 0x00, 0x80), 1, "00200080"),
        ((0x00, 0xB0, 0, 0, b"", 1), 2, "00B0000001"),
        ((0x00, 0xB0, 0, 0, b"", 257), 2, "00B00000000101"),
        ((0x00, 0xD6, 0, 0, b"\x01", None, True), 3, "00D600000000 0101"),
        ((0x00, 0xD6, 0, 0, b"\x01", 65_536), 4, "00D60000000001010000"),
    ],
)
def test_lengths_take_as_many_bytes_as_they_need(
    arguments: tuple[int, int, int, int], case: int, encoded: str
) -> None:
    command = CommandApdu(*arguments)
    assert (command.case, command.encode()) == (case, bytes.fromhex(encoded))


@pytest.mark.parametrize(
    "arguments",
    [
        (256, 0, 0, 0),
        (0, 0, 0, -1),
        (0, 0, 0, 0, bytes(65_536)),
        (0, 0, 0, 0, b"", 0),
        (0, 0, 0, 0, b"", 65_537),
    ],
)
def test_a_command_that_cannot_be_is_refused(arguments: tuple[int, int, int, int]) -> None:
    with pytest.raises(ApduError):
        CommandApdu(*arguments)


def test_a_response_has_a_status_word() -> None:
    response = ResponseApdu.decode(bytes.fromhex("01029000"))
    assert (response.data, response.sw, response.ok) == (b"\x01\x02", 0x9000, True)
    assert ResponseApdu.decode(bytes.fromhex("6283")).ok is False
    assert response.encode() == bytes.fromhex("01029000")
    with pytest.raises(ApduError) as caught:
        ResponseApdu.decode(b"\x90")
    assert caught.value.reason == "truncated"


def test_contents_are_not_printed() -> None:
    pin = CommandApdu.decode(bytes.fromhex("0020008008241234FFFFFFFFFF"))
    assert "1234" not in repr(pin)
    assert "x12" not in repr(pin)
    assert "5A08" not in repr(ResponseApdu.decode(bytes.fromhex("5A0847617390010101199000")))
    assert "sw=9000" in repr(ResponseApdu.decode(bytes.fromhex("9000")))
