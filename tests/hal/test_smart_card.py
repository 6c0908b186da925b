"""The virtual slot beyond the contract: the cardholder's hand, faults, time; and the card with files."""

import pytest

from hal.api import DeviceFault, DeviceMissing
from hal.cards.card import ATR_T0
from hal.cards.file_card import AID, PIN, PIN_TRIES, FileCard
from hal.profile import ProfileError, load_profile
from hal.registry import build_board
from hal.smart_card import ChipFailed, ChipFailure, CommandApdu
from hal.virtual.clock import VirtualClock
from hal.virtual.smart_card import ChipFault, VirtualSmartCardSlot
from tests.hal.slots import SlotRig
from wire import tlv

CHALLENGE = CommandApdu(0, 0x84, le=8)


def rig_with(fault: ChipFault) -> SlotRig:
    clock = VirtualClock()
    slot = VirtualSmartCardSlot(clock)
    slot.open()
    slot.insert(FileCard(), fault=fault)
    rig = SlotRig(slot, clock, slot, ATR_T0)
    rig.settle()
    return rig


@pytest.mark.parametrize(
    ("fault", "failure"), [(ChipFault.MUTE, ChipFailure.MUTE), (ChipFault.BAD_ATR, ChipFailure.BAD_ATR)]
)
def test_a_card_that_cannot_be_reset(fault: ChipFault, failure: ChipFailure) -> None:
    rig = rig_with(fault)
    rig.slot.power_on()
    assert rig.failure() is failure
    assert not rig.slot.powered


@pytest.mark.parametrize(
    ("fault", "failure"),
    [(ChipFault.MUTE_AT_COMMAND, ChipFailure.MUTE), (ChipFault.PROTOCOL, ChipFailure.PROTOCOL)],
)
def test_a_card_that_fails_at_a_command(fault: ChipFault, failure: ChipFailure) -> None:
    rig = rig_with(fault)
    rig.power_on()
    rig.slot.transmit(CHALLENGE)
    assert rig.failure() is failure
    assert not rig.slot.powered


def test_one_card_at_a_time() -> None:
    slot = VirtualSmartCardSlot(VirtualClock())
    with pytest.raises(ValueError, match="insert"):
        slot.remove()
    slot.insert(FileCard())
    with pytest.raises(ValueError, match="remove"):
        slot.insert(FileCard())


def test_a_closed_slot_does_nothing() -> None:
    slot = VirtualSmartCardSlot(VirtualClock())
    slot.power_off()
    with pytest.raises(DeviceFault, match="open it first"):
        slot.power_on()
    assert not slot.self_test().ok


def test_the_same_commands_take_the_same_time() -> None:
    times = []
    for _ in range(2):
        rig = rig_with(ChipFault.NONE)
        rig.power_on()
        rig.send(CHALLENGE)
        times.append(rig.clock.monotonic_ms())
    assert times[0] == times[1] > 0


# --- the card with files -----------------------------------------------------------------------------


def test_its_fci_is_a_template_of_iso_7816_4() -> None:
    response = FileCard().execute(CommandApdu(0, 0xA4, 0x04, 0, AID, 256))
    (fci,) = tlv.decode(response.data)
    assert (fci.tag, tlv.find([fci], "84"), tlv.find([fci], "50")) == ("6F", AID, b"posterm test")


def test_its_pin_is_blocked_after_three_wrong_ones_for_good() -> None:
    card = FileCard()
    wrong = CommandApdu(0, 0x20, 0, 0x80, bytes(8))
    assert [card.execute(wrong).sw for _ in range(PIN_TRIES + 1)] == [0x63C2, 0x63C1, 0x63C0, 0x6983]
    card.reset(warm=False)
    assert card.execute(CommandApdu(0, 0x20, 0, 0x80, PIN)).sw == 0x6983


def test_the_end_of_a_file() -> None:
    card = FileCard()
    card.execute(CommandApdu(0, 0xA4, 0, 0, b"\0\1"))
    assert card.execute(CommandApdu(0, 0xB0, 0x0F, 0xFE, le=4)).sw == 0x6282
    assert card.execute(CommandApdu(0, 0xB0, 0x10, 0x00, le=4)).sw == 0x6B00


# --- no slot, and slots by profile -------------------------------------------------------------------


def test_a_terminal_without_a_slot_has_no_card() -> None:
    profile = load_profile("virtual").with_device("smart_card", "none")
    slot = build_board(profile).smart_card
    slot.open()
    assert slot.self_test().ok
    slot.power_on()
    assert slot.poll() == [ChipFailed(ChipFailure.NO_CARD)]
    slot.transmit(CHALLENGE)
    assert slot.poll() == [ChipFailed(ChipFailure.NO_CARD)]
    slot.close()


@pytest.mark.parametrize(
    ("backend", "options"),
    [
        ("ccid", {"url": "/dev/ttyNONE", "bits_per_s": 57_600}),
        (
            "phoenix",
            {
                "url": "/dev/ttyNONE",
                "reset_line": "dtr",
                "reset_when": False,
                "presence_line": "cts",
                "negotiate": True,
            },
        ),
    ],
)
def test_a_slot_of_a_profile_that_is_not_there_says_so(backend: str, options: dict[str, object]) -> None:
    slot = build_board(load_profile("virtual").with_device("smart_card", backend, **options)).smart_card
    with pytest.raises(DeviceMissing, match="it is not there"):
        slot.open()


def test_a_profile_s_wrong_option_is_refused() -> None:
    profile = load_profile("virtual").with_device("smart_card", "phoenix", url="x", presence_line="ri")
    with pytest.raises(ProfileError, match="'cts' or 'dsr' or 'dcd' or 'none'"):
        build_board(profile)
