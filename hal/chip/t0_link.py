"""Commands over T=0, which carries data one way only: what is sent, and what is asked for afterwards.

    case 1, 3   header, P3 = Lc, data          -> SW
    case 2      header, P3 = Le                -> data, SW;  6Cxx: again with P3 = xx
    case 4      as case 3                      -> 61xx: GET RESPONSE for xx bytes, until no 61xx comes
    longer      ENVELOPE, 255 bytes at a time  -> as above

Sources: ISO/IEC 7816-3:2006 section 12.2; EMV Level 1 section 9.3.1, which adds GET RESPONSE after a warning
(62xx, 63xx, 9xxx) to a command of case 4. After 9000 nothing is asked for: the card has nothing to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hal.chip.link import Fate, Step
from wire.iso7816.apdu import SHORT_DATA_BYTES_MAX, SHORT_LE_MAX, SW_OK, CommandApdu, ResponseApdu

_GET_RESPONSE, _ENVELOPE = 0xC0, 0xC2
_CHANNEL_BITS = 0x03  # of CLA: a GET RESPONSE goes to the channel of its command
_ROUNDS_MAX = 600  # 65,536 bytes in pieces of 256, twice over; who needs more never comes to an end


@dataclass(frozen=True, slots=True)
class Tpdu:
    """One turn of T=0: a header of five bytes, then data one way or the other. `wanted`: bytes at most."""

    header: bytes
    data: bytes = field(default=b"", repr=False)
    wanted: int = 0

    def encode(self) -> bytes:
        """Header and data: what a reader is given that runs the turn by itself."""
        return self.header + self.data


class T0Link:
    """hal.chip.link.CardLink over T=0. `turn` is what was sent last, for whoever carries characters."""

    def __init__(self) -> None:
        self.turn = Tpdu(b"")
        self._begin(CommandApdu(0, 0))

    def _begin(self, command: CommandApdu) -> None:
        self._command = command
        self._envelopes = _envelopes(command)
        self._collected = bytearray()
        self._warning: int | None = None
        self._fetching = False
        self._rounds = 0

    def start(self, command: CommandApdu) -> Step:
        """Begin with a command."""
        self._begin(command)
        return self._send(self._envelopes.pop(0) if self._envelopes else _plain(command))

    def silence(self) -> Step:
        """A card that is mute in T=0 is lost."""
        return Step(Fate.LOST)

    def take(self, data: bytes) -> Step:
        """Take data and status word."""
        self._rounds += 1
        if len(data) < 2 or self._rounds > _ROUNDS_MAX:
            return Step(Fate.LOST)
        answer = ResponseApdu.decode(data)
        self._collected += answer.data
        return self._after(answer.sw, has_data=bool(answer.data))

    def _after(self, sw: int, *, has_data: bool) -> Step:
        if self._envelopes:
            return self._send(self._envelopes.pop(0)) if sw == SW_OK else self._done(sw)
        if sw >> 8 == 0x6C and self.turn.wanted and not has_data:
            return self._send(self._again(sw & 0xFF or SHORT_LE_MAX))
        if sw >> 8 == 0x61 and self._command.le is not None:
            return self._send(self._get_response(sw & 0xFF))
        return self._finish(sw)

    def _finish(self, sw: int) -> Step:
        is_warning = sw >> 8 in {0x62, 0x63} or (sw >> 12 == 9 and sw != SW_OK)
        if is_warning and self._command.case == 4 and not self._fetching:
            self._warning = sw
            return self._send(self._get_response(0))
        # The warning is the command's status; that of GET RESPONSE only says whether there were data.
        return self._done(sw if self._warning is None else self._warning)

    def _done(self, sw: int) -> Step:
        return Step(Fate.DONE, response=ResponseApdu(bytes(self._collected), sw))

    def _get_response(self, count: int) -> Tpdu:
        self._fetching = True
        cla = self._command.cla & _CHANNEL_BITS
        return Tpdu(bytes([cla, _GET_RESPONSE, 0, 0, count]), wanted=count or SHORT_LE_MAX)

    def _again(self, count: int) -> Tpdu:
        return Tpdu(self.turn.header[:4] + bytes([count & 0xFF]), wanted=count)

    def _send(self, turn: Tpdu) -> Step:
        self.turn = turn
        return Step(Fate.GOING_ON, turn.encode())


def _plain(command: CommandApdu) -> Tpdu:
    if command.data:
        return Tpdu(command.header + bytes([len(command.data)]), command.data)
    wanted = min(command.le or 0, SHORT_LE_MAX)
    return Tpdu(command.header + bytes([wanted & 0xFF]), wanted=wanted)


def _envelopes(command: CommandApdu) -> list[Tpdu]:
    """The turns that carry a command with more data than one turn takes; none for every other command."""
    if len(command.data) <= SHORT_DATA_BYTES_MAX:
        return []
    whole = command.encode()
    header = bytes([command.cla & _CHANNEL_BITS, _ENVELOPE, 0, 0])
    pieces = (whole[at : at + SHORT_DATA_BYTES_MAX] for at in range(0, len(whole), SHORT_DATA_BYTES_MAX))
    return [Tpdu(header + bytes([len(piece)]), piece) for piece in pieces]
