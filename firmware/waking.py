"""The first part of power-on: the board is opened, the journal read in this version, the parts are made."""

from __future__ import annotations

from firmware.exchange import HostExchange
from firmware.journal import Journal
from firmware.kernel import Kernel
from firmware.link_session import new_session
from firmware.migrations import migrate
from firmware.operators import Operators
from firmware.printing import SlipPrinter
from firmware.secure.card_vault import CardVault
from firmware.secure.module import SecureModule
from firmware.settings import TerminalSettings
from firmware.upkeep import Upkeep
from firmware.work import Parts, Signal
from hal.board import Board


def wake(board: Board, settings: TerminalSettings, kernel: Kernel[Signal]) -> Parts:
    """The parts of one running terminal. Raises DeviceMissing, StorageVersion, StorageFailed."""
    board.open()
    secure = SecureModule(
        board.storage,
        board.tamper,
        board.rng,
        master_key_index=settings.master_key_index,
        security=settings.security,
    )
    session = new_session(board, settings)
    migrate(board.storage)
    journal = Journal(board.storage)
    journal.load()
    return Parts(
        board,
        settings,
        journal,
        kernel,
        secure,
        session,
        HostExchange(settings, secure, session),
        SlipPrinter(board.printer),
        CardVault(board.storage, board.tamper, board.rng),
        Operators(
            board.storage,
            board.rng,
            tries=settings.password_tries,
            lock_min=settings.password_lock_min,
        ),
        Upkeep(board.storage),
    )
