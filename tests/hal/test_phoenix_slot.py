"""The Phoenix slot beyond the contract: characters on the line, resets, speeds, and what goes wrong there."""

import pytest

from hal.cards.card import ATR_T0, ATR_T1
from hal.cards.file_card import PIN, FileCard
from hal.peripherals.card_faults import CardFaults
from hal.peripherals.phoenix_reader import PhoenixReader
from hal.serial.contact_line import Character, ContactLine
from hal.serial.phoenix_slot import PhoenixSlot, Wiring
from hal.smart_card import (
    Atr,
    ChipFailed,
    ChipFailure,
    ChipInserted,
    ChipRemoved,
    ChipReset,
    CommandApdu,
)
from hal.virtual.clock import VirtualClock
from tests.hal.slots import INVERSE_T0, SlotRig, phoenix_rig, wired_port
from tests.hal.wired_port import WiredPort
from wire.iso7816.atr import InterfaceBytes

CHALLENGE = CommandApdu(0, 0x84, le=8)
VERIFY = CommandApdu(0, 0x20, 0, 0x80, PIN)
FAST = Atr((InterfaceBytes(ta=0x13, tc=0xFF),))
FAST_AT_ONCE = Atr((InterfaceBytes(ta=0x13, tc=0xFF, protocol=0), InterfaceBytes(ta=0x00)))


def ready_rig(
    atr: Atr = ATR_T0,
    faults: CardFaults | None = None,
    *,
    negotiate: bool = False,
    marks_damage: bool = False,
) -> tuple[SlotRig, PhoenixReader, FileCard]:
    """A slot with a card in it that has no power."""
    reader = PhoenixReader(marks_damage=marks_damage)
    rig = phoenix_rig(atr, reader, negotiate=negotiate)
    rig.start()
    card = FileCard(atr)
    reader.insert(card, faults)
    assert rig.settle(ChipInserted) == [ChipInserted()]
    return rig, reader, card


# --- characters --------------------------------------------------------------------------------------


def test_a_direct_card_gets_its_commands_as_they_are() -> None:
    rig, _, _ = ready_rig()
    rig.power_on()
    rig.send(CHALLENGE)
    assert bytes(wired_port(rig).written) == bytes.fromhex("0084000008")
    assert wired_port(rig).speeds[-1] == (9_600, "even")


def test_an_inverse_card_gets_them_upside_down_and_backwards() -> None:
    """ISO/IEC 7816-3, 8.1: 3F, 1100 0000 in a port's order of bits and inverted, is 03 on the port."""
    rig, _, _ = ready_rig(INVERSE_T0)
    assert rig.power_on() == ChipReset(INVERSE_T0)
    rig.send(CHALLENGE)
    expected = [int(f"{byte:08b}"[::-1], 2) ^ 0xFF for byte in bytes.fromhex("0084000008")]
    assert bytes(wired_port(rig).written) == bytes(expected) == bytes.fromhex("FFDEFFFFEF")
    assert wired_port(rig).speeds[-1] == (9_600, "odd")


def test_a_card_that_asks_for_each_byte_alone() -> None:
    rig, _, card = ready_rig(ATR_T0, CardFaults(one_by_one=True))
    rig.power_on()
    assert rig.send(VERIFY) == (b"", 0x9000)
    assert rig.send("00A40000020002")[1] == 0x9000
    assert rig.send("00B2020400") == (card.records[1], 0x9000)


def test_a_guard_time_spaces_our_characters() -> None:
    atr = Atr((InterfaceBytes(tc=200),))
    rig, _, _ = ready_rig(atr)
    rig.power_on()
    begin_ms = rig.clock.monotonic_ms()
    assert rig.send(CHALLENGE)[1] == 0x9000
    assert rig.clock.monotonic_ms() - begin_ms >= 4 * 212 * 1_000 // 9_600


def test_noise_before_the_atr_is_passed_over() -> None:
    rig, reader, _ = ready_rig()
    rig.slot.power_on()
    reader._output += b"\xff\x00"
    assert rig.result() == ChipReset(ATR_T0)


# --- speeds ------------------------------------------------------------------------------------------


def test_a_faster_card_stays_at_the_default_speed_unless_asked() -> None:
    rig, _, _ = ready_rig(FAST)
    rig.power_on()
    assert wired_port(rig).speeds[-1] == (9_600, "even")
    assert wired_port(rig).written == b""


