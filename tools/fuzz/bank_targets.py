"""What is fuzzed of the bank: the bytes of a connection, and requests whose MAC is right.

The bank is the demo's, in memory, with its terminal signed in. Every input finds it as it was: whatever an
input does is rolled back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from functools import cache

from bank.authoriser import Bank
from bank.connection import Connection
from bank.entropy import SeededEntropy
from bank.provision import DEMO_MID, DEMO_TID, demo_bank
from wire.errors import CodecError
from wire.iso8583 import IsoMessage, dialect

NOW = datetime.fromisoformat("2026-05-21 09:30:15")
UNIONPAY = dialect("unionpay")
_SIGN_IN = {11: "000001", 41: DEMO_TID, 42: DEMO_MID, 60: "00000001003", 63: "01 "}


class _Chance(SeededEntropy):
    """Random bytes that can be drawn again."""

    def rewind(self, block_count: int) -> None:
        self._block_count = block_count

    @property
    def position(self) -> int:
        return self._block_count


class _UndoneError(Exception):
    """Rolls back what an input has done."""


@cache
def _open() -> tuple[Bank, _Chance, int]:
    chance = _Chance(1)
    bank = demo_bank(now=NOW, entropy=chance)
    (answer,) = bank.handle(UNIONPAY.encode(IsoMessage("0800", _SIGN_IN, tpdu="6000060000")), now=NOW)
    assert UNIONPAY.decode(answer.message).text(39) == "00"
    return bank, chance, chance.position


@contextlib.contextmanager
def fresh_bank() -> Iterator[Bank]:
    """The signed-in bank, which forgets afterwards what was done. Its books are right then."""
    bank, chance, position = _open()
    chance.rewind(position)
    with contextlib.suppress(_UndoneError), bank.store.transaction():
        yield bank
        audit = bank.verify()
        assert audit.ok, audit.findings
        raise _UndoneError


def bank_socket(data: bytes) -> None:
    """Whatever a client says: the answers are the same in one piece and byte by byte, or it is hung up on."""
    whole, pieces = _answers(data, len(data) or 1), _answers(data, 1)
    assert whole == pieces


def _answers(data: bytes, size: int) -> tuple[list[bytes], bool]:
    with fresh_bank() as bank:
        connection, replies = Connection(lambda message: bank.handle(message, now=NOW)), []
        for begin in range(0, len(data), size):
            replies += [reply.frame() for reply in connection.receive(data[begin : begin + size])]
            if connection.is_over:
                break
        return replies, connection.is_over


def bank_request(data: bytes) -> None:
    """Framed messages, each given the right MAC: they are answered, and the books stay right."""
    with fresh_bank() as bank:
        connection = Connection(lambda message: bank.handle(_with_right_mac(bank, message), now=NOW))
        for reply in connection.receive(data):
            answer = UNIONPAY.decode(reply.message)
            assert int(answer.mti) % 100 // 10 % 2 == 1, "an answer's type is odd"
            repr(answer)


def _with_right_mac(bank: Bank, message: bytes) -> bytes:
    terminal = bank.merchants.find_terminal(DEMO_MID, DEMO_TID)
    assert terminal is not None
    try:
        if 64 not in UNIONPAY.decode(message).fields:
            return message
        mac = bank.hsm.mac(terminal.message_keys(), UNIONPAY.mac_region(message), of_answer=False)
        return UNIONPAY.with_mac(message, mac)
    except CodecError:
        return message
