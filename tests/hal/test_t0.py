"""T=0: the dialogues of the standards, turn by turn and character by character.

Dialogues: EMV 4.3 Book 1, annex A "Examples of exchanges using T=0"; ISO/IEC 7816-3:2006, 12.2. The card's
bytes are given, the terminal's must come out.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.chip.link import Fate
from hal.chip.t0_link import T0Link, Tpdu
from hal.chip.t0_turn import ProcedureError, T0Turn, TurnEnded
from wire.iso7816.apdu import CommandApdu, ResponseApdu

CASE_2 = "00B2010C00"
CASE_3 = "002000800824 1234FFFFFFFFFF"
CASE_4 = "00A4040007A000000003101000"
SENT_4 = "00A4040007A0000000031010"

DIALOGUES = {
    "A1 case 1": ("00820000", [("0082000000", "9000")], "9000"),
    "A2 case 2, length unknown": (
        CASE_2,
        [(CASE_2, "6C05"), ("00B2010C05", "01020304059000")],
        "01020304059000",
    ),
    "A3 case 3": (CASE_3, [(CASE_3, "9000")], "9000"),
    "A4 case 4": (CASE_4, [(SENT_4, "6103"), ("00C0000003", "AABBCC9000")], "AABBCC9000"),
    "A5 case 4, twice": (
        CASE_4,
        [(SENT_4, "6103"), ("00C0000003", "AABBCC6102"), ("00C0000002", "DDEE9000")],
        "AABBCCDDEE9000",
    ),
    "A6 case 4, warning": (
        CASE_4,
        [(SENT_4, "6283"), ("00C0000000", "6C02"), ("00C0000002", "AABB9000")],
        "AABB6283",
    ),
    "case 4, warning, nothing to fetch": (CASE_4, [(SENT_4, "6283"), ("00C0000000", "6985")], "6283"),
    "case 4, nothing to say": (CASE_4, [(SENT_4, "9000")], "9000"),
    "case 4, error": (CASE_4, [(SENT_4, "6A82")], "6A82"),
    "case 2, 61": (CASE_2, [(CASE_2, "6102"), ("00C0000002", "AABB9000")], "AABB9000"),
    "case 2, 256 bytes": (CASE_2, [(CASE_2, "00" * 256 + "9000")], "00" * 256 + "9000"),
    "case 3 wants no answer": (CASE_3, [(CASE_3, "6105")], "6105"),
    "channel 1": ("01A4040001AA00", [("01A4040001AA", "6101"), ("01C0000001", "BB9000")], "BB9000"),
    "secure messaging": ("84A4040001AA00", [("84A4040001AA", "6101"), ("00C0000001", "BB9000")], "BB9000"),
}


@pytest.mark.parametrize("name", DIALOGUES)
def test_a_published_dialogue(name: str) -> None:
    command, turns, expected = DIALOGUES[name]
    link = T0Link()
    step = link.start(CommandApdu.decode(bytes.fromhex(command)))
    for sent, answer in turns:
        assert step.send == bytes.fromhex(sent)
        assert step.fate is Fate.GOING_ON
        step = link.take(bytes.fromhex(answer))
    assert step.response == ResponseApdu.decode(bytes.fromhex(expected))


def test_a_long_command_goes_in_envelopes() -> None:
    command = CommandApdu(0x00, 0xD6, 0, 0, bytes(range(256)) + b"end")
    link, step, sent = T0Link(), None, b""
    step = link.start(command)
    while step.fate is Fate.GOING_ON:
        assert step.send[:4] == bytes.fromhex("00C20000")
        assert len(step.send) == 5 + step.send[4]
        sent += step.send[5:]
        step = link.take(bytes.fromhex("9000"))
    assert sent == command.encode()
    assert step.response == ResponseApdu(b"", 0x9000)


def test_a_card_without_envelopes_says_so() -> None:
    link = T0Link()
    link.start(CommandApdu(0x00, 0xD6, 0, 0, bytes(300)))
    assert link.take(bytes.fromhex("6D00")).response == ResponseApdu(b"", 0x6D00)


@pytest.mark.parametrize("answer", ["6101", "6C01"])
def test_a_card_that_never_ends_is_lost(answer: str) -> None:
    link = T0Link()
    step = link.start(CommandApdu.decode(bytes.fromhex(CASE_2)))
    for _ in range(1000):
        step = link.take(bytes.fromhex(answer))
    assert step.fate is Fate.LOST


def test_silence_and_half_answers_are_losses() -> None:
    link = T0Link()
    link.start(CommandApdu(0, 0x84, le=8))
    assert link.silence().fate is Fate.LOST
    assert link.take(b"\x90").fate is Fate.LOST


@given(st.lists(st.binary(max_size=10), max_size=20))
def test_any_answers_lead_to_an_end_or_another_turn(answers: list[bytes]) -> None:
    link = T0Link()
    link.start(CommandApdu.decode(bytes.fromhex(CASE_4)))
    for answer in answers:
        step = link.take(answer)
        assert (step.fate is Fate.DONE) == (step.response is not None)
        if step.fate is not Fate.GOING_ON:
            return
        assert len(step.send) >= 5


# --- characters --------------------------------------------------------------------------------------


def run(turn: Tpdu, card: str) -> tuple[str, TurnEnded | None]:
    """What the terminal sends beyond the header, and how it ends."""
    machine, sent = T0Turn(turn), b""
    assert machine.start() == turn.header
    for byte in bytes.fromhex(card):
        result = machine.take(byte)
        if isinstance(result, TurnEnded):
            return sent.hex().upper(), result
        sent += result
    return sent.hex().upper(), None


OUT = Tpdu(bytes.fromhex("00D6000003"), bytes.fromhex("AABBCC"))
IN = Tpdu(bytes.fromhex("00B0000003"), wanted=3)


@pytest.mark.parametrize(
    ("turn", "card", "sent", "data", "sw"),
    [
        (OUT, "D6 9000", "AABBCC", "", 0x9000),
        (OUT, "29 29 29 9000", "AABBCC", "", 0x9000),
        (OUT, "29 D6 9000", "AABBCC", "", 0x9000),
        (OUT, "60 60 D6 60 9000", "AABBCC", "", 0x9000),
        (OUT, "6A80", "", "", 0x6A80),
        (OUT, "29 6581", "AA", "", 0x6581),
        (IN, "B0 010203 9000", "", "010203", 0x9000),
        (IN, "4F 01 4F 02 4F 03 9000", "", "010203", 0x9000),
        (IN, "60 4F B0 60 B0 B09F 60 9000", "", "B0B09F", 0x9000),
        (IN, "6C02", "", "", 0x6C02),
        (IN, "B0 606060 6282", "", "606060", 0x6282),
    ],
)
def test_procedure_bytes(turn: Tpdu, card: str, sent: str, data: str, sw: int) -> None:
    assert run(turn, card) == (sent, TurnEnded(bytes.fromhex(data), sw))


@pytest.mark.parametrize("card", ["02", "00", "D6", "B0 010203 B0", "B0 010203 FF"])
def test_a_byte_that_means_nothing_is_refused(card: str) -> None:
    with pytest.raises(ProcedureError):
        run(IN, card)


@given(st.binary(max_size=300))
def test_any_card_ends_or_is_refused_and_gets_no_more_than_the_data(card: bytes) -> None:
    machine, sent = T0Turn(OUT), b""
    for byte in card:
        try:
            result = machine.take(byte)
        except ProcedureError:
            return
        if isinstance(result, TurnEnded):
            return
        sent += result
        assert OUT.data.startswith(sent)
