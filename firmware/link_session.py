"""The terminal's end of the link, made from its board and its settings."""

from __future__ import annotations

from firmware.settings import TerminalSettings
from hal.board import Board
from host_link.half_duplex import HalfDuplexSession
from host_link.handshake import Role
from host_link.pairing import SALT_BYTES
from host_link.session import Session


def new_session(board: Board, settings: TerminalSettings) -> Session:
    """A session on the board's serial port, with a nonce of its own, and a salt when it is paired."""
    make_session = HalfDuplexSession if settings.half_duplex else Session
    return make_session(
        Role.TERMINAL,
        nonce=int.from_bytes(board.rng.token(4), "big"),
        bits_per_s=board.serial_port.bits_per_s,
        pairing_key=settings.pairing_key,
        max_bits_per_s=board.serial_port.max_bits_per_s,
        pairing_salt=board.rng.token(SALT_BYTES) if settings.pairing_key else b"",
    )
