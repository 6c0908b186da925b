"""hal.smart_card.SmartCardSlot, for every backend. A new one adds a line to RIGS: the slot, and a hand."""

from collections.abc import Iterator

import pytest

from hal.api import DeviceFault
from hal.cards.file_card import AID, PIN, FileCard
from hal.smart_card import (
    ChipFailed,
    ChipFailure,
    ChipInserted,
    ChipRemoved,
    ChipReset,
    CommandApdu,
    Reset,
)
from tests.hal.slots import RIGS, SlotRig

SELECT_BINARY = "00A40000020001"
SELECT_RECORDS = "00A40000020002"
SELECT_NAME = CommandApdu(0x00, 0xA4, 0x04, 0x00, AID, 256)
VERIFY = CommandApdu(0x00, 0x20, 0x00, 0x80, PIN)
CHALLENGE = "0084000008"


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[SlotRig]:
    rig = RIGS[request.param]()
    rig.start()
    yield rig
    rig.close()


@pytest.fixture
def card(rig: SlotRig) -> FileCard:
    return FileCard(rig.atr)


@pytest.fixture
def ready(rig: SlotRig, card: FileCard) -> SlotRig:
    """A rig with a card that has power."""
    rig.insert(card)
    rig.power_on()
    return rig


# --- the card comes and goes -------------------------------------------------------------------------


def test_an_empty_slot_is_empty(rig: SlotRig) -> None:
    assert not rig.slot.card_present
    assert not rig.slot.powered
    assert rig.slot.self_test().ok


def test_tells_once_that_a_card_came_and_that_it_left(rig: SlotRig, card: FileCard) -> None:
    rig.hand.insert(card)
    assert rig.settle(within_ms=3_000) == [ChipInserted()]
    assert rig.slot.card_present
    assert not rig.slot.powered
    rig.hand.remove()
    assert rig.settle(within_ms=3_000) == [ChipRemoved()]
    assert not rig.slot.card_present


def test_a_card_that_is_in_the_slot_at_first_is_told(rig: SlotRig, card: FileCard) -> None:
    rig.slot.close()
    rig.hand.insert(card)
    assert rig.slot.poll() == []
    rig.slot.open()
    assert ChipInserted() in rig.settle(ChipInserted)


# --- reset -------------------------------------------------------------------------------------------


def test_a_reset_brings_the_atr(rig: SlotRig, card: FileCard) -> None:
    rig.insert(card)
    rig.slot.power_on()
    assert rig.result() == ChipReset(rig.atr)
    assert rig.slot.powered


def test_a_reset_is_no_event_before_it_is_done(rig: SlotRig, card: FileCard) -> None:
    rig.insert(card)
    rig.slot.power_on()
    with pytest.raises(DeviceFault):
        rig.slot.power_on()
    with pytest.raises(DeviceFault):
        rig.slot.transmit(CommandApdu(0, 0x84, le=8))
    assert rig.result() == ChipReset(rig.atr)


def test_a_warm_reset_forgets_what_was_verified_and_keeps_what_is_stored(ready: SlotRig) -> None:
    assert ready.send(SELECT_BINARY)[1] == 0x9000
    assert ready.send(VERIFY) == (b"", 0x9000)
    assert ready.send("00D6000004C0FFEE00")[1] == 0x9000
    assert ready.power_on(Reset.WARM) == ChipReset(ready.atr)
    assert ready.send(SELECT_BINARY)[1] == 0x9000
    assert ready.send("00D6000001FF")[1] == 0x6982
    assert ready.send("00B0000004") == (bytes.fromhex("C0FFEE00"), 0x9000)


def test_a_warm_reset_of_a_card_without_power_is_a_cold_one(rig: SlotRig, card: FileCard) -> None:
    rig.insert(card)
    assert rig.power_on(Reset.WARM) == ChipReset(rig.atr)


def test_no_card_no_reset(rig: SlotRig) -> None:
    rig.slot.power_on()
    assert rig.failure() is ChipFailure.NO_CARD


# --- commands ----------------------------------------------------------------------------------------


def test_commands_of_all_four_cases(ready: SlotRig, card: FileCard) -> None:
    assert ready.send("00A40000") == (b"", 0x6A82)  # case 1
    assert ready.send(CHALLENGE) == (bytes(7) + b"\x01", 0x9000)  # case 2
    assert ready.send(SELECT_RECORDS) == (b"", 0x9000)  # case 3
    data, sw = ready.send(SELECT_NAME)  # case 4
    assert sw == 0x9000
    assert data.startswith(b"\x6f")
    assert AID in data
    assert card.executed == [0xA4, 0x84, 0xA4, 0xA4]


def test_a_record_s_length_need_not_be_known(ready: SlotRig, card: FileCard) -> None:
    ready.send(SELECT_RECORDS)
    for number, record in enumerate(card.records, 1):
        assert ready.send(CommandApdu(0, 0xB2, number, 0x04, le=256)) == (record, 0x9000)
    assert ready.send("00B2040400") == (b"", 0x6A83)
    assert len(card.executed) == 5, "a command is carried out once, however often its length was wrong"


