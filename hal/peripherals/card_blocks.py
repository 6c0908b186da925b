"""The card's side of T=1: blocks of the terminal in, one block out for each.

A card never speaks first; it keeps its last block, for when the terminal asks for it again. Source:
ISO/IEC 7816-3:2006, section 11.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hal.cards.card import ChipCard
from hal.peripherals.card_faults import CardFaults
from wire.errors import ApduError, BlockError
from wire.iso7816.apdu import CommandApdu, ResponseApdu
from wire.iso7816.atr import Atr
from wire.iso7816.t1_block import (
    Block,
    Damage,
    InfoBlock,
    ReadyBlock,
    Request,
    SupervisoryBlock,
    decode_block,
    encode_block,
)

_IFSD_AT_FIRST = 32
_CLOCK_KHZ = 3_580
_COMMAND_BYTES_MAX = 65_535 + 9
_WRONG_LENGTH = ResponseApdu(b"", 0x6700)


@dataclass(frozen=True, slots=True)
class Reply:
    """A block, and how long the card takes before it sends it."""

    block: bytes = field(repr=False)
    after_ms: int = 0


class CardBlocks:
    """One card's blocks between two resets. `block_wait_ms`: how long it may compute without asking for more.

    `asks_for_time`: False makes a card that just takes longer than it may.
    """

    def __init__(
        self, card: ChipCard, *, ifsc: int, crc: bool, block_wait_ms: int, asks_for_time: bool = True
    ) -> None:
        self._card = card
        self._ifsc = ifsc
        self._crc = crc
        self._block_wait_ms = block_wait_ms
        self._asks_for_time = asks_for_time
        self._ifsd = _IFSD_AT_FIRST
        self._restart()

    def _restart(self) -> None:
        self._expected = 0  # number of the terminal's next I-block
        self._number = 0  # of the card's next one
        self._command = bytearray()
        self._unsent = b""
        self._last: Block = ReadyBlock(0)
        self._last_info: InfoBlock | None = None
        self._waits_for_time: CommandApdu | None = None

    def take(self, data: bytes) -> Reply:
        """Take a block, damaged or not; there is an answer to each."""
        try:
            block = decode_block(data, crc=self._crc).block
        except BlockError as error:
            return self._complain(Damage.CHECK if error.reason in {"bad_lrc", "bad_crc"} else Damage.OTHER)
        match block:
            case SupervisoryBlock():
                return self._on_supervisory(block)
            case ReadyBlock():
                return self._on_ready(block)
            case InfoBlock():
                return self._on_info(block)

    def _on_supervisory(self, block: SupervisoryBlock) -> Reply:
        if block.answer:
            command, self._waits_for_time = self._waits_for_time, None
            if command is None:
                return self._complain(Damage.OTHER)
            return self._answer(self._card.execute(command), after_ms=self._card.time_ms(command))
        if block.request is Request.IFS:
            self._ifsd = block.value
        elif block.request is Request.RESYNCH:
            self._restart()
        elif block.request is Request.ABORT:
            self._command.clear()
            self._unsent = b""
        else:
            return self._complain(Damage.OTHER)  # only a card asks for time
        return self._send(SupervisoryBlock(block.request, answer=True, value=block.value))

    def _on_ready(self, block: ReadyBlock) -> Reply:
        info = self._last_info
        if info is None or self._last != info:
            return self._complain(Damage.OTHER)
        if block.number == info.number:
            return self._send(info)
        # It has this one: it wants the next; where there is none, its own block got lost on the way.
        return self._next_info() if info.more else self._complain(Damage.OTHER)

    def _on_info(self, block: InfoBlock) -> Reply:
        if block.number != self._expected or len(block.data) > self._ifsc or self._waits_for_time is not None:
            return self._complain(Damage.OTHER)
        self._expected ^= 1
        self._command += block.data
        if len(self._command) > _COMMAND_BYTES_MAX:
            self._command.clear()
            return self._answer(_WRONG_LENGTH)
        if block.more:
            return self._send(ReadyBlock(self._expected))
        whole = bytes(self._command)
        self._command.clear()
        try:
            command = CommandApdu.decode(whole)
        except ApduError:
            return self._answer(_WRONG_LENGTH)
        return self._execute(command)

    def _execute(self, command: CommandApdu) -> Reply:
        time_ms = self._card.time_ms(command)
        if time_ms > self._block_wait_ms and self._asks_for_time:
            self._waits_for_time = command
            factor = min(0xFF, -(-time_ms // self._block_wait_ms))
            return self._send(SupervisoryBlock(Request.WTX, value=factor))
        return self._answer(self._card.execute(command), after_ms=time_ms)

    def _answer(self, response: ResponseApdu, *, after_ms: int = 0) -> Reply:
        self._unsent = response.encode()
        return self._next_info(after_ms=after_ms)

    def _next_info(self, *, after_ms: int = 0) -> Reply:
        piece, self._unsent = self._unsent[: self._ifsd], self._unsent[self._ifsd :]
        self._last_info = InfoBlock(self._number, piece, more=bool(self._unsent))
        self._number ^= 1
        return self._send(self._last_info, after_ms=after_ms)

    def _complain(self, damage: Damage) -> Reply:
        """Ask for the terminal's last block again; a request of ours is repeated instead."""
        if self._waits_for_time is not None:
            return self._send(self._last)
        return Reply(encode_block(ReadyBlock(self._expected, damage), crc=self._crc))

    def _send(self, block: Block, *, after_ms: int = 0) -> Reply:
        self._last = block
        return Reply(encode_block(block, crc=self._crc), after_ms)


def blocks_for(card: ChipCard, atr: Atr, faults: CardFaults) -> CardBlocks:
    """The blocks of a card that has just said this ATR, at the usual clock of 3.57 MHz."""
    return CardBlocks(
        card,
        ifsc=atr.ifsc,
        crc=atr.t1_uses_crc,
        block_wait_ms=atr.block_wait_cycles // _CLOCK_KHZ,
        asks_for_time=faults.asks_for_time,
    )
