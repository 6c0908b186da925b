"""hal.api.CardReader, for every backend. A new one adds a line to RIGS: the device, and a hand."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from unittest import mock

import pytest

from hal.api import CardRead, CardReader, CardReadFailed, CardRemoved, ReadFailure, TrackData
from hal.peripherals.magstripe import SwipeReader
from hal.serial.magstripe import SerialMagstripeReader
from hal.virtual.card_reader import Swipe, VirtualCard, VirtualCardReader
from hal.virtual.clock import VirtualClock
from tests.contract.pty_line import PtyLine
from wire.track import Track1, Track2

TRACK1 = "B6225880123456783^LI/MEI^30122010000000000000000123000000"
TRACK2 = "6225880123456783=30122011234500000"
CARD = VirtualCard(track1=TRACK1, track2=TRACK2)
TRACKS = TrackData(Track1.parse(TRACK1), Track2.parse(TRACK2))


@dataclass
class ReaderRig:
    reader: CardReader
    swipe: Callable[[Swipe], None]
    insert: Callable[[Swipe], None] | None = None  # where there is a slot to leave a card in
    remove: Callable[[], None] | None = None
    tells_why: bool = True  # why a card was not read

    def reason(self, reason: ReadFailure) -> ReadFailure:
        return reason if self.tells_why else ReadFailure.UNREADABLE


def _virtual(_stack: ExitStack) -> ReaderRig:
    reader = VirtualCardReader()
    return ReaderRig(
        reader,
        swipe=lambda quality: reader.swipe(CARD, quality=quality),
        insert=lambda quality: reader.insert(CARD, quality=quality),
        remove=reader.remove,
    )


def _serial(stack: ExitStack) -> ReaderRig:
    far = SwipeReader(has_sensor=True)
    line = PtyLine(far, stack)
    reader = SerialMagstripeReader(line.path, VirtualClock(), suffix="\r", has_sensor=True)

    def hand(do: Callable[[tuple[str, str, str], int], None], quality: Swipe) -> None:
        stripe = CARD.swipe(quality)
        do(stripe.bits, stripe.speed_cm_per_s)
        line.deliver(reader)

    def remove() -> None:
        far.remove()
        line.deliver(reader)

    return ReaderRig(
        reader,
        swipe=lambda quality: hand(lambda bits, speed: far.swipe(bits, speed_cm_per_s=speed), quality),
        insert=lambda quality: hand(lambda bits, speed: far.insert(bits, speed_cm_per_s=speed), quality),
        remove=remove,
        tells_why=False,
    )


def _texts(quality: Swipe) -> tuple[str, str]:
    """What a reader's own firmware makes of tracks 1 and 2: their text, or the mark that it could not."""
    is_good = quality in {Swipe.GOOD, Swipe.BACKWARDS}
    return (f"%{TRACK1}?", f";{TRACK2}?") if is_good else ("%E?", ";E?")


def _wedge(stack: ExitStack) -> ReaderRig:
    drivers = pytest.importorskip("hal.pi.input_devices", reason="evdev: pip install 'posterm[pi]'")
    from tests.hal.fake_input import FakeInput

    fake = FakeInput()
    stack.enter_context(mock.patch.object(drivers, "_grabbed", fake.grabbed))
    reader = drivers.EvdevMagstripeReader("usb:0801:0001", VirtualClock())
    return ReaderRig(reader, lambda quality: fake.type_text("".join(_texts(quality)) + "\r"), tells_why=False)


def _hidraw(stack: ExitStack) -> ReaderRig:
    from hal.pi import hidraw_magstripe
    from tests.hal.test_hidraw_magstripe import FakeHidraw, report

    fake = FakeHidraw()
    stack.enter_context(mock.patch.object(hidraw_magstripe, "_opened", fake.opened))
    stack.callback(fake.close)

    def swipe(quality: Swipe) -> None:
        is_good = quality in {Swipe.GOOD, Swipe.BACKWARDS}
        fake.swipe(report(*_texts(quality)) if is_good else report(errors=(1, 2)))

    reader = hidraw_magstripe.HidrawMagstripeReader("usb:0801:0002", VirtualClock())
    return ReaderRig(reader, swipe, tells_why=False)