def test_256_bytes_in_one_answer(ready: SlotRig, card: FileCard) -> None:
    ready.send(SELECT_BINARY)
    assert ready.send("00B0000000") == (bytes(card.binary[:256]), 0x9000)


def test_long_data_in_one_command(ready: SlotRig, card: FileCard) -> None:
    ready.send(SELECT_BINARY)
    ready.send(VERIFY)
    data = bytes(range(256)) * 4
    assert ready.send(CommandApdu(0, 0xD6, 0x01, 0x00, data)) == (b"", 0x9000)
    assert card.binary[0x100 : 0x100 + 1024] == data


def test_a_long_answer(ready: SlotRig, card: FileCard) -> None:
    """In T=0 a turn has 256 bytes at most, and this card offers no more than it was asked for."""
    ready.send(SELECT_BINARY)
    expected = bytes(card.binary) if ready.extended else bytes(card.binary[:256])
    assert ready.send(CommandApdu(0, 0xB0, le=4096)) == (expected, 0x9000)


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("00B0000000", 0x6986),
        ("00FF000000", 0x6D00),
        ("80CA9F3600", 0x6E00),
        ("002000800824432111FFFFFFFF", 0x63C2),
        ("00A40000023F01", 0x6A82),
    ],
)
def test_status_words_are_answers_not_failures(ready: SlotRig, command: str, sw: int) -> None:
    assert ready.send(command) == (b"", sw)


def test_nothing_secret_is_printed(ready: SlotRig) -> None:
    assert PIN.hex() not in repr(VERIFY)
    assert "x12\\x34" not in repr(VERIFY)
    ready.slot.transmit(CommandApdu(0, 0x84, le=8))
    assert "\\x01" not in repr(ready.result())


# --- time --------------------------------------------------------------------------------------------


def test_a_slow_card_has_its_time(rig: SlotRig) -> None:
    card = FileCard(rig.atr, compute_ms={0x84: rig.slow_ms})
    rig.insert(card)
    rig.power_on()
    begin_ms = rig.clock.monotonic_ms()
    assert rig.send(CHALLENGE)[1] == 0x9000
    assert rig.clock.monotonic_ms() - begin_ms >= rig.slow_ms
    assert card.executed == [0x84]


# --- no power, no card -------------------------------------------------------------------------------


def test_without_power_there_is_no_command(rig: SlotRig, card: FileCard) -> None:
    rig.slot.transmit(CommandApdu(0, 0x84, le=8))
    assert rig.failure() is ChipFailure.NO_CARD
    rig.insert(card)
    rig.slot.transmit(CommandApdu(0, 0x84, le=8))
    assert rig.failure() is ChipFailure.NO_POWER
    assert card.executed == []


def test_power_off_gives_up_what_is_going_on(rig: SlotRig) -> None:
    rig.insert(FileCard(rig.atr, compute_ms={0x84: 500}))
    rig.power_on()
    rig.slot.transmit(CommandApdu(0, 0x84, le=8))
    rig.slot.poll()
    rig.slot.power_off()
    assert not rig.slot.powered
    assert rig.settle(within_ms=4_000) == []
    assert rig.power_on() == ChipReset(rig.atr)
    assert rig.send("00A40000") == (b"", 0x6A82)


def test_a_card_that_leaves_ends_its_command(rig: SlotRig) -> None:
    rig.insert(FileCard(rig.atr, compute_ms={0x84: 900}))
    rig.power_on()
    rig.slot.transmit(CommandApdu(0, 0x84, le=8))
    rig.slot.poll()
    rig.hand.remove()
    events = rig.settle(ChipRemoved)
    assert [type(event) for event in events] == [ChipFailed, ChipRemoved]
    assert isinstance(events[0], ChipFailed)
    assert events[0].failure is ChipFailure.REMOVED
    assert not rig.slot.powered


def test_another_card_begins_afresh(ready: SlotRig) -> None:
    ready.hand.remove()
    ready.settle(ChipRemoved)
    other = FileCard(ready.atr)
    ready.insert(other)
    assert not ready.slot.powered
    ready.power_on()
    assert ready.send(CHALLENGE) == (bytes(7) + b"\x01", 0x9000)


def test_opens_and_closes_any_number_of_times(rig: SlotRig, card: FileCard) -> None:
    rig.slot.open()
    rig.slot.close()
    rig.slot.close()
    rig.slot.self_test()
    assert list(rig.slot.filenos()) == []
    rig.slot.open()
    assert rig.slot.self_test().ok
    rig.insert(card)
    rig.power_on()


def test_a_closed_slot_has_no_power(ready: SlotRig) -> None:
    ready.slot.close()
    assert not ready.slot.powered
    assert not ready.slot.card_present
    assert ready.slot.poll() == []
    assert ready.slot.deadline_ms() is None
