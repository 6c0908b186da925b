"""T=1: the terminal's side against scripted blocks, then against the card's side over a bad line.

Scripts: ISO/IEC 7816-3:2006, annex A, in its notation: I(N(S), M), R(N(R)), S(...).
"""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hal.cards.card import ATR_T1
from hal.cards.file_card import PIN, FileCard
from hal.chip.link import Fate, Step
from hal.chip.t1_link import T1Link
from hal.peripherals.card_blocks import CardBlocks
from wire.iso7816.apdu import CommandApdu, ResponseApdu
from wire.iso7816.t1_block import (
    Damage,
    InfoBlock,
    ReadyBlock,
    Request,
    SupervisoryBlock,
    decode_block,
    encode_block,
)

Block = InfoBlock | ReadyBlock | SupervisoryBlock
OK = bytes.fromhex("9000")
COMMAND = CommandApdu(0x00, 0xB0, 0, 0, le=2)
LONG = CommandApdu(0x00, 0xD6, 0, 0, bytes(range(70)))  # 75 bytes: three blocks of 32 at most
IFS = SupervisoryBlock(Request.IFS, value=254)
IFS_GRANTED = SupervisoryBlock(Request.IFS, answer=True, value=254)
RESYNCH = SupervisoryBlock(Request.RESYNCH)
RESYNCHED = SupervisoryBlock(Request.RESYNCH, answer=True)
NOISE = None


def sent(step: Step) -> Block:
    return decode_block(step.send).block


def info(
    number: int, command: CommandApdu = COMMAND, piece: slice = slice(None), *, more: bool = False
) -> InfoBlock:
    return InfoBlock(number, command.encode()[piece], more)


def play(link: T1Link, command: CommandApdu, script: list[tuple[Block, Block | None]]) -> Step:
    """Each pair: what the terminal must send, and what comes back; None is a damaged block."""
    step = link.start(command)
    for expected, answer in script:
        assert sent(step) == expected
        assert step.fate is Fate.GOING_ON
        step = link.take(b"\x00\x00\x00\xff" if answer is NOISE else encode_block(answer))
    return step


def ready(*, ifsc: int = 32) -> T1Link:
    """A link that has told its IFSD: its next I-block is number 1, and so is the card's."""
    link = T1Link(ifsc=ifsc)
    step = play(link, COMMAND, [(IFS, IFS_GRANTED), (info(0), InfoBlock(0, OK))])
    assert step.response == ResponseApdu(b"", 0x9000)
    return link


def test_the_first_thing_is_how_long_blocks_may_be() -> None:
    ready()


def test_scenario_1_blocks_alternate() -> None:
    link = ready()
    assert play(link, COMMAND, [(info(1), InfoBlock(1, b"\x01" + OK))]).response == ResponseApdu(
        b"\x01", 0x9000
    )
    assert play(link, COMMAND, [(info(0), InfoBlock(0, OK))]).response == ResponseApdu(b"", 0x9000)


def test_scenario_2_waiting_time_extension() -> None:
    link = ready()
    step = link.start(COMMAND)
    step = link.take(encode_block(SupervisoryBlock(Request.WTX, value=7)))
    assert sent(step) == SupervisoryBlock(Request.WTX, answer=True, value=7)
    assert step.waiting_factor == 7
    assert link.take(encode_block(InfoBlock(1, OK))).response == ResponseApdu(b"", 0x9000)


def test_scenario_3_the_card_changes_its_block_size() -> None:
    bigger = SupervisoryBlock(Request.IFS, value=64)
    granted = SupervisoryBlock(Request.IFS, answer=True, value=64)
    first, rest = slice(0, 32), slice(32, 96)
    script: list[tuple[Block, Block | None]] = [
        (info(1, LONG, first, more=True), bigger),
        (granted, ReadyBlock(0)),
        (info(0, LONG, rest), InfoBlock(1, OK)),
    ]
    assert play(ready(), LONG, script).response == ResponseApdu(b"", 0x9000)


def test_scenario_5_chaining_both_ways() -> None:
    script: list[tuple[Block, Block | None]] = [
        (info(1, LONG, slice(0, 32), more=True), ReadyBlock(0)),
        (info(0, LONG, slice(32, 64), more=True), ReadyBlock(1)),
        (info(1, LONG, slice(64, 96)), InfoBlock(1, b"\x01\x02", more=True)),
        (ReadyBlock(0), InfoBlock(0, b"\x03", more=True)),
        (ReadyBlock(1), InfoBlock(1, OK)),
    ]
    assert play(ready(), LONG, script).response == ResponseApdu(b"\x01\x02\x03", 0x9000)