def test_a_faster_card_is_asked_by_pps() -> None:
    rig, _, _ = ready_rig(FAST, negotiate=True)
    rig.power_on()
    assert bytes(wired_port(rig).written) == bytes.fromhex("FF1013FC")
    assert wired_port(rig).speeds[-1] == (38_400, "even")
    assert rig.send(CHALLENGE)[1] == 0x9000


def test_a_card_in_specific_mode_is_fast_at_once() -> None:
    rig, _, _ = ready_rig(FAST_AT_ONCE)
    rig.power_on()
    assert wired_port(rig).written == b""
    assert wired_port(rig).speeds[-1] == (38_400, "even")


def test_a_port_that_cannot_do_the_speed_is_told() -> None:
    rig, _, _ = ready_rig(FAST_AT_ONCE)
    wired_port(rig).refuses_speed = True
    rig.slot.power_on()
    assert rig.failure() is ChipFailure.UNSUPPORTED


# --- control lines -----------------------------------------------------------------------------------


def test_a_smartmouse_reader_holds_the_card_with_the_other_level() -> None:
    clock, reader = VirtualClock(), PhoenixReader(reset_line="dtr", reset_when=False)
    wiring = Wiring("dtr", reset_when=False, presence_line="cts")
    slot = PhoenixSlot(WiredPort(reader, clock), clock, wiring=wiring)
    rig = SlotRig(slot, clock, reader, ATR_T0)
    rig.start()
    rig.insert(FileCard())
    assert rig.power_on() == ChipReset(ATR_T0)
    assert rig.send(CHALLENGE)[1] == 0x9000


def test_a_card_is_taken_to_be_there_where_no_line_says_so() -> None:
    clock, reader = VirtualClock(), PhoenixReader()
    reader.insert(FileCard())
    slot = PhoenixSlot(WiredPort(reader, clock), clock, wiring=Wiring(presence_line="none"))
    rig = SlotRig(slot, clock, reader, ATR_T0)
    slot.open()
    assert rig.settle(ChipInserted) == [ChipInserted()]
    rig.power_on()


def test_a_port_without_control_lines_cannot_reset_a_card() -> None:
    class Bare(WiredPort):
        def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> bool:
            return False

        def modem_lines(self) -> None:
            return None

    clock, reader = VirtualClock(), PhoenixReader()
    reader.insert(FileCard())
    slot = PhoenixSlot(Bare(reader, clock), clock, wiring=Wiring(presence_line="none"))
    rig = SlotRig(slot, clock, reader, ATR_T0)
    slot.open()
    rig.settle(ChipInserted)
    assert "no control lines" in slot.self_test().detail
    slot.power_on()
    assert rig.failure() is ChipFailure.READER


# --- cards that fail ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("atr", "faults", "failure"),
    [
        (ATR_T0, CardFaults(mute=True), ChipFailure.MUTE),
        (ATR_T1, CardFaults(bad_check=True), ChipFailure.BAD_ATR),
        (Atr((InterfaceBytes(protocol=14), InterfaceBytes())), CardFaults(), ChipFailure.UNSUPPORTED),
    ],
)
def test_a_card_that_cannot_be_reset(atr: Atr, faults: CardFaults, failure: ChipFailure) -> None:
    rig, _, _ = ready_rig(atr, faults)
    rig.slot.power_on()
    assert rig.failure() is failure
    assert not rig.slot.powered


@pytest.mark.parametrize(
    ("atr", "faults", "failure"),
    [
        (ATR_T0, CardFaults(mute_at_command=True), ChipFailure.MUTE),
        (ATR_T0, CardFaults(wrong_procedure_byte=True), ChipFailure.PROTOCOL),
        (ATR_T1, CardFaults(mute_at_command=True), ChipFailure.PROTOCOL),
        (ATR_T1, CardFaults(damaged_blocks=1_000), ChipFailure.PROTOCOL),
    ],
)
def test_a_card_that_fails_at_a_command_loses_its_power(
    atr: Atr, faults: CardFaults, failure: ChipFailure
) -> None:
    rig, _, card = ready_rig(atr, faults)
    rig.power_on()
    rig.slot.transmit(CHALLENGE)
    assert rig.failure() is failure
    assert not rig.slot.powered
    assert len(card.executed) <= 1


