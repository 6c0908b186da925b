"""The letters of the custodians: the components of a new terminal's master key, a file for each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bank.merchant_files import IssuedTerminal


def write_components(folder: Path, issued: IssuedTerminal) -> None:
    """Write one file for each component, readable by its owner alone.

    Raises RecordError when one is there already or cannot be written: then no terminal should be issued.
    """
    from bank.errors import RecordError

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number, line in enumerate(issued.component_lines(), 1):
        path = folder / f"{issued.terminal.tid}-component-{number}.txt"
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise RecordError(f"cannot write {path}: {error.strerror}") from None
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(line + "\n")
