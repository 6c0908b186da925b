"""A chip card with files, a PIN and random numbers: what a transport needs of ISO/IEC 7816-4 for its proof.

It has a command of each of the four cases, short and extended ones, long answers, and status words of every
kind. It is no payment card.

    MF 3F00
      EF 0001  transparent, 4096 bytes          READ BINARY, UPDATE BINARY (after VERIFY)
      EF 0002  records of different lengths     READ RECORD, UPDATE RECORD (after VERIFY)
    DF name    F0706F737465726D                 SELECT by name gives its FCI (case 4)

Not modelled: directories below directories, access rules by file, logical channels, secure messaging.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hal.cards.card import ATR_T0
from wire import tlv
from wire.iso7816.apdu import SW_OK, CommandApdu, ResponseApdu
from wire.iso7816.atr import Atr

AID = bytes.fromhex("F0706F737465726D")
"""Proprietary (F0), then "posterm" in ASCII."""

EF_BINARY, EF_RECORDS, MF = 0x0001, 0x0002, 0x3F00
BINARY_BYTES = 4096
PIN = bytes.fromhex("241234FFFFFFFFFF")
"""PIN block format 2 of 1234, as VERIFY carries it in plain text (EMV Book 3, section 6.5.12)."""
PIN_TRIES = 3

_SELECT, _READ_BINARY, _READ_RECORD = 0xA4, 0xB0, 0xB2
_UPDATE_BINARY, _UPDATE_RECORD, _VERIFY, _GET_CHALLENGE = 0xD6, 0xDC, 0x20, 0x84

_END_OF_FILE = 0x6282
_WRONG_LENGTH, _NOT_ALLOWED, _NO_FILE_SELECTED, _BLOCKED = 0x6700, 0x6982, 0x6986, 0x6983
_FILE_NOT_FOUND, _RECORD_NOT_FOUND, _WRONG_P1_P2, _WRONG_OFFSET = 0x6A82, 0x6A83, 0x6A86, 0x6B00
_UNKNOWN_INS, _UNKNOWN_CLA = 0x6D00, 0x6E00


class FileCard:
    """hal.cards.card.ChipCard with files. `compute_ms`: how long it computes, by INS."""

    def __init__(self, atr: Atr = ATR_T0, *, compute_ms: Mapping[int, int] | None = None) -> None:
        self.atr = atr
        self.warm_atr = atr
        self.binary = bytearray(index * 7 & 0xFF for index in range(BINARY_BYTES))
        self.records: list[bytes] = [b"first", bytes(range(100)), bytes(range(256))[:255]]
        self.tries_left = PIN_TRIES
        self.executed: list[int] = []
        """The INS of every command carried out since the card was made: a test counts repeats with it."""
        self._compute_ms = dict(compute_ms or {})
        self._challenges = 0
        self._selected = MF
        self._verified = False

    # --- hal.cards.card.ChipCard ---

    def reset(self, *, warm: bool) -> Atr:
        """Forget what was selected and verified."""
        self._selected, self._verified = MF, False
        return self.warm_atr if warm else self.atr

    def power_off(self) -> None:
        """Nothing but the files and the PIN's tries is kept."""

    def takes_data(self, ins: int) -> bool:
        """True for SELECT, UPDATE and VERIFY."""
        return ins in {_SELECT, _UPDATE_BINARY, _UPDATE_RECORD, _VERIFY}

    def time_ms(self, command: CommandApdu) -> int:
        """As given."""
        return self._compute_ms.get(command.ins, 0)

    def execute(self, command: CommandApdu) -> ResponseApdu:
        """Carry out a command of class 00."""
        self.executed.append(command.ins)
        if command.cla != 0:
            return _status(_UNKNOWN_CLA)
        actions: Mapping[int, Callable[[CommandApdu], ResponseApdu]] = {
            _SELECT: self._select,
            _READ_BINARY: self._read_binary,
            _UPDATE_BINARY: self._update_binary,
            _READ_RECORD: self._read_record,
            _UPDATE_RECORD: self._update_record,
            _VERIFY: self._verify,
            _GET_CHALLENGE: self._get_challenge,
        }
        action = actions.get(command.ins)
        return action(command) if action else _status(_UNKNOWN_INS)

    # --- its commands ---

    def _select(self, command: CommandApdu) -> ResponseApdu:
        if command.p1 == 0x04 and command.data == AID:
            self._selected = MF
            return ResponseApdu(_fci(), SW_OK)
        file_id = int.from_bytes(command.data, "big")
        known = command.p1 == 0x00 and len(command.data) == 2 and file_id in {MF, EF_BINARY, EF_RECORDS}
        if not known:
            return _status(_FILE_NOT_FOUND)
        self._selected = file_id
        return _status(SW_OK)

    def _read_binary(self, command: CommandApdu) -> ResponseApdu:
        offset = command.p1 << 8 | command.p2
        if self._selected != EF_BINARY:
            return _status(_NO_FILE_SELECTED)
        if offset >= len(self.binary):
            return _status(_WRONG_OFFSET)
        wanted = command.le or 0
        found = bytes(self.binary[offset : offset + wanted])
        return ResponseApdu(found, SW_OK if len(found) == wanted else _END_OF_FILE)

    def _update_binary(self, command: CommandApdu) -> ResponseApdu:
        offset = command.p1 << 8 | command.p2
        if self._selected != EF_BINARY:
            return _status(_NO_FILE_SELECTED)
        if not self._verified:
            return _status(_NOT_ALLOWED)
        if offset + len(command.data) > len(self.binary):
            return _status(_WRONG_OFFSET)
        self.binary[offset : offset + len(command.data)] = command.data
        return _status(SW_OK)

    def _read_record(self, command: CommandApdu) -> ResponseApdu:
        if self._selected != EF_RECORDS:
            return _status(_NO_FILE_SELECTED)
        if command.p2 & 0x07 != 0x04:
            return _status(_WRONG_P1_P2)
        if not 1 <= command.p1 <= len(self.records):
            return _status(_RECORD_NOT_FOUND)
        return ResponseApdu(self.records[command.p1 - 1], SW_OK)

    def _update_record(self, command: CommandApdu) -> ResponseApdu:
        if self._selected != EF_RECORDS:
            return _status(_NO_FILE_SELECTED)
        if not self._verified:
            return _status(_NOT_ALLOWED)
        if not 1 <= command.p1 <= len(self.records):
            return _status(_RECORD_NOT_FOUND)
        self.records[command.p1 - 1] = command.data
        return _status(SW_OK)

    def _verify(self, command: CommandApdu) -> ResponseApdu:
        if not self.tries_left:
            return _status(_BLOCKED)
        if len(command.data) != len(PIN):
            return _status(_WRONG_LENGTH)
        self._verified = command.data == PIN
        self.tries_left = PIN_TRIES if self._verified else self.tries_left - 1
        return _status(SW_OK if self._verified else 0x63C0 | self.tries_left)

    def _get_challenge(self, _command: CommandApdu) -> ResponseApdu:
        """Eight bytes that never come again; the same in every run, as a test needs it."""
        self._challenges += 1
        return ResponseApdu(self._challenges.to_bytes(8, "big"), SW_OK)


def _status(sw: int) -> ResponseApdu:
    return ResponseApdu(b"", sw)


def _fci() -> bytes:
    label = tlv.Tlv("A5", children=(tlv.Tlv("50", b"posterm test"),))
    return tlv.encode([tlv.Tlv("6F", children=(tlv.Tlv("84", AID), label))])
