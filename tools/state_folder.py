"""The folder where a terminal's memory is kept: taken for one process, and looked at before it is changed.

The plan. `taken` locks the folder for as long as the process works in it. `check_memory` and `check_bank`
then look at what lies there; only when everything can be used does the caller create and change files. So a
command that is refused leaves the folder as it was, and a folder that it had to make is removed again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from bank.authoriser import Bank
from bank.entropy import SystemEntropy
from bank.provision import DEMO_MASTER_KEY
from firmware.journal import Journal
from firmware.migrations import migrate
from firmware.secure.module import SecureModule
from hal.api import DeviceFault, Storage
from hal.board import Board
from hal.device_key import KEY_FILE_DAMAGED
from hal.profile import Profile
from hal.registry import build_board
from hal.virtual.storage import MemoryStorage, SqliteStorage
from tools.station import StationError

_NEW_KEYS = "load the keys again with posterm keys"


@contextlib.contextmanager
def taken(folder: Path) -> Iterator[None]:
    """Have `folder` (mode 0700, made when it is not there) for this process alone.

    It is removed again when nothing was put into it. Raises StationError: it cannot be made or written to, or
    another process has it.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        with contextlib.ExitStack() as leftovers:
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            except OSError as error:
                raise _unusable(folder, error.strerror) from None
            leftovers.callback(os.close, descriptor)  # and with it the lock goes
            _lock(folder, descriptor)
            yield
    finally:
        with contextlib.suppress(OSError):  # it is not empty any more
            for path in made:
                path.rmdir()


def _lock(folder: Path, descriptor: int) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unusable(folder, "it is not writable")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StationError(
            f"state folder {folder} is in use by another process: stop the other terminal, or give this one "
            "its own folder with --state"
        ) from None
    except OSError as error:
        raise _unusable(folder, error.strerror) from None


def _unusable(folder: Path, why: str | None) -> StationError:
    return StationError(f"state folder {folder}: {why}: name another one with --state")


def check_memory(profile: Profile, folder: Path, *, keys_are_loaded_anew: bool = False) -> None:
    """Look at the terminal's memory and keys as a terminal of this profile would find them.

    `keys_are_loaded_anew`: then it does not matter whether those that are there open. Raises HalError or
    StationError when the terminal could not work with them; nothing was changed.
    """
    memory = _kept_file(profile, folder, "storage", "path")
    key_file = _kept_file(profile, folder, "tamper", "key_file")
    if key_file is not None and not key_file.exists():
        profile = profile.with_device("tamper", "virtual")  # opened with its file it would make a new key
    board = build_board(profile, state_folder=folder)
    try:
        board.rng.open()
        board.tamper.open()
        if not keys_are_loaded_anew:
            _check_key_file(board, key_file)
        if memory is not None and memory.exists() and _is_written(memory, board):
            board.storage.open()
            _rehearse(board.storage)
            if not keys_are_loaded_anew:
                _check_keys(board, memory, key_file)
    except DeviceFault as error:  # at work it would be a failure; here it is a folder that cannot be used
        raise StationError(str(error)) from None
    finally:
        board.close()


def _is_written(memory: Path, board: Board) -> bool:
    """False for a file that a power cut left empty when it was made. Raises StationError: it has lost all."""
    if memory.stat().st_size:
        return True
    if board.tamper.tripped or board.tamper.counter() == 0:
        return False
    raise StationError(
        f"storage {memory} is damaged (it is empty, and this terminal has stored keys): restore it from a "
        "copy, or remove it to begin anew, and settle by hand"
    )


def _rehearse(storage: Storage) -> None:
    """Read the journal as the terminal will, in a copy: one of an earlier version is brought to this one."""
    copy = MemoryStorage()
    copy.open()
    assert isinstance(storage, SqliteStorage)
    copy.restore(storage.snapshot())
    migrate(copy)
    Journal(copy).load()


def is_new(profile: Profile, folder: Path) -> bool:
    """Whether no terminal of this profile has kept anything there yet."""
    memory = _kept_file(profile, folder, "storage", "path")
    return memory is not None and not memory.exists()


def _kept_file(profile: Profile, folder: Path, kind: str, option: str) -> Path | None:
    """The file in which a device keeps what it knows; None when it keeps nothing in a file of ours."""
    choice = profile.devices[kind]
    name = choice.options.get(option)
    is_ours = choice.backend in {"storage": {"sqlite"}, "tamper": {"virtual", "gpio"}}[kind]
    return folder / name if is_ours and isinstance(name, str) and not name.startswith(":") else None


def _check_key_file(board: Board, key_file: Path | None) -> None:
    if board.tamper.tripped and KEY_FILE_DAMAGED in board.tamper.self_test().detail:
        raise StationError(
            f"device key file {key_file} is damaged: restore it from a copy, or make a new one with "
            "posterm keys service-reset and load the keys again"
        )


def _check_keys(board: Board, memory: Path, key_file: Path | None) -> None:
    if board.tamper.tripped:
        return  # the terminal says so itself
    found = SecureModule(board.storage, board.tamper, board.rng).self_test()
    if found.ok:
        return
    if key_file is not None and not key_file.exists():
        why = f"the device key file {key_file} is missing: restore it from a copy, or"
    else:
        why = f"{found.detail.partition(': ')[0]}:"
    raise StationError(f"the keys stored in {memory} cannot be opened: {why} {_NEW_KEYS}")


def check_bank(database: Path) -> None:
    """Look at a demo bank's database, if there is one. Raises BankError when it cannot be used."""
    if database.exists() and database.stat().st_size:
        Bank.open(database, DEMO_MASTER_KEY, entropy=SystemEntropy(), create=False).close()