RIGS: dict[str, Callable[[ExitStack], ReaderRig]] = {
    "virtual": _virtual,
    "serial": _serial,
    "evdev": _wedge,
    "hidraw": _hidraw,
}


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest) -> Iterator[ReaderRig]:
    with ExitStack() as stack:
        rig = RIGS[request.param](stack)
        rig.reader.open()
        stack.callback(rig.reader.close)
        yield rig


@pytest.mark.parametrize("quality", [Swipe.GOOD, Swipe.BACKWARDS])
def test_an_armed_reader_reads(rig: ReaderRig, quality: Swipe) -> None:
    rig.reader.arm()
    rig.swipe(quality)
    assert list(rig.reader.poll()) == [CardRead(TRACKS, held=False)]
    assert not rig.reader.card_present


@pytest.mark.parametrize(
    ("quality", "reason"),
    [
        (Swipe.BAD, ReadFailure.PARITY),
        (Swipe.HALF, ReadFailure.INCOMPLETE),
        (Swipe.TOO_FAST, ReadFailure.TOO_FAST),
    ],
)
def test_says_why_a_card_was_not_read(rig: ReaderRig, quality: Swipe, reason: ReadFailure) -> None:
    rig.reader.arm()
    rig.swipe(quality)
    rig.swipe(Swipe.GOOD)
    assert list(rig.reader.poll()) == [CardReadFailed(rig.reason(reason)), CardRead(TRACKS)]


def test_is_disarmed_at_first_and_after_disarm(rig: ReaderRig) -> None:
    rig.swipe(Swipe.GOOD)
    rig.reader.arm()
    rig.reader.disarm()
    rig.swipe(Swipe.BAD)
    assert list(rig.reader.poll()) == []


def test_disarm_forgets_a_card_that_was_not_polled(rig: ReaderRig) -> None:
    rig.reader.arm()
    rig.swipe(Swipe.GOOD)
    rig.reader.disarm()
    rig.reader.arm()
    assert list(rig.reader.poll()) == []


@pytest.mark.parametrize(
    ("quality", "event"),
    [
        (Swipe.GOOD, CardRead(TRACKS, held=True)),
        (Swipe.BAD, CardReadFailed(ReadFailure.PARITY)),
    ],
)
def test_an_inserted_card_stays_until_removed(
    rig: ReaderRig, quality: Swipe, event: CardRead | CardReadFailed
) -> None:
    if rig.insert is None or rig.remove is None:
        pytest.skip("this reader has no slot to leave a card in")
    rig.reader.arm()
    rig.insert(quality)
    if isinstance(event, CardReadFailed):
        event = CardReadFailed(rig.reason(event.reason))
    assert list(rig.reader.poll()) == [event]
    assert rig.reader.card_present
    rig.reader.disarm()
    rig.remove()
    assert list(rig.reader.poll()) == [CardRemoved()]
    assert not rig.reader.card_present


def test_a_card_inserted_while_disarmed_is_not_read_but_its_removal_is_seen(rig: ReaderRig) -> None:
    if rig.insert is None or rig.remove is None:
        pytest.skip("this reader has no slot to leave a card in")
    rig.insert(Swipe.GOOD)
    rig.reader.arm()
    assert list(rig.reader.poll()) == []
    assert rig.reader.card_present
    rig.remove()
    assert list(rig.reader.poll()) == [CardRemoved()]


def test_events_show_no_card_data_when_printed(rig: ReaderRig) -> None:
    rig.reader.arm()
    rig.swipe(Swipe.GOOD)
    shown = repr(list(rig.reader.poll()))
    for secret in ("123456783", "3012", "LI/MEI", "12345000"):
        assert secret not in shown
