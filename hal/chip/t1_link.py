"""The terminal's side of T=1: commands and responses as blocks, with repeats until they are whole.

The plan of this file. `start` gives the first block of a command; each block that comes back, each one that
is damaged and each silence is told, and the answer is a `Step`: a block to send, the response, or the end.
Rules by their numbers in ISO/IEC 7816-3:2006, section 11.6:

    damaged, out of order   ask again with an R-block; repeat the R-block or S-request sent last (7.1-7.3)
    after three failures    S(RESYNCH), three times (7.4.2); no answer to any: the card is lost (7.4.3)
    after a RESYNCH         both ends begin anew, but the command is *not* sent again: the card may have
                            carried it out, and a second GENERATE AC is another one. The exchange has failed.
    S(WTX), S(IFS), S(ABORT) of the card are granted (3, 4, 9); with ABORT the exchange has failed.

Before the first command the card is told how long a block may be (IFSD 254), as EMV demands.
"""

from __future__ import annotations

from hal.chip.link import Fate, Step
from wire.errors import ApduError, BlockError
from wire.iso7816.apdu import CommandApdu, ResponseApdu
from wire.iso7816.t1_block import (
    INF_BYTES_MAX,
    Block,
    Damage,
    InfoBlock,
    ReadyBlock,
    Request,
    SupervisoryBlock,
    decode_block,
    encode_block,
)

_ATTEMPTS_MAX = 3
_RESPONSE_BYTES_MAX = 65_536 + 2
_WTX_MAX = 1_000
"""How often a card may ask for more time in one exchange: hours, at the longest waiting time."""


class _Unexpected(Exception):
    """A block that is whole and has no place here."""


class T1Link:
    """hal.chip.link.CardLink over T=1. `ifsc` and `crc` are what the ATR says."""

    def __init__(self, *, ifsc: int = 32, crc: bool = False) -> None:
        self.ifsc = ifsc
        self._crc = crc
        self._ifsc_at_first = ifsc
        self._begin()

    def _begin(self) -> None:
        self.ifsc = self._ifsc_at_first
        self._number = 0  # of the next I-block of ours
        self._expected = 0  # of the card's next one
        self._told_ifsd = False
        self._attempts = 0
        self._resynching = 0
        self._last: Block = SupervisoryBlock(Request.IFS, value=INF_BYTES_MAX)
        self._last_info: InfoBlock | None = None
        self._unsent = b""
        self._response = bytearray()
        self._wtx_count = 0

    # --- one exchange ---

    def start(self, command: CommandApdu) -> Step:
        """Begin with a command: the first block, or S(IFS) before the very first."""
        self._attempts, self._resynching, self._wtx_count = 0, 0, 0
        self._last_info = None
        self._unsent = command.encode()
        self._response.clear()
        if not self._told_ifsd:
            return self._send(SupervisoryBlock(Request.IFS, value=INF_BYTES_MAX))
        return self._send_info()

    def take(self, data: bytes) -> Step:
        """Take a block of the card, damaged or not."""
        try:
            block = decode_block(data, crc=self._crc).block
        except BlockError as error:
            return self._bad(Damage.CHECK if error.reason in {"bad_lrc", "bad_crc"} else Damage.OTHER)
        if self._resynching:
            granted = block == SupervisoryBlock(Request.RESYNCH, answer=True)
            return self._resynched() if granted else self._resynch()
        try:
            match block:
                case InfoBlock():
                    return self._on_info(block)
                case ReadyBlock():
                    return self._on_ready(block)
                case SupervisoryBlock():
                    return self._on_supervisory(block)
        except _Unexpected:
            return self._bad(Damage.OTHER)

    def silence(self) -> Step:
        """The card has not answered within its time."""
        return self._bad(Damage.OTHER)

    # --- blocks of the card ---

    def _on_info(self, block: InfoBlock) -> Step:
        info = self._last_info
        if info is None or info.more or self._asked() or block.number != self._expected:
            raise _Unexpected
        self._expected ^= 1
        self._attempts = 0
        self._response += block.data
        if len(self._response) > _RESPONSE_BYTES_MAX:
            return Step(Fate.LOST)
        if block.more:
            return self._send(ReadyBlock(self._expected))
        return self._done()

    def _done(self) -> Step:
        try:
            return Step(Fate.DONE, response=ResponseApdu.decode(bytes(self._response)))
        except ApduError:
            return Step(Fate.FAILED)

    def _on_ready(self, block: ReadyBlock) -> Step:
        info = self._last_info
        if info is None or self._asked():
            raise _Unexpected
        if block.number == info.number:
            if self._response:
                raise _Unexpected  # it has our block: it has begun to answer it
            return self._count_attempt() or self._send(info)
        if not info.more:
            raise _Unexpected
        self._attempts = 0
        return self._send_info()

    def _on_supervisory(self, block: SupervisoryBlock) -> Step:
        if block.answer:
            if self._last != SupervisoryBlock(block.request, value=block.value):
                raise _Unexpected
            self._attempts, self._told_ifsd = 0, True
            return self._send_info()
        if block.request is Request.RESYNCH or self._asked():
            raise _Unexpected
        if block.request is Request.IFS:
            self.ifsc = block.value
        self._wtx_count += block.request is Request.WTX
        if self._wtx_count > _WTX_MAX:
            return Step(Fate.LOST)
        answer = SupervisoryBlock(block.request, answer=True, value=block.value)
        if block.request is Request.ABORT:
            return Step(Fate.FAILED, self._encoded(answer))
        factor = max(1, block.value) if block.request is Request.WTX else 1
        return self._send(answer, waiting_factor=factor)

    # --- what is sent ---

    def _send_info(self) -> Step:
        piece, self._unsent = self._unsent[: self.ifsc], self._unsent[self.ifsc :]
        info = self._last_info = InfoBlock(self._number, piece, more=bool(self._unsent))
        self._number ^= 1
        return self._send(info)

    def _send(self, block: Block, *, waiting_factor: int = 1) -> Step:
        self._last = block
        return Step(Fate.GOING_ON, self._encoded(block), waiting_factor)

    def _encoded(self, block: Block) -> bytes:
        return encode_block(block, crc=self._crc)

    def _asked(self) -> bool:
        """True while a request of ours is unanswered."""
        return isinstance(self._last, SupervisoryBlock) and not self._last.answer

    # --- trouble ---

    def _bad(self, damage: Damage) -> Step:
        """What to do about a block that is damaged, out of order or missing."""
        if self._resynching:
            return self._resynch()
        if given_up := self._count_attempt():
            return given_up
        if self._asked():
            return self._send(self._last)
        if isinstance(self._last, ReadyBlock) and self._last.damage is not Damage.NONE:
            return self._send(self._last)
        return self._send(ReadyBlock(self._expected, damage))

    def _count_attempt(self) -> Step | None:
        self._attempts += 1
        return self._resynch() if self._attempts >= _ATTEMPTS_MAX else None

    def _resynch(self) -> Step:
        self._resynching += 1
        if self._resynching > _ATTEMPTS_MAX:
            return Step(Fate.LOST)
        return self._send(SupervisoryBlock(Request.RESYNCH))

    def _resynched(self) -> Step:
        self._begin()
        return Step(Fate.FAILED)