def test_scenario_6_the_card_did_not_get_our_block() -> None:
    for damage in Damage:
        script: list[tuple[Block, Block | None]] = [
            (info(1), ReadyBlock(1, damage)),
            (info(1), InfoBlock(1, OK)),
        ]
        assert play(ready(), COMMAND, script).response == ResponseApdu(b"", 0x9000)


def test_scenario_8_we_did_not_get_the_card_s_block() -> None:
    script: list[tuple[Block, Block | None]] = [
        (info(1), NOISE),
        (ReadyBlock(1, Damage.CHECK), NOISE),
        (ReadyBlock(1, Damage.CHECK), InfoBlock(1, OK)),
    ]
    assert play(ready(), COMMAND, script).response == ResponseApdu(b"", 0x9000)


def test_scenario_11_the_answer_to_a_request_was_damaged() -> None:
    link = T1Link()
    script: list[tuple[Block, Block | None]] = [
        (IFS, NOISE),
        (IFS, IFS_GRANTED),
        (info(0), InfoBlock(0, OK)),
    ]
    assert play(link, COMMAND, script).response == ResponseApdu(b"", 0x9000)


def test_a_block_twice_is_asked_for_again_and_taken_once() -> None:
    script: list[tuple[Block, Block | None]] = [
        (info(1), InfoBlock(0, b"old" + OK)),
        (ReadyBlock(1, Damage.OTHER), InfoBlock(1, b"new" + OK)),
    ]
    assert play(ready(), COMMAND, script).response == ResponseApdu(b"new", 0x9000)


def test_silence_is_asked_about() -> None:
    link = ready()
    link.start(COMMAND)
    assert sent(link.silence()) == ReadyBlock(1, Damage.OTHER)
    assert link.take(encode_block(InfoBlock(1, OK))).fate is Fate.DONE


def test_rule_7_4_after_three_failures_both_ends_begin_anew() -> None:
    asks = ReadyBlock(1, Damage.CHECK)
    link = ready()
    script: list[tuple[Block, Block | None]] = [
        (info(1), NOISE),
        (asks, NOISE),
        (asks, NOISE),
        (RESYNCH, NOISE),
        (RESYNCH, RESYNCHED),
    ]
    step = play(link, COMMAND, script)
    assert (step.fate, step.send) == (Fate.FAILED, b""), (
        "a command is not sent twice behind the caller's back"
    )
    again: list[tuple[Block, Block | None]] = [(IFS, IFS_GRANTED), (info(0), InfoBlock(0, OK))]
    assert play(link, COMMAND, again).response == ResponseApdu(b"", 0x9000)


def test_a_card_that_answers_nothing_any_more_is_lost() -> None:
    link = ready()
    step, asked = link.start(COMMAND), []
    while step.fate is Fate.GOING_ON:
        asked.append(sent(step))
        step = link.silence()
    assert step.fate is Fate.LOST
    assert asked.count(RESYNCH) == 3
    assert len(asked) == 6


def test_an_abort_of_the_card_is_granted_and_ends_the_exchange() -> None:
    link = ready()
    link.start(LONG)
    step = link.take(encode_block(SupervisoryBlock(Request.ABORT)))
    assert step.fate is Fate.FAILED
    assert sent(step) == SupervisoryBlock(Request.ABORT, answer=True)


def test_a_card_that_wants_time_for_ever_is_lost() -> None:
    link = ready()
    step = link.start(COMMAND)
    for _ in range(2_000):
        step = link.take(encode_block(SupervisoryBlock(Request.WTX, value=1)))
    assert step.fate is Fate.LOST


def test_an_answer_without_a_status_word_is_no_answer() -> None:
    link = ready()
    link.start(COMMAND)
    assert link.take(encode_block(InfoBlock(1, b"\x90"))).fate is Fate.FAILED


@given(st.lists(st.binary(max_size=12) | st.none(), max_size=30))
def test_any_blocks_lead_to_an_end(blocks: list[bytes | None]) -> None:
    link = ready()
    step = link.start(LONG)
    for block in blocks:
        step = link.silence() if block is None else link.take(block)
        if step.fate is not Fate.GOING_ON:
            return
        decode_block(step.send)
    for _ in range(10):  # whatever it was told, it does not ask for ever
        if step.fate is not Fate.GOING_ON:
            return
        step = link.silence()
    assert step.fate is Fate.LOST


# --- against the card's side -------------------------------------------------------------------------


