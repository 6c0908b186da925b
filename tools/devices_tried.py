"""Each kind of device, used by a person for a moment: `posterm devices test --try`.

A try says whether the device did what was asked, and what that was. None of them says what is on a card.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from hal.api import (
    Beep,
    CardRead,
    CardReadFailed,
    Clock,
    Device,
    ItemPrinted,
    KeyPressed,
    Led,
    PrintCut,
    PrintStopped,
    PrintText,
    Screen,
    ScreenLine,
)
from hal.smart_card import ChipFailed, ChipInserted, ChipReset

_TRIED_FOR_S = 15.0


def carriers_of(device: Device) -> list[Device]:
    """The device that this one is a part of: a bell sounds in a display or a printer."""
    carrier = getattr(device, "carrier", None)
    return [] if carrier is None else [carrier]


def _run(device: Device, clock: Clock, is_done: Callable[[object], bool], seconds: float) -> object | None:
    """Poll until an event fits; None when none came in time."""
    end_ms = clock.monotonic_ms() + int(seconds * 1000)
    while clock.monotonic_ms() < end_ms:
        for one in (*carriers_of(device), device):
            for event in one.poll():
                if is_done(event):
                    return event
        time.sleep(0.01)
    return None


def _try_display(device: Any, clock: Clock) -> tuple[bool, str]:
    device.show(Screen((ScreenLine("posterm"), ScreenLine("12:34 RMB 12.34"))))
    _run(device, clock, lambda _: False, 3)
    return device.self_test().ok, f"shown for 3 s on {device.columns} by {device.rows}"


def _try_leds(device: Any, clock: Clock) -> tuple[bool, str]:
    for led in Led:
        device.set(frozenset({led}))
        _run(device, clock, lambda _: False, 0.5)
    return True, "each was lit for half a second"


def _try_buzzer(device: Any, clock: Clock) -> tuple[bool, str]:
    device.sound(Beep.AUTHORISED)
    _run(device, clock, lambda _: False, 1)
    return device.self_test().ok, "two short beeps were sounded"


def _try_keypad(device: Any, clock: Clock) -> tuple[bool, str]:
    print(f"press a key within {_TRIED_FOR_S:g} s", file=sys.stderr, flush=True)
    event = _run(device, clock, lambda event: isinstance(event, KeyPressed), _TRIED_FOR_S)
    return (True, f"key {event.key.value}") if isinstance(event, KeyPressed) else (False, "no key came")


def _try_reader(device: Any, clock: Clock) -> tuple[bool, str]:
    print(f"swipe a test card within {_TRIED_FOR_S:g} s", file=sys.stderr, flush=True)
    device.arm()
    event = _run(device, clock, lambda event: isinstance(event, CardRead | CardReadFailed), _TRIED_FOR_S)
    if isinstance(event, CardRead):
        tracks = event.tracks
        read = [str(n) for n, track in enumerate((tracks.track1, tracks.track2, tracks.track3), 1) if track]
        return True, f"read tracks {', '.join(read)}"
    return False, f"not read: {event.reason.value}" if isinstance(event, CardReadFailed) else "no card came"


def _try_printer(device: Any, clock: Clock) -> tuple[bool, str]:
    for item in (PrintText("posterm test 打印测试"), PrintCut()):
        device.submit(item)
        event = _run(device, clock, lambda event: isinstance(event, ItemPrinted | PrintStopped), _TRIED_FOR_S)
        if not isinstance(event, ItemPrinted):
            return False, f"not printed: {device.status.value}"
    return True, "a line was printed"


def _try_smart_card(device: Any, clock: Clock) -> tuple[bool, str]:
    from wire.iso7816.atr_emv import emv_defects

    print(f"insert a chip card within {_TRIED_FOR_S:g} s", file=sys.stderr, flush=True)
    if _run(device, clock, lambda event: isinstance(event, ChipInserted), _TRIED_FOR_S) is None:
        return False, "no card came"
    device.power_on()
    event = _run(device, clock, lambda event: isinstance(event, ChipReset | ChipFailed), _TRIED_FOR_S)
    if not isinstance(event, ChipReset):
        return False, event.failure.value if isinstance(event, ChipFailed) else "it does not answer"
    defects = emv_defects(event.atr)
    return True, f"T={event.atr.protocol}, ATR {event.atr}" + (f"; not EMV: {defects[0]}" if defects else "")


TRIES: Mapping[str, Callable[[Any, Clock], tuple[bool, str]]] = {
    "display": _try_display,
    "leds": _try_leds,
    "buzzer": _try_buzzer,
    "keypad": _try_keypad,
    "card_reader": _try_reader,
    "printer": _try_printer,
    "smart_card": _try_smart_card,
}
"""How each kind is tried: (done as asked, what it was)."""