def test_a_slow_card_that_says_nothing_is_mute() -> None:
    """Beyond 960 * WI etu (one second here) without a NULL."""
    for atr, slow_ms in ((ATR_T0, 1_500), (ATR_T1, 60_000)):
        rig, reader, _ = ready_rig(atr)
        reader.remove()
        rig.settle(ChipRemoved)
        reader.insert(FileCard(atr, compute_ms={0x84: slow_ms}), CardFaults(asks_for_time=False))
        rig.settle(ChipInserted)
        rig.power_on()
        rig.slot.transmit(CHALLENGE)
        assert rig.failure() in {ChipFailure.MUTE, ChipFailure.PROTOCOL}


def test_two_damaged_blocks_are_repaired() -> None:
    rig, _, card = ready_rig(ATR_T1, CardFaults(damaged_blocks=2))
    rig.power_on()
    assert rig.send(CHALLENGE)[1] == 0x9000
    assert card.executed == [0x84]


def test_a_card_that_leaves_while_its_data_are_sent() -> None:
    rig, reader, card = ready_rig()
    rig.power_on()
    rig.slot.transmit(VERIFY)
    reader.remove()
    events = rig.settle(ChipRemoved)
    assert [type(event) for event in events] == [ChipFailed, ChipRemoved]
    assert card.executed == []


# --- parity ------------------------------------------------------------------------------------------


def test_a_damaged_character_of_t0_is_no_answer_where_the_system_marks_it() -> None:
    rig, reader, _ = ready_rig(marks_damage=True)
    rig.power_on()
    assert rig.send(CHALLENGE)[0] == bytes(7) + b"\x01"
    assert reader._contacts is not None
    reader._contacts.faults.damaged_characters = 1
    rig.slot.transmit(CHALLENGE)
    assert rig.failure() is ChipFailure.PROTOCOL


def test_a_damaged_block_of_t1_is_asked_for_again_whatever_its_check_says() -> None:
    """Two characters with the same bit flipped: the LRC agrees."""
    rig, reader, card = ready_rig(ATR_T1, marks_damage=True)
    rig.power_on()
    rig.send("00A40000020001")
    assert reader._contacts is not None
    reader._contacts.faults.damaged_characters = 2
    assert rig.send("00B0000010") == (bytes(card.binary[:16]), 0x9000)
    assert card.executed == [0xA4, 0xB0]


def test_a_damaged_atr_is_bad() -> None:
    rig, _, _ = ready_rig(ATR_T0, CardFaults(damaged_characters=2), marks_damage=True)
    rig.slot.power_on()
    assert rig.failure() in {ChipFailure.BAD_ATR, ChipFailure.MUTE}


@pytest.mark.parametrize("atr", [ATR_T0, ATR_T1, INVERSE_T0], ids=["t0", "t1", "inverse"])
def test_marked_lines_carry_every_value(atr: Atr) -> None:
    rig, _, card = ready_rig(atr, marks_damage=True)
    assert rig.power_on() == ChipReset(atr)
    rig.send("00A40000020002")
    assert rig.send("00B2030400") == (card.records[2], 0x9000)
    assert rig.send(VERIFY) == (b"", 0x9000)
    data = bytes(range(255, -1, -1))[:200]
    assert rig.send(CommandApdu(0, 0xDC, 1, 4, data)) == (b"", 0x9000)
    assert card.records[0] == data


def test_a_mark_may_come_in_pieces() -> None:
    line = ContactLine(WiredPort(PhoenixReader(marks_damage=True), VirtualClock()), 9_600, echo=False)
    found: list[Character] = []
    for byte in b"\x01\xff\x00\x02\xff\xff\x03":
        found += line.without_echo(bytes([byte])) or []
    assert found == [Character(1), Character(2, damaged=True), Character(0xFF), Character(3)]


# --- the line ----------------------------------------------------------------------------------------


def test_another_sender_on_the_line_is_noticed() -> None:
    rig, _, _ = ready_rig()
    rig.power_on()
    rig.slot.transmit(CHALLENGE)
    wired_port(rig)._arrived[:] = b"\x55" + wired_port(rig)._arrived
    assert rig.failure() is ChipFailure.READER
