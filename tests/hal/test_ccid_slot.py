"""The serial CCID slot beyond the contract: what goes wrong at the reader, on the line and at the card."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hal.api import DeviceEvent, DeviceMissing
from hal.cards.card import ATR_T0, ATR_T1
from hal.cards.file_card import FileCard
from hal.host.clock import SystemClock
from hal.peripherals.card_faults import CardFaults
from hal.peripherals.ccid_reader import FIRMWARE, SerialCcidReader
from hal.serial.ccid_slot import CcidSlot, SerialCcidSlot
from hal.smart_card import (
    Atr,
    ChipFailed,
    ChipFailure,
    ChipInserted,
    ChipRemoved,
    ChipReset,
    ChipResponded,
    CommandApdu,
    Reset,
)
from tests.hal.reader_on_pty import ReaderOnPty
from tests.hal.serial_bench import URL, Bench, connect
from tests.hal.slots import RealTimeRig, SlotRig, ccid_rig, wired_port
from wire.ccid import CcidMessage, CcidType, SerialFrameReader, encode_frame
from wire.iso7816.atr import InterfaceBytes

CHALLENGE = CommandApdu(0, 0x84, le=8)


def ready_rig(
    atr: Atr = ATR_T0, faults: CardFaults | None = None
) -> tuple[SlotRig, SerialCcidReader, FileCard]:
    """A slot that has found its reader, with a card in it that has no power."""
    reader = SerialCcidReader()
    rig = ccid_rig(atr, reader)
    rig.start()
    card = FileCard(atr)
    reader.insert(card, faults)
    assert rig.settle(ChipInserted) == [ChipInserted()]
    return rig, reader, card


def test_the_reader_says_who_it_is() -> None:
    rig, _, _ = ready_rig()
    assert isinstance(rig.slot, CcidSlot)
    assert rig.slot.firmware == FIRMWARE.decode()


# --- cards -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("faults", "failure"),
    [
        (CardFaults(mute=True), ChipFailure.MUTE),
        (CardFaults(bad_check=True), ChipFailure.BAD_ATR),
    ],
)
def test_a_card_that_cannot_be_reset(faults: CardFaults, failure: ChipFailure) -> None:
    rig, _, _ = ready_rig(ATR_T1, faults)
    rig.slot.power_on()
    assert rig.failure() is failure
    assert not rig.slot.powered


@pytest.mark.parametrize(
    ("faults", "failure"),
    [
        (CardFaults(wrong_procedure_byte=True), ChipFailure.PROTOCOL),
        (CardFaults(mute_at_command=True), ChipFailure.MUTE),
    ],
)
def test_a_card_that_fails_at_a_command_loses_its_power(faults: CardFaults, failure: ChipFailure) -> None:
    rig, _, card = ready_rig(ATR_T0, faults)
    rig.power_on()
    rig.slot.transmit(CHALLENGE)
    assert rig.failure() is failure
    assert not rig.slot.powered
    rig.slot.transmit(CHALLENGE)
    assert rig.failure() is ChipFailure.NO_POWER
    assert card.executed == []


def test_a_card_of_an_unknown_protocol_is_refused() -> None:
    rig, _, _ = ready_rig(Atr((InterfaceBytes(protocol=2), InterfaceBytes())))
    rig.slot.power_on()
    assert rig.failure() is ChipFailure.UNSUPPORTED


def test_a_warm_reset_after_a_bad_answer_may_bring_a_good_one() -> None:
    rig, _, card = ready_rig()
    card.warm_atr = Atr(ATR_T0.groups, b"warm")
    assert rig.power_on() == ChipReset(ATR_T0)
    assert rig.power_on(Reset.WARM) == ChipReset(card.warm_atr)
    assert rig.power_on(Reset.COLD) == ChipReset(ATR_T0)


def test_two_damaged_blocks_are_repaired() -> None:
    rig, reader, card = ready_rig(ATR_T1)
    rig.power_on()
    reader.faults.damaged_blocks = 2
    assert rig.send(CHALLENGE)[1] == 0x9000
    assert card.executed == [0x84]


def test_a_card_whose_every_block_is_damaged_is_lost() -> None:
    rig, reader, _ = ready_rig(ATR_T1)
    rig.power_on()
    reader.faults.damaged_blocks = 1_000
    rig.slot.transmit(CHALLENGE)
    assert rig.failure() is ChipFailure.PROTOCOL
    assert not rig.slot.powered
    assert len(wired_port(rig).written) < 2_000


def test_a_mute_card_of_t1_is_asked_again_before_it_is_given_up() -> None:
    rig, _, _ = ready_rig(ATR_T1, CardFaults(mute_at_command=True))
    rig.power_on()
    rig.slot.transmit(CHALLENGE)
    assert rig.failure() is ChipFailure.PROTOCOL


def test_a_card_out_and_in_between_two_looks_is_another_card() -> None:
    rig, reader, card = ready_rig()
    rig.power_on()
    reader.remove()
    reader.insert(card)
    assert rig.settle(ChipInserted) == [ChipRemoved(), ChipInserted()]
    assert not rig.slot.powered


def test_closing_switches_the_card_off_even_in_the_middle_of_a_command() -> None:
    rig, reader, _ = ready_rig()
    reader.remove()
    rig.settle(ChipRemoved)
    rig.insert(FileCard(compute_ms={0x84: 5_000}))
    rig.power_on()
    rig.slot.transmit(CHALLENGE)
    rig.slot.close()
    assert not reader._active


# --- the line ----------------------------------------------------------------------------------------


def test_a_damaged_frame_is_asked_for_again_not_the_command() -> None:
    rig, reader, card = ready_rig()
    rig.power_on()
    reader.damaged_frames = 2
    assert rig.send(CHALLENGE)[1] == 0x9000
    assert card.executed == [0x84]


def test_a_damaged_echo_does_not_hurry_a_slow_card() -> None:
    rig, reader, _ = ready_rig()
    reader.remove()
    rig.settle(ChipRemoved)
    rig.insert(FileCard(compute_ms={0x84: 9_000}))
    rig.power_on()
    rig.slot.transmit(CHALLENGE)
    wired_port(rig)._arrived[-1] ^= 0x01
    result = rig.result()
    assert isinstance(result, ChipResponded)


def test_a_line_that_damages_everything_is_a_broken_reader() -> None:
    rig, reader, _ = ready_rig()
    rig.power_on()
    reader.damaged_frames = 1_000
    rig.slot.transmit(CHALLENGE)
    assert rig.failure() is ChipFailure.READER


def test_a_reader_that_wants_the_command_again_gets_it_again() -> None:
    rig, reader, card = ready_rig()
    rig.power_on()
    reader.receive(b"", 0)
    port = wired_port(rig)
    port.damage_next_write = True
    assert rig.send(CHALLENGE)[1] == 0x9000
    assert card.executed == [0x84]


def test_a_reader_without_echo_is_the_same() -> None:
    """And says that a card takes its time, for as long as it does."""
    rig = ccid_rig(ATR_T0, SerialCcidReader(echo=False))
    rig.start()
    rig.insert(FileCard(compute_ms={0x84: 120_000}))
    rig.power_on()
    rig.slot.transmit(CHALLENGE)
    events = rig.settle(ChipResponded, within_ms=130_000)
    assert [type(event) for event in events] == [ChipResponded]


def test_a_reader_that_falls_silent_is_told_and_found_again() -> None:
    rig, reader, _ = ready_rig()
    rig.power_on()
    reader.silent = True
    rig.slot.transmit(CHALLENGE)
    events = rig.settle(ChipRemoved)
    assert isinstance(events[0], ChipFailed)
    assert events[0].failure is ChipFailure.READER
    assert not rig.slot.self_test().ok
    reader.silent = False
    assert rig.settle(ChipInserted) == [ChipInserted()]
    assert rig.slot.self_test().ok
    rig.power_on()


def test_nobody_behind_the_port_is_told_in_the_self_test() -> None:
    reader = SerialCcidReader()
    reader.silent = True
    rig = ccid_rig(ATR_T0, reader)
    rig.slot.open()
    assert rig.slot.self_test().ok, "its answer is not due yet"
    assert rig.settle(within_ms=3_000) == []
    assert rig.slot.self_test().detail == "the card reader does not answer"


# --- the reader in software, beyond what our driver asks ---------------------------------------------


def asked(reader: SerialCcidReader, message: CcidMessage) -> CcidMessage:
    """The reader's answer; its echo comes first."""
    reader.receive(encode_frame(message), 0)
    echo, answer = SerialFrameReader().feed(reader.take_output())
    assert echo == message
    assert isinstance(answer, CcidMessage)
    return answer


