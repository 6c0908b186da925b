"""What is fuzzed of smart cards: formats, both ends of a serial reader's line, a card on its contacts.

Everything here takes any bytes and comes to an end; nothing keeps more than a frame of them.
"""

from __future__ import annotations

import contextlib

from hal.cards.card import ATR_T0, ATR_T1
from hal.cards.file_card import FileCard
from hal.chip.link import Fate
from hal.chip.t0_link import T0Link
from hal.chip.t1_link import T1Link
from hal.peripherals.api import HostLines
from hal.peripherals.ccid_reader import SerialCcidReader
from hal.peripherals.phoenix_reader import PhoenixReader
from hal.serial.ccid_slot import CcidSlot
from hal.virtual.clock import VirtualClock
from hal.virtual.serial_port import VirtualSerialPort
from wire.errors import ApduError, AtrError, BlockError
from wire.iso7816.apdu import CommandApdu
from wire.iso7816.atr import Atr
from wire.iso7816.atr_emv import emv_defects
from wire.iso7816.pps import Pps
from wire.iso7816.t1_block import decode_block, encode_block

_COMMAND = CommandApdu(0, 0xA4, 4, 0, bytes(7), 256)
_PIECE_BYTES = 7


def smart_card(data: bytes) -> None:
    """Commands, ATRs, PPS and blocks: what can be read is written as it was."""
    with contextlib.suppress(ApduError):
        assert CommandApdu.decode(data).encode() == data
    with contextlib.suppress(AtrError):
        atr = Atr.decode(data)
        assert atr.encode() == data
        emv_defects(atr)
    with contextlib.suppress(AtrError):
        pps = Pps.decode(data)
        assert Pps.decode(pps.encode()) == pps
    for crc in (False, True):
        with contextlib.suppress(BlockError):
            packet = decode_block(data, crc=crc)
            assert encode_block(packet.block, nad=packet.nad, crc=crc) == data


def card_link(data: bytes) -> None:
    """A card's answers to a command, each with its length before it, in T=0 and T=1; 0 is silence."""
    for link in (T0Link(), T1Link()):
        step = link.start(_COMMAND)
        position = 0
        while step.fate is Fate.GOING_ON and position < len(data):
            length = data[position]
            answer = data[position + 1 : position + 1 + length]
            position += 1 + length
            step = link.take(answer) if length else link.silence()
        assert (step.fate is Fate.DONE) == (step.response is not None)


def card_slot(data: bytes) -> None:
    """Bytes from a serial card reader, into a slot that resets and sends whenever it may."""
    clock, port = VirtualClock(), VirtualSerialPort()
    slot = CcidSlot(port, clock)
    slot.open()
    for begin in range(0, len(data), _PIECE_BYTES):
        port.feed(data[begin : begin + _PIECE_BYTES])
        events = slot.poll()
        if events and slot.card_present:
            slot.power_off()
            slot.power_on()
        clock.advance(data[begin])
        port.take_output()
    slot.close()


def card_reader(data: bytes) -> None:
    """Bytes from a host, into a CCID reader and a Phoenix reader, each with a card of T=0 and T=1."""
    for atr in (ATR_T0, ATR_T1):
        ccid, phoenix = SerialCcidReader(), PhoenixReader()
        ccid.insert(FileCard(atr))
        phoenix.insert(FileCard(atr))
        phoenix.set_host_lines(HostLines(rts=False), 0)
        for now_ms, begin in enumerate(range(0, len(data), _PIECE_BYTES)):
            piece = data[begin : begin + _PIECE_BYTES]
            for reader in (ccid, phoenix):
                reader.receive(piece, now_ms)
                reader.take_output()
