"""PC/SC readers beyond the contract: T=1, pcscd's serial driver against our reader, and what is missing."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hal.api import DeviceMissing
from hal.cards.card import ATR_T0, ATR_T1
from hal.cards.file_card import AID, PIN, FileCard
from hal.host.clock import SystemClock
from hal.peripherals.card_faults import CardFaults
from hal.peripherals.ccid_reader import SerialCcidReader
from hal.pi.pcsc import PcscSlot
from hal.smart_card import (
    Atr,
    ChipFailed,
    ChipFailure,
    ChipInserted,
    ChipRemoved,
    ChipReset,
    CommandApdu,
    Reset,
)
from tests.hal.pcscd import TWIN, VPCD, VpcdHand, pcscd, twin_entry, vpcd_entry, wait_for_readers, why_not
from tests.hal.reader_on_pty import ReaderOnPty
from tests.hal.slots import RealTimeRig, SlotRig, pcsc_rig
from wire.iso7816.atr import InterfaceBytes

CHALLENGE = CommandApdu(0, 0x84, le=8)
QUICK_T1 = Atr(
    (
        InterfaceBytes(tb=0, tc=0, protocol=1),
        InterfaceBytes(protocol=1),
        InterfaceBytes(ta=0x20, tb=0x05),
    )
)
"""T=1 with BWI 0: a card that takes longer than 0.1 s has to ask for time."""

needs_twin = pytest.mark.skipif(bool(why_not(TWIN)), reason=why_not(TWIN))


def test_a_card_of_t1_through_pcscd() -> None:
    rig = pcsc_rig(ATR_T1)
    with contextlib.closing(rig):
        rig.start()
        card = FileCard(ATR_T1)
        rig.insert(card)
        assert rig.power_on() == ChipReset(ATR_T1)
        assert rig.send("00A40000020001")[1] == 0x9000
        assert rig.send(CommandApdu(0, 0xB0, le=4096)) == (bytes(card.binary), 0x9000)
        assert rig.power_on(Reset.WARM) == ChipReset(ATR_T1)
        with pytest.raises(DeviceMissing, match="'Chip Reader 00 00'"):
            PcscSlot(SystemClock(), reader="nobody").open()
        with pytest.raises(DeviceMissing, match="several card readers"):
            PcscSlot(SystemClock()).open()


def test_pcscd_goes_and_comes_back(tmp_path: Path) -> None:
    if reason := why_not(VPCD):
        pytest.skip(reason)
    clock = SystemClock()
    slot = PcscSlot(clock, reader="Chip Reader 00 00")
    with contextlib.ExitStack() as stack:
        stack.callback(slot.close)
        with pcscd(tmp_path / "first", vpcd_entry()) as pid, contextlib.closing(VpcdHand(pid)) as hand:
            wait_for_readers()
            slot.open()
            rig = RealTimeRig(slot, clock, hand, ATR_T0)
            rig.insert(FileCard())
            rig.power_on()
        assert ChipRemoved() in rig.settle(ChipRemoved)
        assert slot.self_test().detail == "the card reader is gone"
        slot.power_on()
        assert rig.failure() is ChipFailure.NO_CARD
        with pcscd(tmp_path / "second", vpcd_entry()) as pid, contextlib.closing(VpcdHand(pid)) as hand:
            rig.hand = hand
            rig.insert(FileCard())
            assert slot.self_test().ok
            assert rig.power_on() == ChipReset(ATR_T0)
            rig.close()


# --- pcscd's serial CCID driver against the reader in software ---------------------------------------


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[Callable[[Atr], SlotRig]]:
    """Our reader on a pseudo-terminal, pcscd with its own driver, and our PC/SC backend as its client."""
    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(contextlib.closing(ReaderOnPty(SerialCcidReader())))
        stack.enter_context(pcscd(tmp_path, twin_entry(reader.path)))
        wait_for_readers()

        def make(atr: Atr) -> SlotRig:
            clock = SystemClock()
            rig = RealTimeRig(PcscSlot(clock), clock, reader, atr)
            stack.callback(rig.close)
            rig.start()
            return rig

        yield make


@needs_twin
@pytest.mark.parametrize("atr", [ATR_T0, ATR_T1], ids=["t0", "t1"])
def test_pcscd_s_own_driver_reads_a_card_in_our_reader(atr: Atr, twin: Callable[[Atr], SlotRig]) -> None:
    rig, card = twin(atr), FileCard(atr)
    rig.insert(card)
    assert rig.power_on() == ChipReset(atr)
    assert rig.send(CommandApdu(0, 0xA4, 0x04, 0, AID, 256))[0].startswith(b"\x6f")
    assert rig.send("00A40000020001")[1] == 0x9000
    assert rig.send(CommandApdu(0, 0x20, 0, 0x80, PIN)) == (b"", 0x9000)
    data = bytes(range(256)) * 4
    assert rig.send(CommandApdu(0, 0xD6, 1, 0, data)) == (b"", 0x9000)
    assert card.binary[0x100:0x500] == data
    assert rig.send("00B0010000") == (data[:256], 0x9000)
    assert rig.send("00FF000000") == (b"", 0x6D00)
    assert rig.power_on(Reset.WARM) == ChipReset(atr)
    rig.hand.remove()
    assert rig.settle(ChipRemoved) == [ChipRemoved()]


@needs_twin
def test_pcscd_s_own_t1_repairs_blocks_and_grants_time(twin: Callable[[Atr], SlotRig]) -> None:
    rig, card = twin(QUICK_T1), FileCard(QUICK_T1, compute_ms={0x84: 250})
    assert isinstance(rig.hand, ReaderOnPty)
    rig.insert(card)
    rig.power_on()
    assert rig.send(CHALLENGE)[1] == 0x9000
    rig.hand.work(lambda reader: setattr(reader, "faults", CardFaults(damaged_blocks=1)))
    assert rig.send("00A40000020001")[1] == 0x9000
    assert card.executed == [0x84, 0xA4]


@needs_twin
def test_pcscd_waits_for_a_slow_card_of_t0(twin: Callable[[Atr], SlotRig]) -> None:
    rig, card = twin(ATR_T0), FileCard(ATR_T0, compute_ms={0x84: 1_200})
    rig.insert(card)
    rig.power_on()
    assert rig.send(CHALLENGE)[1] == 0x9000
    assert card.executed == [0x84]


@needs_twin
def test_a_mute_card_is_told_as_mute(twin: Callable[[Atr], SlotRig]) -> None:
    rig = twin(ATR_T0)
    assert isinstance(rig.hand, ReaderOnPty)
    rig.hand.work(lambda reader: reader.insert(FileCard(), CardFaults(mute=True)))
    rig.settle(ChipInserted)
    rig.slot.power_on()
    result = rig.result()
    assert isinstance(result, ChipFailed)
    assert result.failure is ChipFailure.MUTE


# --- what is missing ---------------------------------------------------------------------------------


def test_without_pyscard_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard", None)
    slot = PcscSlot(SystemClock())
    with pytest.raises(DeviceMissing) as caught:
        slot.open()
    assert str(caught.value) == "PC/SC card readers need pyscard: pip install 'posterm[pcsc]'"
    assert not slot.self_test().ok


def test_without_pcscd_one_line_says_what_to_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if "pyscard" in why_not(TWIN):
        pytest.skip(why_not(TWIN))
    name = os.environ.get("PCSCLITE_CSOCK_NAME")
    if name is None:
        monkeypatch.setenv("PCSCLITE_CSOCK_NAME", str(tmp_path / "nobody"))
    with pytest.raises(DeviceMissing, match="sudo systemctl start pcscd"):
        PcscSlot(SystemClock()).open()


def test_a_pcscd_that_refuses_the_user_is_told_from_one_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Refusing:
        SCARD_SCOPE_SYSTEM, SCARD_W_SECURITY_VIOLATION = 2, 0x8010006A

        def SCardEstablishContext(self, _scope: int) -> tuple[int, int]:  # noqa: N802
            return self.SCARD_W_SECURITY_VIOLATION, 0

    monkeypatch.setattr("hal.pi.pcsc._scard", Refusing)
    with pytest.raises(DeviceMissing, match="polkit rule"):
        PcscSlot(SystemClock()).open()