def test_the_reader_refuses_what_it_does_not_know() -> None:
    answer = asked(SerialCcidReader(), CcidMessage(0x69, sequence=9))
    assert (answer.type, answer.sequence, answer.specific) == (CcidType.STATUS, 9, bytes([0x42, 0, 0]))


def test_card_moves_come_at_once_or_with_the_next_answer() -> None:
    reader = SerialCcidReader()
    reader.insert(FileCard())
    assert reader.take_output() == b"\x50\x03"
    asked(reader, CcidMessage(CcidType.ESCAPE, data=b"\x01\x01\x01"))
    reader.remove()
    assert reader.take_output() == b""
    request = CcidMessage(CcidType.SLOT_STATUS)
    reader.receive(encode_frame(request), 0)
    output = reader.take_output()
    assert output.startswith(encode_frame(request) + b"\x50\x02\x03\x06")


def test_the_reader_takes_any_bytes() -> None:
    reader = SerialCcidReader()
    reader.insert(FileCard())
    for length in range(40):
        reader.receive(bytes([0x03, 0x06, 0x6F, length, 0, 0, 0]) + bytes(range(length + 6)), length)
        reader.take_output()
    reader.receive(b"\x03\x06" + bytes([0x6F, 0xFF, 0xFF, 0xFF, 0xFF]), 100)
    assert reader.take_output().endswith(b"\x03\x15\x16")