def exchange(
    link: T1Link, card: CardBlocks, command: CommandApdu, spoil: Callable[[bytes], bytes | None]
) -> Step:
    """One exchange; `spoil` is what the line does to a block, None: it is lost."""
    step = link.start(command)
    for _ in range(400):
        if step.fate is not Fate.GOING_ON:
            return step
        arrived = spoil(step.send)
        answered = None if arrived is None else spoil(card.take(arrived).block)
        step = link.silence() if answered is None else link.take(answered)
    raise AssertionError("the exchange does not end")


def session(*, crc: bool = False, ifsc: int = 32, compute_ms: int = 0) -> tuple[T1Link, CardBlocks, FileCard]:
    card = FileCard(ATR_T1, compute_ms={0x84: compute_ms})
    blocks = CardBlocks(card, ifsc=ifsc, crc=crc, block_wait_ms=100)
    return T1Link(ifsc=ifsc, crc=crc), blocks, card


@pytest.mark.parametrize("crc", [False, True])
@pytest.mark.parametrize("ifsc", [1, 32, 254])
def test_commands_and_answers_of_every_length(crc: bool, ifsc: int) -> None:
    link, blocks, card = session(crc=crc, ifsc=ifsc)
    good: Callable[[bytes], bytes] = bytes
    for command in (CommandApdu(0, 0xA4, 0, 0, b"\0\1"), CommandApdu(0, 0x20, 0, 0x80, PIN)):
        assert exchange(link, blocks, command, good).response == ResponseApdu(b"", 0x9000)
    data = bytes(range(251)) if ifsc == 1 else bytes(range(256)) * 8
    assert exchange(link, blocks, CommandApdu(0, 0xD6, 0, 0, data), good).response == ResponseApdu(
        b"", 0x9000
    )
    read = exchange(link, blocks, CommandApdu(0, 0xB0, 0, 0, le=len(data)), good).response
    assert read == ResponseApdu(data, 0x9000)
    assert card.executed == [0xA4, 0x20, 0xD6, 0xB0]


def test_a_card_that_needs_time_asks_for_it() -> None:
    link, blocks, _ = session(compute_ms=730)
    factors = []

    def listen(block: bytes) -> bytes:
        found = decode_block(block).block
        if isinstance(found, SupervisoryBlock) and found.request is Request.WTX and not found.answer:
            factors.append(found.value)
        return block

    response = exchange(link, blocks, CommandApdu(0, 0x84, le=8), listen).response
    assert response is not None
    assert response.ok
    assert factors == [8]


@pytest.mark.parametrize("place", range(12))
@pytest.mark.parametrize("kind", ["damaged", "lost"])
def test_each_single_fault_is_repaired_and_nothing_runs_twice(place: int, kind: str) -> None:
    """Two commands of several blocks each way; the block at one place is damaged or lost, once."""
    link, blocks, card = session()
    count = 0

    def spoil(block: bytes) -> bytes | None:
        nonlocal count
        count += 1
        if count - 1 != place:
            return block
        return None if kind == "lost" else block[:-1] + bytes([block[-1] ^ 0x40])

    assert exchange(link, blocks, CommandApdu(0, 0xA4, 0, 0, b"\0\1"), spoil).fate is Fate.DONE
    step = exchange(link, blocks, CommandApdu(0, 0xB0, 0, 0, le=600), spoil)
    assert step.response == ResponseApdu(bytes(card.binary[:600]), 0x9000)
    assert card.executed == [0xA4, 0xB0]


@given(st.lists(st.sampled_from(["good", "good", "good", "damaged", "lost"]), max_size=60))
def test_whatever_the_line_does_no_wrong_answer_comes_out(line: list[str]) -> None:
    link, blocks, card = session()
    faults = iter(line)

    def spoil(block: bytes) -> bytes | None:
        fault = next(faults, "good")
        if fault == "lost":
            return None
        return block if fault == "good" else block[:1] + bytes([block[1] ^ 0x01]) + block[2:]

    for offset in range(4):
        executed = len(card.executed)
        step = exchange(link, blocks, CommandApdu(0, 0x84, 0, offset, le=8), spoil)
        ran = len(card.executed) - executed
        assert ran <= 1, "no command runs twice"
        if step.fate is Fate.LOST:
            return
        if step.fate is Fate.DONE:
            assert ran == 1
            assert step.response == ResponseApdu(len(card.executed).to_bytes(8, "big"), 0x9000)


@given(st.lists(st.binary(max_size=12), max_size=40))
def test_a_card_answers_any_bytes_with_a_block(garbage: list[bytes]) -> None:
    _, blocks, _ = session()
    for data in garbage:
        decode_block(blocks.take(data).block)
