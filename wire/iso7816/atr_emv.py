"""What EMV demands of an answer to reset beyond ISO/IEC 7816-3, and what a terminal does about it.

Source: EMV Contact Interface Specification (Level 1) v1.0, section 8.3, as the kernels in the field read it.
A terminal that finds a defect resets the card once more (warm reset); a second defect ends the session.
"""

from __future__ import annotations

from collections.abc import Iterator

from wire.iso7816.atr import T0, T1, T_GLOBAL, Atr

_SPECIFIC_SPEEDS = frozenset({0x11, 0x12, 0x13})
_WI = 0x0A
_IFSC_MIN, _IFSC_MAX = 0x10, 0xFE
_BWI_MAX, _CWI_MAX = 4, 5


def emv_defects(atr: Atr) -> list[str]:
    """Why an EMV terminal refuses this ATR, one sentence a reason; empty when it accepts it."""
    return [*_speed(atr), *_voltage_and_guard(atr), *_protocols(atr), *_t0(atr), *_t1(atr), *_classes(atr)]


def _speed(atr: Atr) -> Iterator[str]:
    ta1, ta2 = atr.interface_byte("A", 1), atr.interface_byte("A", 2)
    if ta2 is not None and ta2 & 0x10:
        yield "TA2: speed agreed by other means than TA1"
    if ta2 is not None and ta1 is not None and ta1 not in _SPECIFIC_SPEEDS:
        yield "TA1: in specific mode only 11, 12 and 13 are allowed"
    if ta2 is not None and atr.specific_protocol != atr.protocols[0]:
        yield "TA2: not the protocol of TD1"
    # In negotiable mode the terminal keeps the default speed; the card still has to allow 5 MHz.
    if ta2 is None and ta1 is not None and (ta1 >> 4 == 0 or ta1 & 0x0F < 3):
        yield "TA1: in negotiable mode the clock must allow 5 MHz and D must be at least 4"


def _voltage_and_guard(atr: Atr) -> Iterator[str]:
    if atr.interface_byte("B", 1):
        yield "TB1: a programming voltage"
    if atr.interface_byte("B", 2):
        yield "TB2: a programming voltage"
    if atr.interface_byte("C", 1) not in {None, 0x00, 0xFF}:
        yield "TC1: a guard time other than 00 and FF"


def _protocols(atr: Atr) -> Iterator[str]:
    named = [group.protocol for group in atr.groups if group.protocol is not None]
    if named and named[0] not in {T0, T1}:
        yield "TD1: neither T=0 nor T=1"
    if len(named) > 1 and named[1] != {T0: T_GLOBAL, T1: T1}.get(named[0]):
        yield "TD2: T=15 must follow T=0, and T=1 must follow T=1"


def _t0(atr: Atr) -> Iterator[str]:
    tc2 = atr.interface_byte("C", 2)
    if tc2 is not None and atr.protocols[0] != T0:
        yield "TC2: belongs to T=0, which is not the protocol"
    elif tc2 is not None and tc2 != _WI:
        yield "TC2: a waiting time other than 0A"


def _t1(atr: Atr) -> Iterator[str]:
    if atr.protocols[0] != T1:
        return
    if atr.interface_byte("B", 3) is None:
        yield "TB3: absent, T=1 needs it"
        return
    bwi, cwi = atr.waiting_integers
    if bwi > _BWI_MAX or cwi > _CWI_MAX:
        yield "TB3: BWI above 4 or CWI above 5"
    extra = -1 if atr.extra_guard_time == 0xFF else atr.extra_guard_time  # FF stands for the shortest time
    if 1 << cwi <= extra + 1:
        yield "TB3: the card's characters may be too close for its guard time"
    if not _IFSC_MIN <= atr.ifsc <= _IFSC_MAX:
        yield "TA3: IFSC out of 10 to FE"
    if atr.interface_byte("C", 3) not in {None, 0x00}:
        yield "TC3: a CRC, or a reserved value"


def _classes(atr: Atr) -> Iterator[str]:
    """T=15 in the third group: which voltages the card takes."""
    if len(atr.groups) > 2 and atr.groups[1].protocol == T_GLOBAL:
        ta3 = atr.groups[2].ta
        if ta3 is not None and not 1 <= ta3 & 0x3F <= 7:
            yield "TA3 for T=15: no voltage class that exists"
