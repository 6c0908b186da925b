"""The files that a simulation writes: looked at before it runs, and written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def must_be_writable(option: str, path: Path | None) -> None:
    """Before a long run. Raises ValueError where no file can be written; it says why, and what to do."""
    if path is None:
        return
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # a name that is too long, links in a circle
        raise ValueError(f"{option} {path}: {error.strerror}; name another file") from None
    folder = path.resolve().parent
    if path.is_dir():
        raise ValueError(f"{option} {path}: this is a folder; name a file in it")
    if not folder.is_dir():
        raise ValueError(f"{option} {path}: there is no such folder")
    places = (path,) if _is_no_file(path) else (path, folder)
    if any(place.exists() and not os.access(place, os.W_OK) for place in places):
        raise ValueError(f"{option} {path}: it cannot be written; check the path and its permissions")


def _is_no_file(path: Path) -> bool:
    """Whether something is there that is written to, not replaced: /dev/stdout, a pipe."""
    return path.exists() and not path.is_file()


def write(path: Path, text: str) -> None:
    """The file is what it was, or has this text. Raises OSError."""
    if _is_no_file(path):
        path.write_text(text, encoding="utf-8")
        return
    target = path.resolve()
    new = target.with_name(f".posterm-{os.getpid()}.new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(target)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = str(path)  # what was asked for, not what it is called until it is whole
        new.unlink(missing_ok=True)
        raise