# --- over a pseudo-terminal --------------------------------------------------------------------------


@pytest.fixture
def pty_rig() -> Iterator[RealTimeRig]:
    reader, clock = ReaderOnPty(SerialCcidReader()), SystemClock()
    rig = RealTimeRig(SerialCcidSlot(reader.path, clock), clock, reader, ATR_T0)
    rig.closing.callback(reader.close)
    rig.start()
    yield rig
    rig.close()


def test_a_dialogue_over_a_pseudo_terminal(pty_rig: RealTimeRig) -> None:
    card = FileCard(compute_ms={0x84: 50})
    pty_rig.insert(card)
    assert pty_rig.power_on() == ChipReset(ATR_T0)
    assert pty_rig.send("00A40000020002")[1] == 0x9000
    assert pty_rig.send("00B2030400") == (card.records[2], 0x9000)
    pty_rig.slot.transmit(CHALLENGE)
    pty_rig.hand.remove()
    events = pty_rig.settle(ChipRemoved)
    assert [type(event) for event in events] == [ChipFailed, ChipRemoved]


def test_a_port_that_is_not_there(tmp_path: Path) -> None:
    slot = SerialCcidSlot(str(tmp_path / "ttyNONE"), SystemClock())
    with pytest.raises(DeviceMissing, match="it is not there"):
        slot.open()
    assert not slot.self_test().ok


# --- over a line with a rate, and noise on it --------------------------------------------------------


def run_until(bench: Bench, slot: SerialCcidSlot, wanted: type[object]) -> list[DeviceEvent]:
    """What happens until an event of the kind comes, or half a minute has passed."""
    events: list[DeviceEvent] = []
    end_ms = bench.now_ms + 30_000
    while bench.now_ms < end_ms and not any(isinstance(event, wanted) for event in events):
        events += bench.run(slot, 20)
    return events


@pytest.mark.parametrize("atr", [ATR_T0, ATR_T1], ids=["t0", "t1"])
def test_noise_on_the_line_makes_no_wrong_answer_and_no_second_command(
    atr: Atr, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, card = SerialCcidReader(), FileCard(atr)
    bench = Bench(reader, seed=5, bits_per_s=115_200, noise={"bit_error_rate": 2e-4})
    connect(monkeypatch, bench)
    slot = SerialCcidSlot(URL, bench.clock)
    slot.open()
    reader.insert(card)
    outcomes = {ChipResponded: 0, ChipFailed: 0}
    for _ in range(60):
        if not slot.card_present:
            run_until(bench, slot, ChipInserted)
        if not slot.powered:
            slot.power_on()
            run_until(bench, slot, ChipReset | ChipFailed)  # type: ignore[arg-type]
            continue
        executed = len(card.executed)
        slot.transmit(CHALLENGE)
        (result,) = (
            event
            for event in run_until(bench, slot, ChipResponded | ChipFailed)  # type: ignore[arg-type]
            if isinstance(event, ChipResponded | ChipFailed)
        )
        outcomes[type(result)] += 1
        assert len(card.executed) - executed <= 1
        if isinstance(result, ChipResponded):
            assert result.response.data == len(card.executed).to_bytes(8, "big")
    assert outcomes[ChipResponded] > 40
    slot.close()
