"""Slots behind a cable: it is pulled and put back, whatever is going on."""

from collections.abc import Callable

import pytest

from hal.cards.file_card import FileCard
from hal.smart_card import ChipFailed, ChipFailure, ChipInserted, ChipRemoved, CommandApdu
from tests.hal.slots import SlotRig, ccid_rig, phoenix_rig, wired_port

CHALLENGE = CommandApdu(0, 0x84, le=8)


@pytest.mark.parametrize("make", [ccid_rig, phoenix_rig], ids=["ccid", "phoenix"])
@pytest.mark.parametrize("begin", ["reset", "command", "nothing"])
def test_the_cable_is_pulled_and_put_back(make: Callable[[], SlotRig], begin: str) -> None:
    rig = make()
    rig.start()
    rig.insert(FileCard())
    rig.power_on()
    if begin == "reset":
        rig.slot.power_on()
    elif begin == "command":
        rig.slot.transmit(CHALLENGE)
    wired_port(rig).unplug()
    events = rig.settle(ChipRemoved)
    failures = [event.failure for event in events if isinstance(event, ChipFailed)]
    assert failures == ([] if begin == "nothing" else [ChipFailure.READER])
    assert not rig.slot.card_present
    wired_port(rig).plug()
    assert rig.settle(ChipInserted) == [ChipInserted()]
    rig.power_on()
    assert rig.send(CHALLENGE)[1] == 0x9000
