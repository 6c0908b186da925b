"""A chip card's contacts: reset, and characters both ways on one line, in both conventions.

After a reset the card sends its ATR; then, in T=0 or T=1 as the ATR says, it waits for what the terminal
sends. Characters are those of the line: with the inverse convention upside down and in the other order.
Source: ISO/IEC 7816-3:2006, sections 6 to 11.

Not modelled: the clock and the time that a character takes, the answer to a parity error within a character.
"""

from __future__ import annotations

from hal.cards.card import ChipCard
from hal.peripherals.card_blocks import CardBlocks, Reply, blocks_for
from hal.peripherals.card_faults import CardFaults
from hal.peripherals.card_turns import HEADER_BYTES, CardTurns
from wire.errors import AtrError
from wire.iso7816.atr import T1, Atr
from wire.iso7816.pps import PPS_BYTES_MAX, Pps, pps_bytes_missing
from wire.iso7816.t1_block import block_bytes_missing

_ATR_AFTER_MS = 5
_NULL_EVERY_MS = 400
_PPSS, _NULL = 0xFF, 0x60
_MEANS_NOTHING = 0x02
_INVERTED = bytes(int(f"{byte:08b}"[::-1], 2) ^ 0xFF for byte in range(256))


class CardContacts:
    """One card on its contacts. `receive`, `take_output` and `deadline_ms` as a peripheral has them."""

    def __init__(self, card: ChipCard, faults: CardFaults | None = None) -> None:
        self.faults = faults if faults is not None else CardFaults()
        self._card = card
        self._atr = Atr()
        self._has_power = False
        self._due: list[tuple[int, bytes]] = []  # what is sent, and when
        self._output = bytearray()
        self._begin()

    def _begin(self) -> None:
        self._received = bytearray()
        self._may_negotiate = True
        self._turns = CardTurns(self._card)
        self._blocks: CardBlocks | None = None
        self._header: bytes | None = None  # of the T=0 turn whose data are coming in
        self._due.clear()
        self._output.clear()

    # --- contacts ---

    def reset(self, now_ms: int, *, warm: bool) -> None:
        """The reset contact goes up: the card starts."""
        self._begin()
        if self.faults.mute:
            self._has_power = False
            return
        self._has_power = True
        self._atr = self._card.reset(warm=warm)
        if self._atr.protocol == T1:
            self._blocks = blocks_for(self._card, self._atr, self.faults)
        data = self._atr.encode()
        if self.faults.bad_check:
            data = data[:-1] + bytes([data[-1] ^ 0xFF])
        self._send_at(now_ms + _ATR_AFTER_MS, data)

    def hold(self) -> None:
        """The reset contact is down, or the power is gone: the card is silent and forgets."""
        if self._has_power:
            self._card.power_off()
        self._has_power = False
        self._begin()

    # --- characters ---

    def receive(self, data: bytes, now_ms: int) -> None:
        """Take characters of the terminal, and do what is due by `now_ms`."""
        if not self._has_power:
            return
        self._received += data.translate(_INVERTED) if self._atr.inverse else data
        while self._received and self._take(now_ms):
            pass
        while self._due and self._due[0][0] <= now_ms:
            _, sent = self._due.pop(0)
            self._output += sent.translate(_INVERTED) if self._atr.inverse else sent

    def take_output(self) -> bytes:
        """What the card has sent since the last call."""
        output = bytes(self._output)
        self._output.clear()
        return output

    def deadline_ms(self) -> int | None:
        """When the card sends something."""
        return self._due[0][0] if self._due else None

    def _send_at(self, at_ms: int, data: bytes) -> None:
        self._due.append((at_ms, data))

    def _take(self, now_ms: int) -> bool:
        """Take one thing off what was received; False when it is not whole yet."""
        if self._may_negotiate and self._received[0] == _PPSS:
            return self._take_pps(now_ms)
        if self._blocks is not None:
            return self._take_block(self._blocks, now_ms)
        return self._take_data(now_ms) if self._header is not None else self._take_header(now_ms)

    def _take_pps(self, now_ms: int) -> bool:
        missing = pps_bytes_missing(bytes(self._received))
        if missing > 0:
            return False
        request = bytes(self._received[: min(len(self._received) + missing, PPS_BYTES_MAX)])
        del self._received[: len(request)]
        try:
            asked = Pps.decode(request)
        except AtrError:
            return True  # a card says nothing to a PPS that it does not understand
        self._send_at(now_ms, asked.encode())
        self._may_negotiate = False
        return True

    # --- T=1 ---

    def _take_block(self, blocks: CardBlocks, now_ms: int) -> bool:
        missing = block_bytes_missing(bytes(self._received), crc=self._atr.t1_uses_crc)
        if missing > 0:
            return False
        end = len(self._received) + missing
        block = bytes(self._received[:end])
        del self._received[:end]
        self._may_negotiate = False
        reply: Reply = blocks.take(block)
        if not self.faults.mute_at_command:
            self._send_at(now_ms + reply.after_ms, self.faults.damage(reply.block))
        return True

    # --- T=0 ---

    def _take_header(self, now_ms: int) -> bool:
        if len(self._received) < HEADER_BYTES:
            return False
        header = bytes(self._received[:HEADER_BYTES])
        del self._received[:HEADER_BYTES]
        self._may_negotiate = False
        if self.faults.mute_at_command:
            return True
        if self.faults.wrong_procedure_byte:
            self._send_at(now_ms, bytes([_MEANS_NOTHING]))
        elif self._turns.takes_data(header) and header[4]:
            self._header = header
            self._data = bytearray()
            self._send_at(now_ms, self._acknowledgement(header[1]))
        else:
            self._answer_turn(header, b"", now_ms)
        return True

    def _take_data(self, now_ms: int) -> bool:
        header = self._header
        assert header is not None
        left = header[4] - len(self._data)
        piece = bytes(self._received[: 1 if self.faults.one_by_one else left])
        del self._received[: len(piece)]
        self._data += piece
        if len(self._data) == header[4]:
            self._header = None
            self._answer_turn(header, bytes(self._data), now_ms)
        elif self.faults.one_by_one:
            self._send_at(now_ms, self._acknowledgement(header[1]))
        return True

    def _acknowledgement(self, ins: int) -> bytes:
        return bytes([ins ^ 0xFF if self.faults.one_by_one else ins])

    def _answer_turn(self, header: bytes, data: bytes, now_ms: int) -> None:
        time_ms = self._turns.time_ms(header, data)
        if self.faults.asks_for_time:
            for after_ms in range(_NULL_EVERY_MS, time_ms, _NULL_EVERY_MS):
                self._send_at(now_ms + after_ms, bytes([_NULL]))
        answer = self._turns.answer(header, data)
        body, sw = answer[:-2], answer[-2:]
        ins = header[1]
        if self.faults.one_by_one:
            marked = b"".join(bytes([ins ^ 0xFF, byte]) for byte in body)
        else:
            marked = bytes([ins]) + body if body else b""
        self._send_at(now_ms + time_ms, marked + sw)
